"""Runs that go on now: who runs a job, and since when. Nothing here changes one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workhorse.api.classes import class_at
from workhorse.api.connection import Link, default_keys, link_to
from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import check_job_id
from workhorse.store import executions
from workhorse.store.drivers import Client
from workhorse.store.executions import ExecutionRecord


class Execution:
    """One run of a job, by a worker of ours or of RQ's. Times are aware, in UTC.

    A run shorter than fifteen seconds is known by its lease alone: then ``last_heartbeat`` is
    when the job was started.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - RQ's name
        job_id: str,
        connection: Client | str | None = None,
        worker_name: str = "",
    ) -> None:
        self._link = link_to(connection)
        self._keys = default_keys()
        self._record = ExecutionRecord(check_job_id(job_id), id, worker_name, None, None)

    def become(self, record: ExecutionRecord, link: Link) -> Execution:
        """Show *record* from now on and return the execution."""
        self._record = record
        self._link = link
        return self

    @classmethod
    def fetch(
        cls,
        id: str,  # noqa: A002 - RQ's name
        job_id: str,
        connection: Client | str | None = None,
    ) -> Execution:
        """Return this run of a job. Raises InvalidOptionError, a ValueError, if it is over."""
        execution = cls(id, job_id, connection)
        execution.refresh()
        return execution

    @classmethod
    def from_composite_key(
        cls, composite_key: str, connection: Client | str | None = None
    ) -> Execution:
        """Return the run that an entry of the started registry names; see ``refresh``."""
        job_id, _, execution_id = composite_key.rpartition(":")
        return cls(execution_id, job_id, connection)

    def refresh(self) -> None:
        """Fetch what is known of it. Raises InvalidOptionError, a ValueError, if it is over."""
        found = self._link.store.run(executions.of_job(self._keys, self.job_id))
        for record in found:
            if record.execution_id == self.id:
                self._record = record
                return
        raise InvalidOptionError(f"job {self.job_id} is not run by execution {self.id} any more")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, {self.job_id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Execution) and self.composite_key == other.composite_key

    def __hash__(self) -> int:
        return hash(self.composite_key)

    @property
    def id(self) -> str:
        """What names this run: the fencing token that its verdict must bring."""
        return self._record.execution_id

    @property
    def job_id(self) -> str:
        """The job that it runs."""
        return self._record.job_id

    @property
    def worker_name(self) -> str:
        """The worker that runs it."""
        return self._record.worker_name

    @property
    def created_at(self) -> datetime | None:
        """When it began."""
        return self._record.created_at

    @property
    def last_heartbeat(self) -> datetime | None:
        """When its worker last said that it goes on."""
        return self._record.last_heartbeat

    @property
    def composite_key(self) -> str:
        """Its entry in the started registry: the job's id and its own."""
        return f"{self.job_id}:{self.id}"

    @property
    def key(self) -> str:
        """The key of its hash on the server, which short runs do not have."""
        return self._keys.execution(self.job_id, self.id)

    @property
    def connection(self) -> Any:
        """The client that it is asked of."""
        return self._link.store.client

    @property
    def job(self) -> Any:
        """Its job, fetched. Raises NoSuchJobError."""
        return class_at("workhorse.api.job.Job").fetch(self.job_id, self.connection)


class ExecutionRegistry:
    """The runs of one job that go on: at most one, unless RQ's workers run it too."""

    def __init__(self, job_id: str, connection: Client | str | None = None) -> None:
        self.job_id = check_job_id(job_id)
        self._link = link_to(connection)
        self._keys = default_keys()

    @property
    def key(self) -> str:
        """The key of RQ's index of them."""
        return self._keys.executions(self.job_id)

    @property
    def connection(self) -> Any:
        """The client that it is read through."""
        return self._link.store.client

    def get_executions(self, start: int = 0, end: int = -1) -> list[Execution]:
        """Return the runs that go on, from rank *start* to *end*: those of all by default."""
        found = self._link.store.run(executions.of_job(self._keys, self.job_id))
        some = found[start:] if end == -1 else found[start : end + 1]
        return [
            Execution(record.execution_id, record.job_id).become(record, self._link)
            for record in some
        ]

    def get_execution_ids(self, start: int = 0, end: int = -1) -> list[str]:
        """Return what names them."""
        return [execution.id for execution in self.get_executions(start, end)]

    def __len__(self) -> int:
        return len(self.get_executions())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self)
