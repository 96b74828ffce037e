"""The queue of failed jobs that RQ had before 1.0, over the failed jobs of all queues."""

from __future__ import annotations

import time
import traceback
import warnings
from dataclasses import replace
from typing import Any, cast

from workhorse.api.connection import default_keys, link_to
from workhorse.api.job import Job
from workhorse.api.registries import FailedJobRegistry
from workhorse.core.errors import InvalidJobOperation, InvalidOptionError, NoSuchJobError
from workhorse.core.ids import check_job_id, new_token
from workhorse.core.settings import FAILURE_TTL
from workhorse.core.states import Event, State
from workhorse.core.verdicts import Verdict
from workhorse.store import jobs, starting, views
from workhorse.store.drivers import Client
from workhorse.wire.claimed import claimed_of
from workhorse.wire.payload import Serializer, choose_serializer
from workhorse.wire.records import JobRecord

_LEASE = 60.0
"""Seconds in which a job that is put among the failed ones must arrive there."""


def get_failed_queue(
    connection: Client | str | None = None,
    job_class: type[Job] | None = None,
    serializer: Serializer | str | None = None,
) -> FailedQueue:
    """Return the failed jobs of all queues: the word of RQ before 1.0.

    Today each queue has its own: ``queue.failed_job_registry``.
    """
    _warn("get_failed_queue(): use queue.failed_job_registry, one for each queue")
    return FailedQueue(connection, job_class, serializer)


def move_to_failed_queue(job: Job, *exc_info: Any) -> bool:
    """Do nothing, and let other exception handlers go on: a job that failed is kept as failed.

    The exception handler that RQ had before 1.0 for it.
    """
    del job, exc_info
    _warn("move_to_failed_queue: leave it out, failed jobs are kept without it")
    return True


class FailedQueue:
    """The failed, and stopped, jobs of all queues. Reading changes nothing."""

    name = "failed"

    def __init__(
        self,
        connection: Client | str | None = None,
        job_class: type[Job] | None = None,
        serializer: Serializer | str | None = None,
    ) -> None:
        self._link = link_to(connection)
        self._keys = default_keys()
        self._job_class = job_class or Job
        self.serializer = choose_serializer(serializer)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True

    @property
    def count(self) -> int:
        """How many jobs failed, in all queues."""
        return len(self.job_ids)

    def is_empty(self) -> bool:
        """Return whether no job failed."""
        return self.count == 0

    @property
    def job_ids(self) -> list[str]:
        """The ids of all failed jobs, queue by queue, the oldest first."""
        store = self._link.store
        queues = store.run(views.queue_names(self._keys))
        registries = [FailedJobRegistry(name, store.client) for name in queues]
        return [job_id for registry in registries for job_id in registry.get_job_ids()]

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Return the ids of failed jobs; *length* -1 for all."""
        end = None if length < 0 else offset + length
        return self.job_ids[offset:end]

    @property
    def jobs(self) -> list[Job]:
        """All failed jobs."""
        return self.get_jobs()

    def get_jobs(self, offset: int = 0, length: int = -1) -> list[Job]:
        """Return failed jobs; *length* -1 for all."""
        ids = self.get_job_ids(offset, length)
        found = self._link.store.run_many([views.job(self._keys, job_id) for job_id in ids])
        return [self._job(record) for record in found if record is not None]

    def fetch_job(self, job_id: str) -> Job | None:
        """Return the failed job with this id; None if there is none, or it has not failed."""
        record = self._link.store.run(views.job(self._keys, check_job_id(job_id)))
        has_failed = record is not None and record.status in (State.FAILED, State.STOPPED)
        return self._job(record) if record is not None and has_failed else None

    def requeue(self, job_id: str) -> Job:
        """Run a failed job again, on its own queue; return it. Today: ``job.requeue()``.

        Raises InvalidJobOperation if it has not failed, NoSuchJobError if it is gone.
        """
        record = self._link.store.run(views.job(self._keys, check_job_id(job_id)))
        if record is None:
            raise NoSuchJobError(job_id)
        if record.status not in (State.FAILED, State.STOPPED):
            raise InvalidJobOperation(f"job {job_id} has not failed: it is {record.status}")
        return self._job(record).requeue()

    def quarantine(self, job: Job, exc_info: Any = None) -> Job:
        """Have a job that is on no queue failed, as if it had run; return it.

        *exc_info* is an exception, what ``sys.exc_info()`` returns, or text. A job that failed
        before is left as it is. Two round trips: a job whose caller dies between them is
        taken for lost, a minute later, and run. Raises InvalidJobOperation if it waits or runs.
        """
        if not job.origin:
            raise InvalidOptionError(f"job {job.id} has no queue: set job.origin to its name")
        if Job.exists(job.id, self._link.store.client):
            state = job.get_status()
            if state in (State.FAILED, State.STOPPED):
                return job
            if state is not State.CREATED:
                raise InvalidJobOperation(f"job {job.id} can't be quarantined: it is {state}")
        self._fail(job.record, _text_of(exc_info))
        job.refresh()
        return job

    def _fail(self, record: JobRecord, error: str) -> None:
        """Store a job as one whose run failed; sent again, this changes nothing."""
        execution = jobs.Execution(record.id, f"{new_token()}00000001", record.origin)
        record = replace(record, token=new_token())
        store = self._link.store
        start = starting.start(self._keys, record, execution, worker="quarantine", lease=_LEASE)
        if (refused := store.run(start).refused[0]) not in ("", "again"):
            raise InvalidJobOperation(f"job {record.id} can't be quarantined: it is {refused}")
        claimed = claimed_of(record, execution.execution_id)
        verdict = Verdict(Event.FAIL, State.FAILED, error=error)
        now = time.monotonic()
        failed = jobs.settlement(
            claimed, verdict, result_ttl=FAILURE_TTL, started_at=now, ended_at=now
        )
        store.run(jobs.settle(self._keys, [failed], worker="quarantine", sent_at=now))

    def remove(self, job_or_id: Job | str) -> None:
        """Delete a failed job. Today: ``job.delete()``."""
        job_id = job_or_id.id if isinstance(job_or_id, Job) else check_job_id(job_or_id)
        if self.fetch_job(job_id) is not None:
            self._link.store.run(jobs.delete(self._keys, [job_id]))

    def empty(self) -> int:
        """Delete all failed jobs and return how many."""
        ids = self.job_ids
        for at in range(0, len(ids), jobs.MANY):
            self._link.store.run(jobs.delete(self._keys, ids[at : at + jobs.MANY]))
        return len(ids)

    def _job(self, record: JobRecord) -> Job:
        return self._job_class.of_record(record, self._link, self._keys, self.serializer)


def _text_of(exc_info: object) -> str:
    if isinstance(exc_info, tuple):  # the exception is in the middle
        parts = cast("tuple[object, ...]", exc_info)
        exc_info = next((part for part in parts if isinstance(part, BaseException)), None)
    if isinstance(exc_info, BaseException):
        return "".join(traceback.format_exception(exc_info))
    return "" if exc_info is None else str(exc_info)


def _warn(hint: str) -> None:
    warnings.warn(hint, DeprecationWarning, stacklevel=3)
