"""What several commands show: queues, workers and what these run. Reads only, in few round trips.

``look`` asks three times, however many queues and workers there are: what there is, how it is,
and what the jobs are that are run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from workhorse.cli.output import utc
from workhorse.store import clock, overview, pauses, roster, views
from workhorse.store.calls import Call
from workhorse.store.doctor_checks import is_silent
from workhorse.store.drivers import Store
from workhorse.store.overview import QueueRow
from workhorse.store.pages import MOST, JobRow, rows
from workhorse.store.roster import WorkerRow
from workhorse.wire.keys import Keys

T = TypeVar("T")

_SLICE: Final = 100
"""Queues, or workers, that one script looks at: it keeps the server for itself meanwhile."""


@dataclass(frozen=True, slots=True)
class Situation:
    """How it stands."""

    now: float
    """The server's time, in seconds since 1970."""
    queues: list[QueueRow]
    workers: list[WorkerRow]
    jobs: Mapping[str, JobRow] = field(default_factory=dict[str, JobRow])
    """The first job of each worker that runs one, by the worker's name."""
    odd: Sequence[str] = ()
    """What is in the list of queues and names none."""
    suspended_until: float | None = None
    """In seconds since 1970; infinity where only a person ends it; None if work goes on."""


def look(store: Store, keys: Keys, names: Sequence[str] = ()) -> Situation:
    """Return how it stands with the queues *names*, or with all, and those who work on them."""
    asked: list[Call[Any]] = [
        clock.now(), pauses.suspended_for(keys), views.queue_names(keys), views.odd_queues(keys),
        views.worker_names(keys),
    ]  # fmt: skip
    now, suspended, listed, odd, known = store.look_at(asked)
    chosen: list[str] = list(names) or listed or []
    present: list[str] = known or []
    queues, workers = _read(store, keys, chosen, present)
    if names:
        workers = [worker for worker in workers if set(worker.queues) & set(names)]
    until = None if suspended is None else now + suspended
    return Situation(
        now, queues, workers, _jobs(store, keys, workers), () if names else odd or (), until
    )


def _read(
    store: Store, keys: Keys, queues: Sequence[str], workers: Sequence[str]
) -> tuple[list[QueueRow], list[WorkerRow]]:
    """Return a row for each queue and each worker, in one round trip."""
    of_queues = [overview.queues(keys, part) for part in _slices(queues)]
    of_workers = [roster.roster(keys, part) for part in _slices(workers)]
    replies = store.run_many([*of_queues, *of_workers])
    split = len(of_queues)
    return _flat(replies[:split]), _flat(replies[split:])


def _jobs(store: Store, keys: Keys, workers: Sequence[WorkerRow]) -> dict[str, JobRow]:
    """Return the first job of each worker, in one round trip."""
    busy = [worker for worker in workers if worker.held]
    ids = [worker.held[0].job_id for worker in busy]
    found = store.run_many([rows(keys, part) for part in _slices(ids, MOST)])
    return {worker.name: row for worker, row in zip(busy, _flat(found), strict=True)}


def _slices(items: Sequence[T], size: int = _SLICE) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def _flat(parts: Sequence[Sequence[T]]) -> list[T]:
    return [one for part in parts for one in part]


def queue_shape(row: QueueRow, now: float) -> dict[str, Any]:
    """Return a queue as JSON has it in every command."""
    return {
        "name": row.name,
        "queued": row.queued,
        "started": row.started,
        "scheduled": row.scheduled,
        "deferred": row.deferred,
        "finished": row.finished,
        "failed": row.failed,
        "canceled": row.canceled,
        "set_aside": row.broken,
        "workers": row.workers,
        "oldest_at": utc(row.oldest),
        "oldest_seconds": max(0.0, now - row.oldest.timestamp()) if row.oldest else None,
        "paused": row.paused_until is not None,
        "paused_until": utc(row.paused_until),
        "totals": row.totals,
    }


def worker_shape(row: WorkerRow, job: JobRow | None, now: float) -> dict[str, Any]:
    """Return a worker, and the *job* that it runs, as JSON has it in every command."""
    return {
        "name": row.name,
        "state": row.state,
        "queues": row.queues,
        "hostname": row.hostname,
        "address": row.address,
        "pid": row.pid,
        "version": row.version,
        "python_version": row.python,
        "is_rq": not row.is_ours,
        "born_at": utc(row.born_at),
        "heartbeat_at": utc(row.seen_at),
        "heartbeat_seconds": max(0.0, now - row.seen_at.timestamp()) if row.seen_at else None,
        "finished": row.succeeded,
        "failed": row.failed,
        "working_seconds": row.working_time,
        "silent": is_silent(row, now),
        "holds": row.holds,
        "job": None if job is None else job_shape(job, now),
    }


def job_shape(row: JobRow, now: float) -> dict[str, Any]:
    """Return a job in a list as JSON has it in every command."""
    return {
        "id": row.id,
        "status": row.status,
        "queue": row.queue,
        "function": row.function,
        "description": row.description,
        "created_at": utc(row.created_at),
        "enqueued_at": utc(row.enqueued_at),
        "started_at": utc(row.started_at),
        "ended_at": utc(row.ended_at),
        "scheduled_for": utc(row.scheduled_for),
        "running_seconds": _running(row, now),
        "worker": row.worker,
        "timeout": row.timeout,
        "tags": row.tags,
    }


def _running(row: JobRow, now: float) -> float | None:
    if row.status != "started" or row.started_at is None:
        return None
    return max(0.0, now - row.started_at.timestamp())
