"""A run of a job that other libraries watch, in the process that runs it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from workhorse.core.errors import InvalidJobOperation
from workhorse.core.outcomes import Outcome


@dataclass(slots=True)
class WatchedRun:
    """How to begin it, and how it ended."""

    proceed: Callable[[], Outcome]
    outcome: Outcome | None = None
    error: BaseException | None = None


_CURRENT: Final[ContextVar[WatchedRun | None]] = ContextVar("workhorse_watched_run", default=None)


@contextmanager
def watched(proceed: Callable[[], Outcome]) -> Generator[WatchedRun]:
    """Have ``perform`` begin a run by *proceed* within the block."""
    run = WatchedRun(proceed)
    token = _CURRENT.set(run)
    try:
        yield run
    finally:
        _CURRENT.reset(token)


def perform(job_id: str) -> Outcome:
    """Run the job whose run is watched. Raises what it does; InvalidJobOperation elsewhere."""
    run = _CURRENT.get()
    if run is None:
        raise InvalidJobOperation(
            f"job {job_id} can't be performed here: workers run jobs; to run one in this process, "
            "enqueue it on a Queue with is_async=False"
        )
    try:
        run.outcome = run.proceed()
    except BaseException as error:
        run.error = error
        raise
    return run.outcome
