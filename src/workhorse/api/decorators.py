"""``@job``: a function that knows its queue."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar

from workhorse.api.job import Job
from workhorse.api.options import EnqueueData, refuse_unsupported
from workhorse.api.queue import Queue
from workhorse.core.retry import Retry
from workhorse.store.drivers import Client

P = ParamSpec("P")
R = TypeVar("R")


class JobFunction(Generic[P, R]):
    """A function that still can be called, and also enqueued by ``delay``."""

    def __init__(self, function: Callable[P, R], enqueue: Callable[..., Job]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._enqueue = enqueue

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return self._function(*args, **kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> Job:
        """Queue a call and return its job. ``job_id`` and ``at_front`` go to the queue."""
        return self._enqueue(*args, **kwargs)

    enqueue = delay


class job:  # noqa: N801 - RQ's name, used as a decorator
    """Give a function a ``delay`` method that queues a call of it.

    *queue* is a Queue or its name; options are those of ``Queue.enqueue_call``, for every call.
    """

    def __init__(  # noqa: PLR0913 - RQ's signature
        self,
        queue: Queue | str,
        connection: Client | str | None = None,
        timeout: int | str | None = None,
        result_ttl: int | str | None = None,
        ttl: int | str | None = None,
        queue_class: type[Queue] | None = None,
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
    ) -> None:
        refuse_unsupported(
            {
                "depends_on": depends_on,
                "on_failure": on_failure,
                "on_success": on_success,
                "on_stopped": on_stopped,
                "webhooks": webhooks,
            }
        )
        self._queue = queue
        self._connection = connection
        self._queue_class = queue_class or Queue
        self._at_front = at_front
        self._options: dict[str, Any] = {
            "timeout": timeout,
            "result_ttl": result_ttl,
            "ttl": ttl,
            "failure_ttl": failure_ttl,
            "description": description,
            "meta": meta,
            "retry": retry,
        }

    def __call__(self, function: Callable[P, R]) -> JobFunction[P, R]:
        """Decorate *function*. The server is looked for at the first ``delay``."""

        def enqueue(*args: Any, **kwargs: Any) -> Job:
            refuse_unsupported({"depends_on": kwargs.pop("depends_on", None)})
            data = EnqueueData(
                f"{function.__module__}.{function.__qualname__}",
                job_id=kwargs.pop("job_id", None),
                at_front=kwargs.pop("at_front", False) or self._at_front,
                args=args,
                kwargs=kwargs,
                **self._options,
            )
            return self._resolve().enqueue_many([data])[0]

        return JobFunction(function, enqueue)

    def _resolve(self) -> Queue:
        if isinstance(self._queue, str):
            self._queue = self._queue_class(self._queue, self._connection)
        return self._queue
