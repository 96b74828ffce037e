"""The fields of a job's hash and of a result entry, and what they mean.

``JobRecord`` is a whole hash; ``Claimed`` is the part of it that running needs. Fields that
RQ 3.0 does not know are ours (marked +); RQ ignores them and never removes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from workhorse.core.callbacks import CallbackRecord
from workhorse.core.dependencies import NO_PARENTS, Parents
from workhorse.core.errors import DeserializationError
from workhorse.core.limits import limit_key, limit_name
from workhorse.core.states import State
from workhorse.core.verdicts import OnLost
from workhorse.core.webhooks import Webhook
from workhorse.wire.codec import (
    NO_RULES,
    Hash,
    RetryRules,
    Value,
    date_from_text,
    date_to_text,
    flag_or_none,
    float_or_none,
    int_or_none,
    ints_from_json,
    ints_to_json,
    rules_from_json,
    rules_to_json,
    text_or_none,
)
from workhorse.wire.extras import (
    CALLBACKS,
    decode_callback,
    decode_parents,
    decode_webhooks,
    encode_callback,
    encode_parents,
    encode_webhooks,
)

IN_HASH: Final = "hash"
"""The value of ``result_in`` in a job whose first success is kept in its hash."""


FIELDS: Final = frozenset(
    {
        "status", "data", "origin", "description", "created_at", "enqueued_at", "started_at",
        "ended_at", "last_heartbeat", "worker_name", "timeout", "result_ttl", "failure_ttl",
        "ttl", "meta", "retries_left", "retry_intervals", "enqueue_at_front",
        "enqueue_at_front_on_retry", "number_of_retries", "group_id", "dependency_ids", "result",
        "dependency_id", "allow_dependency_failures", "rate_limit_key", "rate_limit_concurrency",
        "repeats_left", "repeat_intervals", "webhooks",
        "success_callback_name", "success_callback_timeout",
        "failure_callback_name", "failure_callback_timeout",
        "stopped_callback_name", "stopped_callback_timeout",
        "on_parent_failure",  # + "cancel" or "run", where a parent did not finish
        "parent_results",  # + parameters that get the results of parents, as JSON
        "scheduled_for",  # + when it is due, in seconds since 1970 by the server's clock
        "extras",  # + 1 where running it needs more of these fields than FIELDS_TO_RUN
        "follow_up",  # + which end of another job it tells of, and to whom, as JSON
        "callback_error",  # + what callbacks of its last run did wrong
        "result_in",  # + "hash": the first success is in ``result``; else in the stream
        "execution_id",  # + the fencing token of the claim that holds, or last held, the job
        "token",  # + names the enqueue call, where the caller chose the job's id
        "starts",  # + runs without an outcome
        "redeliveries",  # + claims that came back unrun
        "on_lost",  # + what happens to a run without an outcome: "requeue" or "fail"
        "max_starts",  # + how many of them there may be
        "retry_rules",  # + what a ``Retry`` says that RQ has no field for, as JSON
        "capture_logs",  # + whether what it logs and writes is kept: 1 or 0
        "progress",  # + what its run reported last, as JSON
        "reported",  # + which run that was, and which of its reports
        "waiters",  # + how many clients wait for the end
        "stop_requested",  # + the execution that a person wants ended
        "stop_grace",  # + seconds that it may take to
        "cron",  # + the cron entry that made it
        "slot",  # + for which of its moments
        "tags",  # + words by which it is found, as JSON
        "cause",  # + why it failed: the id of what it has in common with others
        "moved_by",  # + the calls that canceled, requeued or stopped it last, and their answers
    }
)  # fmt: skip
"""Every field that our code or scripts name; a test compares the scripts with it."""


@dataclass(slots=True, kw_only=True)
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
    tags: tuple[str, ...] = ()
    result: bytes | None = None
    result_in: str = ""
    execution_id: str | None = None
    token: str = ""
    starts: int = 0
    redeliveries: int = 0
    on_lost: OnLost | None = None
    max_starts: int | None = None
    retry_rules: RetryRules = NO_RULES
    parents: Parents = NO_PARENTS
    scheduled_for: float | None = None
    repeats_left: int | None = None
    repeat_intervals: tuple[int, ...] = ()
    rate_limit_key: str | None = None
    rate_limit_concurrency: int | None = None
    success_callback: CallbackRecord | None = None
    failure_callback: CallbackRecord | None = None
    stopped_callback: CallbackRecord | None = None
    webhooks: tuple[Webhook, ...] = ()
    callback_error: str | None = None
    follow_up: bytes | None = None
    capture_logs: bool | None = None
    """Whether what it logs and writes is kept with it; None for what its worker says."""
    unique: bool = False
    """Of a new job: refuse it where any job has its id. Not stored."""
    due_in: float | None = None
    """Of a new job: seconds until it is due, by the server's clock. Not stored so."""

    @property
    def waits_first(self) -> bool:
        """Whether it is more than one of its queue: it may wait first, or is listed elsewhere."""
        return bool(
            self.parents.ids or self.has_a_time or self.rate_limit_key or self.group_id
            or self.tags
        )  # fmt: skip

    @property
    def has_a_time(self) -> bool:
        """Whether it was enqueued for a moment."""
        return self.scheduled_for is not None or self.due_in is not None

    @property
    def is_special(self) -> bool:
        """Whether it has anything that only some jobs have."""
        return self.waits_first or self.has_extras

    @property
    def has_extras(self) -> bool:
        """Whether running it needs more than FIELDS_TO_RUN."""
        return bool(
            self.success_callback or self.failure_callback or self.stopped_callback
            or self.webhooks or self.repeats_left or self.parents.results
            or self.capture_logs is not None
        )  # fmt: skip


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
    if record.is_special:
        fields += _encode_special(record)
    return fields


