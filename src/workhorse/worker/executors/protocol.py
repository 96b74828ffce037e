"""What the worker's loop asks of any place that runs jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from workhorse.core.callbacks import After
from workhorse.core.outcomes import Outcome

Run = Callable[[], Outcome]
"""Run a job to its end. Raises nothing: whatever the job does is its outcome."""


class LongRun:
    """A run whose process may be needed once more, when its outcome was told: for callbacks.

    No abstract base class: it is asked of each run whether it is one, which takes those longer.
    """

    def __call__(self) -> Outcome:
        """Do what a ``Run`` does."""
        raise NotImplementedError

    def waits_after(self, outcome: Outcome) -> bool:
        """Return whether its process then waits to be told how it goes on."""
        raise NotImplementedError

    def go_on(self, after: After) -> str:
        """Call what is to be called; return what went wrong, empty for nothing."""
        raise NotImplementedError


class Ended(NamedTuple):
    """One finished run, reported once. Times are of the monotonic clock, in seconds."""

    execution_id: str
    outcome: Outcome
    started_at: float
    ended_at: float
    waits: bool = False
    """Whether its process waits for ``Executor.go_on``, and its slot with it."""


class Called(NamedTuple):
    """What was to be called after a run was called, or died."""

    execution_id: str
    problem: str
    """What went wrong; empty for nothing."""


class Executor(Protocol):
    """Runs jobs somewhere and reports how each ended.

    Every executor passes ``tests/contract/test_executors.py``: whatever a job does, it is
    reported exactly once and its slot comes back.
    """

    @property
    def free_slots(self) -> int:
        """How many more jobs may be started now."""
        ...

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        """Begin a run; after *kill_after* seconds it is killed, where it can be.

        Never blocks on the job, except inline.
        """
        ...

    def stop(self, execution_id: str, *, grace: float = 0) -> None:
        """End a running job; it is reported as stopped.

        With *grace* it is asked to end itself, and killed after so many seconds.
        """
        ...

    def collect(self, timeout: float) -> list[Ended | Called]:
        """Return runs that ended, waiting up to *timeout* seconds for the first."""
        ...

    def go_on(self, execution_id: str, after: After | None, *, kill_after: float | None) -> None:
        """Have a run that waits call what comes *after* it, and report it as called.

        With None it is over, and nothing more is reported.
        """
        ...

    def close(self) -> None:
        """End what still runs, unreported, and release everything."""
        ...
