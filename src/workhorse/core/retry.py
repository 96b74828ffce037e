"""When to try a failed job again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workhorse.core.errors import InvalidOptionError


class Retry:
    """Try a job again, up to *max* times, waiting *interval* seconds before each try.

    *interval* is one number for all tries, or one for each. Used in two places, with
    RQ 3.0's counting in both: given to ``enqueue`` it answers exceptions, and returned
    by the job itself it asks for another run. ``enqueue_at_front`` puts the retried job
    first in its queue. Raises InvalidOptionError, a ValueError, for a *max* below 1 or a negative
    interval.

    >>> Retry(max=3, interval=[10, 30, 60]).intervals
    (10, 30, 60)
    >>> Retry(max=0)
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidOptionError: Retry(max=0): give a number of tries, 1 or more
    """

    __slots__ = ("enqueue_at_front", "intervals", "max")

    def __init__(
        self,
        max: int,  # noqa: A002 - RQ's name
        interval: int | Iterable[int] = 0,
        enqueue_at_front: bool = False,  # noqa: FBT001, FBT002 - positional in RQ
    ) -> None:
        if not _is_count(max) or max < 1:
            raise InvalidOptionError(f"Retry(max={max!r}): give a number of tries, 1 or more")
        intervals = tuple(interval) if isinstance(interval, Iterable) else (interval,)
        if not intervals or not all(_is_count(wait) and wait >= 0 for wait in intervals):
            raise InvalidOptionError(
                f"Retry(interval={interval!r}): give whole seconds, zero or more, one or several"
            )
        self.max = max
        self.intervals = intervals
        self.enqueue_at_front = enqueue_at_front

    def __repr__(self) -> str:
        front = ", enqueue_at_front=True" if self.enqueue_at_front else ""
        return f"Retry(max={self.max}, interval={list(self.intervals)}{front})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Retry):
            return NotImplemented
        return repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def _is_count(number: object) -> bool:
    return isinstance(number, int)


def wait_after_failure(retries_left: int, intervals: Sequence[int]) -> int | None:
    """Return the seconds to wait before the next try, or None to give up.

    With more tries than intervals the first one repeats, as in RQ 3.0:

    >>> [wait_after_failure(left, [10, 30, 60]) for left in (5, 4, 3, 2, 1, 0)]
    [10, 10, 10, 30, 60, None]
    >>> wait_after_failure(1, [])
    0
    """
    if retries_left <= 0:
        return None
    if not intervals:
        return 0
    return intervals[max(len(intervals) - retries_left, 0)]


def wait_when_asked(asked: int, retry: Retry) -> int | None:
    """Return the seconds to wait when the job returned *retry* after *asked* earlier times.

    None when it has been asked for often enough. The last interval repeats, as in RQ 3.0:

    >>> [wait_when_asked(asked, Retry(4, [10, 30])) for asked in (0, 1, 2, 3, 4)]
    [10, 30, 30, 30, None]
    """
    if asked >= retry.max:
        return None
    return retry.intervals[min(asked, len(retry.intervals) - 1)]
