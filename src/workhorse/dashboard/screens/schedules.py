"""What is to come: cron entries with their next and last runs, and scheduled jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from workhorse.core.cron import due_at, explain, next_slot
from workhorse.dashboard.view import NoSuchPageError, Screen, View
from workhorse.store import cron, pages, schedules, views
from workhorse.store.pages import JobPage, JobRow
from workhorse.store.schedules import ScheduleRow

ROWS: Final = 50
"""Entries, and jobs of one's history, of a page."""
UPCOMING: Final = 25
QUEUES: Final = 200
"""Queues whose scheduled jobs are looked at."""
NEXT: Final = 5
"""Slots of an entry that are named."""
ALIVE: Final = 120.0
"""Seconds after its last sign of life for which a scheduler counts as there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cron entry in the list, and its schedule in words."""

    row: ScheduleRow
    explained: str


def all_schedules(view: View) -> Screen:
    """Show the cron entries, the next one first, and the scheduled jobs that are due next."""
    offset = view.number("offset")
    total, found, alive, queues = view.store.look_at(
        [
            schedules.count(view.keys),
            schedules.listed(view.keys, offset=offset, length=ROWS),
            cron.schedulers(view.keys, seen_since=view.now - ALIVE),
            views.queue_names(view.keys),
        ]
    )
    rows = view.store.look_at([schedules.entry(view.keys, *one) for one in found or ()])
    data = {
        "entries": [Entry(row, _explained(row)) for row in rows if row],
        "total": total or 0,
        "offset": offset,
        "length": ROWS,
        "schedulers": alive or [],
        **_upcoming(view, queues or []),
    }
    return Screen("schedules.html", "Schedules", data)


def schedule(view: View) -> Screen:
    """Show one cron entry, its next slots, and the jobs that it made."""
    name = view.path["entry"]
    due = view.store.run(schedules.due_at(view.keys, name))
    (row,) = view.store.look_at([schedules.entry(view.keys, name, due)])
    if row is None:
        raise NoSuchPageError(f"There is no cron entry {name!r:.200}: it was deleted, or renamed.")
    offset = view.number("offset")
    call = cron.history(view.keys, name, offset, offset + ROWS - 1)
    made: list[tuple[str, datetime]] = (view.store.look_at([call]) or [[]])[0] or []
    jobs = view.store.run(pages.rows(view.keys, [job_id for job_id, _ in made])) if made else []
    data = {
        "entry": row,
        "explained": _explained(row),
        "next": _next_slots(row),
        "made": [(job, at) for job, (_, at) in zip(jobs, made, strict=True)],
        "offset": offset,
        "length": ROWS,
        "total": offset + len(made) + (len(made) == ROWS),
    }
    return Screen("schedule.html", f"Schedule {name}", data)


def _explained(row: ScheduleRow) -> str:
    return explain(row.rules.schedule) if row.rules else ""


def _next_slots(row: ScheduleRow) -> list[float]:
    """Return when it fires next, its jitter included."""
    found: list[float] = []
    slot = row.slot
    while row.rules and slot is not None and len(found) < NEXT:
        found.append(due_at(row.name, row.rules.schedule, slot))
        slot = next_slot(row.rules.schedule, slot)
    return found


def _upcoming(view: View, queues: Sequence[str]) -> dict[str, Any]:
    """Return the scheduled jobs that are due next, of all queues together, and how many wait."""
    looked_at = queues[:QUEUES]
    calls = [pages.page(view.keys, "scheduled", name, length=UPCOMING) for name in looked_at]
    found: list[JobPage] = view.store.run_many(calls) if calls else []
    rows: list[JobRow] = [row for page in found for row in page.rows]
    return {
        "upcoming": sorted(rows, key=lambda row: row.score or 0)[:UPCOMING],
        "scheduled": sum(page.total for page in found),
        "unseen_queues": len(queues) - len(looked_at),
    }
