"""What is known of a job without asking: its fields as they were when it was fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from workhorse.api.connection import default_keys
from workhorse.api.options import check_seconds, check_timeout, check_ttl
from workhorse.core.callbacks import CALLBACK_TIMEOUT, CallbackRecord
from workhorse.core.ids import check_queue_name
from workhorse.core.verdicts import OnLost
from workhorse.core.webhooks import Webhook
from workhorse.wire.extras import FOLLOW_UP
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, JSONSerializer, Serializer, decode_call, describe
from workhorse.wire.records import JobRecord
from workhorse.worker.runner import find_function

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds()


class JobSnapshot:
    """The attributes of a ``Job``, as of the last fetch or refresh. Times are aware, in UTC.

    Those that can be set are stored when a job that was made by hand is saved, or enqueued.
    """

    serializer: Serializer
    _record: JobRecord
    _keys: Keys
    _call: Call | None

    @property
    def record(self) -> JobRecord:
        """All fields of the job as of the last fetch."""
        return self._record

    def _change(self, **fields: Any) -> None:
        self._record = replace(self.record, **fields)

    @property
    def id(self) -> str:
        """The job's id."""
        return self._record.id

    @property
    def key(self) -> str:
        """The key of the job's hash on the server."""
        return self._keys.job(self.id)

    @staticmethod
    def key_for(job_id: str) -> str:
        """Return the key of the hash of the job with this id."""
        return default_keys().job(job_id)

    @property
    def data(self) -> bytes:
        """The call as it is stored."""
        return self._record.data

    @property
    def func_name(self) -> str:
        """The dotted name of the function. Raises DeserializationError."""
        return self._decoded.function

    @property
    def func(self) -> Callable[..., Any]:
        """The function itself, imported. Raises DeserializationError."""
        call = self._decoded
        if call.instance is not None:
            return cast("Callable[..., Any]", getattr(call.instance, call.function))
        return find_function(call.function)

    @property
    def instance(self) -> Any:
        """The object whose method is called, or None."""
        return self._decoded.instance

    @property
    def args(self) -> Sequence[Any]:
        """The positional arguments."""
        return self._decoded.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments."""
        return self._decoded.kwargs

    @property
    def _decoded(self) -> Call:
        if self._call is None:
            is_ours = self._record.data == FOLLOW_UP
            serializer = JSONSerializer() if is_ours else self.serializer
            self._call = decode_call(self._record.data, serializer)
        return self._call

    def get_call_string(self) -> str:
        """Return the call as Python would write it, long arguments cut."""
        return describe(self._decoded)

    @property
    def description(self) -> str | None:
        """What the job does, for people: by default its call."""
        return self._record.description

    @description.setter
    def description(self, description: str | None) -> None:
        self._change(description=description)

    @property
    def origin(self) -> str:
        """The name of its queue."""
        return self._record.origin

    @origin.setter
    def origin(self, origin: str) -> None:
        self._change(origin=check_queue_name(origin))

    @property
    def timeout(self) -> int | None:
        """Seconds it may run; -1 without limit."""
        return self._record.timeout

    @timeout.setter
    def timeout(self, timeout: int | str | None) -> None:
        self._change(timeout=check_timeout("timeout", timeout))

    @property
    def result_ttl(self) -> int | None:
        """Seconds it is kept after a success; None for its worker's default."""
        return self._record.result_ttl

    @result_ttl.setter
    def result_ttl(self, result_ttl: int | str | None) -> None:
        self._change(result_ttl=check_seconds("result_ttl", result_ttl))

    @property
    def failure_ttl(self) -> int | None:
        """Seconds it is kept after a failure; None for a year."""
        return self._record.failure_ttl

    @failure_ttl.setter
    def failure_ttl(self, failure_ttl: int | str | None) -> None:
        self._change(failure_ttl=check_seconds("failure_ttl", failure_ttl))

    @property
    def ttl(self) -> int | None:
        """Seconds it may wait in its queue; None for ever."""
        return self.record.ttl

    @ttl.setter
    def ttl(self, ttl: int | str | None) -> None:
        self._change(ttl=check_ttl(ttl))

    @property
    def created_at(self) -> datetime | None:
        """When it was made, by its producer's clock."""
        return self.record.created_at

    @property
    def enqueued_at(self) -> datetime | None:
        """When it was queued last."""
        return self.record.enqueued_at

    @property
    def scheduled_for(self) -> datetime | None:
        """When it is due, or was last; None for a job that never had to wait for its time."""
        moment = self.record.scheduled_for
        if moment is None or not abs(moment) <= _LATEST:
            return None
        return _EPOCH + timedelta(seconds=moment)

    @property
    def started_at(self) -> datetime | None:
        """When it began to run last."""
        return self.record.started_at

    @property
    def ended_at(self) -> datetime | None:
        """When its last run ended."""
        return self.record.ended_at

    @property
    def last_heartbeat(self) -> datetime | None:
        """When its worker last said that it still runs; short runs never say so."""
        return self.record.last_heartbeat

    @property
    def worker_name(self) -> str | None:
        """The worker that runs it, or ran it last."""
        return self._record.worker_name

    @property
    def group_id(self) -> str | None:
        """The name of its group; None for none."""
        return self.record.group_id

    @property
    def tags(self) -> tuple[str, ...]:
        """The words by which it is found: ``tag:`` of a search."""
        return self.record.tags

    @property
    def retries_left(self) -> int | None:
        """How often it is tried again after an exception; None without a ``Retry``."""
        return self.record.retries_left

    @property
    def retry_intervals(self) -> tuple[int, ...]:
        """The waits of its ``Retry``, in seconds."""
        return self.record.retry_intervals

    @property
    def enqueue_at_front_on_retry(self) -> bool:
        """Whether it is tried again before those that wait."""
        return self.record.enqueue_at_front_on_retry

    @property
    def number_of_retries(self) -> int:
        """How often it asked to be run again by returning or raising a ``Retry``."""
        return self.record.number_of_retries

    @property
    def repeats_left(self) -> int | None:
        """How often it is run again after a success; None without a ``Repeat``."""
        return self.record.repeats_left

    @property
    def repeat_intervals(self) -> tuple[int, ...]:
        """The waits of its ``Repeat`` that are still to come, in seconds; the last is reused."""
        return self.record.repeat_intervals

    @property
    def rate_limit_key(self) -> str | None:
        """The key of its ``RateLimit``; None without one."""
        return self.record.rate_limit_key

    @property
    def rate_limit_concurrency(self) -> int | None:
        """What its own ``RateLimit`` says; a newer job's may hold by now."""
        return self.record.rate_limit_concurrency

    @property
    def has_rate_limit(self) -> bool:
        """Whether it has a ``RateLimit``."""
        return self.record.rate_limit_key is not None

    @property
    def starts(self) -> int:
        """How many runs began and were lost: their process or machine died, nobody knows when.

        A run that goes on now is not among them, nor one that returned or failed.
        """
        return self.record.starts

    @property
    def redeliveries(self) -> int:
        """How often a worker took it and gave it back unrun; that costs nothing."""
        return self.record.redeliveries

    @property
    def on_lost(self) -> OnLost | None:
        """What becomes of a lost run: "requeue" or "fail"; None for what its worker says."""
        return self.record.on_lost

    @property
    def max_starts(self) -> int | None:
        """How many runs may be lost until it fails; None for what its worker says, or three."""
        return self.record.max_starts

    @property
    def success_callback(self) -> Callable[..., Any] | None:
        """What is called when it succeeds, imported; None for nothing."""
        return _imported(self.record.success_callback)

    @property
    def failure_callback(self) -> Callable[..., Any] | None:
        """What is called when it has failed for good, imported; None for nothing."""
        return _imported(self.record.failure_callback)

    @property
    def stopped_callback(self) -> Callable[..., Any] | None:
        """What is called when a person stopped it, imported; None for nothing."""
        return _imported(self.record.stopped_callback)

    @property
    def success_callback_timeout(self) -> int:
        """Seconds that it may take; -1 for no limit."""
        return _timeout_of(self.record.success_callback)

    @property
    def failure_callback_timeout(self) -> int:
        """Seconds that it may take; -1 for no limit."""
        return _timeout_of(self.record.failure_callback)

    @property
    def stopped_callback_timeout(self) -> int:
        """Seconds that it may take; -1 for no limit."""
        return _timeout_of(self.record.stopped_callback)

    @property
    def callback_error(self) -> str | None:
        """What a callback of its last run did wrong; that did not change how it ended."""
        return self.record.callback_error

    @property
    def webhooks(self) -> list[Webhook]:
        """What is told of its end by HTTP."""
        return list(self.record.webhooks)


def _imported(callback: CallbackRecord | None) -> Callable[..., Any] | None:
    return find_function(callback.name) if callback else None


def _timeout_of(callback: CallbackRecord | None) -> int:
    return callback.timeout if callback else CALLBACK_TIMEOUT
