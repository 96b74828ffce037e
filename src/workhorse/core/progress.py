"""What a running job tells of itself: how far it is, and lines of its log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from workhorse.core.errors import InvalidOptionError

LONGEST_NOTE: Final = 200
"""Characters that are kept of a note."""

Source = Literal["log", "out", "err", "run"]
"""What wrote a line: Python's logging, ``sys.stdout``, ``sys.stderr``. ``run``: one begins."""

Number = int | float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, as it told last."""

    done: Number
    """How much of it is done, in whatever unit."""
    total: Number | None = None
    """How much there is in all; None where that is not known."""
    note: str = ""
    """What it is doing, one line."""
    at: datetime | None = None
    """When it told so, by the server's clock."""

    @property
    def fraction(self) -> float | None:
        """Which part is done, from 0 to 1; None where the total is not known.

        >>> Progress(1, 4).fraction, Progress(9, 4).fraction, Progress(1).fraction
        (0.25, 1.0, None)
        """
        if not self.total:
            return None
        return min(1.0, max(0.0, self.done / self.total))

    def __str__(self) -> str:
        """Return it in words.

        >>> str(Progress(2, 8, "resizing")), str(Progress(3))
        ('2 of 8 (25 %) resizing', '3')
        """
        told = f"{self.done:.15g}"
        if self.total is not None:
            told += f" of {self.total:.15g}"
        if self.fraction is not None:
            told += f" ({100 * self.fraction:.0f} %)"
        return f"{told} {self.note}".rstrip()


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a job logged or wrote. Its text may hold anything; show it harmlessly."""

    id: str
    """Its place in the log; what is asked for lines ``after`` it."""
    at: datetime | None
    """When it was written, by the server's clock."""
    source: Source
    level: str
    """Of a logged line: ``info``, ``warning`` and so on."""
    text: str


def checked(done: Any, total: Any, note: Any) -> tuple[Number, Number | None, str]:
    """Return what a job tells of its progress. Raises InvalidOptionError.

    >>> checked(3, None, None)
    (3, None, '')
    """
    return (
        _number(done, "done"),
        None if total is None else _number(total, "total"),
        _noted(note),
    )


def _number(value: Any, name: str) -> Number:
    number: Any = value
    if not isinstance(value, int | float) and hasattr(value, "__float__"):
        number = float(value)  # of numpy, say
    if not isinstance(number, int | float) or not abs(number) < LARGEST:
        raise InvalidOptionError(f"{name} is {value!r:.100}: give a number")
    return number + 0  # what is true is 1


LARGEST: Final = 1e18
"""What is done must be less."""


def _noted(note: object) -> str:
    if note is None:
        return ""
    if not isinstance(note, str):
        raise InvalidOptionError(f"note is {note!r:.100}: give a text")
    return " ".join(note[: 4 * LONGEST_NOTE].split())[:LONGEST_NOTE]
