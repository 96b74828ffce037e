"""Run one job here and now, without a worker: what ``Queue(is_async=False)`` does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from workhorse.core.ids import new_token
from workhorse.core.outcomes import Returned
from workhorse.core.settings import LEASE, RESULT_TTL, TIMEOUT_GRACE
from workhorse.core.verdicts import judge
from workhorse.store import jobs, starting
from workhorse.store.callbacks import set_callback_error, with_problem
from workhorse.store.drivers import Client, Store
from workhorse.wire.claimed import Claimed, claimed_of
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Serializer
from workhorse.wire.records import JobRecord
from workhorse.worker import callbacks, runner
from workhorse.worker.executors.protocol import LongRun
from workhorse.worker.logs import JobLog, say

WORKER = "sync"
"""RQ's name for the worker of such jobs."""


def run_here(
    store: Store,
    keys: Keys,
    record: JobRecord,
    serializer: Serializer,
    connect: Callable[[], Client],
) -> str:
    """Store a job as started, run it, settle it; return the state of a job that had its id, or ''.

    As in RQ a failure is final here: nobody would run the retry. If this process dies, any
    supervisor recovers the job after its time limit.
    """
    execution = jobs.Execution(record.id, f"{new_token()}00000001", record.origin)
    limit = runner.time_limit(record.timeout)
    lease = 86_400.0 if limit is None else max(LEASE, limit + TIMEOUT_GRACE)
    start = starting.start(keys, record, execution, worker=WORKER, lease=lease)
    refused = store.run(start).refused[0]
    if refused:
        return refused
    claimed = claimed_of(record, execution.execution_id)
    captures = callbacks.captures_logs(claimed, False)  # noqa: FBT003 - else it is not kept
    running = runner.Running(claimed, WORKER, keys, serializer, connect, captures_logs=captures)
    _run_and_settle(store, running)
    return ""


def _run_and_settle(store: Store, running: runner.Running) -> None:
    """Run a job and settle it; then call its callbacks, which can't change that any more."""
    job, keys = running.job, running.keys
    run = callbacks.run_of(running)
    started_at = time.monotonic()
    outcome = run()
    ended_at = time.monotonic()
    if isinstance(outcome, Returned) and outcome.replaced:
        say("replace", f"{job.queue}: the result of job {job.job_id} is not stored: "
            f"{outcome.replaced}", level=logging.WARNING, job_id=job.job_id)  # fmt: skip
    verdict = judge(outcome)
    after = callbacks.after_of(job, outcome, verdict)
    settlement = jobs.settlement(
        job,
        verdict,
        result_ttl=RESULT_TTL,
        started_at=started_at,
        ended_at=ended_at,
        called=after is not None,
    )
    if after:
        settlement = with_problem(settlement, "")
    store.run(jobs.settle(keys, [settlement], worker=WORKER, sent_at=time.monotonic()))
    if after and isinstance(run, LongRun):
        _call_back(store, keys, job, run.go_on(after))


def _call_back(store: Store, keys: Keys, job: Claimed, problem: str) -> None:
    """Tell what a callback did wrong, and keep it with the job. Its enqueuer gets no error."""
    if problem:
        JobLog().miscalled(job, problem)
        store.run(set_callback_error(keys, job, problem))
