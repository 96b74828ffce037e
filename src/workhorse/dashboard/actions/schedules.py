"""What can be done to cron entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workhorse.api.cron import Cron
from workhorse.core.errors import NoSuchCronError
from workhorse.dashboard.access import Role
from workhorse.dashboard.view import Action, View
from workhorse.store import cron


def _pause(view: View, form: Mapping[str, str]) -> str:
    name = form.get("entry", "")
    Cron(view.connection).pause(name)
    return f"Paused {name}: it fires no more until it is resumed."


def _resume(view: View, form: Mapping[str, str]) -> str:
    name = form.get("entry", "")
    Cron(view.connection).resume(name)
    return f"Resumed {name}, from its next slot on."


def _run(view: View, form: Mapping[str, str]) -> str:
    name = form.get("entry", "")
    job = Cron(view.connection).run(name)
    return f"Enqueued a job of {name}: {job.id}."


def _delete(view: View, form: Mapping[str, str]) -> str:
    name = form.get("entry", "")
    source = view.store.run(cron.source_of(view.keys, name))
    if not Cron(view.connection).delete(name):
        raise NoSuchCronError(name)
    if source:
        return f"Deleted {name}. It stands in {source}, which brings it back when it is read next."
    return f"Deleted {name}. Jobs that it made stay."


SCHEDULE_ACTIONS: Final = (
    Action("schedule-pause", Role.OPERATOR, _pause),
    Action("schedule-resume", Role.OPERATOR, _resume),
    Action("schedule-run", Role.OPERATOR, _run),
    Action("schedule-delete", Role.ADMIN, _delete),
)
