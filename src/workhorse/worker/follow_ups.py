"""Jobs of our own that tell others how a job ended: callbacks of runs that died, and webhooks.

They are put on the job's queue in the same step as its end (``_follow_up.lua``), and run as
any job: claimed, limited in time, retried, visible.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from types import CoroutineType
from typing import Any, Final, cast

from workhorse.core.errors import (
    AbandonedJobError,
    DeserializationError,
    JobTimeoutException,
    NoSuchJobError,
)
from workhorse.wire.codec import date_from_text, error_from_text
from workhorse.worker import runner, webhooks
from workhorse.worker.callbacks import current_job
from workhorse.worker.runner import Running

_KILLED: Final = "killed: "


def tell(told: bytes, running: Running) -> Any:
    """Do what a follow-up is to do; return what is shown as its result. Raises what goes wrong."""
    try:
        facts: dict[str, Any] = json.loads(told)
        kind, job_id = str(facts["kind"]), str(facts["job_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise DeserializationError(f"not a follow-up: {told[:80]!r} ({error})") from None
    job = _job(job_id, running)
    if kind == "webhook":
        name = _function_of(job, str(facts.get("description") or ""))
        return webhooks.deliver(
            facts["webhook"], _payload(facts, name), running.job.job_id, now=time.time()
        )
    return _call_back(kind, facts, job)


def _job(job_id: str, running: Running) -> Any:
    """Return the job that it is about, as users hold it; one without fields if it is gone."""
    own = current_job()
    cls = cast("Any", type(own))
    try:
        return cls.fetch(job_id, own.connection, running.serializer)
    except (NoSuchJobError, DeserializationError):
        return cls(job_id, own.connection, running.serializer)


def _function_of(job: Any, description: str) -> str:
    with suppress(Exception):  # it is gone, or its serializer is another's
        return str(job.func_name)
    return description.partition("(")[0]


def _payload(facts: dict[str, Any], function: str) -> dict[str, Any]:
    """Return what the receiver is told; the names are RQ's."""
    told: dict[str, Any] = {
        "job_id": facts["job_id"],
        "func_name": function,
        "status": facts["status"],
        "enqueued_at": _moment(facts.get("enqueued_at")),
        "ended_at": _moment(facts.get("ended_at")),
    }
    if facts["status"] == "failed":
        told["exc_info"] = _error_of(facts)
    return told


def _moment(text: str | None) -> str | None:
    moment = date_from_text(text)
    return moment.isoformat() if moment else None


def _error_of(facts: dict[str, Any]) -> str:
    text = facts.get("error")
    with suppress(DeserializationError):
        return error_from_text(str(text)) if text else ""
    return ""


def _call_back(kind: str, facts: dict[str, Any], job: Any) -> None:
    more: tuple[Any, ...] = ()
    if kind == "failure":
        text = _error_of(facts)
        error = JobTimeoutException(text) if text.startswith(_KILLED) else AbandonedJobError(text)
        more = (type(error), error, None)
    answer = runner.find_function(str(facts["callback"]))(job, job.connection, *more)
    if isinstance(answer, CoroutineType):
        runner.run_coroutine(answer)
