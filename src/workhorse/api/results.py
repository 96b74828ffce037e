"""One run of a job, as its producer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from workhorse.wire.entries import ResultRecord, ResultType
from workhorse.wire.payload import Serializer, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one run of a job ended. Times are aware, in UTC."""

    Type: ClassVar = ResultType

    id: str
    job_id: str
    type: ResultType
    created_at: datetime
    return_value: Any = None
    exc_string: str | None = None
    """The traceback of a run that failed."""
    worker_name: str = ""
    execution_id: str | None = None
    execution_started_at: datetime | None = None
    execution_ended_at: datetime | None = None


def result_of(job_id: str, record: ResultRecord, serializer: Serializer) -> Result:
    """Return *record* with its value read by *serializer*. Raises DeserializationError."""
    value = None
    # RQ keeps the ``Retry`` that a job returned as the value of that run: its class, not ours.
    if record.value is not None and record.type is ResultType.SUCCESSFUL:
        value = load(record.value, serializer, f"the result of job {job_id}")
    return Result(
        id=record.id,
        job_id=job_id,
        type=record.type,
        created_at=record.created_at,
        return_value=value,
        exc_string=record.error,
        worker_name=record.worker_name,
        execution_id=record.execution_id,
        execution_started_at=record.started_at,
        execution_ended_at=record.ended_at,
    )
