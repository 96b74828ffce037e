"""What can be done to a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workhorse.core.ids import check_queue_name
from workhorse.dashboard.access import Role
from workhorse.dashboard.view import Action, View
from workhorse.store import pauses


def _pause(view: View, form: Mapping[str, str]) -> str:
    queue = check_queue_name(form.get("queue", ""))
    was_not = view.store.run(pauses.pause(view.keys, queue))
    return f"Paused {queue}." if was_not else f"{queue} was paused already."


def _resume(view: View, form: Mapping[str, str]) -> str:
    queue = check_queue_name(form.get("queue", ""))
    was = view.store.run(pauses.resume(view.keys, queue))
    return f"Resumed {queue}." if was else f"{queue} was not paused."


QUEUE_ACTIONS: Final = (
    Action("queue-pause", Role.OPERATOR, _pause),
    Action("queue-resume", Role.OPERATOR, _resume),
)
