"""One run of a job, as its producer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

from workhorse.api.connection import default_keys
from workhorse.wire.entries import ResultRecord, ResultType
from workhorse.wire.payload import Serializer, load

_MOST: Final = 1000
"""Runs that are read at most. RQ's streams are cut by and by, long after their tenth."""


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

    @classmethod
    def all(cls, job: HasResults, serializer: Serializer | str | None = None) -> list[Result]:
        """Return the kept runs of *job*, newest first; RQ keeps ten or a few more, we ten."""
        return job.read_results(_MOST, serializer)

    @classmethod
    def count(cls, job: HasResults) -> int:
        """Return how many runs of *job* are kept."""
        return job.count_results()

    @classmethod
    def fetch_latest(
        cls,
        job: HasResults,
        serializer: Serializer | str | None = None,
        timeout: float = 0,
    ) -> Result | None:
        """Return the newest run of *job*, waiting for its end for *timeout* seconds at most."""
        if timeout > 0:
            job.latest_result(timeout)
        return next(iter(job.read_results(1, serializer)), None)

    @classmethod
    def delete_all(cls, job: HasResults) -> None:
        """Delete what is kept of the runs of *job*; the job itself stays."""
        job.delete_results()

    @classmethod
    def get_key(cls, job_id: str) -> str:
        """Return the key of the stream of a job's runs. A first success is in its hash instead."""
        return default_keys().results(job_id)


class HasResults(Protocol):
    """A ``Job``, as far as its results are concerned."""

    def latest_result(self, timeout: float = 0) -> Result | None:
        """Return the newest run that ended."""
        ...

    def read_results(self, limit: int, serializer: Serializer | str | None = None) -> list[Result]:
        """Return the newest runs, read by *serializer*."""
        ...

    def count_results(self) -> int:
        """Return how many runs are kept."""
        ...

    def delete_results(self) -> None:
        """Delete what is kept of the runs."""
        ...


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