def _encode_special(record: JobRecord) -> list[Value]:
    """Return the fields of what only some jobs have."""
    fields = encode_parents(record.parents)
    optional: tuple[tuple[str, Value | None], ...] = (
        ("scheduled_for", record.scheduled_for),
        ("rate_limit_key", limit_name(record.rate_limit_key or "") or None),
        ("rate_limit_concurrency", record.rate_limit_concurrency),
        ("group_id", record.group_id),
        ("tags", tags_to_json(record.tags) or None),
        ("extras", 1 if record.has_extras else None),
        ("capture_logs", None if record.capture_logs is None else int(record.capture_logs)),
    )
    for name, value in optional:
        if value is not None:
            fields += (name, value)
    if record.repeats_left is not None:
        fields += ("repeats_left", record.repeats_left)
        fields += ("repeat_intervals", ints_to_json(record.repeat_intervals))
    given = (record.success_callback, record.failure_callback, record.stopped_callback)
    for kind, callback in zip(CALLBACKS, given, strict=True):
        fields += encode_callback(kind, callback)
    return fields + encode_webhooks(record.webhooks)


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
        tags=tags_from_json(get(b"tags")),
        result=get(b"result"),
        result_in=text_or_none(get(b"result_in")) or "",
        execution_id=text_or_none(get(b"execution_id")),
        token=text_or_none(get(b"token")) or "",
        starts=int_or_none(get(b"starts")) or 0,
        redeliveries=int_or_none(get(b"redeliveries")) or 0,
        on_lost=on_lost_of(get(b"on_lost")),
        max_starts=int_or_none(get(b"max_starts")),
        retry_rules=rules_from_json(get(b"retry_rules")),
        parents=decode_parents(fields),
        scheduled_for=float_or_none(get(b"scheduled_for")),
        repeats_left=int_or_none(get(b"repeats_left")),
        repeat_intervals=ints_from_json(get(b"repeat_intervals")),
        rate_limit_key=limit_key(text_or_none(get(b"rate_limit_key")) or "") or None,
        rate_limit_concurrency=int_or_none(get(b"rate_limit_concurrency")),
        success_callback=decode_callback("success", fields),
        failure_callback=decode_callback("failure", fields),
        stopped_callback=decode_callback("stopped", fields),
        webhooks=decode_webhooks(get(b"webhooks")),
        callback_error=text_or_none(get(b"callback_error")),
        follow_up=get(b"follow_up"),
        capture_logs=flag_or_none(get(b"capture_logs")),
    )


def _state(text: bytes | None) -> State:
    if not text:
        return State.CREATED
    try:
        return State(text.decode("utf-8", "replace"))
    except ValueError:
        raise DeserializationError(f"not a job status: {text!r}") from None


def on_lost_of(text: bytes | None) -> OnLost | None:
    """Return what *text* says of lost runs; None for nothing."""
    if not text:
        return None
    return "fail" if text == b"fail" else "requeue"


def tags_to_json(tags: tuple[str, ...]) -> str:
    """Return *tags* as they are stored; empty for none."""
    return json.dumps(tags, ensure_ascii=False, separators=(",", ":")) if tags else ""


def tags_from_json(text: bytes | None) -> tuple[str, ...]:
    """Return the tags in *text*; none where they can't be read: they only serve people."""
    try:
        found: Any = json.loads(text or b"[]")
    except (ValueError, RecursionError):
        return ()
    words = cast("list[object]", found) if isinstance(found, list) else []
    return tuple(str(word).encode("utf-8", "backslashreplace").decode() for word in words)
