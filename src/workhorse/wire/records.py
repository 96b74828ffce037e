"""The fields of a job's hash and of a result entry, and what they mean.

``JobRecord`` is a whole hash; ``Claimed`` is the part of it that running needs. Fields that
RQ 3.0 does not know are ours (marked +); RQ ignores them and never removes them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

from workhorse.core.errors import DeserializationError
from workhorse.core.settings import LONGEST_SPAN, MAX_STARTS
from workhorse.core.states import State
from workhorse.core.verdicts import OnLost, Policy, Verdict
from workhorse.wire.codec import (
    NO_RULES,
    RetryRules,
    date_from_text,
    date_to_text,
    error_from_text,
    error_to_text,
    int_or_none,
    ints_from_json,
    ints_to_json,
    rules_from_json,
    rules_to_json,
    text_or_none,
)

Value = str | bytes | int | float
Hash = Mapping[bytes, bytes]

IN_HASH: Final = "hash"
"""The value of ``result_in`` in a job whose first success is kept in its hash."""


class ResultType(IntEnum):
    """How a run ended, in a result entry. The numbers are RQ's."""

    SUCCESSFUL = 1
    FAILED = 2
    STOPPED = 3
    RETRIED = 4
    MAX_RETRIES_EXCEEDED = 5


FIELDS: Final = frozenset(
    {
        "status", "data", "origin", "description", "created_at", "enqueued_at", "started_at",
        "ended_at", "last_heartbeat", "worker_name", "timeout", "result_ttl", "failure_ttl",
        "ttl", "meta", "retries_left", "retry_intervals", "enqueue_at_front",
        "enqueue_at_front_on_retry", "number_of_retries", "group_id", "dependency_ids", "result",
        "rate_limit_key",
        "result_in",  # + "hash": the first success is in ``result``; else in the stream
        "execution_id",  # + the fencing token of the claim that holds, or last held, the job
        "token",  # + names the enqueue call, where the caller chose the job's id
        "starts",  # + runs without an outcome
        "redeliveries",  # + claims that came back unrun
        "on_lost",  # + what happens to a run without an outcome: "requeue" or "fail"
        "max_starts",  # + how many of them there may be
        "retry_rules",  # + what a ``Retry`` says that RQ has no field for, as JSON
        "waiters",  # + how many clients wait for the end
        "stop_requested",  # + the execution that a person wants ended
        "stop_grace",  # + seconds that it may take to
        "moved_by",  # + the calls that canceled, requeued or stopped it last, and their answers
    }
)  # fmt: skip
"""Every field that our code or scripts name; a test compares the scripts with it."""

FIELDS_TO_RUN: Final = (
    "data", "description", "timeout", "result_ttl", "failure_ttl", "retries_left",
    "retry_intervals", "enqueue_at_front_on_retry", "number_of_retries", "starts", "on_lost",
    "result_in", "max_starts", "retry_rules",
)  # fmt: skip
"""What a claim returns of each job, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as its hash holds it; absent fields have their default."""

    id: str
    data: bytes
    status: State = State.CREATED
    origin: str = ""
    description: str | None = None
    created_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_heartbeat: datetime | None = None
    worker_name: str | None = None
    timeout: int | None = None
    result_ttl: int | None = None
    failure_ttl: int | None = None
    ttl: int | None = None
    meta: bytes | None = None
    retries_left: int | None = None
    retry_intervals: tuple[int, ...] = ()
    enqueue_at_front: bool = False
    enqueue_at_front_on_retry: bool = False
    number_of_retries: int = 0
    group_id: str | None = None
    result: bytes | None = None
    result_in: str = ""
    execution_id: str | None = None
    token: str = ""
    starts: int = 0
    redeliveries: int = 0
    on_lost: OnLost | None = None
    max_starts: int | None = None
    retry_rules: RetryRules = NO_RULES


def encode(record: JobRecord) -> list[Value]:
    """Return the fields of a new job, flat, without its status; absent means default."""
    fields: list[Value] = ["data", record.data, "origin", record.origin]
    optional: tuple[tuple[str, Value | None], ...] = (
        ("created_at", date_to_text(record.created_at) if record.created_at else None),
        ("description", record.description),
        ("timeout", record.timeout),
        ("result_ttl", record.result_ttl),
        ("failure_ttl", record.failure_ttl),
        ("ttl", record.ttl),
        ("meta", record.meta),
        ("result_in", record.result_in or None),
        ("token", record.token or None),
        ("on_lost", record.on_lost),
        ("max_starts", record.max_starts),
        ("enqueue_at_front", 1 if record.enqueue_at_front else None),
    )
    for name, value in optional:
        if value is not None:
            fields += (name, value)
    if record.retries_left is not None:
        fields += ("retries_left", record.retries_left)
        fields += ("retry_intervals", ints_to_json(record.retry_intervals))
        if record.enqueue_at_front_on_retry:
            fields += ("enqueue_at_front_on_retry", 1)
        rules = rules_to_json(record.retry_rules)
        if rules:
            fields += ("retry_rules", rules)
    return fields


