"""One job: what it is, its life, its runs, what it told, and all that belongs to it."""

from __future__ import annotations

from typing import Any, Final

from workhorse.core.states import ENDED, State
from workhorse.dashboard.drawings import BOX_HEIGHT, BOX_WIDTH, family, reason_of, runs_of
from workhorse.dashboard.view import NoSuchPageError, Screen, View
from workhorse.store import overview, pauses, reports, views
from workhorse.store.whole import WholeJob, whole
from workhorse.wire.progress import decode_progress
from workhorse.wire.texts import CallText

LINES: Final = 200
"""Lines of the log, the last ones."""
_WAITING: Final = (
    State.QUEUED, State.SCHEDULED, State.DEFERRED, State.READY_TO_ENQUEUE, State.RATE_LIMITED,
)  # fmt: skip
_HASTENED: Final = (State.SCHEDULED, State.DEFERRED, State.READY_TO_ENQUEUE)
_LONG: Final = 100
"""Characters of a call that stands on one line."""


def job(view: View) -> Screen:
    """Show one job."""
    job_id = view.path["job_id"]
    found = view.store.run(whole(view.keys, job_id))
    if found is None:
        raise NoSuchPageError(
            f"There is no job {job_id!r:.200}. It was deleted, or has expired: results are kept "
            "for 500 seconds and failures for a year, where nothing else was said, and a job with "
            "a ttl goes when that is over before it started. Or the id is not whole."
        )
    log = view.store.run(reports.log_page(view.keys, job_id, count=LINES, backwards=True))
    state = found.row.status
    data: dict[str, Any] = {
        "job": found,
        "progress": decode_progress(found.row.progress),
        "runs": runs_of(found, found.now),
        "family": family(found.row, found.parents, found.children),
        "box": (BOX_WIDTH, BOX_HEIGHT),
        "log": log,
        "told": _texts(found),
        "obstacles": obstacles(view, found),
        "may_retry": state in ENDED,
        "may_cancel": state in _WAITING,
        "may_stop": state == State.STARTED,
        "may_run": state in _HASTENED,
        "may_move": state == State.QUEUED,
        "queues": view.store.run(views.queue_names(view.keys))[:_LONG],
    }
    return Screen("job.html", f"{found.row.function} {job_id}", data)


def obstacles(view: View, found: WholeJob) -> list[str]:
    """Return why a job that waits does not run yet, as far as that is known."""
    row, state = found.row, found.row.status
    if state == State.QUEUED and row.queue:
        (queue,) = view.store.run(overview.queues(view.keys, [row.queue]))
        suspended = view.store.run(pauses.is_suspended(view.keys))
        told = [
            (suspended, "It waits: all work is suspended."),
            (queue.paused_until, f"It waits: the queue {row.queue} is paused."),
            (not queue.workers, f"It waits: no worker takes jobs from {row.queue}."),
        ]
        return [text for holds, text in told if holds]
    if state == State.DEFERRED:
        open_ones = [each for each in found.parents.rows if each.status != State.FINISHED]
        some = ", ".join(f"{each.function} ({each.status or 'gone'})" for each in open_ones[:3])
        more = len(open_ones) - 3
        return (
            [f"It waits for {some}{f' and {more:,} others' if more > 0 else ''}."] if some else []
        )
    if state == State.RATE_LIMITED and found.limit:
        return [f"It waits for a place of the limit {found.limit.key}."]
    return []


def _texts(found: WholeJob) -> dict[str, str]:
    """Return what a job was called with and what it gave."""
    return {
        "call": _call(found.call),
        "result": found.result,
        "meta": found.meta,
        "reason": reason_of(found.error),
        "callback_error": found.callback_error,
        "description": _description(found),
    }


def _description(found: WholeJob) -> str:
    """Return what the job was said to do; nothing, where that is the call once more."""
    text, function = found.row.description, found.call.function
    return "" if text == function or text.startswith(f"{function}(") else text


def _call(call: CallText) -> str:
    """Return a call as Python would write it, an argument a line where it is long."""
    if len(call.text) <= _LONG:
        return call.text
    told = [*call.args, *(f"{name}={value}" for name, value in call.kwargs)]
    owner = f"{call.instance}." if call.instance else ""
    lines = "".join(f"    {each},\n" for each in told)
    return f"{owner}{call.function}(\n{lines})"
