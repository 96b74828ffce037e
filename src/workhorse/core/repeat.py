"""Running a job again after it succeeded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workhorse.core.errors import InvalidOptionError
from workhorse.core.waits import check_waits, is_count


class Repeat:
    """Run a job *times* more times after its first success, *interval* seconds after each.

    *interval* is one number, or one for each time; the last is used again, as in RQ 3.0. A
    failure ends the chain. Raises InvalidOptionError, a ValueError.

    >>> Repeat(times=3, interval=[10, 60]).intervals
    (10, 60)
    """

    def __init__(self, times: int, interval: int | Iterable[int] = 0) -> None:
        if not is_count(times) or times < 1:
            raise InvalidOptionError(f"Repeat(times={times!r}): give a number, 1 or more")
        self.times = times
        self.intervals: tuple[int, ...] = check_waits("Repeat", interval)

    @classmethod
    def get_interval(cls, count: int, intervals: Sequence[int]) -> int:
        """Return the seconds before the repeat number *count*, counted from 0.

        >>> [Repeat.get_interval(count, [10, 60]) for count in (0, 1, 2, 3)]
        [10, 60, 60, 60]
        """
        return intervals[min(count, len(intervals) - 1)]

    def __repr__(self) -> str:
        return f"Repeat(times={self.times}, interval={list(self.intervals)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Repeat) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def wait_before_repeat(
    repeats_left: int | None, intervals: Sequence[int]
) -> tuple[int, tuple[int, ...]] | None:
    """Return the seconds until the next run, and the intervals that are left for those after it.

    None where the job is not to run again.

    >>> wait_before_repeat(3, [10, 60]), wait_before_repeat(2, [60]), wait_before_repeat(1, [])
    ((10, (60,)), (60, (60,)), (0, ()))
    >>> wait_before_repeat(0, [60])
    """
    if not repeats_left or repeats_left < 0:
        return None
    if not intervals:
        return 0, ()
    return intervals[0], tuple(intervals[1:] or intervals)