def decode(job_id: str, fields: Hash) -> JobRecord:
    """Return the job in *fields*. Raises DeserializationError where a field can't be read."""
    get = fields.get
    return JobRecord(
        id=job_id,
        data=fields.get(b"data", b""),
        status=_state(get(b"status")),
        origin=text_or_none(get(b"origin")) or "",
        description=text_or_none(get(b"description")),
        created_at=date_from_text(get(b"created_at")),
        enqueued_at=date_from_text(get(b"enqueued_at")),
        started_at=date_from_text(get(b"started_at")),
        ended_at=date_from_text(get(b"ended_at")),
        last_heartbeat=date_from_text(get(b"last_heartbeat")),
        worker_name=text_or_none(get(b"worker_name")),
        timeout=int_or_none(get(b"timeout")),
        result_ttl=int_or_none(get(b"result_ttl")),
        failure_ttl=int_or_none(get(b"failure_ttl")),
        ttl=int_or_none(get(b"ttl")),
        meta=get(b"meta"),
        retries_left=int_or_none(get(b"retries_left")),
        retry_intervals=ints_from_json(get(b"retry_intervals")),
        enqueue_at_front=get(b"enqueue_at_front") == b"1",
        enqueue_at_front_on_retry=get(b"enqueue_at_front_on_retry") == b"1",
        number_of_retries=int_or_none(get(b"number_of_retries")) or 0,
        group_id=text_or_none(get(b"group_id")),
        result=get(b"result"),
        result_in=text_or_none(get(b"result_in")) or "",
        execution_id=text_or_none(get(b"execution_id")),
        token=text_or_none(get(b"token")) or "",
        starts=int_or_none(get(b"starts")) or 0,
        redeliveries=int_or_none(get(b"redeliveries")) or 0,
        on_lost=_on_lost(get(b"on_lost")),
        max_starts=int_or_none(get(b"max_starts")),
        retry_rules=rules_from_json(get(b"retry_rules")),
    )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that a worker holds: all that running, judging and settling it needs."""

    queue: str
    job_id: str
    execution_id: str
    data: bytes
    description: str
    timeout: int | None
    result_ttl: int | None
    failure_ttl: int | None
    policy: Policy
    result_in: str


def decode_claimed(row: Sequence[Any]) -> Claimed:
    """Return the job in one *row* of a claim's reply: queue, id, execution, FIELDS_TO_RUN.

    A number that can't be read counts as absent: bad fields must not stop a worker, and
    what they mean for the job is found out when it is run. Raises UnicodeDecodeError for an
    id that no client can have made.
    """
    queue, job_id, execution_id, fields = row
    data, description, timeout, result_ttl, failure_ttl, *rest = fields
    retries_left, intervals, at_front, asked, starts, on_lost, result_in, max_starts, rules = rest
    if retries_left or asked or starts or on_lost or max_starts:
        told = (retries_left, intervals, at_front, asked, starts, on_lost, max_starts, rules)
        policy = _policy(*told)
    else:
        policy = _NO_POLICY
    return Claimed(
        queue=queue.decode(),
        job_id=job_id.decode(),
        execution_id=execution_id.decode(),
        data=data or b"",
        description=text_or_none(description) or "",
        timeout=_lenient_int(timeout),
        result_ttl=_lenient_int(result_ttl),
        failure_ttl=_lenient_int(failure_ttl),
        policy=policy,
        result_in=text_or_none(result_in) or "",
    )


_NO_POLICY: Final = Policy()


def _policy(  # noqa: PLR0913, PLR0917 - one for each field
    retries_left: bytes | None,
    intervals: bytes | None,
    at_front: bytes | None,
    asked: bytes | None,
    starts: bytes | None,
    on_lost: bytes | None,
    max_starts: bytes | None,
    rules: bytes | None,
) -> Policy:
    try:
        waits = tuple(max(0, min(wait, LONGEST_SPAN)) for wait in ints_from_json(intervals))
    except DeserializationError:
        waits = ()
    try:
        jitter, retry_on, give_up_on = rules_from_json(rules)
    except DeserializationError:
        jitter, retry_on, give_up_on = NO_RULES
    most = _lenient_int(max_starts) or 0
    return Policy(
        retries_left=_lenient_int(retries_left),
        retry_intervals=waits,
        retry_at_front=at_front == b"1",
        asked_retries=_lenient_int(asked) or 0,
        starts=_lenient_int(starts) or 0,
        retry_jitter=jitter,
        retry_on=retry_on,
        give_up_on=give_up_on,
        on_lost=_on_lost(on_lost) or "requeue",
        max_starts=most if most > 0 else MAX_STARTS,
    )


def verdict_fields(verdict: Verdict, *, result_in: str) -> list[Value]:
    """Return the fields that *verdict* changes in the job's hash, flat."""
    fields: list[Value] = []
    if verdict.to is State.FINISHED and result_in == IN_HASH:
        fields += ("result", verdict.value or b"")  # empty: the function returned None
    if verdict.retries_left is not None:
        fields += ("retries_left", verdict.retries_left)
    if verdict.asked_retries is not None:
        fields += ("number_of_retries", verdict.asked_retries)
        if verdict.at_front:  # kept for the retries that follow, as in RQ
            fields += ("enqueue_at_front_on_retry", 1)
    if verdict.starts is not None:
        fields += ("starts", verdict.starts)
    return fields


