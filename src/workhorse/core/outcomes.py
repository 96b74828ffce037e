"""How one run of a job ended. Plain facts that any executor can report."""

from __future__ import annotations

from dataclasses import dataclass

from workhorse.core.retry import Retry


@dataclass(frozen=True, slots=True)
class Returned:
    """The function returned; *value* is what it returned, serialized, None for None."""

    value: bytes | None


@dataclass(frozen=True, slots=True)
class AskedRetry:
    """The function returned a ``Retry``: not done yet, try again by that policy."""

    retry: Retry


@dataclass(frozen=True, slots=True)
class Raised:
    """The job's code, its import or its arguments raised; *traceback* is the text to keep."""

    traceback: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The job ran past its time limit and was interrupted, or killed when it would not end."""

    traceback: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process that ran the job is gone, and nobody knows how far the job came."""

    detail: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A person asked for the job to end."""


Outcome = Returned | AskedRetry | Raised | TimedOut | Crashed | Stopped
