"""What a job tells of itself while it runs: told by its own code, and read by others."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from typing import Any

from workhorse.api.following import JobEvent, follow
from workhorse.api.snapshot import JobSnapshot
from workhorse.core.errors import InvalidJobOperation
from workhorse.core.progress import LogLine, Number, Progress
from workhorse.core.settings import LOG_LINES
from workhorse.store import reports
from workhorse.store.drivers import Store


class JobReports(JobSnapshot):
    """What a ``Job`` tells of itself."""

    _reporter: Any = None

    @property
    def _store(self) -> Store:
        raise NotImplementedError

    def progress(self, done: Number, total: Number | None = None, note: str | None = None) -> None:
        """Tell how far the job is; for its own code, in any of its threads.

        Costs a few microseconds, and never waits: the last value told is sent a few times a
        second, and at the end. *note* is one line, of which 200 characters are kept. Raises
        InvalidOptionError, and InvalidJobOperation where the job does not run in this process.
        In a callback, and in a process that the job forked, nothing is sent.
        """
        reporter = self._reporter
        if reporter is None or reporter.is_closed:
            reporter = self._reporter = _reporter_of(self.id)
        if reporter is not None:
            reporter.progress(done, total, note)

    def get_progress(self) -> Progress | None:
        """Return what the job told last of its progress, asked of the server; None for nothing.

        A run that is tried again begins anew.
        """
        return self._store.run(reports.follow(self._keys, self.id, count=1)).progress

    def log_lines(self, count: int = LOG_LINES) -> list[LogLine]:
        """Return the last *count* lines of the job's log, the oldest first; see ``capture_logs``.

        A thousand are kept at most, of all runs; one with the source ``run`` begins another run.
        Their text may hold anything.
        """
        call = reports.log_page(self._keys, self.id, count=count, backwards=True)
        return self._store.run(call).lines

    def events(self, timeout: float | None = None) -> Generator[JobEvent]:
        """Yield what the job tells as it runs, what it told before first, until it has ended.

        Each event is a ``JobStatus``, a ``Progress`` or a ``LogLine``. The last is the state
        that it ended in, unless the job is gone by then (deleted, or a success with
        ``result_ttl=0``). Raises NoSuchJobError if it is gone already,
        and JobWaitTimeoutError when it has not ended after *timeout* seconds. Any number may
        follow a job; each looks two to ten times a second.
        """
        return follow(self._store, self._keys, self.id, timeout=timeout)


def report_progress(done: Number, total: Number | None = None, note: str | None = None) -> None:
    """Tell how far the job is whose code calls this, as ``Job.progress`` does.

    Outside of a job it checks its arguments and does nothing else.
    """
    telling: Any = importlib.import_module("workhorse.worker.reports")
    running = telling.running_here()
    reporter = telling.reporter_of(running) if running else None
    if reporter is None:
        telling.checked(done, total, note)
    else:
        reporter.progress(done, total, note)


def _reporter_of(job_id: str) -> Any:
    """Return what tells of a job that runs here; None for one whose own code has ended."""
    telling: Any = importlib.import_module("workhorse.worker.reports")
    running = telling.running_here(job_id)
    if running is None:
        raise InvalidJobOperation(
            f"job {job_id} does not run here: only its own code tells of its progress "
            "(get_progress reads it)"
        )
    return telling.reporter_of(running)
