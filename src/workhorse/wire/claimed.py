"""The part of a job's hash that running it needs, and what its end writes there."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from workhorse.core.callbacks import CALLBACK_TIMEOUT, CallbackRecord
from workhorse.core.errors import DeserializationError
from workhorse.core.settings import LONGEST_SPAN, MAX_STARTS
from workhorse.core.states import Event, State
from workhorse.core.verdicts import Policy, Verdict
from workhorse.wire.codec import (
    NO_RULES,
    Hash,
    Value,
    error_to_text,
    flag_or_none,
    ints_from_json,
    ints_to_json,
    rules_from_json,
    text_or_none,
)
from workhorse.wire.entries import ResultType
from workhorse.wire.extras import CALLBACKS, decode_parent_results
from workhorse.wire.records import IN_HASH, JobRecord, encode, on_lost_of

FIELDS_TO_RUN: Final = (
    "data", "description", "timeout", "result_ttl", "failure_ttl", "retries_left",
    "retry_intervals", "enqueue_at_front_on_retry", "number_of_retries", "starts", "on_lost",
    "result_in", "max_starts", "retry_rules", "extras",
)  # fmt: skip
"""What a claim returns of each job, in this order."""

EXTRA_FIELDS: Final = (
    "success_callback_name", "success_callback_timeout",
    "failure_callback_name", "failure_callback_timeout",
    "stopped_callback_name", "stopped_callback_timeout",
    "webhooks", "repeats_left", "repeat_intervals", "parent_results", "follow_up",
    "capture_logs",
)  # fmt: skip
"""What it returns besides of a job that has any of it, or that RQ's client made."""

Told = tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Extras:
    """What running, judging and settling a job needs where it has more to it than most."""

    told: Told
    """The values of EXTRA_FIELDS, as they are stored."""
    success_callback: CallbackRecord | None = None
    failure_callback: CallbackRecord | None = None
    stopped_callback: CallbackRecord | None = None
    has_webhooks: bool = False
    repeats_left: int | None = None
    repeat_intervals: tuple[int, ...] = ()
    parent_results: Mapping[str, str | tuple[str, ...]] = field(
        default_factory=dict[str, str | tuple[str, ...]]
    )
    """The parameters that get results of parents: the parent's id, or several."""
    follow_up: bytes | None = None
    """What it tells others of another job; it runs no function of the user's by itself."""
    capture_logs: bool | None = None
    """Whether what it logs and writes is kept; None for what its worker says."""

    def followers(self, *, called: bool) -> str:
        """Return which jobs of our own may have to tell of its end, as ``settle`` takes it.

        Its callback only where that was not *called* where it ran.
        """
        late = not called and (self.failure_callback or self.stopped_callback)
        words = ("callback" if late else "", "webhooks" if self.has_webhooks else "")
        return " ".join(filter(None, words))


def decode_extras(told: Sequence[bytes | None]) -> Extras | None:
    """Return what the values of EXTRA_FIELDS mean; None for nothing.

    What can't be read counts as absent, as in ``decode_claimed``.
    """
    if not any(told):
        return None
    fields = {
        name.encode(): value for name, value in zip(EXTRA_FIELDS, told, strict=True) if value
    }
    success, failure, stopped = (_lenient_callback(kind, fields) for kind in CALLBACKS)
    return Extras(
        told=tuple(told),
        success_callback=success,
        failure_callback=failure,
        stopped_callback=stopped,
        has_webhooks=b"webhooks" in fields,
        repeats_left=_lenient_int(fields.get(b"repeats_left")),
        repeat_intervals=_lenient_waits(fields.get(b"repeat_intervals")),
        parent_results=_lenient_results(fields.get(b"parent_results")),
        follow_up=fields.get(b"follow_up"),
        capture_logs=flag_or_none(fields.get(b"capture_logs")),
    )