def verdict_entry(verdict: Verdict, *, result_in: str) -> list[Value]:
    """Return the result entry that *verdict* leaves in the stream, flat; empty for none."""
    if verdict.to is State.FINISHED:
        if result_in == IN_HASH:
            return []
        entry: list[Value] = ["type", int(ResultType.SUCCESSFUL)]
        if verdict.value is not None:
            entry += ("return_value", base64.b64encode(verdict.value))
        return entry
    return ["type", int(_entry_type(verdict)), "exc_string", error_to_text(verdict.error)]


def _entry_type(verdict: Verdict) -> ResultType:
    if verdict.exhausted:
        return ResultType.MAX_RETRIES_EXCEEDED
    if verdict.to in (State.QUEUED, State.SCHEDULED):
        return ResultType.RETRIED
    return ResultType.STOPPED if verdict.to is State.STOPPED else ResultType.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRecord:
    """One run of a job, as it is kept. *value* is still serialized."""

    id: str
    type: ResultType
    created_at: datetime
    value: bytes | None = None
    error: str | None = None
    worker_name: str = ""
    execution_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


def decode_entry(entry_id: bytes, fields: Hash) -> ResultRecord:
    """Return the run in one entry of the result stream. Raises DeserializationError."""
    try:
        return _decode_entry(entry_id, fields)
    except (KeyError, ValueError, OverflowError, OSError) as problem:
        raise DeserializationError(f"a stored result can't be read: {problem!r}") from None


def _decode_entry(entry_id: bytes, fields: Hash) -> ResultRecord:
    value, error = fields.get(b"return_value"), fields.get(b"exc_string")
    milliseconds = int(entry_id.partition(b"-")[0])
    return ResultRecord(
        id=entry_id.decode(),
        type=ResultType(int(fields[b"type"])),
        created_at=datetime.fromtimestamp(milliseconds / 1000, tz=UTC),
        value=base64.b64decode(value) if value is not None else None,
        error=error_from_text(error) if error else None,
        worker_name=text_or_none(fields.get(b"worker_name")) or "",
        execution_id=text_or_none(fields.get(b"execution_id")),
        started_at=_from_epoch(fields.get(b"execution_started_at")),
        ended_at=_from_epoch(fields.get(b"execution_ended_at")),
    )


def result_in_hash(record: JobRecord) -> ResultRecord | None:
    """Return the success that *record*'s own hash holds, if it does."""
    if record.status is not State.FINISHED or record.result is None or record.ended_at is None:
        return None
    return ResultRecord(
        id=record.execution_id or record.id,
        type=ResultType.SUCCESSFUL,
        created_at=record.ended_at,
        value=record.result or None,
        worker_name=record.worker_name or "",
        execution_id=record.execution_id,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )


def _from_epoch(text: bytes | None) -> datetime | None:
    return datetime.fromtimestamp(float(text), tz=UTC) if text else None


def _state(text: bytes | None) -> State:
    if not text:
        return State.CREATED
    try:
        return State(text.decode("utf-8", "replace"))
    except ValueError:
        raise DeserializationError(f"not a job status: {text!r}") from None


def _on_lost(text: bytes | None) -> OnLost | None:
    if not text:
        return None
    return "fail" if text == b"fail" else "requeue"


def _lenient_int(text: bytes | None) -> int | None:
    try:
        number = int(text) if text else None
    except ValueError:
        return None
    return number if number is None or abs(number) <= LONGEST_SPAN else None
