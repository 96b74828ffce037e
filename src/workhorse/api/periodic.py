"""rq-scheduler's ``Scheduler``, on scheduled jobs and cron entries: it needs no process."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from workhorse.api.connection import client_of, default_keys, link_to
from workhorse.api.cron import Cron, CronEntry
from workhorse.api.cron_definition import local_zone
from workhorse.api.job import Job
from workhorse.api.queue import Queue
from workhorse.core.cron import due_at
from workhorse.core.errors import InvalidOptionError, NoSuchCronError
from workhorse.core.ids import new_token
from workhorse.core.states import State
from workhorse.store import jobs, registries, schedule, views
from workhorse.store.drivers import Client, Store
from workhorse.wire.payload import load
from workhorse.worker.duties.cron import Cron as CronDuty
from workhorse.worker.duties.forward import Forward
from workhorse.worker.scheduling import Scheduling


@dataclass(frozen=True, slots=True, repr=False)
class PeriodicJob(CronEntry):
    """What ``schedule`` with an interval, and ``cron``, return: it makes a job each time."""

    @property
    def id(self) -> str:
        """Its id: the name of the cron entry. Each of its jobs has one of its own."""
        return self.record.name

    @property
    def origin(self) -> str:
        """The queue of its jobs."""
        return self.record.job.origin

    @property
    def description(self) -> str | None:
        """What it does, for people."""
        return self.record.job.description

    @property
    def meta(self) -> dict[str, Any]:
        """The meta that its jobs begin with."""
        stored = self.record.job.meta
        return load(stored, self.serializer, "the meta") if stored else {}


class Scheduler:
    """rq-scheduler's API. Workers move what is due: ``run`` is not needed, and does no harm.

    A datetime without a zone is UTC here, as in rq-scheduler; *interval* is not used.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - rq-scheduler's signature
        self,
        queue_name: str = "default",
        queue: Queue | None = None,
        interval: float = 60,
        connection: Client | str | None = None,
        job_class: type[Job] | None = None,
        queue_class: type[Queue] | None = None,
        name: str | None = None,
    ) -> None:
        del interval
        self.queue_name = queue.name if queue is not None else queue_name
        self.name = name or uuid.uuid4().hex
        given = queue.connection if connection is None and queue is not None else connection
        self._queue = queue
        self._link = link_to(given)
        self._keys = default_keys()
        self._cron = Cron(given)
        self._job_class = job_class or Job
        self._queue_class: type[Queue] = queue_class or Queue

    @property
    def _store(self) -> Store:
        return self._link.store

    @property
    def connection(self) -> Any:
        """The client that it talks through."""
        return client_of(self._store)

    # Enqueue

    def enqueue_at(
        self, scheduled_time: datetime, func: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> Job:
        """Enqueue a call at a moment; options are ``queue_name``, ``timeout``, ``job_id`` ..."""
        queue, options = self._options(kwargs)
        return queue.enqueue_at(_utc(scheduled_time), func, args=args, kwargs=kwargs, **options)

    def enqueue_in(
        self, time_delta: timedelta, func: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> Job:
        """Enqueue a call when a time has passed."""
        queue, options = self._options(kwargs)
        return queue.enqueue_in(time_delta, func, args=args, kwargs=kwargs, **options)

    def schedule(  # noqa: PLR0913, PLR0917 - rq-scheduler's signature
        self,
        scheduled_time: datetime,
        func: Callable[..., Any] | str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        interval: float | None = None,
        repeat: int | None = None,
        result_ttl: int | None = None,
        ttl: int | None = None,
        timeout: int | str | None = None,
        id: str | None = None,  # noqa: A002 - rq-scheduler's name
        description: str | None = None,
        queue_name: str | None = None,
        meta: Mapping[str, Any] | None = None,
        depends_on: Any = None,
        on_success: Any = None,
        on_failure: Any = None,
        at_front: bool = False,  # noqa: FBT001, FBT002 - rq-scheduler's signature
    ) -> Job | PeriodicJob:
        """Enqueue a call at a moment and, with *interval*, then every so many seconds.

        With *repeat* so often again. What it returns has an ``id``, for ``cancel``.
        """
        options = {
            "result_ttl": result_ttl, "ttl": ttl, "description": description, "meta": meta,
            "on_success": on_success, "on_failure": on_failure, "at_front": at_front,
        }  # fmt: skip
        if interval is None:
            if repeat:
                raise InvalidOptionError("repeat needs an interval")
            return self._queue_of(queue_name).enqueue_at(
                _utc(scheduled_time), func, args=args, kwargs=kwargs, job_id=id,
                job_timeout=timeout, depends_on=depends_on, **options,
            )  # fmt: skip
        options["result_ttl"] = -1 if result_ttl is None else result_ttl
        when = {"interval": interval, "start": _utc(scheduled_time)}
        return self._periodic(
            func, (args, kwargs), {**when, **_said(timeout, repeat, depends_on), **options},
            name=id, queue_name=queue_name,
        )  # fmt: skip

    def cron(  # noqa: PLR0913, PLR0917 - rq-scheduler's signature
        self,
        cron_string: str,
        func: Callable[..., Any] | str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        repeat: int | None = None,
        queue_name: str | None = None,
        result_ttl: int | None = -1,
        ttl: int | None = None,
        id: str | None = None,  # noqa: A002 - rq-scheduler's name
        timeout: int | str | None = None,
        description: str | None = None,
        meta: Mapping[str, Any] | None = None,
        use_local_timezone: bool = False,  # noqa: FBT001, FBT002 - rq-scheduler's signature
        depends_on: Any = None,
        on_success: Any = None,
        on_failure: Any = None,
        at_front: bool = False,  # noqa: FBT001, FBT002 - rq-scheduler's signature
    ) -> PeriodicJob:
        """Enqueue a call whenever *cron_string* says, in UTC or in this machine's zone."""
        options = {
            "result_ttl": result_ttl, "ttl": ttl, "description": description, "meta": meta,
            "on_success": on_success, "on_failure": on_failure, "at_front": at_front,
            "cron": cron_string, "zone": local_zone() if use_local_timezone else "UTC",
            **_said(timeout, repeat, depends_on),
        }  # fmt: skip
        return self._periodic(func, (args, kwargs), options, name=id, queue_name=queue_name)

    def _periodic(
        self,
        func: Callable[..., Any] | str,
        call: tuple[Sequence[Any] | None, Mapping[str, Any] | None],
        options: Mapping[str, Any],
        *,
        name: str | None,
        queue_name: str | None,
    ) -> PeriodicJob:
        args, kwargs = call
        entry = self._cron.add(
            name or str(uuid.uuid4()), func, args=args, kwargs=kwargs,
            queue=self._queue_of(queue_name).name, replace=True, **options,
        )  # fmt: skip
        return PeriodicJob(entry.record, entry.serializer)

    def _options(self, kwargs: dict[str, Any]) -> tuple[Queue, dict[str, Any]]:
        """Take rq-scheduler's options out of *kwargs*."""
        queue = self._queue_of(kwargs.pop("queue_name", None))
        return queue, {ours: kwargs.pop(theirs) for theirs, ours in _THEIRS.items()
                       if theirs in kwargs}  # fmt: skip

    def _queue_of(self, name: str | None) -> Queue:
        if self._queue is not None and name in (None, self._queue.name):
            return self._queue
        return self._queue_class(name or self.queue_name, self._store.client)

    # What waits

    def cancel(self, job: Job | PeriodicJob | str) -> None:
        """Take a job, or an entry with all that it would make, off the schedule."""
        name = job if isinstance(job, str) else job.id
        if not self._cron.delete(name) and self._waits(name):
            self._store.run(jobs.cancel(self._keys, name, token=new_token()))

    def __contains__(self, item: object) -> bool:
        """Return whether a job, an entry or an id is on the schedule."""
        name = item if isinstance(item, str) else getattr(item, "id", None)
        return isinstance(name, str) and (name in self._cron or self._waits(name))

    def change_execution_time(self, job: Job | PeriodicJob, date_time: datetime) -> None:
        """Have a job be due, or an entry begin, at another moment.

        Raises InvalidOptionError, a ValueError, for one that is not on the schedule.
        """
        moment = _utc(date_time)
        if isinstance(job, Job):
            due = moment.timestamp()
            call = registries.reschedule(self._keys, job.origin, job.id, due=due)
            if self._store.run(call) is not State.SCHEDULED:
                raise InvalidOptionError(f"job {job.id} is not on the schedule")
            return
        try:
            self._cron.edit(job.id, start=moment)
        except NoSuchCronError:
            raise InvalidOptionError(f"{job.id} is not on the schedule") from None

    def count(self, until: datetime | timedelta | float | None = None) -> int:
        """Return how many jobs and entries are due until then; all of them, if not given."""
        return len(self._waiting(until))

    def get_jobs(
        self,
        until: datetime | timedelta | float | None = None,
        with_times: bool = False,  # noqa: FBT001, FBT002 - rq-scheduler's signature
        offset: int | None = None,
        length: int | None = None,
    ) -> Iterator[Any]:
        """Yield the jobs and entries that are due until then, in their order.

        With *with_times* pairs of each and a datetime, in UTC and without a zone.
        """
        if (offset is None) != (length is None):
            raise InvalidOptionError("give both offset and length, or neither")
        found = self._waiting(until)
        if offset is not None and length is not None:
            found = found[offset:] if length < 0 else found[offset : offset + length]
        for due, what in found:
            job = self._job(what) if isinstance(what, str) else what
            if job is not None:
                moment = datetime.fromtimestamp(due, UTC).replace(tzinfo=None)
                yield (job, moment) if with_times else job

    def get_jobs_to_queue(
        self,
        with_times: bool = False,  # noqa: FBT001, FBT002 - rq-scheduler's signature
    ) -> Iterator[Any]:
        """Yield what is due now and was not moved yet."""
        return self.get_jobs(datetime.now(UTC), with_times=with_times)

    def _waiting(
        self, until: datetime | timedelta | float | None
    ) -> list[tuple[float, str | PeriodicJob]]:
        last = _until(until)
        queues = self._store.run(views.queue_names(self._keys))
        calls = [schedule.waiting(self._keys, queue, last) for queue in queues]
        found: list[tuple[float, str | PeriodicJob]] = [
            (due, job_id)
            for waiting in self._store.look_at(calls)
            for job_id, due in waiting or ()
        ]
        for entry in self._cron.all():
            slot = entry.record.slot
            if slot is None:
                continue
            due = due_at(entry.name, entry.record.rules.schedule, slot)
            if due <= last:
                found.append((due, PeriodicJob(entry.record, entry.serializer)))
        return sorted(found, key=lambda each: each[0])

    def _waits(self, job_id: str) -> bool:
        status = self._store.run(views.job_field(self._keys, job_id, "status"))
        return status == State.SCHEDULED.encode()

    def _job(self, job_id: str) -> Job | None:
        record = self._store.run(views.job(self._keys, job_id))
        if record is None:
            return None
        serializer = self._cron.serializer
        return self._job_class.fetch(job_id, connection=self._store.client, serializer=serializer)

    # Move what is due: every worker does

    def enqueue_jobs(self) -> int:
        """Move what is due now; return how many. Every worker does this all the time."""
        moved = Forward(self._store, self._keys).run_once(0).done
        return moved + CronDuty(self._store, self._keys).run_once(0).done

    def run(self, burst: bool = False) -> None:  # noqa: FBT001, FBT002 - rq-scheduler's
        """Move what is due until stopped, or with *burst* once."""
        if burst:
            self.enqueue_jobs()
            return
        Scheduling(self._store, self._keys, show=lambda: (), hide=lambda: ()).run()


_THEIRS = {
    "timeout": "job_timeout",
    "job_id": "job_id",
    "job_ttl": "ttl",
    "job_result_ttl": "result_ttl",
    "job_description": "description",
    "depends_on": "depends_on",
    "meta": "meta",
    "on_success": "on_success",
    "on_failure": "on_failure",
    "at_front": "at_front",
}


def _said(timeout: Any, repeat: int | None, depends_on: Any) -> dict[str, Any]:
    told = {"job_timeout": timeout, "depends_on": depends_on,
            "times": None if repeat is None else repeat + 1}  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _utc(moment: object) -> datetime:
    if not isinstance(moment, datetime):
        raise InvalidOptionError(f"the time is {moment!r}: give a datetime")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _until(until: datetime | timedelta | float | None) -> float:
    if until is None:
        return math.inf
    if isinstance(until, timedelta):
        return (datetime.now(UTC) + until).timestamp()
    return _utc(until).timestamp() if isinstance(until, datetime) else float(until)
