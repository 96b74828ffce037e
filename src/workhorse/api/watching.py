"""Who else hears of the jobs that this process enqueues: the tools for tests do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final

from workhorse.api.job import Job

Watcher = Callable[[Sequence[Job]], None]

_watchers: Final[list[Watcher]] = []


def is_watched() -> bool:
    """Return whether anybody wants to hear."""
    return bool(_watchers)


def tell_watchers(jobs: Iterable[Job]) -> None:
    """Tell of new jobs of one call, in their order; raises what a watcher raises."""
    told = list(jobs)
    for watcher in tuple(_watchers):
        watcher(told)


@contextmanager
def watched_by(watcher: Watcher) -> Generator[None]:
    """Have *watcher* called within the block, when jobs were stored, before ``enqueue`` returns.

    In the thread that enqueued them. Those that were there already are not told.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
