"""What a caller may say about a job, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeGuard, cast

from workhorse.api.follow_ups import check_callback, check_rate_limit, check_repeat, check_webhooks
from workhorse.core.dependencies import parents_of
from workhorse.core.durations import parse_seconds
from workhorse.core.errors import (
    InvalidCallError,
    InvalidOptionError,
    TimeoutFormatError,
    UnsupportedOptionError,
)
from workhorse.core.ids import check_group_name, check_job_id, new_job_id, new_token
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.retry import Retry
from workhorse.core.settings import JOB_TIMEOUT, LONGEST_SPAN
from workhorse.core.states import State
from workhorse.core.tags import check_tags
from workhorse.core.verdicts import OnLost
from workhorse.wire.codec import RetryRules
from workhorse.wire.payload import Call, Serializer, describe, dump, encode_call, name_call
from workhorse.wire.records import IN_HASH, JobRecord

Function = Callable[..., Any] | str


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
    on_lost: OnLost | None = None
    max_starts: int | None = None
    depends_on: Any = None
    repeat: Repeat | None = None
    on_success: Any = None
    on_failure: Any = None
    on_stopped: Any = None
    rate_limit: RateLimit | None = None
    webhooks: Any = None
    unique: bool = False
    scheduled_for: float | None = None
    """When it is due, in seconds since 1970; None for at once."""
    due_in: float | None = None
    """Seconds until it is due, by the server's clock."""
    group_id: str | None = None
    tags: Sequence[str] | None = None
    capture_logs: bool | None = None


class LostRule(NamedTuple):
    """What becomes of runs without an outcome; None for what a wider place says.

    Said by a job, else by its queue, else by the worker that claims it.
    """

    on_lost: OnLost | None = None
    max_starts: int | None = None

    def or_else(self, other: LostRule) -> LostRule:
        """Return this rule, completed by another."""
        return LostRule(self.on_lost or other.on_lost, self.max_starts or other.max_starts)


SILENT: Final = LostRule()


def refuse_unknown(options: Mapping[str, Any], *, refused: Mapping[str, str], where: str) -> None:
    """Raise UnsupportedOptionError for any option, but one in *refused* that is None.

    *refused* are options of RQ, and why we don't have them.
    """
    for name, value in options.items():
        if name not in refused:
            raise UnsupportedOptionError(f"{where} has no option {name!r}; nothing was done")
        if value is not None:
            raise UnsupportedOptionError(f"{where}({name}=...): {refused[name]}; nothing was done")


def new_record(
    data: EnqueueData,
    *,
    queue: str,
    serializer: Serializer,
    default_timeout: int | None = JOB_TIMEOUT,
    default_lost: LostRule = SILENT,
    results_in_stream: bool = False,
) -> JobRecord:
    """Return a new job for *queue*, not yet stored. Raises an error of ours for bad options."""
    call = _call(data)
    timeout = check_timeout("the job's timeout", data.timeout)
    lost = check_lost(data.on_lost, data.max_starts).or_else(default_lost)
    record = JobRecord(
        id=new_job_id() if data.job_id is None else check_job_id(data.job_id),
        data=encode_call(call, serializer),
        origin=queue,
        description=_description(data.description, call),
        created_at=datetime.now(UTC),
        timeout=default_timeout if timeout is None else timeout,
        result_ttl=check_seconds("result_ttl", data.result_ttl),
        failure_ttl=check_seconds("failure_ttl", data.failure_ttl),
        ttl=check_ttl(data.ttl),
        meta=_meta(data.meta, serializer),
        enqueue_at_front=bool(data.at_front),
        result_in="" if results_in_stream else IN_HASH,
        token=new_token() if data.job_id is not None else "",
        on_lost=lost.on_lost,
        max_starts=lost.max_starts,
    )
    if data.retry is not None:
        _add_retry(record, data.retry)
    _add_special(record, data)
    return record


def _add_special(record: JobRecord, data: EnqueueData) -> None:
    """Add to a new job what only some jobs have."""
    _add_callbacks(record, data)
    if data.depends_on is not None:
        record.parents = parents_of(data.depends_on)
        _refuse_twice_given(record.parents.results, data.kwargs)
    if data.repeat is not None:
        repeat = check_repeat(data.repeat)
        record.repeats_left, record.repeat_intervals = repeat.times, repeat.intervals
    if data.rate_limit is not None:
        limit = check_rate_limit(data.rate_limit)
        record.rate_limit_key, record.rate_limit_concurrency = limit.key, limit.concurrency
    if data.unique and data.job_id is None:
        raise InvalidOptionError("unique=True needs a job_id: it is what there may be one of")
    record.unique = bool(data.unique)
    if data.scheduled_for is not None and data.due_in is not None:
        raise InvalidOptionError("a job is due at a moment, or in a while: give one of them")
    record.scheduled_for, record.due_in = data.scheduled_for, data.due_in
    record.capture_logs = check_flag("capture_logs", data.capture_logs)
    if data.group_id is not None:
        record.group_id = check_group_name(data.group_id)
    if data.tags is not None:
        record.tags = check_tags(data.tags)


