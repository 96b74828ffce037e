"""Functions that are called when a job has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from workhorse.core.durations import parse_seconds
from workhorse.core.errors import InvalidOptionError

CALLBACK_TIMEOUT: Final = 60
"""Seconds, RQ's default."""


class CallbackRecord(NamedTuple):
    """A callback as a job's hash holds it: a dotted name, and seconds that it may run."""

    name: str
    timeout: int = CALLBACK_TIMEOUT


class Callback:
    """A function, or its dotted name, to call when a job has ended, for *timeout* at most.

    *timeout* is in seconds or as ``"2m"``; -1 for no limit. Raises InvalidOptionError, a
    ValueError, for what is no function.
    """

    def __init__(self, func: Callable[..., Any] | str, timeout: int | str | None = None) -> None:
        if not isinstance(func, str) and not callable(func):
            raise InvalidOptionError(f"Callback({func!r}): give a function or its dotted name")
        seconds = parse_seconds(timeout)
        if seconds is not None and (seconds == 0 or seconds < -1):
            raise InvalidOptionError(
                f"Callback(timeout={timeout!r}): give seconds of 1 or more, or -1 for no limit"
            )
        self.func = func
        self.timeout = CALLBACK_TIMEOUT if seconds is None else seconds

    @property
    def name(self) -> str:
        """The dotted name of the function."""
        if isinstance(self.func, str):
            return self.func
        name = getattr(self.func, "__qualname__", type(self.func).__qualname__)
        return f"{self.func.__module__}.{name}"

    def __repr__(self) -> str:
        return f"Callback({self.func!r}, timeout={self.timeout})"


@dataclass(frozen=True, slots=True)
class After:
    """What is called in a job's process once it is settled how the run ended."""

    callback: Literal["", "success", "failure", "stopped"] = ""
    handlers: bool = False
    """Whether the worker's exception handlers are called, too."""
    limit: float | None = None
    """Seconds that all of it may take; None for no limit."""
