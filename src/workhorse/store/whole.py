"""All there is to know about one job, in two round trips: nothing unpickled, each part cut short.

What can't be read is shown as nothing, or as text, and hides no other part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from workhorse.core.callbacks import CallbackRecord
from workhorse.core.dependencies import NO_PARENTS
from workhorse.core.errors import DeserializationError, InvalidOptionError
from workhorse.core.limits import limit_key
from workhorse.core.states import State
from workhorse.core.webhooks import target_of
from workhorse.store import pages
from workhorse.store.calls import Arguments, Call, Plan, script
from workhorse.store.pages import JobRow, lenient, shown
from workhorse.wire.codec import Hash, date_from_text, float_or_none, int_or_none, ints_from_json
from workhorse.wire.entries import ResultType, decode_entry
from workhorse.wire.extras import CALLBACKS, decode_callback, decode_parents, decode_webhooks
from workhorse.wire.keys import Keys
from workhorse.wire.records import FIELDS
from workhorse.wire.texts import CallText, call_text, value_text

T = TypeVar("T")

LONGEST: Final = 4096
"""Bytes that are read of a plain field."""
LARGEST: Final = 65_536
"""Bytes that are read of a call, a result, a traceback: a multiple of four, for base64."""
LARGEST_BEFORE: Final = 8192
"""Characters that are shown of the traceback of any run but the newest."""
MOST_ROWS: Final = 50
"""Parents, and children, that are shown; and runs that go on."""
MOST_RUNS: Final = 20
"""Runs that are shown, the newest ones."""
MOST_LOOKED: Final = 100_000
"""Jobs of a queue that are passed over to find one: some milliseconds of the server's time."""