def _refuse_twice_given(results: Mapping[str, Any], kwargs: Mapping[str, Any] | None) -> None:
    for name in results:
        if kwargs and name in kwargs:
            raise InvalidOptionError(
                f"result_as={name!r}: the call has a value for this parameter; give one of them"
            )


def _add_callbacks(record: JobRecord, data: EnqueueData) -> None:
    if data.on_success is not None:
        record.success_callback = check_callback("on_success", data.on_success)
    if data.on_failure is not None:
        record.failure_callback = check_callback("on_failure", data.on_failure)
    if data.on_stopped is not None:
        record.stopped_callback = check_callback("on_stopped", data.on_stopped)
    if data.webhooks is not None:
        record.webhooks = check_webhooks(data.webhooks)


def _description(given: object, call: Call) -> str:
    if not isinstance(given, str | None):
        raise InvalidOptionError(f"description is {given!r}: give text")
    return (given or describe(call)).encode("utf-8", "backslashreplace").decode()


def check_timeout(name: str, timeout: object) -> int | None:
    """Return the time limit meant by *timeout*: seconds, -1 for none, None where not given."""
    seconds = check_seconds(name, timeout)
    if seconds is not None and (seconds == 0 or seconds < -1):
        raise InvalidOptionError(
            f"{name} is {timeout!r}: give seconds of 1 or more, or -1 for no limit"
        )
    return seconds


def check_lost(on_lost: object, max_starts: object) -> LostRule:
    """Return what is to become of lost runs, as it was given."""
    if on_lost not in (None, "requeue", "fail"):
        raise InvalidOptionError(f"on_lost is {on_lost!r}: give 'requeue' or 'fail'")
    if max_starts is not None and not _is_number_of_runs(max_starts):
        raise InvalidOptionError(f"max_starts is {max_starts!r}: give a number of runs, 1 or more")
    return LostRule(on_lost, cast("int | None", max_starts))


def _is_number_of_runs(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def check_flag(name: str, flag: object) -> bool | None:
    """Return *flag* if it is True, False or None."""
    if not isinstance(flag, bool | None):
        raise InvalidOptionError(f"{name} is {flag!r}: give True or False")
    return flag


def check_bytes(name: str, size: object) -> int:
    """Return *size* if it is a number of bytes."""
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    raise InvalidOptionError(f"{name} is {size!r}: give a number of bytes, 1 or more")


def check_ttl(ttl: object) -> int | None:
    """Return the seconds for which a job may wait; None for ever."""
    seconds = check_seconds("ttl", ttl)
    if seconds is not None and seconds <= 0:
        raise InvalidOptionError(
            f"ttl is {ttl!r}: give seconds of 1 or more, or None to wait for ever"
        )
    return seconds


def check_seconds(name: str, span: object) -> int | None:
    """Return *span* in seconds, as the option *name* was given; None where it was not."""
    try:
        seconds = parse_seconds(cast("int | str | None", span))
    except TimeoutFormatError as error:
        raise TimeoutFormatError(f"{name}: {error}") from None
    if seconds is not None and seconds > LONGEST_SPAN:
        raise InvalidOptionError(f"{name} is {span!r}: that is more than three hundred years")
    return seconds


def check_state(status: str) -> State:
    """Return the state called *status*."""
    try:
        return State(status)
    except ValueError:
        words = ", ".join(State)
        raise InvalidOptionError(f"status is {status!r}: give one of {words}") from None


def _meta(meta: object, serializer: Serializer) -> bytes | None:
    if not isinstance(meta, Mapping | None):
        raise InvalidOptionError(f"meta is {meta!r}: give a dictionary")
    if not meta:
        return None
    return dump(dict(cast("Mapping[str, Any]", meta)), serializer, "the job's meta")


def _add_retry(record: JobRecord, retry: object) -> None:
    if not isinstance(retry, Retry):
        raise InvalidOptionError(f"retry is {retry!r}: give a Retry, as in Retry(max=3)")
    record.retries_left = retry.max
    record.retry_intervals = retry.intervals
    record.enqueue_at_front_on_retry = retry.enqueue_at_front
    record.retry_rules = RetryRules(retry.jitter, retry.retry_on, retry.give_up_on)


def _call(data: object) -> Call:
    if not isinstance(data, EnqueueData):
        raise InvalidCallError(
            f"not a call to enqueue: {data!r} (give what Queue.prepare_data returns)"
        )
    function, instance = name_call(data.func)
    return Call(function, instance, _args(data.args), _kwargs(data.kwargs))


def _args(args: object) -> tuple[Any, ...]:
    if args is None:
        return ()
    if not _are_args(args):
        raise InvalidCallError(f"args={args!r}: give a list or tuple of arguments")
    return tuple(args)


def _are_args(args: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(args, Sequence) and not isinstance(args, str | bytes)


def _kwargs(kwargs: object) -> dict[str, Any]:
    if kwargs is None:
        return {}
    if not _are_named(kwargs):
        raise InvalidCallError(f"kwargs={kwargs!r}: give a dictionary of arguments by name")
    return dict(kwargs)


def _are_named(kwargs: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(kwargs, Mapping) and all(
        isinstance(name, str) for name in cast("Mapping[object, object]", kwargs)
    )
