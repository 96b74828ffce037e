"""Running a job again after it succeeded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from workhorse.core.errors import InvalidOptionError
from workhorse.core.settings import LONGEST_SPAN


class Repeat:
    """Run a job *times* more times after its first success, *interval* seconds after each.

    *interval* is one number, or one for each time; the last is used again, as in RQ 3.0. A
    failure ends the chain. Raises InvalidOptionError, a ValueError.

    >>> Repeat(times=3, interval=[10, 60]).intervals
    (10, 60)
    """

    def __init__(self, times: int, interval: int | Iterable[int] = 0) -> None:
        if not _is_count(times) or times < 1:
            raise InvalidOptionError(f"Repeat(times={times!r}): give a number, 1 or more")
        self.times = times
        self.intervals: tuple[int, ...] = _intervals(interval)

    def __repr__(self) -> str:
        return f"Repeat(times={self.times}, interval={list(self.intervals)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Repeat) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _intervals(interval: object) -> tuple[int, ...]:
    several = isinstance(interval, Iterable)
    waits = tuple(cast("Iterable[int]", interval)) if several else (cast("int", interval),)
    if not waits or not all(_is_count(wait) and 0 <= wait <= LONGEST_SPAN for wait in waits):
        raise InvalidOptionError(
            f"Repeat(interval={interval!r}): give whole seconds, zero or more, one or several"
        )
    return waits
