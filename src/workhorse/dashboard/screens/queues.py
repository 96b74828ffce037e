"""The queues: how much waits on each, since when, and who works."""

from __future__ import annotations

from workhorse.dashboard.view import Screen, View
from workhorse.store import overview


def queues(view: View) -> Screen:
    """Show every queue."""
    rows = view.store.run(overview.every_queue(view.keys))
    return Screen("queues.html", "Queues", {"queues": rows})
