"""The workers: by host and supervisor, what each does, and since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from workhorse.dashboard.view import NoSuchPageError, Screen, View
from workhorse.store import pages, pauses, views
from workhorse.store.pages import JobRow
from workhorse.store.roster import WorkerRow, roster

ROWS: Final = 100
"""Workers of a page."""
LATE: Final = 90.0
"""Seconds without a sign of life after which a worker looks dead."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of one supervisor, or one that works alone."""

    host: str
    name: str
    workers: list[WorkerRow]


def workers(view: View) -> Screen:
    """Show a page of the workers; those of one queue with ``?queue=``."""
    queue = view.query.get("queue", "")
    (found,) = view.store.look_at([views.worker_names(view.keys, queue or None)])
    names: list[str] = found or []
    offset = view.number("offset")
    rows = view.store.run(roster(view.keys, names[offset : offset + ROWS]))
    data = {
        "crews": _crews(rows),
        "jobs": _first_jobs(view, rows),
        "of_queue": queue,
        "total": len(names),
        "offset": offset,
        "length": ROWS,
        "busy": sum(row.holds > 0 for row in rows),
        "late": LATE,
        "suspended": view.store.run(pauses.is_suspended(view.keys)),
    }
    return Screen("workers.html", "Workers", data)


def worker(view: View) -> Screen:
    """Show one worker, and the jobs that it holds."""
    name = view.path["worker"]
    found = view.store.run(roster(view.keys, [name]))
    if not found:
        raise NoSuchPageError(
            f"There is no worker {name!r:.200}: it has ended, or its host is gone. Workers that "
            "say nothing are forgotten after some minutes."
        )
    (row,) = found
    jobs = view.store.run(pages.rows(view.keys, [held.job_id for held in row.held]))
    data = {"worker": row, "jobs": [job for job in jobs if job.status], "late": LATE}
    return Screen("worker.html", f"Worker {name}", data)


def _crews(rows: Sequence[WorkerRow]) -> list[Crew]:
    """Return the workers by host, and by the beginning of their names there."""

    def of(row: WorkerRow) -> tuple[str, str]:
        return row.hostname, row.supervisor

    return [Crew(*at, list(some)) for at, some in groupby(sorted(rows, key=of), key=of)]


def _first_jobs(view: View, rows: Sequence[WorkerRow]) -> Mapping[str, JobRow]:
    """Return the job that each worker took first, by the worker's name."""
    firsts = {row.name: row.held[0].job_id for row in rows if row.held}
    jobs = view.store.run(pages.rows(view.keys, list(firsts.values()))) if firsts else []
    return {name: job for name, job in zip(firsts, jobs, strict=True) if job.status}
