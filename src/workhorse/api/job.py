"""A job, as its producer, its own code and the people on call hold it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, Self

from workhorse.api.connection import (
    Link,
    client_of,
    default_keys,
    link_to,
    store_of,
)
from workhorse.api.job_history import JobHistory
from workhorse.api.job_reports import JobReports
from workhorse.api.job_saving import JobSaving
from workhorse.api.old_words import OldJobWords
from workhorse.api.options import EnqueueData, check_state, new_record
from workhorse.api.performing import perform
from workhorse.api.relations import JobRelations
from workhorse.api.waiting import await_end, state_now
from workhorse.core.errors import (
    InvalidJobOperation,
    InvalidOptionError,
    JobWaitTimeoutError,
    NoSuchJobError,
    UnsupportedOptionError,
)
from workhorse.core.ids import check_job_id, check_queue_name, new_job_id, new_token
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.retry import Retry
from workhorse.core.states import ENDED, TRANSITIONS, Event, State
from workhorse.core.verdicts import OnLost
from workhorse.store import jobs, moves, views
from workhorse.store.drivers import Client, Store
from workhorse.store.pipelines import put_on
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Serializer, choose_serializer
from workhorse.wire.records import JobRecord

JobStatus = State
"""RQ's name for a job's state."""


class Named(Protocol):
    """What has a name: a queue."""

    name: str


class Job(JobHistory, JobReports, JobSaving, JobRelations, OldJobWords):
    """One call of a function, now or later. Attributes are as of the last fetch or refresh.

    Made by ``Queue.enqueue``, ``Job.create`` and ``Job.fetch``. Attributes never talk to the
    server, except those that RQ made so: ``is_finished`` and its kin. Times are aware, in UTC.
    Without a *connection* the process's default server is used, from the first need of one.
    """

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - RQ's name
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> None:
        job_id = new_job_id() if id is None else check_job_id(id)
        self._link = link_to(connection)
        self._keys = default_keys()
        self.serializer = choose_serializer(serializer)
        self._show(JobRecord(id=job_id, data=b""))

    def _show(self, record: JobRecord, *, partial: bool = False) -> None:
        self._record = record
        self._partial = partial
        self._call = None
        self._meta = None
        self._is_new = False
        self._reporter = None

    def as_new(self) -> Self:
        """Mark the job as one that nobody has stored yet, and return it; see ``save``."""
        self._is_new = True
        return self

    @classmethod
    def of_record(
        cls,
        record: JobRecord,
        link: Link,
        keys: Keys,
        serializer: Serializer,
        *,
        partial: bool = False,
    ) -> Self:
        """Return the job in *record*; a *partial* one is completed when more of it is asked."""
        job = cls.__new__(cls)
        job.serializer = serializer
        return job.become(record, link, keys, partial=partial)

    def become(self, record: JobRecord, link: Link, keys: Keys, *, partial: bool = False) -> Self:
        """Show *record* from now on and return the job; for queues, which store it."""
        self._link = link
        self._keys = keys
        self._show(record, partial=partial)
        return self

    @classmethod
    def create(  # noqa: PLR0913, PLR0917 - RQ's signature
        cls,
        func: Callable[..., Any] | str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        connection: Client | str | None = None,
        result_ttl: int | str | None = None,
        ttl: int | str | None = None,
        status: State | str | None = None,
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
        on_lost: OnLost | None = None,
        max_starts: int | None = None,
        repeat: Repeat | None = None,
        rate_limit: RateLimit | None = None,
        tags: Sequence[str] | None = None,
        capture_logs: bool | None = None,
    ) -> Self:
        """Return a new job that is not stored yet; ``Queue.enqueue_job`` stores and queues it.

        What is not given of *timeout*, *on_lost* and *max_starts* the queue's own is.
        """
        data = EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, id,
            at_front=False, meta=meta, retry=retry, on_lost=on_lost, max_starts=max_starts,
            depends_on=depends_on, on_success=on_success, on_failure=on_failure,
            on_stopped=on_stopped, webhooks=webhooks, group_id=group_id, repeat=repeat,
            rate_limit=rate_limit, tags=tags, capture_logs=capture_logs,
        )  # fmt: skip
        chosen = choose_serializer(serializer)
        record = new_record(data, queue=origin, serializer=chosen, default_timeout=None)
        if status is not None:
            record = replace(record, status=check_state(status))
        return cls.of_record(record, link_to(connection), default_keys(), chosen).as_new()

    @classmethod
    def fetch(
        cls,
        id: str,  # noqa: A002 - RQ's name
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> Self:
        """Return the job with this id. Raises NoSuchJobError."""
        job = cls(check_job_id(id), connection, serializer)
        job.refresh()
        return job

    @classmethod
    def fetch_many(
        cls,
        job_ids: Iterable[str],
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> list[Self | None]:
        """Return the jobs with these ids, in their order, None for one that is missing.

        One round trip.
        """
        link, keys, chosen = link_to(connection), default_keys(), choose_serializer(serializer)
        calls = [views.job(keys, check_job_id(job_id)) for job_id in job_ids]
        return [
            None if record is None else cls.of_record(record, link, keys, chosen)
            for record in link.store.run_many(calls)
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

    # How it stands

    @property
    def connection(self) -> Any:
        """The client this job talks through."""
        return client_of(self._store)

    @property
    def _store(self) -> Store:
        return self._link.store

    @property
    def record(self) -> JobRecord:
        """All fields of the job as of the last fetch."""
        if self._partial:
            self._record = self._fetched()
            self._partial = False
        return self._record

    def _fetched(self) -> JobRecord:
        record = self._store.run(views.job(self._keys, self.id))
        if record is None:
            raise NoSuchJobError(self.id)
        return record

    def perform(self) -> Any:
        """Run the job. Workers call it where a library that watches RQ's put its own in its place.

        Raises what the job raises; InvalidJobOperation where no worker runs it.
        """
        return perform(self.id)

    def refresh(self) -> None:
        """Fetch everything anew. Raises NoSuchJobError if the job is gone."""
        self._show(self._fetched())

    def get_status(self, refresh: bool = True) -> State:  # noqa: FBT001, FBT002 - as in RQ
        """Return the job's state, asked of the server unless *refresh* is False.

        Raises InvalidJobOperation if the job is gone.
        """
        if refresh:
            state = state_now(self._store, self._keys, self.id)
            if state is None:
                raise InvalidJobOperation(f"job {self.id} is gone: it has no status any more")
            self._record = replace(self._record, status=state)
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

    @property
    def is_rate_limited(self) -> bool:
        """Whether it waits for a place of its rate limit."""
        return self.get_status() is State.RATE_LIMITED

    @property
    def is_ready_to_enqueue(self) -> bool:
        """Whether RQ is about to queue it, the jobs that it waited for being done."""
        return self.get_status() is State.READY_TO_ENQUEUE

    def get_position(self) -> int | None:
        """Return how many jobs wait before this one; None if it does not wait."""
        return self._store.run(views.queue_position(self._keys, self.origin, self.id))

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the job has ended; return finished, failed, stopped or canceled.

        Raises JobWaitTimeoutError when it has not ended after *timeout* seconds (it goes on),
        and NoSuchJobError when it is gone: deleted, or a success with ``result_ttl=0``.
        """
        state = await_end(self._store, self._keys, self.id, timeout)
        if state is None:
            raise NoSuchJobError(self.id)
        if state in ENDED:
            return state
        raise JobWaitTimeoutError(
            f"job {self.id} has not ended after {timeout:g} seconds (it is {state}); it goes on"
        )

    # What can be done to it

    def cancel(
        self,
        pipeline: Any = None,
        enqueue_dependents: bool = False,  # noqa: FBT001, FBT002 - as in RQ
        remove_from_dependencies: bool = False,  # noqa: FBT001, FBT002 - as in RQ
    ) -> None:
        """Cancel the job: it will not start, and if it runs its result is not written.

        Jobs that wait for it are dealt with as their ``Dependency`` says, or go on as if it had
        finished with *enqueue_dependents*. It always leaves those that it waits for, as in RQ
        with *remove_from_dependencies*. Raises InvalidJobOperation if it has ended,
        NoSuchJobError if it is gone. With a *pipeline* it is done when that is executed, and its
        reply is the state that it was in.
        """
        del remove_from_dependencies
        children: Literal["", "run"] = "run" if enqueue_dependents else ""
        call = jobs.cancel(self._keys, self.id, token=new_token(), children=children)
        if pipeline is not None:
            put_on(pipeline, [call])
            return
        self._moved(self._store.run(call), Event.CANCEL)

    def stop(self, grace: float = 0) -> None:
        """End a running job; it becomes ``stopped`` and nothing but ``requeue`` runs it again.

        With *grace*, a JobStoppedException is raised in its code first, which then has so many
        seconds to clean up. Its worker hears of it at once, or at the latest when it next
        extends its leases (15 seconds). A job that ended well meanwhile is finished. Raises
        InvalidJobOperation if it does not run (``cancel`` is for jobs that wait),
        NoSuchJobError if it is gone.
        """
        if not 0 <= grace < math.inf:
            raise InvalidOptionError(f"grace is {grace!r}: give seconds, 0 or more")
        call = jobs.stop(self._keys, self.id, token=new_token(), grace=grace)
        was = self._store.run(call)
        if was is None:
            raise NoSuchJobError(self.id)
        if was is not State.STARTED:
            raise InvalidJobOperation(f"job {self.id} does not run: it is {was}")

    def requeue(self, at_front: bool = False) -> Self:  # noqa: FBT001, FBT002 - as in RQ
        """Run a job again that has ended; return it. Its earlier failures stay in its results.

        Raises InvalidJobOperation if it has not ended, NoSuchJobError if it is gone.
        """
        call = jobs.requeue(self._keys, self.id, token=new_token(), at_front=at_front)
        was = self._store.run(call)
        self._moved(was, Event.REQUEUE)
        self.refresh()
        return self

    def move(self, queue: Named | str, at_front: bool = False) -> Self:  # noqa: FBT001, FBT002 - as requeue
        """Give the job to another queue; return it. It keeps its state, and waits as before.

        A queued one goes to the end of its new queue, or *at_front*; one that has ended is
        listed there, and run there when it is requeued. Raises InvalidJobOperation for one that
        runs, or that an RQ worker is about to start, NoSuchJobError if it is gone.
        """
        name = check_queue_name(queue if isinstance(queue, str) else queue.name)
        call = moves.move(self._keys, self.id, name, token=new_token(), at_front=at_front)
        was, is_moved = self._store.run(call)
        if was is None:
            raise NoSuchJobError(self.id)
        self.refresh()
        if not is_moved and self.origin != name:
            raise InvalidJobOperation(f"job {self.id} can't be moved to {name!r}: it is {was}")
        return self

    def delete(
        self,
        pipeline: Any = None,
        remove_from_queue: bool = True,  # noqa: FBT001, FBT002 - as in RQ
        delete_dependents: bool = False,  # noqa: FBT001, FBT002 - as in RQ
    ) -> None:
        """Remove the job and all its results. A running one may write nothing more.

        With *delete_dependents* the jobs that wait for it are deleted, too, before it. With a
        *pipeline* it is done when that is executed. A deleted job always leaves its queue:
        *remove_from_queue* is RQ's, and False is refused.
        """
        if not remove_from_queue:
            raise UnsupportedOptionError("remove_from_queue=False: a deleted job leaves its queue")
        if delete_dependents:
            self.delete_dependents(pipeline)
        call = jobs.delete(self._keys, [self.id])
        if pipeline is not None:
            put_on(pipeline, [call])
            return
        self._store.run(call)

    def _moved(self, was: State | None, event: Event) -> None:
        if was is None:
            raise NoSuchJobError(self.id)
        targets = TRANSITIONS.get((was, event))
        if not targets:
            raise InvalidJobOperation(f"job {self.id} can't be moved by {event}: it is {was}")
        self._record = replace(self._record, status=targets[0] or was)