LARGE: Final = ("data", "result", "meta", "callback_error", "follow_up")
PLAIN: Final = tuple(sorted({*FIELDS, *pages.FIELDS} - {*LARGE}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run that ended."""

    number: int
    """Counted from the first that is known: older entries are dropped after the tenth."""
    outcome: str
    """"finished", "failed", "retried", "stopped", or "unreadable"."""
    started_at: datetime | None
    ended_at: datetime | None
    worker: str
    execution_id: str
    error: str
    """The traceback, or what happened instead; its beginning, where it is long.

    Of the newest run the first 64 KiB, of the others 8.
    """
    result: str
    """What it returned, as text."""

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that goes on."""

    execution_id: str
    worker: str
    since: datetime | None
    last_heartbeat: datetime | None
    lease_until: float | None
    """When its worker counts as dead unless it says something, in seconds since 1970; None for a
    run that does not hold the job."""


@dataclass(frozen=True, slots=True)
class Relatives:
    """Jobs that this one waits for, or that wait for it."""

    rows: list[JobRow]
    total: int


@dataclass(frozen=True, slots=True)
class LimitOfJob:
    """The rate limit of a job."""

    key: str
    concurrency: int | None
    with_place: int
    waiting: int
    has_place: bool
    rank: int | None
    """How many wait before it for a place."""


class KeyFacts(NamedTuple):
    """A key that belongs to a job."""

    kind: str
    name: str
    type: str
    ttl: float | None
    """Seconds until it goes; None for never."""
    bytes: int
    """In the server's memory; 0 where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeJob:
    """A job, for people. Its texts may hold anything: escape them."""

    row: JobRow
    problem: str
    """Why it can't be read: its key is no hash."""
    now: float
    """The server's time, in seconds since 1970."""
    call: CallText
    result: str
    """What it returned last; empty while it has not finished."""
    meta: str
    error: str
    """Why it failed, while it counts as failed or stopped."""
    callback_error: str
    attempts: list[Attempt]
    """The newest first."""
    attempts_total: int
    running: list[Running]
    position: int | None
    """How many wait before it; None where it does not wait, or more than ``MOST_LOOKED`` do."""
    parents: Relatives
    children: Relatives
    callbacks: dict[str, CallbackRecord]
    """By "success", "failure" and "stopped"."""
    webhooks: list[str]
    """The hosts that are told of its end: addresses may hold secrets."""
    repeats_left: int | None
    repeat_intervals: tuple[int, ...]
    limit: LimitOfJob | None
    cron: str
    keys: list[KeyFacts]
    fields: dict[str, str]
    """Every field that is there, but calls, results and webhooks, as text."""
    fields_total: int
    """How many fields there are, those that we don't know too."""
    sizes: dict[str, int]
    """Bytes of the call, the result, the meta, as stored."""


def whole(keys: Keys, job_id: str) -> Plan[WholeJob | None]:
    """Return all there is to know about a job; None if there is none."""
    found = yield from _look(keys, job_id)
    if found is None:
        return None
    parents = lenient_of(decode_parents, found.fields, NO_PARENTS).ids
    listed, children = parents[:MOST_ROWS], found.children
    rows: list[JobRow] = []
    if listed or children:
        rows = yield from pages.rows(keys, [*listed, *children])
    told = {name.decode(): value for name, value in found.fields.items()}
    return _whole(
        found,
        pages.row_of(job_id.encode("utf-8", "surrogateescape"), told),
        Relatives(rows[: len(listed)], len(parents)),
        Relatives(rows[len(listed) :], found.children_total),
    )


class _Found(NamedTuple):
    """What whole.lua answers."""

    now: float
    size: int
    problem: str
    fields: dict[bytes, bytes]
    sizes: dict[str, int]
    runs: list[tuple[bytes, Hash]]
    runs_total: int
    running: list[list[bytes | None]]
    lease: bytes
    position: int | None
    children: list[str]
    children_total: int
    limit: Sequence[Any]
    keys: list[KeyFacts]


def _look(keys: Keys, job_id: str) -> Call[_Found | None]:
    args: Arguments = {
        "job_id": job_id,
        "longest": LONGEST,
        "largest": LARGEST,
        "most_runs": MOST_RUNS,
        "most_children": MOST_ROWS,
        "most_looked": MOST_LOOKED,
        "most_running": MOST_ROWS,
        "fields": PLAIN,
        "large": LARGE,
    }
    return script("whole", keys, args, parse=_found)


def _found(reply: list[Any]) -> _Found | None:
    if len(reply) == 1:
        return None
    now, size, plain, large, runs, running, lease, position, children, limit, its_keys = reply
    pairs = [
        *zip(PLAIN, plain, strict=True),
        *zip(LARGE, (each[0] for each in large), strict=True),
    ]
    return _Found(
        now=float(now),
        size=size if isinstance(size, int) else 0,
        problem="" if isinstance(size, int) else shown(size),
        fields={name.encode(): value for name, value in pairs if value is not None},
        sizes={name: each[1] for name, each in zip(LARGE, large, strict=True) if each[1]},
        runs=[(entry, _as_hash(told)) for entry, told in runs[1:]],
        runs_total=runs[0],
        running=running,
        lease=lease,
        position=position,
        children=[shown(child) for child in children[1]],
        children_total=children[0],
        limit=limit,
        keys=[_key(each) for each in its_keys],
    )


def _as_hash(flat: Sequence[bytes]) -> Hash:
    return dict(zip(flat[::2], flat[1::2], strict=False))


def _key(row: list[Any]) -> KeyFacts:
    kind, name, its_type, ttl, size = row
    seconds = ttl / 1000 if ttl >= 0 else None
    return KeyFacts(shown(kind), shown(name), shown(its_type), seconds, size)


def _whole(found: _Found, row: JobRow, parents: Relatives, children: Relatives) -> WholeJob:
    get = found.fields.get
    attempts = _attempts(found, row)
    result = get(b"result")
    is_finished = row.status == State.FINISHED.value
    from_stream = next((each.result for each in attempts if each.outcome == "finished"), "")
    error = attempts[0].error if attempts and row.status in _FAILED else ""
    return WholeJob(
        row=row,
        problem=found.problem,
        now=found.now,
        call=call_text(get(b"data") or b""),
        result=(_value(result) if result is not None else from_stream) if is_finished else "",
        meta=value_text(get(b"meta") or b"") if get(b"meta") else "",
        error=error,
        callback_error=shown(get(b"callback_error")),
        attempts=attempts,
        attempts_total=max(found.runs_total, len(attempts)),
        running=[_running(each, found) for each in found.running],
        position=found.position,
        parents=parents,
        children=children,
        callbacks=_callbacks(found.fields),
        webhooks=_hosts(get(b"webhooks")),
        repeats_left=lenient(int_or_none, get(b"repeats_left")),
        repeat_intervals=lenient(ints_from_json, get(b"repeat_intervals")) or (),
        limit=_limit(found),
        cron=shown(get(b"cron")),
        keys=sorted(found.keys),
        fields={
            name: shown(get(name.encode()))
            for name in PLAIN
            if name != "webhooks" and get(name.encode()) is not None
        },
        fields_total=found.size,
        sizes=found.sizes,
    )


_FAILED: Final = (State.FAILED.value, State.STOPPED.value)
_OUTCOMES: Final = {
    ResultType.SUCCESSFUL: "finished",
    ResultType.FAILED: "failed",
    ResultType.STOPPED: "stopped",
    ResultType.RETRIED: "retried",
    ResultType.MAX_RETRIES_EXCEEDED: "failed",
}


def _attempts(found: _Found, row: JobRow) -> list[Attempt]:
    """Return the runs that ended: those of the stream, and the success in the hash."""
    total = found.runs_total
    result = found.fields.get(b"result")
    attempts: list[Attempt] = []
    if row.status == State.FINISHED.value and result is not None and not _is_told(found):
        total += 1
        attempts.append(
            Attempt(
                number=total,
                outcome="finished",
                started_at=row.started_at,
                ended_at=row.ended_at,
                worker=row.worker,
                execution_id=shown(found.fields.get(b"execution_id")),
                error="",
                result=_value(result),
            )
        )
    for entry, fields in found.runs:
        number = total - len(attempts)
        most = LARGEST_BEFORE if attempts else LARGEST
        attempts.append(_attempt(number, entry, fields, most))
    return attempts


def _is_told(found: _Found) -> bool:
    """Return whether the newest run of the stream is the success that the hash has, too."""
    if not found.runs:
        return False
    _, fields = found.runs[0]
    return fields.get(b"type") == b"1" and fields.get(b"worker_name") == found.fields.get(
        b"worker_name"
    )


def _attempt(number: int, entry: bytes, fields: Hash, most: int) -> Attempt:
    try:
        run = decode_entry(entry, fields)
    except (DeserializationError, UnicodeDecodeError):
        error = "(this run can't be read)"
        return Attempt(
            number=number, outcome="unreadable", started_at=None, ended_at=None, worker="",
            execution_id="", error=error, result="",
        )  # fmt: skip
    error = run.error or ""
    return Attempt(
        number=number,
        outcome=_OUTCOMES[run.type],
        started_at=run.started_at,
        ended_at=run.ended_at or run.created_at,
        worker=run.worker_name,
        execution_id=run.execution_id or "",
        error=error if len(error) <= most else f"{error[:most]}\n[... the rest is left out ...]",
        result=_value(run.value) if run.value is not None else "",
    )


def _value(result: bytes) -> str:
    return value_text(result) if result else "None"


def _running(row: list[bytes | None], found: _Found) -> Running:
    execution_id, worker, began, heard = row
    get = found.fields.get
    holds = execution_id == get(b"execution_id")
    started = lenient(date_from_text, get(b"started_at")) if holds else None
    last = lenient(date_from_text, get(b"last_heartbeat")) if holds else None
    return Running(
        execution_id=shown(execution_id),
        worker=shown(worker or (get(b"worker_name") if holds else b"")),
        since=_moment(began) or started,
        last_heartbeat=_moment(heard) or last,
        lease_until=lenient(float_or_none, found.lease) if holds else None,
    )


def _moment(text: bytes | None) -> datetime | None:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(float(text), tz=UTC) if text else None
    return None


def _callbacks(fields: Hash) -> dict[str, CallbackRecord]:
    found = {kind: _callback(kind, fields) for kind in CALLBACKS}
    return {kind: callback for kind, callback in found.items() if callback}


def _callback(kind: str, fields: Hash) -> CallbackRecord | None:
    return lenient_of(lambda its: decode_callback(kind, its), fields, None)


def _hosts(text: bytes | None) -> list[str]:
    """Return where webhooks go."""
    hosts: list[str] = []
    for hook in lenient(decode_webhooks, text) or ():
        try:
            hosts.append(target_of(hook.url).host)
        except InvalidOptionError:
            hosts.append("(no address)")
    return hosts


def _limit(found: _Found) -> LimitOfJob | None:
    name = found.fields.get(b"rate_limit_key")
    if not name or not found.limit:
        return None
    concurrency, with_place, waiting, since, rank = found.limit
    return LimitOfJob(
        key=limit_key(shown(name)),
        concurrency=lenient(int_or_none, concurrency),
        with_place=with_place,
        waiting=waiting,
        has_place=bool(since),
        rank=rank if rank >= 0 else None,
    )


def lenient_of(read: Callable[[Hash], T], fields: Hash, otherwise: T) -> T:
    """Return what *read* makes of *fields*; *otherwise* where it can't be read."""
    try:
        return read(fields)
    except (DeserializationError, ValueError, TypeError):
        return otherwise
