"""Calls that are to be enqueued, as they are given to a queue. Nothing is sent from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from workhorse.api.follow_ups import check_moment, check_span
from workhorse.api.job import Job
from workhorse.api.options import EnqueueData, check_state
from workhorse.core.errors import InvalidCallError
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.retry import Retry
from workhorse.core.states import State
from workhorse.core.verdicts import OnLost
from workhorse.wire.records import JobRecord

_RESERVED: Final = {
    "job_timeout": "timeout",
    "description": "description",
    "result_ttl": "result_ttl",
    "ttl": "ttl",
    "failure_ttl": "failure_ttl",
    "job_id": "job_id",
    "at_front": "at_front",
    "meta": "meta",
    "retry": "retry",
    "on_lost": "on_lost",
    "max_starts": "max_starts",
    "depends_on": "depends_on",
    "repeat": "repeat",
    "on_success": "on_success",
    "on_failure": "on_failure",
    "on_stopped": "on_stopped",
    "rate_limit": "rate_limit",
    "webhooks": "webhooks",
    "unique": "unique",
    "group_id": "group_id",
    "job_tags": "tags",  # as job_timeout: many functions have a parameter `tags`
    "capture_logs": "capture_logs",
}
"""Keyword arguments that ``enqueue`` takes for itself, and their names in ``EnqueueData``."""


class NewCalls:
    """How a ``Queue`` reads what it is given to enqueue."""

    def _new_record(self, data: EnqueueData) -> JobRecord:
        raise NotImplementedError

    def _job(self, record: JobRecord) -> Job:
        raise NotImplementedError

    @staticmethod
    def prepare_data(  # noqa: PLR0913, PLR0917 - RQ's signature
        func: Callable[..., Any] | str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        timeout: int | str | None = None,
        result_ttl: int | str | None = None,
        ttl: int | str | None = None,
        failure_ttl: int | str | None = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        at_front: bool = False,  # noqa: FBT001, FBT002 - positional in RQ
        meta: Mapping[str, Any] | None = None,
        retry: Retry | None = None,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        repeat: Repeat | None = None,
        webhooks: Any = None,
        *,
        on_lost: OnLost | None = None,
        max_starts: int | None = None,
        rate_limit: RateLimit | None = None,
        unique: bool = False,
        scheduled_for: datetime | None = None,
        due_in: timedelta | float | None = None,
        group_id: str | None = None,
        tags: Sequence[str] | None = None,
        capture_logs: bool | None = None,
    ) -> EnqueueData:
        """Return one call for ``enqueue_many``, due at a moment or in a while."""
        due = None if scheduled_for is None else check_moment("scheduled_for", scheduled_for)
        seconds = None if due_in is None else check_span("due_in", due_in)
        return EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, job_id,
            at_front, meta, retry, on_lost, max_starts, depends_on, repeat, on_success,
            on_failure, on_stopped, rate_limit, webhooks, unique, due, seconds, group_id,
            tags, capture_logs,
        )  # fmt: skip

    def create_job(  # noqa: PLR0913, PLR0917 - RQ's signature
        self,
        func: Callable[..., Any] | str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        timeout: int | str | None = None,
        result_ttl: int | str | None = None,
        ttl: int | str | None = None,
        failure_ttl: int | str | None = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        meta: Mapping[str, Any] | None = None,
        status: State | str = State.QUEUED,
        retry: Retry | None = None,
        repeat: Repeat | None = None,
        *,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        webhooks: Any = None,
        group_id: str | None = None,
        rate_limit: RateLimit | None = None,
        on_lost: OnLost | None = None,
        max_starts: int | None = None,
        tags: Sequence[str] | None = None,
        capture_logs: bool | None = None,
    ) -> Job:
        """Return a new job of this queue that is not stored; ``enqueue_job`` stores and queues it.

        Its *status* is what it says of itself until then.
        """
        data = EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, job_id,
            meta=meta, retry=retry, on_lost=on_lost, max_starts=max_starts, depends_on=depends_on,
            repeat=repeat, on_success=on_success, on_failure=on_failure, on_stopped=on_stopped,
            rate_limit=rate_limit, webhooks=webhooks, group_id=group_id, tags=tags,
            capture_logs=capture_logs,
        )  # fmt: skip
        record = self._new_record(data)
        record.status = check_state(status)
        return self._job(record).as_new()

    def _parse(
        self, f: Callable[..., Any] | str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> EnqueueData:
        options = {field: kwargs.pop(name) for name, field in _RESERVED.items() if name in kwargs}
        if "args" in kwargs or "kwargs" in kwargs:
            given = EnqueueData(f, kwargs.pop("args", None), kwargs.pop("kwargs", None), **options)
            if args or kwargs:
                raise InvalidCallError(
                    "enqueue takes a call's arguments as they are or by args= and kwargs=, not "
                    f"both: got {args!r} and {kwargs!r} besides"
                )
            return given
        return EnqueueData(f, args, kwargs, **options)


def options_of_call(data: EnqueueData) -> dict[str, Any]:
    """Return *data* as the keyword arguments of ``Queue.enqueue_call``."""
    options = data._asdict()
    del options["scheduled_for"], options["due_in"]
    return options
