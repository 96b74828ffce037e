"""A job, as its producer, its own code and the people on call hold it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Self, cast

from workhorse.api.connection import client_of, default_keys, store_of
from workhorse.api.options import EnqueueData, new_record, refuse_unsupported
from workhorse.api.results import Result, result_of
from workhorse.core.errors import (
    InvalidJobOperation,
    JobWaitTimeoutError,
    NoSuchJobError,
)
from workhorse.core.ids import check_job_id, new_job_id
from workhorse.core.retry import Retry
from workhorse.core.states import ENDED, TRANSITIONS, Event, State
from workhorse.store import jobs, results, views, workers
from workhorse.store.drivers import Client, Store
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, Serializer, choose_serializer, decode_call, describe
from workhorse.wire.records import JobRecord, ResultType
from workhorse.worker.runner import find_function

JobStatus = State
"""RQ's name for a job's state."""

_LOOK_EVERY: Final = 1.0
"""Seconds between two looks while waiting: RQ's workers tell nobody when a job ends."""


class Job:
    """One call of a function, now or later. Attributes are as of the last fetch or refresh.

    Made by ``Queue.enqueue``, ``Job.create`` and ``Job.fetch``. Attributes never talk to the
    server, except those that RQ made so: ``is_finished`` and its kin. Times are aware, in UTC.
    """

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - RQ's name
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> None:
        job_id = new_job_id() if id is None else check_job_id(id)
        self._bind(JobRecord(id=job_id, data=b""), store_of(connection), default_keys())
        self.serializer = choose_serializer(serializer)

    def _bind(self, record: JobRecord, store: Store, keys: Keys) -> None:
        self._record = record
        self._store = store
        self._keys = keys
        self._partial = False
        self._call: Call | None = None
        self._meta: dict[str, Any] | None = None

    @classmethod
    def of_record(
        cls,
        record: JobRecord,
        store: Store,
        keys: Keys,
        serializer: Serializer,
        *,
        partial: bool = False,
    ) -> Self:
        """Return the job in *record*; a *partial* one is completed when more of it is asked."""
        job = cls.__new__(cls)
        job._bind(record, store, keys)
        job._partial = partial
        job.serializer = serializer
        return job

    @classmethod
    def create(  # noqa: PLR0913 - RQ's signature
        cls,
        func: Callable[..., Any] | str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        connection: Client | str | None = None,
        result_ttl: int | str | None = None,
        ttl: int | str | None = None,
        status: State | None = None,
        description: str | None = None,
        depends_on: Any = None,
        timeout: int | str | None = None,
        retry: Retry | None = None,
        id: str | None = None,  # noqa: A002 - RQ's name
        origin: str = "",
        meta: Mapping[str, Any] | None = None,
        failure_ttl: int | str | None = None,
        serializer: Serializer | str | None = None,
        group_id: str | None = None,
        *,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        webhooks: Any = None,
    ) -> Self:
        """Return a new job that is not stored yet; ``Queue.enqueue_job`` stores and queues it."""
        refuse_unsupported(
            {
                "depends_on": depends_on,
                "group_id": group_id,
                "on_success": on_success,
                "on_failure": on_failure,
                "on_stopped": on_stopped,
                "webhooks": webhooks,
            }
        )
        data = EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, id,
            at_front=False, meta=meta, retry=retry,
        )  # fmt: skip
        chosen = choose_serializer(serializer)
        record = new_record(data, queue=origin, serializer=chosen)
        if status is not None:
            record = replace(record, status=State(status))
        return cls.of_record(record, store_of(connection), default_keys(), chosen)

    @classmethod
    def fetch(
        cls,
        id: str,  # noqa: A002 - RQ's name
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> Self:
        """Return the job with this id. Raises NoSuchJobError."""
        job = cls(id, connection, serializer)
        job.refresh()
        return job

    @classmethod
    def fetch_many(
        cls,
        job_ids: Iterable[str],
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> list[Self | None]:
        """Return the jobs with these ids, in their order, in one round trip; None for a missing one."""
        store, keys, chosen = store_of(connection), default_keys(), choose_serializer(serializer)
        calls = [views.job(keys, check_job_id(job_id)) for job_id in job_ids]
        return [
            None if record is None else cls.of_record(record, store, keys, chosen)
            for record in store.run_many(calls)
        ]

    @classmethod
    def exists(cls, job_id: str, connection: Client | str | None = None) -> bool:
        """Return whether there is a job with this id."""
        call = views.job_field(default_keys(), check_job_id(job_id), "data")
        return store_of(connection).run(call) is not None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, enqueued_at={self._record.enqueued_at})"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {self._record.description}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    # What it is

    @property
    def id(self) -> str:
        """The job's id."""
        return self._record.id

    @property
    def key(self) -> str:
        """The key of the job's hash on the server."""
        return self._keys.job(self.id)

    @property
    def connection(self) -> Any:
        """The client this job talks through."""
        return client_of(self._store)

    @property
    def record(self) -> JobRecord:
        """All fields of the job as of the last fetch."""
        if self._partial:
            self.refresh()
        return self._record

    @property
    def data(self) -> bytes:
        """The call as it is stored."""
        return self._record.data

    @property
    def func_name(self) -> str:
        """The dotted name of the function. Raises DeserializationError."""
        return self._decoded.function

    @property
    def func(self) -> Callable[..., Any]:
        """The function itself, imported. Raises DeserializationError."""
        call = self._decoded
        if call.instance is not None:
            return cast("Callable[..., Any]", getattr(call.instance, call.function))
        return find_function(call.function)

    @property
    def instance(self) -> Any:
        """The object whose method is called, or None."""
        return self._decoded.instance

    @property
    def args(self) -> Sequence[Any]:
        """The positional arguments."""
        return self._decoded.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments."""
        return self._decoded.kwargs

    @property
    def _decoded(self) -> Call:
        if self._call is None:
            self._call = decode_call(self._record.data, self.serializer)
        return self._call

    def get_call_string(self) -> str:
        """Return the call as Python would write it, long arguments cut."""
        return describe(self._decoded)

    @property
    def description(self) -> str | None:
        """What the job does, for people: by default its call."""
        return self._record.description

    @property
    def origin(self) -> str:
        """The name of its queue."""
        return self._record.origin

    @property
    def timeout(self) -> int | None:
        """Seconds it may run; -1 without limit."""
        return self._record.timeout

    @property
    def result_ttl(self) -> int | None:
        """Seconds it is kept after a success; None for its worker's default."""
        return self._record.result_ttl

    @property
    def failure_ttl(self) -> int | None:
        """Seconds it is kept after a failure; None for a year."""
        return self._record.failure_ttl

    @property
    def ttl(self) -> int | None:
        """Seconds it may wait in its queue; None for ever."""
        return self._record.ttl

    @property
    def created_at(self) -> datetime | None:
        """When it was made, by its producer's clock."""
        return self.record.created_at

    @property
    def enqueued_at(self) -> datetime | None:
        """When it was queued last."""
        return self.record.enqueued_at

    @property
    def started_at(self) -> datetime | None:
        """When it began to run last."""
        return self.record.started_at

    @property
    def ended_at(self) -> datetime | None:
        """When its last run ended."""
        return self.record.ended_at

    @property
    def last_heartbeat(self) -> datetime | None:
        """When its worker last said that it still runs; short runs never say so."""
        return self.record.last_heartbeat

    @property
    def worker_name(self) -> str | None:
        """The worker that ran it last."""
        return self.record.worker_name

    @property
    def retries_left(self) -> int | None:
        """How often it is tried again after an exception; None without a ``Retry``."""
        return self.record.retries_left

    @property
    def retry_intervals(self) -> tuple[int, ...]:
        """The waits of its ``Retry``, in seconds."""
        return self.record.retry_intervals

    @property
    def number_of_retries(self) -> int:
        """How often it asked to be run again by returning a ``Retry``."""
        return self.record.number_of_retries

    # How it stands

    def refresh(self) -> None:
        """Fetch everything anew. Raises NoSuchJobError if the job is gone."""
        record = self._store.run(views.job(self._keys, self.id))
        if record is None:
            raise NoSuchJobError(self.id)
        self._record = record
        self._partial = False
        self._call = None
        self._meta = None

    def get_status(self, refresh: bool = True) -> State:  # noqa: FBT001, FBT002 - as in RQ
        """Return the job's state, asked of the server unless *refresh* is False.

        Raises InvalidJobOperation if the job is gone.
        """
        if refresh:
            word = self._store.run(views.job_field(self._keys, self.id, "status"))
            if word is None:
                raise InvalidJobOperation(f"job {self.id} is gone: it has no status any more")
            self._record = replace(self._record, status=State(word.decode()))
        return self._record.status

    @property
    def is_finished(self) -> bool:
        """Whether it succeeded; asks the server, as the others of its kind."""
        return self.get_status() is State.FINISHED

    @property
    def is_queued(self) -> bool:
        """Whether it waits in its queue."""
        return self.get_status() is State.QUEUED

    @property
    def is_failed(self) -> bool:
        """Whether it failed for good."""
        return self.get_status() is State.FAILED

    @property
    def is_started(self) -> bool:
        """Whether a worker holds it."""
        return self.get_status() is State.STARTED

    @property
    def is_deferred(self) -> bool:
        """Whether it waits for other jobs."""
        return self.get_status() is State.DEFERRED

    @property
    def is_canceled(self) -> bool:
        """Whether it was canceled."""
        return self.get_status() is State.CANCELED

    @property
    def is_scheduled(self) -> bool:
        """Whether it waits for its time."""
        return self.get_status() is State.SCHEDULED

    @property
    def is_stopped(self) -> bool:
        """Whether its run was stopped on request."""
        return self.get_status() is State.STOPPED

    def get_position(self) -> int | None:
        """Return how many jobs are before this one in its queue; None if it does not wait there."""
        return self._store.run(views.queue_position(self._keys, self.origin, self.id))

    # What it produced

    def latest_result(self, timeout: float = 0) -> Result | None:
        """Return the newest run that ended, after waiting up to *timeout* seconds for the job's end."""
        if timeout > 0:
            self._wait(timeout)
        return next(iter(self._runs(1)), None)

    def results(self) -> list[Result]:
        """Return the kept runs, newest first: ten at most."""
        return self._runs(10)

    def return_value(self, refresh: bool = False) -> Any:  # noqa: FBT001, FBT002 - as in RQ
        """Return what the function returned; None before its success, and for a None.

        Always asked of the server; *refresh* is RQ's and changes nothing.
        """
        del refresh
        result = self.latest_result()
        if result is None or result.type is not ResultType.SUCCESSFUL:
            return None
        return result.return_value

    def _runs(self, limit: int) -> list[Result]:
        records = self._store.run(results.runs(self._keys, self.id, limit=limit))
        return [result_of(self.id, record, self.serializer) for record in records]

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the job has ended and return its state: finished, failed, stopped or canceled.

        Raises JobWaitTimeoutError when it has not ended after *timeout* seconds (it goes on),
        and NoSuchJobError when it is gone: deleted, or a success with ``result_ttl=0``.
        """
        state = self._wait(timeout)
        if state in ENDED:
            return state
        raise JobWaitTimeoutError(
            f"job {self.id} has not ended after {timeout:g} seconds (it is {state}); it goes on"
        )

    def _wait(self, timeout: float | None) -> State:
        until = None if timeout is None else time.monotonic() + timeout
        state = self._store.run(jobs.wait(self._keys, self.id))
        while state is not None and state not in ENDED:
            left = _LOOK_EVERY if until is None else min(_LOOK_EVERY, until - time.monotonic())
            if left <= 0:
                return state
            call = workers.await_end(self._keys, self.id, seconds=max(left, 0.01))
            self._store.run(call)
            word = self._store.run(views.job_field(self._keys, self.id, "status"))
            state = State(word.decode()) if word else None
        if state is None:
            raise NoSuchJobError(self.id)
        return state

    # Its notes

    @property
    def meta(self) -> dict[str, Any]:
        """A dictionary of the user's own; change it and call ``save_meta``."""
        if self._meta is None:
            raw = self.record.meta
            self._meta = dict(self.serializer.loads(raw)) if raw else {}
        return self._meta

    @meta.setter
    def meta(self, meta: Mapping[str, Any]) -> None:
        self._meta = dict(meta)

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as in RQ
        """Return ``meta``, fetched anew unless *refresh* is False."""
        if refresh:
            raw = self._store.run(views.job_field(self._keys, self.id, "meta"))
            self._meta = dict(self.serializer.loads(raw)) if raw else {}
        return self.meta

    def save_meta(self) -> None:
        """Store ``meta`` as it is now. Raises NoSuchJobError; a job that is gone stays gone."""
        raw = self.serializer.dumps(self.meta)
        if not self._store.run(jobs.set_meta(self._keys, self.id, raw)):
            raise NoSuchJobError(self.id)

    # What can be done to it

    def cancel(self) -> None:
        """Cancel the job: it will not start, and if it runs its result is not written.

        Raises InvalidJobOperation if it has ended, NoSuchJobError if it is gone.
        """
        self._moved(self._store.run(jobs.cancel(self._keys, self.id)), Event.CANCEL)

    def requeue(self, at_front: bool = False) -> Self:  # noqa: FBT001, FBT002 - as in RQ
        """Run a job again that has ended; return it. Its earlier failures stay in its results.

        Raises InvalidJobOperation if it has not ended, NoSuchJobError if it is gone.
        """
        was = self._store.run(jobs.requeue(self._keys, self.id, at_front=at_front))
        self._moved(was, Event.REQUEUE)
        self.refresh()
        return self

    def delete(self) -> None:
        """Remove the job and all its results. A running one may write nothing more."""
        self._store.run(jobs.delete(self._keys, [self.id]))

    def _moved(self, was: State | None, event: Event) -> None:
        if was is None:
            raise NoSuchJobError(self.id)
        targets = TRANSITIONS.get((was, event))
        if not targets:
            raise InvalidJobOperation(f"job {self.id} is {was}: it can't be moved by {event}")
        self._record = replace(self._record, status=cast("State", targets[0]))


def cancel_job(
    job_id: str, connection: Client | str | None = None, serializer: Serializer | str | None = None
) -> None:
    """Cancel the job with this id; see ``Job.cancel``."""
    Job(job_id, connection, serializer).cancel()


def requeue_job(
    job_id: str, connection: Client | str | None = None, serializer: Serializer | str | None = None
) -> Job:
    """Run the job with this id again; see ``Job.requeue``."""
    return Job(job_id, connection, serializer).requeue()
