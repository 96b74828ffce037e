"""Jobs as people look at them: a page at a time, each field cut short, nothing unpickled.

A page costs what it shows, however many jobs are in its place, and however large they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

from workhorse.core.errors import DeserializationError
from workhorse.store.calls import Arguments, Call, script
from workhorse.wire.codec import date_from_text, float_or_none, int_or_none
from workhorse.wire.glance import function_of
from workhorse.wire.keys import Keys, split_lease
from workhorse.wire.records import tags_from_json

T = TypeVar("T")

Place = Literal[
    "queued", "started", "scheduled", "deferred", "finished", "failed", "canceled", "limited",
    "allowed", "broken", "ready", "failed_of", "tag",
]  # fmt: skip
"""Where jobs are: of a queue; of a rate limit for ``limited`` and ``allowed``; of a
cause of failures; of a tag."""

KEYS: Final[dict[Place, str]] = {"queued": "queue", "started": "lease"}
"""The key of a place, where it has another name."""
_NEWEST_FIRST: Final = frozenset(("finished", "failed", "canceled", "failed_of", "tag"))

LONGEST: Final = 500
"""Bytes that are read of each field."""
MOST: Final = 200
"""Rows of a page."""

FIELDS: Final = (
    "status", "origin", "description", "data", "created_at", "enqueued_at", "started_at",
    "ended_at", "worker_name", "scheduled_for", "timeout", "number_of_retries", "retries_left",
    "rate_limit_key", "group_id", "cron", "progress", "tags",
    "cause",
)  # fmt: skip
"""What a row shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job in a list. What is missing, or can't be read, is None or empty."""

    id: str
    status: str
    """Empty where there is no such job any more."""
    queue: str
    function: str
    description: str
    created_at: datetime | None
    enqueued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    scheduled_for: float | None
    worker: str
    timeout: int | None
    retries: int
    retries_left: int | None
    rate_limit_key: str
    group: str
    cron: str
    tags: tuple[str, ...]
    cause: str
    """Why it failed last: see ``failures``; empty for no known cause."""
    progress: str
    """As it is stored: JSON."""
    execution_id: str
    """Of what is started: the execution that holds it."""
    score: float | None
    """What its place sorts it by, a moment in seconds; None on a queue."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some of the jobs of a place."""

    rows: list[JobRow]
    total: int
    """How many there are in all, entries of jobs that expired too."""
    problem: str = ""
    """Why they can't be read: the key is of another kind."""


def page(
    keys: Keys,
    place: Place,
    name: str,
    *,
    offset: int = 0,
    length: int = 25,
    backwards: bool | None = None,
) -> Call[JobPage]:
    """Return *length* jobs of a place, after *offset*; the newest ends first, else the next one.

    *name* is a queue's, or a rate limit's, a cause's id, or a tag. *backwards* says it from
    the other end, or not. Of a cause, or a tag, jobs that do not belong there any more are left
    out: such a page is shorter, though it is not the last.
    """
    args: Arguments = {
        "place": KEYS.get(place, place),
        "name": name,
        "offset": max(0, offset),
        "length": min(length, MOST),
        "backwards": int(place in _NEWEST_FIRST if backwards is None else backwards),
        "longest": LONGEST,
        "ids": (),
        "fields": FIELDS,
    }
    return script(
        "page",
        keys,
        args,
        parse=lambda reply: _kept(_page(reply, leased=place == "started"), place, name),
    )


def rows(keys: Keys, job_ids: Sequence[str]) -> Call[list[JobRow]]:
    """Return the jobs with these ids, in their order; at most ``MOST``."""
    args: Arguments = {
        "place": "", "name": "", "offset": 0, "length": 0, "backwards": 0, "longest": LONGEST,
        "ids": list(job_ids[:MOST]), "fields": FIELDS,
    }  # fmt: skip
    return script("page", keys, args, parse=lambda reply: _page(reply, leased=False).rows)


def _kept(found: JobPage, place: Place, name: str) -> JobPage:
    """Leave out what RQ's processes, which know no causes, moved on meanwhile, or expired."""
    if place == "failed_of":
        rows = [row for row in found.rows if row.status == "failed" and row.cause == name]
    elif place == "tag":
        rows = [row for row in found.rows if name in row.tags]
    else:
        return found
    return JobPage(rows, found.total, found.problem)


def _page(reply: list[Any], *, leased: bool) -> JobPage:
    total, *found = reply
    if isinstance(total, bytes):
        return JobPage([], 0, shown(total))
    return JobPage([_row(entry, leased=leased) for entry in found], total)


def _row(entry: Sequence[bytes | None], *, leased: bool) -> JobRow:
    member, score, *values = entry
    job_id, execution = split_lease(member or b"") if leased else (member or b"", b"")
    return row_of(job_id, dict(zip(FIELDS, values, strict=True)), execution, score)


def row_of(
    job_id: bytes,
    told: Mapping[str, bytes | None],
    execution: bytes = b"",
    score: bytes | None = None,
) -> JobRow:
    """Return the row of a job whose fields, by their names, are *told*."""
    get = told.get
    description = shown(get("description"))
    return JobRow(
        id=shown(job_id),
        status=shown(get("status")),
        queue=shown(get("origin")),
        function=function_of(description, get("data") or b""),
        description=description,
        created_at=lenient(date_from_text, get("created_at")),
        enqueued_at=lenient(date_from_text, get("enqueued_at")),
        started_at=lenient(date_from_text, get("started_at")),
        ended_at=lenient(date_from_text, get("ended_at")),
        scheduled_for=lenient(float_or_none, get("scheduled_for")),
        worker=shown(get("worker_name")),
        timeout=lenient(int_or_none, get("timeout")),
        retries=lenient(int_or_none, get("number_of_retries")) or 0,
        retries_left=lenient(int_or_none, get("retries_left")),
        rate_limit_key=shown(get("rate_limit_key")),
        group=shown(get("group_id")),
        cron=shown(get("cron")),
        tags=tags_from_json(get("tags")),
        cause=shown(get("cause")),
        progress=shown(get("progress")),
        execution_id=shown(execution),
        score=lenient(float_or_none, score),
    )


def lenient(read: Callable[[bytes], T | None], text: bytes | None) -> T | None:
    """Return what *read* makes of *text*; None where it can't be read."""
    try:
        return read(text) if text else None
    except (DeserializationError, ValueError, OverflowError):
        return None


def shown(text: bytes | None) -> str:
    """Return *text* as it can be shown, what is no UTF-8 made visible."""
    return (text or b"").decode("utf-8", "backslashreplace")
