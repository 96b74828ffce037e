"""``@job``: a function that knows its queue."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from workhorse.api.classes import choose_class
from workhorse.api.connection_stack import chosen
from workhorse.api.job import Job
from workhorse.api.options import EnqueueData
from workhorse.api.queue import Queue
from workhorse.core.errors import InvalidOptionError
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.retry import Retry
from workhorse.core.verdicts import OnLost
from workhorse.store.drivers import Client

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class JobFunction(Protocol[P, R_co]):
    """A function that can be called as before, and also be queued."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function here and now."""
        ...

    @property
    def delay(self) -> Callable[..., Job]:
        """Queue a call and return its job; ``job_id`` and ``at_front`` go to the queue."""
        ...

    @property
    def enqueue(self) -> Callable[..., Job]:
        """Do what ``delay`` does, by the name that queues give it."""
        ...


class job:  # noqa: N801 - RQ's name, used as a decorator
    """Give a function a ``delay`` method that queues a call of it.

    *queue* is a Queue or its name; options are those of ``Queue.enqueue_call``, for every call.
    The function itself stays as it is, methods included. No server is looked for until the
    first ``delay``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - RQ's signature
        self,
        queue: Queue | str,
        connection: Client | str | None = None,
        timeout: int | str | None = None,
        result_ttl: int | str | None = None,
        ttl: int | str | None = None,
        queue_class: type[Queue] | str | None = None,
        depends_on: Any = None,
        at_front: bool = False,  # noqa: FBT001, FBT002 - positional in RQ
        meta: Mapping[str, Any] | None = None,
        description: str | None = None,
        failure_ttl: int | str | None = None,
        retry: Retry | None = None,
        on_failure: Any = None,
        on_success: Any = None,
        on_stopped: Any = None,
        webhooks: Any = None,
        *,
        repeat: Repeat | None = None,
        rate_limit: RateLimit | None = None,
        unique: bool = False,
        group_id: str | None = None,
        tags: Sequence[str] | None = None,
        on_lost: OnLost | None = None,
        max_starts: int | None = None,
        capture_logs: bool | None = None,
    ) -> None:
        made = choose_class("queue_class", queue_class, Queue)
        self._make = functools.partial(made, connection=connection)
        self._queue = _queue(queue, self._make)
        self._is_bound = connection is not None or self._queue is queue
        self._at_front, self._depends_on = at_front, depends_on
        self._options: dict[str, Any] = {
            "timeout": timeout, "result_ttl": result_ttl, "ttl": ttl, "failure_ttl": failure_ttl,
            "description": description, "meta": meta, "retry": retry, "on_lost": on_lost,
            "max_starts": max_starts, "repeat": repeat, "on_success": on_success,
            "on_failure": on_failure, "on_stopped": on_stopped, "rate_limit": rate_limit,
            "webhooks": webhooks, "unique": unique, "group_id": group_id, "tags": tags,
            "capture_logs": capture_logs,
        }  # fmt: skip

    def __call__(self, function: Callable[P, R_co]) -> JobFunction[P, R_co]:
        """Return *function* with ``delay``."""

        @functools.wraps(function)
        def delay(*args: Any, **kwargs: Any) -> Job:
            data = EnqueueData(
                function,
                job_id=kwargs.pop("job_id", None),
                at_front=kwargs.pop("at_front", False) or self._at_front,
                depends_on=kwargs.pop("depends_on", None) or self._depends_on,
                args=args,
                kwargs=kwargs,
                **self._options,
            )
            return self._queue_of_call().enqueue_many([data])[0]

        decorated = cast("Any", function)
        decorated.delay = decorated.enqueue = delay
        return cast("JobFunction[P, R_co]", function)

    def _queue_of_call(self) -> Queue:
        """Return the queue; by RQ's old words its connection is the one around the call."""
        if self._is_bound or chosen() is None:
            return self._queue
        return self._make(self._queue.name)


def _queue(queue: object, make: Callable[[str], Queue]) -> Queue:
    if isinstance(queue, str):
        return make(queue)
    if isinstance(queue, Queue):
        return queue
    raise InvalidOptionError(
        f"@job needs a queue: {queue!r} is none (write @job('default') or @job(Queue(...)))"
    )
