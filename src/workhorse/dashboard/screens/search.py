"""Jobs that are like a query: ``func:pay status:failed after:2h``."""

from __future__ import annotations

import time
from typing import Any, Final

from workhorse.core.errors import InvalidOptionError
from workhorse.core.queries import Query, parse
from workhorse.dashboard.view import Screen, View
from workhorse.store import search as jobs_like
from workhorse.store.search import Found

LENGTH: Final = 50
"""Jobs of a page."""
_PATIENCE: Final = 0.3
"""Seconds after which a page shows what was found so far."""


def search(view: View) -> Screen:
    """Show jobs that are like ``?q=``, from ``?cursor=`` on."""
    text = view.query.get("q", "").strip()
    data: dict[str, Any] = {"text": text, "found": None, "problem": "", "redact": view.redact}
    if text:
        try:
            data["found"] = _found(view, parse(text), view.query.get("cursor", ""))
        except InvalidOptionError as error:
            data["problem"] = str(error)
    return Screen("search.html", f"Search: {text}" if text else "Search", data)


def _found(view: View, query: Query, cursor: str) -> Found:
    """Look until a page is full, or for as long as a person waits."""
    until = time.monotonic() + _PATIENCE
    found = view.store.run(jobs_like.search(view.keys, query, cursor, length=LENGTH))
    rows = list(found.rows)
    while found.cursor and len(rows) < LENGTH and time.monotonic() < until:
        left = LENGTH - len(rows)
        found = view.store.run(jobs_like.search(view.keys, query, found.cursor, length=left))
        rows += found.rows
    return Found(rows, found.cursor, found.looked_at, found.total)
