"""Names to choose from."""

from __future__ import annotations

from typing import Any

from workhorse.dashboard.view import View
from workhorse.store import views


def queue_names(view: View) -> dict[str, Any]:
    """Return every queue's name: for the palette."""
    return {"names": view.store.run(views.queue_names(view.keys))}
