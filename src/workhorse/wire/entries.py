"""Runs of a job that have ended: the entries of its result stream, and the success in its hash."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from workhorse.core.errors import DeserializationError
from workhorse.core.states import State
from workhorse.wire.codec import Hash, error_from_text, text_or_none
from workhorse.wire.records import JobRecord


class ResultType(IntEnum):
    """How a run ended, in a result entry. The numbers are RQ's."""

    SUCCESSFUL = 1
    FAILED = 2
    STOPPED = 3
    RETRIED = 4
    MAX_RETRIES_EXCEEDED = 5


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
