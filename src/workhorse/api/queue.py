"""A queue, as producers hold it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from workhorse.api.carrying import as_sent, carried, carrying, is_carried
from workhorse.api.classes import choose_class
from workhorse.api.connection import client_of, default_keys, link_to, store_of
from workhorse.api.current import jobs_shown_as
from workhorse.api.follow_ups import check_moment, check_span
from workhorse.api.job import Job
from workhorse.api.new_calls import NewCalls, options_of_call
from workhorse.api.old_words import is_async_of
from workhorse.api.options import EnqueueData, LostRule, check_lost, check_timeout, new_record
from workhorse.api.pipelines import enqueue_on, refuse_unless_async
from workhorse.api.queue_content import id_of
from workhorse.api.queue_moves import QueueMoves
from workhorse.api.queue_registries import QueueRegistries
from workhorse.api.sending import Sending
from workhorse.api.suspension import Pausable
from workhorse.api.watching import is_watched, tell_watchers
from workhorse.core import settings
from workhorse.core.dependencies import is_met
from workhorse.core.errors import (
    DuplicateJobError,
    InvalidJobDependency,
    InvalidOptionError,
    NoSuchJobError,
)
from workhorse.core.ids import check_queue_name, is_queue_name, new_token
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.retry import Retry
from workhorse.core.states import State
from workhorse.core.verdicts import OnLost
from workhorse.store import dependents, jobs, views
from workhorse.store.drivers import Client, Store
from workhorse.store.pipelines import put_on
from workhorse.wire.payload import Serializer, choose_serializer, dump
from workhorse.wire.records import JobRecord
from workhorse.worker.sync import run_here

LOG = logging.getLogger("workhorse")


@functools.total_ordering
class Queue(NewCalls, QueueRegistries, QueueMoves, Pausable):
    """A named queue of jobs, first in, first out. Several threads may share one.

    Without a *connection* (a redis-py or valkey-py client, or a URL) the process's default
    server is used, from the first need of one. *default_timeout* is the time limit of its
    jobs, in seconds or as ``"1h"``. With ``is_async=False`` jobs run at once, in the caller.
    With *results_in_stream* results are kept where RQ's own clients read them, at 4 kB a job.
    *on_lost* and *max_starts* are those of its jobs, where they don't say: see ``enqueue``.
    """

    DEFAULT_TIMEOUT = settings.JOB_TIMEOUT

    def __init__(  # noqa: PLR0913 - RQ's signature
        self,
        name: str = settings.QUEUE,
        connection: Client | str | None = None,
        default_timeout: int | str | None = None,
        is_async: bool = True,  # noqa: FBT001, FBT002 - positional in RQ
        job_class: type[Job] | str | None = None,
        serializer: Serializer | str | None = None,
        *,
        results_in_stream: bool = False,
        on_lost: OnLost | None = None,
        max_starts: int | None = None,
        **old: Any,
    ) -> None:
        self.name = check_queue_name(name)
        self.is_async = is_async_of(is_async, old)
        self.serializer = choose_serializer(serializer)
        self._link = link_to(connection)
        self._keys = default_keys()
        timeout = check_timeout("default_timeout", default_timeout)
        self._default_timeout = timeout or self.DEFAULT_TIMEOUT
        self.job_class = choose_class("job_class", job_class, Job)
        self._results_in_stream = results_in_stream
        self._lost = check_lost(on_lost, max_starts)

    @classmethod
    def all(
        cls,
        connection: Client | str | None = None,
        job_class: type[Job] | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> list[Self]:
        """Return every queue that was ever used, by name; not what names no queue."""
        names = store_of(connection).run(views.queue_names(default_keys()))
        return [
            cls(name, connection, job_class=job_class, serializer=serializer)
            for name in names
            if is_queue_name(name)
        ]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Queue) and self.name == other.name

    def __lt__(self, other: object) -> bool:
        return self.name < other.name if isinstance(other, Queue) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def connection(self) -> Any:
        """The client this queue talks through."""
        return client_of(self._store)

    @property
    def _store(self) -> Store:
        return self._link.store

    # Enqueue

    def enqueue(self, f: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> Job:
        """Queue a call of *f*, a function or its dotted name, and return the job.

        Options go among the keyword arguments: ``job_timeout``, ``description``, ``result_ttl``,
        ``ttl``, ``failure_ttl``, ``job_id``, ``at_front``, ``meta``, ``retry``, ``on_lost``,
        ``max_starts``, ``capture_logs``; the function's own arguments of those names can be given
        by ``args=`` and ``kwargs=``. One round trip, applied once however often the client
        resends it. A ``job_id`` that belongs to a job that has not ended returns that job and
        changes nothing.

        A run is lost when its process or its machine dies: nobody knows how far it came. With
        ``on_lost="requeue"``, the default, it is run again, until *max_starts* runs were lost;
        with ``"fail"`` it has failed, for jobs that must not be run twice.

        Raises InvalidCallError, SerializationError, PayloadTooLargeError or another error of ours
        for what could not be run, before anything is sent; EnqueueRefusedError if the server did
        not take it, EnqueueUnknownError if nobody knows: both have ``send_again()``.

        With ``pipeline=``, here and wherever it is taken, nothing is sent before the caller
        executes that pipeline of theirs, and the job shows what it is expected to be then.
        """
        pipeline = kwargs.pop("pipeline", None)
        data = self._parse(f, args, kwargs)
        if type(self).enqueue_call is not _OWN_CALL:  # a subclass's, which wants to see it
            return self.enqueue_call(**options_of_call(data), pipeline=pipeline)
        return self._enqueue_one(data, pipeline)

    def enqueue_call(  # noqa: PLR0913, PLR0917 - RQ's signature
        self,
        func: Callable[..., Any] | str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        timeout: int | str | None = None,
        result_ttl: int | str | None = None,
        ttl: int | str | None = None,
        failure_ttl: int | str | None = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        at_front: bool = False,  # noqa: FBT001, FBT002 - positional in RQ
        meta: Mapping[str, Any] | None = None,
        retry: Retry | None = None,
        repeat: Repeat | None = None,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        rate_limit: RateLimit | None = None,
        pipeline: Any = None,
        unique: bool = False,  # noqa: FBT001, FBT002 - positional in RQ
        webhooks: Any = None,
        *,
        on_lost: OnLost | None = None,
        max_starts: int | None = None,
        group_id: str | None = None,
        tags: Sequence[str] | None = None,
        capture_logs: bool | None = None,
    ) -> Job:
        """Queue a call, its arguments and options given apart; otherwise as ``enqueue``."""
        data = EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, job_id,
            at_front, meta, retry, on_lost, max_starts, depends_on, repeat, on_success,
            on_failure, on_stopped, rate_limit, webhooks, unique, group_id=group_id,
            tags=tags, capture_logs=capture_logs,
        )  # fmt: skip
        return self._enqueue_one(data, pipeline)

    def enqueue_at(
        self, datetime: datetime, f: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> Job:
        """Queue a call for a moment; otherwise as ``enqueue``. The server's clock counts.

        A *datetime* without a zone is this machine's local time. One that its clocks show twice
        is the first, or with ``fold=1`` the second; one that they leave out is as much later, or
        with ``fold=1`` as much earlier, as they are moved. A moment that is past is now. Its
        ``ttl`` begins when it is enqueued, and a job that it ends before it is due never runs.
        """
        due = check_moment("datetime", datetime)
        pipeline = kwargs.pop("pipeline", None)
        data = self._parse(f, args, kwargs)._replace(scheduled_for=due)
        return self._enqueue([data], pipeline)[0]

    def enqueue_in(
        self,
        time_delta: timedelta | float,
        func: Callable[..., Any] | str,
        *args: Any,
        **kwargs: Any,
    ) -> Job:
        """Queue a call for when *time_delta*, a timedelta or seconds, has passed."""
        seconds = check_span("time_delta", time_delta)
        pipeline = kwargs.pop("pipeline", None)
        return self._enqueue([self._parse(func, args, kwargs)._replace(due_in=seconds)], pipeline)[
            0
        ]

    def enqueue_many(
        self, job_datas: Iterable[EnqueueData], pipeline: Any = None, group_id: str | None = None
    ) -> list[Job]:
        """Queue many calls, made by ``prepare_data``, and return their jobs in the same order.

        One round trip for each thousand. Either all calls are well formed or nothing is sent;
        each job is stored and queued as one, and applied once when the client resends.
        """
        many = list(job_datas)
        if group_id is not None:
            many = [data._replace(group_id=group_id) for data in many]
        return self._enqueue(many, pipeline)

    def enqueue_job(
        self,
        job: Job,
        pipeline: Any = None,
        at_front: bool = False,  # noqa: FBT001, FBT002 - as in RQ
        unique: bool = False,  # noqa: FBT001, FBT002 - as in RQ
    ) -> Job:
        """Store and queue a job made by ``Job.create``, on this queue, and return it.

        A job that ended, or was deleted, begins anew.
        """
        with carrying(self.name, job):
            record = self._record_of(job, at_front=at_front, unique=unique)
            record.scheduled_for = record.due_in = None
            return self._enqueue_record(job, record, pipeline)

    def schedule_job(
        self,
        job: Job,
        datetime: datetime,
        pipeline: Any = None,
        unique: bool = False,  # noqa: FBT001, FBT002 - as in RQ
    ) -> Job:
        """Store a job made by ``Job.create``, due at *datetime* on this queue, and return it.

        As ``enqueue_at`` in all else; what the job says of the front of the queue holds.
        """
        due = check_moment("datetime", datetime)
        with carrying(self.name, job):
            record = self._record_of(job, at_front=job.record.enqueue_at_front, unique=unique)
            record.scheduled_for, record.due_in = due, None
            return self._enqueue_record(job, record, pipeline)

    def _record_of(self, job: Job, *, at_front: bool, unique: bool) -> JobRecord:
        """Return what is to be stored of a job that was made before."""
        lost = LostRule(job.record.on_lost, job.record.max_starts).or_else(self._lost)
        return replace(
            job.record,
            origin=self.name,
            timeout=self._default_timeout if job.timeout is None else job.timeout,
            meta=dump(job.meta, job.serializer, "the job's meta") if job.meta else None,
            enqueue_at_front=at_front,
            token=new_token(),
            on_lost=lost.on_lost,
            max_starts=lost.max_starts,
            unique=unique,
        )

    def _enqueue_record(self, job: Job, record: JobRecord, pipeline: Any) -> Job:
        stored = self._store_all([record], pipeline)[0]
        return job.become(stored.record, self._link, self._keys)

    def _enqueue_one(self, data: EnqueueData, pipeline: Any = None) -> Job:
        if type(self).enqueue_job is _OWN_JOB:
            return self._enqueue([data], pipeline)[0]
        # A subclass, or a library that watches, has put something in its place: it sees the job.
        record = self._new_record(data)
        return self.enqueue_job(
            self._job(record),
            pipeline=pipeline,
            at_front=record.enqueue_at_front,
            unique=record.unique,
        )

    def _enqueue(self, many: Sequence[EnqueueData], pipeline: Any = None) -> list[Job]:
        if not is_carried():
            return self._enqueue_as_they_are(many, pipeline)
        sent = [as_sent(data) for data in many]
        with carried(self.name, sent):
            many = [
                data._replace(meta=each.meta or None)
                for data, each in zip(many, sent, strict=True)
            ]
            made = self._enqueue_as_they_are(many, pipeline)
            for job, each in zip(made, sent, strict=True):
                each.job_id = job.id
        return made

    def _enqueue_as_they_are(self, many: Sequence[EnqueueData], pipeline: Any) -> list[Job]:
        records = [self._new_record(data) for data in many]
        if len(records) > 1:
            _refuse_duplicates(records)
        return self._store_all(records, pipeline)

    def _new_record(self, data: EnqueueData) -> JobRecord:
        return new_record(
            data,
            queue=self.name,
            serializer=self.serializer,
            default_timeout=self._default_timeout,
            default_lost=self._lost,
            results_in_stream=self._results_in_stream,
        )

    def _store_all(self, records: Sequence[JobRecord], pipeline: Any = None) -> list[Job]:
        made = self._store_each(records, pipeline)
        if is_watched():
            tell_watchers(
                job
                for job, record in zip(made, records, strict=True)
                if record.status is not State.CREATED  # else its id is another's
            )
        return made

    def _store_each(self, records: Sequence[JobRecord], pipeline: Any = None) -> list[Job]:
        if pipeline is not None:
            refuse_unless_async(is_async=self.is_async)
            enqueue_on(pipeline, self._keys, records)
            return [self._job(record) for record in records]
        if self.is_async:
            return self._send(records)
        # What must wait can't be run by the caller; a worker does it, as in RQ.
        return [
            self._send([record])[0] if self._must_wait(record) else self._run_here(record)
            for record in records
        ]

    def _send(self, records: Sequence[JobRecord]) -> list[Job]:
        return Sending(self._store, self._keys, records, self._stored).send()

    def _must_wait(self, record: JobRecord) -> bool:
        """Return whether a job can't run at once: as in RQ, workers run it when its turn comes."""
        parents = record.parents
        states = [dependents.state(self._keys, parent) for parent in parents.ids]
        return record.has_a_time or not all(
            state is None or is_met(state, parents.on_failure)
            for state in self._store.run_many(states)
        )

    def _stored(self, record: JobRecord, reply: jobs.Enqueued, number: int) -> Job:
        refused = reply.refused[number]
        if not refused:
            record.status = reply.states[number]
            record.enqueued_at = reply.at if record.status is State.QUEUED else None
            if record.due_in is not None and reply.at is not None:
                record.scheduled_for = reply.at.timestamp() + record.due_in
            return self._job(record)
        if refused == jobs.CYCLE:
            raise InvalidJobDependency(
                f"job {record.id} can't wait for {', '.join(record.parents.ids)}: they wait for "
                "it; it was not enqueued"
            )
        if record.unique:
            raise _duplicate(record, refused)
        LOG.info("job %s is %s already; not enqueued again", record.id, refused)
        known = self._store.run(views.job(self._keys, record.id))
        return self._store_each([record])[0] if known is None else self._job(known)

    def _run_here(self, record: JobRecord) -> Job:
        if record.rate_limit_key:
            raise InvalidOptionError(
                "a rate_limit needs a queue that others work: with is_async=False a job runs at "
                "once, in its caller, and can't wait for a place; nothing was done"
            )
        with jobs_shown_as(self.job_class):
            refused = run_here(self._store, self._keys, record, self.serializer, self._client)
        if refused and record.unique:
            raise _duplicate(record, refused)
        if not refused:
            record.status = State.STARTED
        job = self._job(record)
        with suppress(NoSuchJobError):  # a result or a failure that is not to be kept
            job.refresh()
        return job

    def _client(self) -> Any:
        return self.connection

    def _job(self, record: JobRecord) -> Job:
        return self.job_class.of_record(record, self._link, self._keys, self.serializer)

    # Change

    def remove(self, job_or_id: Job | str, pipeline: Any = None) -> bool:
        """Take a job off the queue and cancel it; False if it did not wait here.

        RQ leaves the job in a limbo, queued in no queue; here it is canceled, to be requeued.
        A job that a worker took meanwhile runs. With a *pipeline* the answer is among its replies.
        """
        call = jobs.cancel(self._keys, id_of(job_or_id), token=new_token(), waiting_in=self.name)
        if pipeline is not None:
            put_on(pipeline, [call])
            return True
        return self._store.run(call) is not None

    def empty(self) -> int:
        """Delete every job that waits now; return how many. Running ones are left alone."""
        return self._store.run(jobs.empty(self._keys, self.name, keep_jobs=False, forget=False))

    def delete(self, delete_jobs: bool = True) -> None:  # noqa: FBT001, FBT002 - as in RQ
        """Forget the queue. Jobs that wait in it are deleted, or else canceled."""
        self._store.run(jobs.empty(self._keys, self.name, keep_jobs=not delete_jobs, forget=True))


def _duplicate(record: JobRecord, state: str) -> DuplicateJobError:
    return DuplicateJobError(
        f"job {record.id} is there already ({state}); it was not enqueued again"
    )


_OWN_CALL: Final = Queue.enqueue_call
_OWN_JOB: Final = Queue.enqueue_job


def _refuse_duplicates(records: Sequence[JobRecord]) -> None:
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise DuplicateJobError(f"job_id {record.id!r} is given twice; nothing was enqueued")
        seen.add(record.id)
