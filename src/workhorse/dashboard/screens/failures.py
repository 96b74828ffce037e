"""Why jobs failed: by cause, and the jobs of one cause with a traceback of theirs."""

from __future__ import annotations

from typing import Final

from workhorse.dashboard.view import PAGE, NoSuchPageError, Screen, View
from workhorse.store import failures as causes
from workhorse.store import pages
from workhorse.store.failures import CauseRow
from workhorse.store.whole import whole

_LONGEST: Final = 16_000
"""Characters of a traceback that are shown, of its end."""


def failures(view: View) -> Screen:
    """Show a page of the causes; those of one queue with ``?queue=``."""
    offset, queue = view.number("offset"), view.query.get("queue", "")
    found = view.store.run(causes.causes(view.keys, offset, PAGE, queue))
    data = {
        "causes": found.rows,
        "total": found.total,
        "ungrouped": found.ungrouped,
        "queue": queue,
        "offset": offset,
        "length": PAGE,
        "redact": view.redact,
    }
    return Screen("failures.html", "Failures", data)


def failure(view: View) -> Screen:
    """Show one cause, and a page of its jobs."""
    row = _cause(view, view.path["cause"])
    offset = view.number("offset")
    found = view.store.run(pages.page(view.keys, "failed_of", row.id, offset=offset, length=PAGE))
    newest = found.rows[0] if found.rows else None
    data = {
        "cause": row,
        "page": found,
        "offset": offset,
        "length": PAGE,
        "sample": newest,
        "traceback": _traceback(view, newest.id) if newest else "",
        "redact": view.redact,
    }
    return Screen("failure.html", f"{row.error} in {row.function}", data)


def _cause(view: View, cause_id: str) -> CauseRow:
    row = view.store.run(causes.cause(view.keys, cause_id))
    if row is None:
        raise NoSuchPageError(
            f"No job failed of the cause {cause_id!r:.100}: its jobs were tried again, deleted, "
            "or have expired."
        )
    return row


def _traceback(view: View, job_id: str) -> str:
    """Return the end of the error of a job, which says most."""
    found = view.store.run(whole(view.keys, job_id))
    if found is None:
        return ""
    errors = [found.error, *(attempt.error for attempt in found.attempts)]
    text = view.redact(next((error for error in errors if error), ""))
    return text if len(text) <= _LONGEST else f"...\n{text[-_LONGEST:]}"
