"""Follow a job as it runs: what it tells of itself, until it ends."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Final

from workhorse.core.errors import JobWaitTimeoutError, NoSuchJobError
from workhorse.core.progress import LogLine, Progress
from workhorse.core.states import ENDED, State
from workhorse.store import reports
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

JobEvent = State | Progress | LogLine
"""What is told of a job that is followed: its state, its progress, or a line of its log."""

_SHORTEST: Final = 0.1
_LONGEST: Final = 0.5
"""Seconds between two looks: short while a job tells something, longer while it does not."""


def follow(
    store: Store, keys: Keys, job_id: str, *, timeout: float | None = None, after: str = ""
) -> Generator[JobEvent]:
    """Yield what a job tells, from the line *after* which is given on, until it ends.

    The last event is the state in which it ended, unless it is gone by then.
    Raises NoSuchJobError if there is none to begin with, and JobWaitTimeoutError when it has not
    ended after *timeout* seconds. Each look is one small read.
    """
    until = None if timeout is None else time.monotonic() + timeout
    told, pause = _Told(after), _SHORTEST
    while True:
        seen = store.run(reports.follow(keys, job_id, told.after))
        if seen.state is None and not told.is_known:
            raise NoSuchJobError(job_id)
        if seen.state is None:
            return
        news = told.news_in(seen)
        yield from news
        has_more = len(seen.log.lines) == reports.MANY
        if seen.state in ENDED and not has_more:
            yield seen.state
            return
        pause = _SHORTEST if news else min(_LONGEST, 1.5 * pause)
        if not has_more:
            _sleep(pause, until, job_id, timeout)


class _Told:
    """What a follower knows already."""

    def __init__(self, after: str) -> None:
        self.after = after
        self.is_known = False
        self._state: State | None = None
        self._progress: Progress | None = None

    def news_in(self, seen: reports.Standing) -> list[JobEvent]:
        """Return what is new in what was *seen*, but for the state in which the job ended."""
        news: list[JobEvent] = []
        self.is_known = True
        if seen.state not in (None, self._state, *ENDED):
            self._state = seen.state
            news.append(seen.state)
        news += seen.log.lines
        if seen.log.lines:
            self.after = seen.log.lines[-1].id
        if seen.progress not in (None, self._progress):
            news.append(seen.progress)
        self._progress = seen.progress
        return news


def _sleep(seconds: float, until: float | None, job_id: str, timeout: float | None) -> None:
    left = seconds if until is None else until - time.monotonic()
    if left <= 0:
        raise JobWaitTimeoutError(f"job {job_id} has not ended after {timeout:g} seconds")
    time.sleep(min(seconds, left))
