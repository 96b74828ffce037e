"""What can be done to a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workhorse.core.durations import in_words
from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import check_queue_name
from workhorse.dashboard.access import Role
from workhorse.dashboard.actions.bulk import move, some
from workhorse.dashboard.view import Action, Told, View
from workhorse.store import bulk, pauses

_LONGEST: Final = 10 * 365 * 86400


def _pause(view: View, form: Mapping[str, str]) -> str:
    queue = check_queue_name(form.get("queue", ""))
    seconds = _seconds(form.get("seconds", ""))
    was_not = view.store.run(pauses.pause(view.keys, queue, seconds=seconds))
    until = "" if seconds is None else f" for {in_words(seconds)}"
    return f"Paused {queue}{until}." if was_not else f"{queue} was paused already."


def _seconds(text: str) -> float | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:12]) <= _LONGEST):
        raise InvalidOptionError(f"not a number of seconds: {text!r:.100} (1 to {_LONGEST})")
    return float(text)


def _resume(view: View, form: Mapping[str, str]) -> str:
    queue = check_queue_name(form.get("queue", ""))
    was = view.store.run(pauses.resume(view.keys, queue))
    return f"Resumed {queue}." if was else f"{queue} was not paused."


def _empty(view: View, form: Mapping[str, str]) -> str | Told:
    """Delete all that waits, where the queue's name was typed to confirm it."""
    queue = check_queue_name(form.get("queue", ""))
    if form.get("typed", "") != queue:
        raise InvalidOptionError(f"type the queue's name, {queue}, to confirm that it is emptied")
    whole = {**form, "all": "1", "place": "queued", "name": queue}
    return some(bulk.delete_some, "Deleted {}.", view, whole)


def _move(view: View, form: Mapping[str, str]) -> str | Told:
    """Give all that waits to another queue."""
    queue = check_queue_name(form.get("queue", ""))
    to = check_queue_name(form.get("to", "").strip())
    if to == queue:
        raise InvalidOptionError(f"the jobs wait on {queue} already")
    whole = {**form, "all": "1", "place": "queued", "name": queue}
    return move(view, whole)


QUEUE_ACTIONS: Final = (
    Action("queue-pause", Role.OPERATOR, _pause),
    Action("queue-resume", Role.OPERATOR, _resume),
    Action("queue-move", Role.OPERATOR, _move),
    Action("queue-empty", Role.ADMIN, _empty),
)
