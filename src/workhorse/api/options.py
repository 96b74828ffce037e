"""What a caller may say about a job, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from workhorse._version import __version__
from workhorse.core.durations import parse_seconds
from workhorse.core.errors import InvalidCallError, InvalidOptionError, UnsupportedOptionError
from workhorse.core.ids import check_job_id, new_job_id, new_token
from workhorse.core.retry import Retry
from workhorse.core.settings import JOB_TIMEOUT
from workhorse.wire.payload import Call, Serializer, describe, encode_call, name_call
from workhorse.wire.records import IN_HASH, JobRecord

Function = Callable[..., Any] | str

NOT_YET: Final = (
    "depends_on", "repeat", "on_success", "on_failure", "on_stopped", "rate_limit", "webhooks",
    "pipeline", "unique", "group_id",
)  # fmt: skip
"""Options of RQ 3.0 that this version refuses rather than ignores."""


class EnqueueData(NamedTuple):
    """One call for ``Queue.enqueue_many``, as ``Queue.prepare_data`` returns it."""

    func: Function
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] | None = None
    timeout: int | str | None = None
    result_ttl: int | str | None = None
    ttl: int | str | None = None
    failure_ttl: int | str | None = None
    description: str | None = None
    job_id: str | None = None
    at_front: bool = False
    meta: Mapping[str, Any] | None = None
    retry: Retry | None = None


def refuse_unsupported(options: Mapping[str, Any]) -> None:
    """Raise UnsupportedOptionError for an option that is set and would be ignored."""
    for name, value in options.items():
        if value is not None and value is not False:
            raise UnsupportedOptionError(
                f"{name}={value!r}: workhorse {__version__} does not have {name} yet "
                "(docs/from-rq.md lists what it has); nothing was enqueued"
            )


def new_record(
    data: EnqueueData,
    *,
    queue: str,
    serializer: Serializer,
    default_timeout: int | None = None,
    results_in_stream: bool = False,
) -> JobRecord:
    """Return a new job for *queue*, not yet stored. Raises an error of ours for bad options."""
    call = _call(data)
    record = JobRecord(
        id=new_job_id() if data.job_id is None else check_job_id(data.job_id),
        data=encode_call(call, serializer),
        origin=queue,
        description=data.description or describe(call),
        created_at=datetime.now(UTC),
        timeout=_timeout(data.timeout, default_timeout),
        result_ttl=parse_seconds(data.result_ttl),
        failure_ttl=parse_seconds(data.failure_ttl),
        ttl=_ttl(data.ttl),
        meta=serializer.dumps(dict(data.meta)) if data.meta else None,
        enqueue_at_front=data.at_front,
        result_in="" if results_in_stream else IN_HASH,
        token=new_token() if data.job_id is not None else "",
    )
    return _with_retry(record, data.retry) if data.retry else record


def _with_retry(record: JobRecord, retry: Retry) -> JobRecord:
    if not isinstance(retry, Retry):
        raise InvalidOptionError(f"retry={retry!r}: give a Retry, as in Retry(max=3)")
    return replace(
        record,
        retries_left=retry.max,
        retry_intervals=retry.intervals,
        enqueue_at_front_on_retry=retry.enqueue_at_front,
    )


def _call(data: EnqueueData) -> Call:
    args, kwargs = data.args or (), data.kwargs or {}
    if isinstance(args, str | bytes) or not isinstance(args, Sequence):
        raise InvalidCallError(f"args={args!r}: give a list or tuple of arguments")
    if not isinstance(kwargs, Mapping):
        raise InvalidCallError(f"kwargs={kwargs!r}: give a dictionary of keyword arguments")
    function, instance = name_call(data.func)
    return Call(function, instance, tuple(args), dict(kwargs))


def _timeout(timeout: float | str | None, default: int | None) -> int:
    seconds = parse_seconds(timeout)
    if seconds is None:
        return default or JOB_TIMEOUT
    if seconds == 0 or seconds < -1:
        raise InvalidOptionError(
            f"job timeout {timeout!r}: give seconds of 1 or more, or -1 for no limit"
        )
    return seconds


def _ttl(ttl: float | str | None) -> int | None:
    seconds = parse_seconds(ttl)
    if seconds is not None and seconds <= 0:
        raise InvalidOptionError(f"ttl {ttl!r}: give seconds of 1 or more, or None to wait for ever")
    return seconds
