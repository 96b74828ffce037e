"""What can be done to several jobs: those that were chosen, or all of a place, slice by slice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, cast

from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import new_token
from workhorse.core.states import ENDED, TRANSITIONS, Event, State
from workhorse.dashboard.access import Role
from workhorse.dashboard.view import Action, Told, View
from workhorse.store import jobs, pages, schedule
from workhorse.store.pages import Place

Change = Callable[[View, Sequence[str]], int]
"""Does something to these jobs; returns how many it was done to."""

SLICE: Final = 0.4
"""Seconds for which one request works: then the page tells how far it is, and goes on."""
_STEP: Final = 50
"""Jobs that are read at once."""


def _requeue(view: View, job_ids: Sequence[str]) -> int:
    return _count(
        (view.store.run(jobs.requeue(view.keys, each, token=new_token())) for each in job_ids),
        ENDED,
    )


def _cancel(view: View, job_ids: Sequence[str]) -> int:
    return _count(
        (view.store.run(jobs.cancel(view.keys, each, token=new_token())) for each in job_ids),
        [state for state, event in TRANSITIONS if event is Event.CANCEL and state],
    )


def _stop(view: View, job_ids: Sequence[str]) -> int:
    return _count(
        (view.store.run(jobs.stop(view.keys, each, token=new_token())) for each in job_ids),
        [State.STARTED],
    )


def _hasten(view: View, job_ids: Sequence[str]) -> int:
    return _count(
        (view.store.run(schedule.hasten(view.keys, each, token=new_token())) for each in job_ids),
        [State.SCHEDULED, State.DEFERRED, State.READY_TO_ENQUEUE],
    )


def _delete(view: View, job_ids: Sequence[str]) -> int:
    return sum(state is not None for state in view.store.run(jobs.delete(view.keys, job_ids)))


def _count(was: Iterable[State | None], states: Sequence[State]) -> int:
    return sum(state in states for state in was)


def _several(change: Change, done: str, view: View, form: Mapping[str, str]) -> str | Told:
    """Do it to the jobs whose ids are in the form, or to all of the place that it names."""
    if form.get("all"):
        return _slice(change, done, view, form)
    job_ids = [each for each in form.get("id", "").split("\n") if each.strip()][: pages.MOST]
    if not job_ids:
        raise InvalidOptionError("no job was chosen")
    many = change(view, [each.strip() for each in job_ids])
    return _told(done, many, len(job_ids) - many)


def _slice(change: Change, done: str, view: View, form: Mapping[str, str]) -> Told:
    """Do it to some of the jobs of a place, and tell how it goes on.

    Those that it can't be done to are left behind, and so is what comes to the place meanwhile.
    """
    place, name = cast("Place", form.get("place", "")), form.get("name", "")
    if place not in PLACES:
        raise InvalidOptionError(f"jobs are in {', '.join(PLACES)}, not {place!r:.100}")
    many, left = (_number(form.get(field, "")) for field in ("done", "left"))
    total = _number(form.get("total", ""))
    until = time.monotonic() + SLICE
    while True:
        found = view.store.run(
            pages.page(view.keys, place, name, offset=left, length=_STEP, backwards=False)
        )
        total = total or found.total
        if not found.rows or many + left >= total:
            return Told(_told(done, many, left))
        changed = change(view, [row.id for row in found.rows])
        many, left = many + changed, left + len(found.rows) - changed
        if time.monotonic() > until:
            break
    fields = {"all": "1", "place": place, "name": name}
    numbers = {"done": str(many), "left": str(left), "total": str(total)}
    return Told(f"{done} ...", many + left, total, {**fields, **numbers})


def delete_all(view: View, form: Mapping[str, str], queue: str) -> Told:
    """Delete some of the jobs that wait on *queue*, and tell how it goes on."""
    told = _slice(_delete, "Deleted", view, {**form, "place": "queued", "name": queue})
    if told.again is None:
        return told
    return replace(told, again={**told.again, "queue": queue, "typed": queue})


PLACES: Final = (
    "queued", "started", "scheduled", "deferred", "failed", "finished", "canceled", "failed_of",
)  # fmt: skip
"""Whose jobs can all be changed at once."""


def _told(done: str, many: int, left: int) -> str:
    """Return what was done, in a sentence.

    >>> _told("Deleted", 1, 0), _told("Canceled", 1200, 3)
    ('Deleted 1 job.', 'Canceled 1,200 jobs. 3 were left alone: they had changed meanwhile.')
    """
    told = f"{done} {many:,} job{'' if many == 1 else 's'}."
    if left:
        told += f" {left:,} {'was' if left == 1 else 'were'} left alone: "
        told += "it had changed meanwhile." if left == 1 else "they had changed meanwhile."
    return told


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0


_DIGITS: Final = 12

BULK_ACTIONS: Final = (
    Action("jobs-retry", Role.OPERATOR, partial(_several, _requeue, "Queued again")),
    Action("jobs-cancel", Role.OPERATOR, partial(_several, _cancel, "Canceled")),
    Action("jobs-stop", Role.OPERATOR, partial(_several, _stop, "Asked to stop")),
    Action("jobs-run", Role.OPERATOR, partial(_several, _hasten, "Queued")),
    Action("jobs-delete", Role.ADMIN, partial(_several, _delete, "Deleted")),
)
