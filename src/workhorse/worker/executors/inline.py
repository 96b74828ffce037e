"""Run jobs right here, one at a time. Fast; a job can take the process down with it.

The supervisor watches from outside: it enforces the hard time limit, and picks up what a
process that died had held.
"""

from __future__ import annotations

import time

from workhorse.core.callbacks import After
from workhorse.worker.executors.protocol import Called, Ended, LongRun, Run


class InlineExecutor:
    """Runs each job inside ``start``."""

    def __init__(self) -> None:
        self._ended: list[Ended | Called] = []
        self._waiting: LongRun | None = None

    @property
    def free_slots(self) -> int:
        return 0 if self._ended or self._waiting else 1

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        del kill_after  # nobody here could: this process is the job
        started_at = time.monotonic()
        outcome = run()
        if isinstance(run, LongRun) and run.waits_after(outcome):
            self._waiting = run
        waits = self._waiting is not None
        self._ended.append(Ended(execution_id, outcome, started_at, time.monotonic(), waits))

    def go_on(self, execution_id: str, after: After | None, *, kill_after: float | None) -> None:
        del kill_after
        run, self._waiting = self._waiting, None
        if run and after:
            self._ended.append(Called(execution_id, run.go_on(after)))

    def stop(self, execution_id: str, *, grace: float = 0) -> None:
        """Nothing to stop: the job ended before ``start`` returned."""

    def collect(self, timeout: float) -> list[Ended | Called]:
        del timeout  # what was started has ended
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Nothing is held."""
