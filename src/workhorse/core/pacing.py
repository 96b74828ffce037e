"""How many jobs a worker should hold: what it runs in a moment, and one when they are slow."""

from __future__ import annotations

from workhorse.core.settings import BATCH_JOBS, BATCH_SECONDS


def next_batch(size: int, *, jobs: int, seconds: float, slowest: float) -> int:
    """Return how many jobs to claim next, after a batch of *jobs* took *seconds* in all.

    *size* was asked for; *slowest* is the longest of the jobs. It at most doubles, so that
    one lucky batch does not fill a worker with work for minutes.

    >>> next_batch(1, jobs=1, seconds=0.0001, slowest=0.0001)
    2
    >>> next_batch(100, jobs=100, seconds=0.005, slowest=0.0001)
    200
    >>> next_batch(100, jobs=100, seconds=0.05, slowest=0.001)
    50
    >>> next_batch(100, jobs=100, seconds=0.04, slowest=0.03)
    1
    """
    if slowest > BATCH_SECONDS or not jobs:
        return 1
    affordable = BATCH_SECONDS * jobs / seconds if seconds > 0 else BATCH_JOBS
    return max(1, int(min(size * 2, affordable, BATCH_JOBS)))


class Pace:
    """What is known of how long jobs take, by the name of their function.

    A name that was not seen yet counts as slow: what ended before such a job is settled
    first, so that a job that hangs holds nobody's result.
    """

    def __init__(self, *, names: int = 1000) -> None:
        self._names = names
        self._seconds: dict[str, float] = {}

    def learn(self, name: str, seconds: float) -> None:
        """Take note that a job called *name* took *seconds*; recent runs count most."""
        known = self._seconds.get(name)
        if known is None and len(self._seconds) >= self._names:
            self._seconds.clear()
        self._seconds[name] = seconds if known is None else known + (seconds - known) * 0.25

    def is_short(self, name: str) -> bool:
        """Return whether a job called *name* is expected to end within one batch's time."""
        return self._seconds.get(name, BATCH_SECONDS) < BATCH_SECONDS
