"""What can be done to several jobs: those that were chosen, or all of a place, slice by slice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import check_queue_name
from workhorse.core.queries import parse
from workhorse.dashboard.access import Role
from workhorse.dashboard.security import FIELD
from workhorse.dashboard.view import Action, Told, View
from workhorse.store import bulk, pages
from workhorse.store.bulk import Part, Where
from workhorse.store.calls import Plan
from workhorse.store.pages import Place
from workhorse.wire.keys import Keys

Form = Mapping[str, str]
Deed = Callable[[Keys, Where], Plan[Part]]
"""Does something to one slice of jobs."""

SLICE: Final = 0.4
"""Seconds for which one request works: then the page tells how far it is, and goes on."""
PLACES: Final[tuple[Place, ...]] = (
    "queued", "started", "scheduled", "deferred", "failed", "finished", "canceled", "failed_of",
    "limited", "tag",
)  # fmt: skip
"""Whose jobs can all be changed at once."""
_DIGITS: Final = 12


def some(deed: Deed, done: str, view: View, form: Form) -> str | Told:
    """Do it to jobs for a while; return what was done, and how it goes on.

    The *form* has their ``ids``, one a line; or ``all``, and the ``place`` and ``name`` in which
    they are, or the query ``q`` that they are like. *done* says what happened to "{}".
    """
    where = _where(form)
    many, left = _number(form.get("done", "")), _number(form.get("left", ""))
    until = time.monotonic() + SLICE
    while True:
        part = view.store.run(deed(view.keys, where))
        many, left = many + part.done, left + part.left
        if part.rest is None:
            return _told(done, many, left)
        where = part.rest
        if time.monotonic() > until:
            break
    again = {
        **{name: value for name, value in form.items() if name != FIELD},
        "cursor": where.cursor,
        "done": str(many),
        "left": str(left),
    }
    return Told(f"{done.format(_jobs(many))[:-1]} so far.", part.looked_at, part.total, again)


def _where(form: Form) -> Where:
    cursor = form.get("cursor", "")
    if not form.get("all"):
        job_ids = [each.strip() for each in form.get("ids", "").split("\n") if each.strip()]
        if not job_ids:
            raise InvalidOptionError("no job was chosen")
        return Where(ids=job_ids[: pages.MOST], cursor=cursor)
    if "q" in form:
        query = parse(form["q"])
        if not query:
            raise InvalidOptionError("the query is empty: it would mean every job")
        return Where(query=query, cursor=cursor)
    place = form.get("place", "")
    if place not in PLACES:
        raise InvalidOptionError(f"jobs are in {', '.join(PLACES)}, not {place!r:.100}")
    return Where(place=place, name=form.get("name", ""), cursor=cursor)


def move(view: View, form: Form) -> str | Told:
    """Give jobs to the queue ``to`` of the form, as ``some`` does."""
    to = check_queue_name(form.get("to", "").strip())
    done = f"Moved {{}} to {to.replace('{', '{{').replace('}', '}}')}."
    return some(partial(bulk.move_some, to=to), done, view, form)


def _told(done: str, many: int, left: int) -> str:
    """Return what was done, in a sentence.

    >>> _told("Deleted {}.", 1, 0), _told("Canceled {}.", 1200, 3)
    ('Deleted 1 job.', 'Canceled 1,200 jobs. 3 were left alone: they had changed meanwhile.')
    """
    told = done.format(_jobs(many))
    if left:
        told += f" {left:,} {'was' if left == 1 else 'were'} left alone: "
        told += "it had changed meanwhile." if left == 1 else "they had changed meanwhile."
    return told


def _jobs(many: int) -> str:
    return f"{many:,} job{'' if many == 1 else 's'}"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0


BULK_ACTIONS: Final = (
    Action("jobs-retry", Role.OPERATOR, partial(some, bulk.retry_some, "Retried {}.")),
    Action("jobs-cancel", Role.OPERATOR, partial(some, bulk.cancel_some, "Canceled {}.")),
    Action("jobs-stop", Role.OPERATOR, partial(some, bulk.stop_some, "Asked {} to stop.")),
    Action("jobs-run", Role.OPERATOR, partial(some, bulk.hasten_some, "Queued {}, to run now.")),
    Action("jobs-move", Role.OPERATOR, move),
    Action("jobs-delete", Role.ADMIN, partial(some, bulk.delete_some, "Deleted {}.")),
)
