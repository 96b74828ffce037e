"""What a screen is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from workhorse.core.errors import WorkhorseError
from workhorse.dashboard.access import Role, User
from workhorse.store.drivers import Client, Store
from workhorse.wire.keys import Keys

PAGE: Final = 25
"""Rows of a page."""


class NoSuchPageError(WorkhorseError):
    """There is nothing at this address; the text says what was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at the server, by one user."""

    store: Store
    keys: Keys
    user: User
    path: Mapping[str, str]
    """What the address names: ``queue``, ``job_id`` ..."""
    query: Mapping[str, str]
    now: float
    """This process's clock, in seconds since 1970."""
    redact: Callable[[str], str]
    """Hides secrets in what a job was called with, or told."""

    @property
    def connection(self) -> Client:
        """What the API's objects are made with."""
        return self.store.client

    def number(self, name: str, default: int = 0) -> int:
        """Return a number of the query, no less than 0; *default* for what is none."""
        text = self.query.get(name, "")
        return int(text) if text.isdecimal() and len(text) <= _DIGITS else default


_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Screen:
    """What is to be shown: a template, and what stands in it."""

    template: str
    title: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


ScreenOf = Callable[[View], Screen]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a user can do. *do* returns what was done, in a sentence."""

    name: str
    role: Role
    do: Callable[[View, Mapping[str, str]], str]
