"""What a job's runs produced, those that ended and those that go on, and where it is listed."""

from __future__ import annotations

from typing import Any

from workhorse.api.classes import class_at
from workhorse.api.executions import Execution, ExecutionRegistry
from workhorse.api.results import Result, result_of
from workhorse.api.snapshot import JobSnapshot
from workhorse.api.waiting import await_end
from workhorse.store import results
from workhorse.store.drivers import Store
from workhorse.wire.entries import ResultType
from workhorse.wire.payload import Serializer, choose_serializer


class JobHistory(JobSnapshot):
    """The runs of a ``Job``."""

    @property
    def connection(self) -> Any:
        """The client this job talks through."""
        raise NotImplementedError

    @property
    def _store(self) -> Store:
        raise NotImplementedError

    def latest_result(self, timeout: float = 0) -> Result | None:
        """Return the newest run that ended; None before any did, and once the job is gone.

        With a *timeout* the job's end is waited for, as many seconds at most.
        """
        if timeout > 0:
            await_end(self._store, self._keys, self.id, timeout)
        return next(iter(self.read_results(1)), None)

    def results(self) -> list[Result]:
        """Return the kept runs, newest first: ten at most."""
        return self.read_results(10)

    def return_value(self, refresh: bool = False) -> Any:  # noqa: FBT001, FBT002 - as in RQ
        """Return what the function returned; None before its success, and for a None.

        Always asked of the server; *refresh* is RQ's and changes nothing.
        """
        del refresh
        result = self.latest_result()
        if result is None or result.type is not ResultType.SUCCESSFUL:
            return None
        return result.return_value

    def read_results(self, limit: int, serializer: Serializer | str | None = None) -> list[Result]:
        """Return the kept runs, newest first, *limit* at most; values read by *serializer*."""
        chosen = self.serializer if serializer is None else choose_serializer(serializer)
        records = self._store.run(results.runs(self._keys, self.id, limit=limit))
        return [result_of(self.id, record, chosen) for record in records]

    def count_results(self) -> int:
        """Return how many runs are kept; no value is read."""
        return len(self._store.run(results.runs(self._keys, self.id, limit=1000)))

    def delete_results(self) -> None:
        """Delete what is kept of the runs that ended."""
        self._store.run(results.delete(self._keys, self.id))

    # The runs that go on

    def get_executions(self) -> list[Execution]:
        """Return the runs of the job that go on: one at most, unless RQ's workers run it too."""
        return self.execution_registry.get_executions()

    @property
    def execution_registry(self) -> ExecutionRegistry:
        """The runs of the job that go on."""
        return ExecutionRegistry(self.id, self.connection)

    # Where jobs of its queue are listed

    @property
    def started_job_registry(self) -> Any:
        """The StartedJobRegistry of its queue."""
        return self._registry("StartedJobRegistry")

    @property
    def finished_job_registry(self) -> Any:
        """The FinishedJobRegistry of its queue."""
        return self._registry("FinishedJobRegistry")

    @property
    def failed_job_registry(self) -> Any:
        """The FailedJobRegistry of its queue."""
        return self._registry("FailedJobRegistry")

    def _registry(self, kind: str) -> Any:
        registry = class_at(f"workhorse.api.registries.{kind}")
        return registry(
            self.origin, self.connection, job_class=type(self), serializer=self.serializer
        )
