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
class Told:
    """What an action did, in a sentence; and how it goes on, where it did a part of its work.

    The page shows how far it is, and sends the action again with the fields of *again*.
    """

    text: str
    done: int = 0
    total: int = 0
    again: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a user can do. *do* returns what was done, in a sentence or as ``Told``.

    It is given the form's fields; the values of one that came several times are lines of a text.
    """

    name: str
    role: Role
    do: Callable[[View, Mapping[str, str]], str | Told]