def claimed_of(record: JobRecord, execution_id: str) -> Claimed:
    """Return a new job as a claim would, but that no retry and no lost run is weighed."""
    return Claimed(
        queue=record.origin,
        job_id=record.id,
        execution_id=execution_id,
        data=record.data,
        description=record.description or "",
        timeout=record.timeout,
        result_ttl=record.result_ttl,
        failure_ttl=record.failure_ttl,
        policy=_NO_POLICY,
        result_in=record.result_in,
        extras=_extras_of(record),
    )


def _extras_of(record: JobRecord) -> Extras | None:
    if not record.has_extras:
        return None
    words = encode(record)
    told = {str(name): value for name, value in zip(words[::2], words[1::2], strict=True)}
    return decode_extras([_as_stored(told.get(name)) for name in EXTRA_FIELDS])


def _as_stored(value: Value | None) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()


def _lenient_callback(kind: str, fields: Hash) -> CallbackRecord | None:
    name = text_or_none(fields.get(f"{kind}_callback_name".encode()))
    timeout = _lenient_int(fields.get(f"{kind}_callback_timeout".encode()))
    return CallbackRecord(name, timeout or CALLBACK_TIMEOUT) if name else None


def _lenient_results(text: bytes | None) -> dict[str, str | tuple[str, ...]]:
    try:
        return decode_parent_results(text)
    except DeserializationError:
        return {}


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
    extras: Extras | None = None


def decode_claimed(row: Sequence[Any]) -> Claimed:
    """Return the job in one *row* of a claim's reply: queue, id, execution, FIELDS_TO_RUN.

    A fifth part has EXTRA_FIELDS, where the job has any.
    A number that can't be read counts as absent: bad fields must not stop a worker, and
    what they mean for the job is found out when it is run. Raises UnicodeDecodeError for an
    id that no client can have made.
    """
    queue, job_id, execution_id, fields, *more = row
    data, description, timeout, result_ttl, failure_ttl, *rest, _ = fields
    retries_left, intervals, at_front, asked, starts, on_lost, result_in, max_starts, rules = rest
    if retries_left or asked or starts or on_lost or max_starts:
        told = (retries_left, intervals, at_front, asked, starts, on_lost, max_starts, rules)
        policy = _policy(*told)
    else:
        policy = _NO_POLICY
    extras = decode_extras(more[0]) if more and more[0] else None
    if extras and extras.repeats_left is not None:
        policy = replace(
            policy, repeats_left=extras.repeats_left, repeat_intervals=extras.repeat_intervals
        )
        result_in = None  # the hash has room for one, and each run of these has its own
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
        extras=extras,
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
        jitter, retry_on, give_up_on = rules_from_json(rules)
    except DeserializationError:
        jitter, retry_on, give_up_on = NO_RULES
    most = _lenient_int(max_starts) or 0
    return Policy(
        retries_left=_lenient_int(retries_left),
        retry_intervals=_lenient_waits(intervals),
        retry_at_front=at_front == b"1",
        asked_retries=_lenient_int(asked) or 0,
        starts=_lenient_int(starts) or 0,
        retry_jitter=jitter,
        retry_on=retry_on,
        give_up_on=give_up_on,
        on_lost=on_lost_of(on_lost) or "requeue",
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
    if verdict.repeats_left is not None:
        fields += ("repeats_left", verdict.repeats_left)
    if verdict.repeat_intervals is not None:
        fields += ("repeat_intervals", ints_to_json(verdict.repeat_intervals))
    if verdict.starts is not None:
        fields += ("starts", verdict.starts)
    return fields


def verdict_entry(verdict: Verdict, *, result_in: str) -> list[Value]:
    """Return the result entry that *verdict* leaves in the stream, flat; empty for none."""
    if verdict.event is Event.REPEAT or verdict.to is State.FINISHED:
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


def _lenient_waits(text: bytes | None) -> tuple[int, ...]:
    try:
        return tuple(max(0, min(wait, LONGEST_SPAN)) for wait in ints_from_json(text))
    except DeserializationError:
        return ()


def _lenient_int(text: bytes | None) -> int | None:
    try:
        number = int(text) if text else None
    except ValueError:
        return None
    return number if number is None or abs(number) <= LONGEST_SPAN else None
