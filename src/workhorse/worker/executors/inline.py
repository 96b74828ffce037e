"""Run jobs right here, one at a time. Fast; a job can take the process down with it.

The supervisor watches from outside: it enforces the hard time limit, and picks up what a
process that died had held.
"""

from __future__ import annotations

import time

from workhorse.worker.executors.protocol import Ended, Run


class InlineExecutor:
    """Runs each job inside ``start``."""

    def __init__(self) -> None:
        self._ended: list[Ended] = []

    @property
    def free_slots(self) -> int:
        return 0 if self._ended else 1

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        del kill_after  # nobody here could: this process is the job
        started_at = time.monotonic()
        outcome = run()
        self._ended.append(Ended(execution_id, outcome, started_at, time.monotonic()))

    def stop(self, execution_id: str, *, grace: float = 0) -> None:
        """Nothing to stop: the job ended before ``start`` returned."""

    def collect(self, timeout: float) -> list[Ended]:
        del timeout  # what was started has ended
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Nothing is held."""
