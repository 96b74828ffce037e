"""Jobs that run where they are enqueued, before ``enqueue`` returns."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from workhorse.api.job import Job
from workhorse.api.watching import watched_by
from workhorse.testing.draining import drain
from workhorse.testing.errors import EndlessDrainError
from workhorse.testing.servers import ServerForTests, server, server_in_use

_DEEPEST: Final = 20
"""Jobs that were enqueued by one another, and each runs within the one that enqueued it."""


@contextmanager
def inline(*, raise_errors: bool = True, limit: int = 1000) -> Generator[ServerForTests]:
    """Have all queues of this process run their jobs at once within the block.

    Whatever queue, made whenever: when ``enqueue`` returns, the job has ended, and so have its
    retries that need not wait and what waited for it. What has a time of its own waits for it, see
    ``clock``. A server for tests is used, the one in use or one of the block's own.

    A job that has failed for good has ``enqueue`` raise JobFailedError, unless *raise_errors* is
    False: then it is only stored, as everywhere else. EndlessDrainError is raised where one
    ``enqueue`` leads to more than *limit* runs, or where jobs are nested too deep.
    """
    depth = 0

    def run(jobs: Sequence[Job]) -> None:
        nonlocal depth
        del jobs
        if depth >= _DEEPEST:
            raise EndlessDrainError(
                f"{_DEEPEST} jobs run within one another, each enqueued by the one before: "
                "to run such a chain, use drain() and its limit="
            )
        depth += 1
        try:
            drain(raise_errors=raise_errors, limit=limit)
        finally:
            depth -= 1

    with ExitStack() as stack:
        used = server_in_use() or stack.enter_context(server())
        stack.enter_context(watched_by(run))
        yield used
