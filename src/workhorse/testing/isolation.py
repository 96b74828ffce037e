"""One function, run as a job would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workhorse.api.queue import Queue
from workhorse.api.results import Result
from workhorse.testing.errors import JobFailedError
from workhorse.testing.servers import needed_server
from workhorse.wire.entries import ResultType


def run_job(
    func: Callable[..., Any] | str,
    *args: Any,
    raise_errors: bool = True,
    queue: Queue | str = "default",
    **kwargs: Any,
) -> Result:
    """Run one call as a job in this process, once, and return what came of it.

    Its arguments and its result are serialized, its code has ``get_current_job()``, and a time
    limit. Options are those of ``Queue.enqueue``; a retry is not followed. ``return_value``,
    ``type`` and ``exc_string`` of the result tell how it ended. A failure raises JobFailedError,
    unless *raise_errors* is False. Raises NoTestServerError without a server for tests.
    """
    connection = needed_server("run_job()").connection
    given = queue if isinstance(queue, Queue) else Queue(queue)
    here = type(given)(
        given.name, connection, is_async=False, serializer=given.serializer,
        results_in_stream=True,
    )  # fmt: skip
    kwargs.setdefault("result_ttl", -1)
    job = here.enqueue(func, *args, **kwargs)
    result = job.latest_result()
    if result is None:
        raise RuntimeError(f"job {job.id} left no result")
    if raise_errors and result.type is not ResultType.SUCCESSFUL:
        state = job.get_status().value
        raise JobFailedError(job.id, job.description or "", state, result.exc_string or "")
    return result
