"""Workers as monitors see them: those that are registered, here or on another machine."""

from __future__ import annotations

import warnings
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any

from workhorse.api.classes import choose_class
from workhorse.api.connection import Link, default_keys
from workhorse.api.executions import Execution
from workhorse.api.job import Job
from workhorse.api.queue import Queue
from workhorse.core.errors import NoSuchJobError
from workhorse.store import executions, views
from workhorse.store.views import WorkerRecord
from workhorse.wire.payload import Serializer


class WorkerStatus(StrEnum):
    """What a worker does, as ``RegisteredWorker.get_state`` tells it."""

    STARTED = "started"
    SUSPENDED = "suspended"
    """Work, or each of its queues, is suspended or paused."""
    BUSY = "busy"
    IDLE = "idle"


class RegisteredWorker:
    """A worker as it showed itself last, here or on another machine."""

    def __init__(
        self,
        record: WorkerRecord,
        link: Link,
        job_class: type[Job] | str | None = None,
        queue_class: type[Queue] | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> None:
        self._record = record
        self._link = link
        self._job_class = choose_class("job_class", job_class, Job)
        self._queue_class = choose_class("queue_class", queue_class, Queue)
        self._serializer = serializer
        self._keys = default_keys()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._record.name!r}, {self._record.state})"

    def get_state(self) -> str:
        """Return what it did then: started, busy, idle or suspended."""
        return self._record.state

    @property
    def state(self) -> str:
        """RQ's old name of ``get_state()``."""
        hint = "worker.state: use worker.get_state()"
        warnings.warn(hint, DeprecationWarning, stacklevel=2)
        return self.get_state()

    def refresh(self) -> None:
        """Look at it anew; one that is gone stays as it was last."""
        record = self._link.store.run(views.worker(self._keys, self.name))
        self._record = record or self._record

    @property
    def connection(self) -> Any:
        """The client that it is asked of."""
        return self._link.store.client

    @property
    def queues(self) -> list[Queue]:
        """Its queues, the most urgent first."""
        return [
            self._queue_class(
                name, self.connection, job_class=self._job_class, serializer=self._serializer
            )
            for name in self._record.queues
        ]

    def queue_names(self) -> list[str]:
        """Return the names of its queues, the most urgent first."""
        return list(self._record.queues)

    def queue_keys(self) -> list[str]:
        """Return the keys of its queues on the server, the most urgent first."""
        return [self._keys.queue(name) for name in self._record.queues]

    @property
    def executions(self) -> list[Execution]:
        """The runs of jobs that it holds now, asked of the server."""
        return self.get_current_executions()

    @property
    def execution(self) -> Execution | None:
        """The first of them; None for none."""
        return next(iter(self.get_current_executions()), None)

    def get_current_executions(self, refresh: bool = False) -> list[Execution]:  # noqa: FBT001, FBT002 - as in RQ
        """Return the runs of jobs that it holds now: those it runs, and those it will run next.

        Asked of the server each time; *refresh* is RQ's and changes nothing.
        """
        del refresh
        held = self._link.store.run(executions.of_worker(self._keys, self.name))
        known = (execution for each in held for execution in self._executions(each.job_id))
        return [each for each in known if each.worker_name == self.name]

    def _executions(self, job_id: str) -> list[Execution]:
        found = self._link.store.run(executions.of_job(self._keys, job_id))
        return [Execution(each.execution_id, job_id).become(each, self._link) for each in found]

    @property
    def current_execution_count(self) -> int:
        """How many jobs it holds now."""
        return len(self._link.store.run(executions.of_worker(self._keys, self.name)))

    def get_current_job_id(self) -> str | None:
        """Return the id of a job that it holds now, the first that it took; None for none."""
        held = self._link.store.run(executions.of_worker(self._keys, self.name))
        return held[0].job_id if held else None

    def get_current_job(self) -> Job | None:
        """Return a job that it holds now, the first that it took; None for none."""
        job_id = self.get_current_job_id()
        if job_id is None:
            return None
        with suppress(NoSuchJobError):  # it has ended, and was not to be kept
            return self._job_class.fetch(job_id, self._link.store.client, self._serializer)
        return None

    @property
    def key(self) -> str:
        """The key of its hash on the server."""
        return self._keys.worker(self.name)

    @property
    def name(self) -> str:
        """Its name."""
        return self._record.name

    @property
    def hostname(self) -> str | None:
        """Its machine."""
        return self._record.hostname

    @property
    def ip_address(self) -> str | None:
        """Its machine's address."""
        return self._record.ip_address

    @property
    def pid(self) -> int | None:
        """Its process there."""
        return self._record.pid

    @property
    def version(self) -> str | None:
        """The version of Workhorse or RQ that it runs."""
        return self._record.version

    @property
    def python_version(self) -> str | None:
        """The Python that it runs on."""
        return self._record.python_version

    @property
    def birth_date(self) -> datetime | None:
        """When it started."""
        return self._record.birth

    @property
    def last_heartbeat(self) -> datetime | None:
        """When it was heard of last."""
        return self._record.last_heartbeat

    @property
    def death_date(self) -> datetime | None:
        """When it ended; None while it lives."""
        return self._record.death

    @property
    def successful_job_count(self) -> int:
        """How many jobs it finished."""
        return self._record.successful_job_count

    @property
    def failed_job_count(self) -> int:
        """How many runs of it failed, those that were retried included."""
        return self._record.failed_job_count

    @property
    def total_working_time(self) -> float:
        """How long its jobs ran in all, in seconds."""
        return self._record.total_working_time
