"""The job that runs here now, for its own code."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from workhorse.api.classes import choose_class
from workhorse.api.connection import Link
from workhorse.api.job import Job
from workhorse.core.states import State
from workhorse.store.connections import that_tries_again
from workhorse.store.drivers import Client, Store
from workhorse.wire.records import JobRecord
from workhorse.worker.runner import CURRENT, Running

_last: Final[dict[int, tuple[Callable[[], Client], Store]]] = {}
"""The connection that code of jobs used last in a process, and what opened it."""


class _Shown:
    """The class that ``get_current_job`` returns, in this process and those it forks."""

    job_class: type[Job] = Job


def use_job_class(job_class: type[Job]) -> None:
    """Have ``get_current_job`` return jobs of *job_class* from now on; for workers."""
    _Shown.job_class = job_class


@contextmanager
def jobs_shown_as(job_class: type[Job]) -> Generator[None]:
    """Have ``get_current_job`` return jobs of *job_class* meanwhile."""
    before, _Shown.job_class = _Shown.job_class, job_class
    try:
        yield
    finally:
        _Shown.job_class = before


def get_current_job(
    connection: Any = None, job_class: type[Job] | str | None = None
) -> Job | None:
    """Return the job whose code calls this, or None outside of a job.

    It is of its worker's *job_class*, or of the one given. The job talks to the server only when
    more is asked than its worker knew: ``meta``, say.
    """
    del connection
    running = CURRENT.get()
    if running is None:
        return None
    claimed = running.job
    record = JobRecord(
        id=claimed.job_id,
        data=claimed.data,
        status=State.STARTED,
        origin=claimed.queue,
        description=claimed.description,
        timeout=claimed.timeout,
        result_ttl=claimed.result_ttl,
        failure_ttl=claimed.failure_ttl,
        worker_name=running.worker,
        execution_id=claimed.execution_id,
    )
    shown = _Shown.job_class if job_class is None else choose_class("job_class", job_class, Job)
    return shown.of_record(
        record, Link(_store(running)), running.keys, running.serializer, partial=True
    )


def _store(running: Running) -> Store:
    """Return a connection for the code of jobs, apart from the worker's own, one a process."""
    pid = os.getpid()
    last = _last.get(pid)
    if last is None or last[0] != running.connect:
        last = _last[pid] = (running.connect, Store(that_tries_again(running.connect())))
    return last[1]
