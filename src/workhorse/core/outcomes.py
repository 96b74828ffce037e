"""How one run of a job ended. Plain facts that any executor can report."""

from __future__ import annotations

from dataclasses import dataclass

from workhorse.core.retry import Retry


@dataclass(frozen=True, slots=True)
class Returned:
    """The function returned; *value* is what it returned, serialized, None for None."""

    value: bytes | None
    replaced: str = ""
    """Why *value* is a text that stands in for it, where it is one."""


@dataclass(frozen=True, slots=True)
class AskedRetry:
    """The function returned or raised a ``Retry``: not done yet, try again by that policy."""

    retry: Retry
    traceback: str = ""
    """Where it was raised, and what for; empty where it was returned."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The job's code, its import or its arguments raised; *traceback* is the text to keep."""

    traceback: str
    kinds: tuple[str, ...] = ()
    """The dotted names of the exception's class and its base classes."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The job ran past its time limit and was interrupted, or killed when it would not end."""

    traceback: str
    kinds: tuple[str, ...] = ()
    """As of ``Raised``, where the job made another exception of the interrupt."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process that ran the job is gone, and nobody knows how far the job came."""

    detail: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A person asked for the job to end."""

    traceback: str = ""
    """Where it was, if it ended by an exception."""


Outcome = Returned | AskedRetry | Raised | TimedOut | Crashed | Stopped


def in_words(outcome: Outcome) -> str:
    """Return what *outcome* says of the process of a job that died.

    >>> in_words(Crashed("killed by signal 11"))
    'its process died: killed by signal 11'
    """
    match outcome:
        case Crashed(detail):
            return f"its process died: {detail}"
        case TimedOut(text) | Raised(text):
            return text
        case Stopped():
            return "killed, because a person wants its job ended"
        case _:
            return ""
