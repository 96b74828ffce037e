"""What can be done to workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workhorse.api.commands import send_shutdown_command
from workhorse.dashboard.access import Role
from workhorse.dashboard.view import Action, View
from workhorse.store import pauses


def _shut_down(view: View, form: Mapping[str, str]) -> str:
    name = form.get("worker", "")
    send_shutdown_command(view.connection, name)
    return f"Told {name} to end: it finishes what it runs, and takes nothing new."


def _suspend(view: View, form: Mapping[str, str]) -> str:
    del form
    view.store.run(pauses.suspend(view.keys))
    return "Suspended all work: no worker takes a job until it is resumed. What runs goes on."


def _resume(view: View, form: Mapping[str, str]) -> str:
    del form
    was = view.store.run(pauses.end_suspension(view.keys))
    return "Resumed work." if was else "Work was not suspended."


WORKER_ACTIONS: Final = (
    Action("worker-shutdown", Role.ADMIN, _shut_down),
    Action("work-suspend", Role.OPERATOR, _suspend),
    Action("work-resume", Role.OPERATOR, _resume),
)
