"""The queues: how much waits on each, since when, and who works; and the jobs of one, by state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from workhorse.core.ids import is_queue_name
from workhorse.dashboard.view import PAGE, NoSuchPageError, Screen, View
from workhorse.store import overview, pages, views
from workhorse.store.history import history
from workhorse.store.overview import QueueRow
from workhorse.store.pages import Place

ROWS: Final = 50
"""Queues of a page."""


@dataclass(frozen=True, slots=True)
class Tab:
    """The jobs of a queue that are in one place."""

    name: str
    moment: str
    """What its column of moments is called, and which of a row's it shows."""
    field: str
    none: str
    """What is said where there are none."""
    nothing: str
    """What is said then of what comes here."""
    does: tuple[str, ...] = ()
    """What can be done to some of them: see ``DOES``."""


TABS: Final[Mapping[Place, Tab]] = MappingProxyType(
    {
        "queued": Tab(
            "Waiting",
            "Waits since",
            "enqueued_at",
            "No job waits",
            "Workers took every job, or none was put here yet.",
            ("cancel", "move", "delete"),
        ),
        "started": Tab(
            "Running",
            "Started",
            "started_at",
            "No job runs",
            "What workers run at this moment is here.",
            ("stop",),
        ),
        "scheduled": Tab(
            "Scheduled",
            "Due",
            "due",
            "No job is scheduled",
            "Jobs of enqueue_at and enqueue_in, and retries that wait, are here.",
            ("run", "cancel", "delete"),
        ),
        "deferred": Tab(
            "Deferred",
            "Created",
            "created_at",
            "No job waits for others",
            "Jobs that wait for others are here.",
            ("run", "cancel", "delete"),
        ),
        "failed": Tab(
            "Failed",
            "Failed",
            "ended_at",
            "No job failed",
            "Jobs that raised an exception, and have no retries left, are here.",
            ("retry", "delete"),
        ),
        "finished": Tab(
            "Finished",
            "Finished",
            "ended_at",
            "No finished job is kept",
            "Finished jobs are kept for as long as their result_ttl says.",
            ("retry", "delete"),
        ),
        "canceled": Tab(
            "Canceled",
            "Canceled",
            "ended_at",
            "No job was canceled",
            "Jobs that somebody canceled are here; they can be retried.",
            ("retry", "delete"),
        ),
        "broken": Tab(
            "Set aside",
            "",
            "",
            "Nothing was set aside",
            "Ids that no worker could handle are set aside here.",
        ),
    }
)

DOES: Final = MappingProxyType(
    {
        "retry": (
            "jobs-retry",
            "Retry",
            "Retry {count} jobs? They run again from the beginning.",
            "main",
        ),
        "run": ("jobs-run", "Run now", "Have {count} jobs run now?", "main"),
        "cancel": ("jobs-cancel", "Cancel", "Cancel {count} jobs? They can be retried.", ""),
        "stop": ("jobs-stop", "Stop", "Stop {count} running jobs? Their processes end.", "danger"),
        "delete": (
            "jobs-delete",
            "Delete",
            "Delete {count} jobs for good? Their results go with them.",
            "danger",
        ),
    }
)
"""What can be done to some jobs: the action, its button, its question, and its kind."""


def queues(view: View) -> Screen:
    """Show a page of the queues, those whose names hold ``?name=``."""
    every = view.store.run(views.queue_names(view.keys))
    word = view.query.get("name", "")
    names = [name for name in every if word.casefold() in name.casefold()]
    offset = view.number("offset")
    data = {
        "queues": rows_of(view, names[offset : offset + ROWS]),
        "every": len(every),
        "total": len(names),
        "offset": offset,
        "length": ROWS,
        "name": word,
    }
    return Screen("queues.html", "Queues", data)


def queue(view: View) -> Screen:
    """Show a page of a queue's jobs in one state: those that wait, where none is named."""
    name = view.path["queue"]
    place = _place(view.path.get("state", "queued"))
    if not is_queue_name(name):
        raise NoSuchPageError(f"There is no queue {name!r:.200}: no queue can have that name.")
    offset = view.number("offset")
    found = view.store.run(pages.page(view.keys, place, name, offset=offset, length=PAGE))
    (row,) = rows_of(view, [name])
    data = {
        "queue": row,
        "place": place,
        "tab": TABS[place],
        "tabs": [(each, tab.name, _count(row, each)) for each, tab in TABS.items()],
        "does": [DOES[word] for word in TABS[place].does if word in DOES],
        "page": found,
        "offset": offset,
        "length": PAGE,
        "names": view.store.run(views.queue_names(view.keys))[:_NAMES],
        "redact": view.redact,
        "has_history": _has_history(view, name),
    }
    return Screen("queue.html", name, data)


def rows_of(view: View, names: Sequence[str]) -> list[QueueRow]:
    """Return a row for each of these queues."""
    return view.store.run(overview.queues(view.keys, names)) if names else []


def _has_history(view: View, name: str) -> bool:
    """Return whether samples are taken of this queue: they are of the busiest ones."""
    found = view.store.run(history(view.keys, "hour", name, slots=_RECENT))
    return any(value is not None for value in found.queued)


_RECENT: Final = 30
_NAMES: Final = 500
"""Queues that are offered when jobs are moved."""


def _place(word: str) -> Place:
    for place in TABS:
        if place == word:
            return place
    raise NoSuchPageError(f"Jobs are {', '.join(TABS)}, not {word!r:.100}.")


def _count(row: QueueRow, place: Place) -> int | None:
    found: int | None = getattr(row, place)
    return found
