"""Where libraries that watch RQ's workers take hold of ours: Sentry, ddtrace and their kin.

They put functions of their own in the place of ``perform_job``, ``handle_exception`` and
``Job.perform``. As long as nobody did, a run does not come by here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Final

from workhorse.api.current import get_current_job
from workhorse.api.job import Job
from workhorse.api.performing import watched
from workhorse.api.queue import Queue
from workhorse.core.outcomes import Outcome
from workhorse.core.states import State
from workhorse.worker.runner import Running, surround_runs


class BaseWorker:
    """What stands for RQ's worker in the process that runs a job."""

    def __init__(self, running: Running) -> None:
        self.name = running.worker
        self.key = running.keys.worker(running.worker)
        self.log = logging.getLogger("rq.worker")
        self.is_horse = running.alone
        """Whether the process ends with the job: what is still to be sent must be sent now."""

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """Run *job*; return whether it returned. What it raises is told to ``handle_exception``.

        Raises InvalidJobOperation outside of a run of it.
        """
        del queue
        try:
            job.perform()
        except BaseException:  # noqa: BLE001 - kept, and raised again where it is judged
            vars(job)["_status"] = State.FAILED  # RQ's name; Sentry asks for it
            self.handle_exception(job, *sys.exc_info())
            return False
        return True

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Do nothing: what follows from an exception is judged elsewhere."""


_OWN: Final = (
    (BaseWorker, "perform_job", BaseWorker.perform_job),
    (BaseWorker, "handle_exception", BaseWorker.handle_exception),
    (Job, "perform", Job.perform),
)


def _run_watched(running: Running, proceed: Callable[[], Outcome]) -> Outcome:
    """Run a job by way of what others put in our methods' places, if they did."""
    is_ours = running.job.extras is not None and running.job.extras.follow_up is not None
    # By identity: what stands in for a method may say that it equals it.
    if is_ours or all(getattr(owner, name) is method for owner, name, method in _OWN):
        return proceed()
    job = get_current_job()
    if job is None:
        return proceed()
    with watched(proceed) as run:
        BaseWorker(running).perform_job(job, Queue(running.job.queue, job.connection))
    if run.error is not None:
        raise run.error
    if run.outcome is None:
        raise RuntimeError(
            f"job {job.id} did not run: what was put in the place of perform_job did not call it"
        )
    return run.outcome


surround_runs(_run_watched)
