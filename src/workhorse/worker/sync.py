"""Run one job here and now, without a worker: what ``Queue(is_async=False)`` does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from workhorse.core.ids import new_token
from workhorse.core.outcomes import Returned
from workhorse.core.settings import LEASE, RESULT_TTL, TIMEOUT_GRACE
from workhorse.core.verdicts import Policy, judge
from workhorse.store import jobs
from workhorse.store.drivers import Client, Store
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Serializer
from workhorse.wire.records import JobRecord
from workhorse.worker import runner
from workhorse.worker.logs import say

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
    start = jobs.start(keys, record, execution, worker=WORKER, lease=lease)
    refused = store.run(start).refused[0]
    if refused:
        return refused
    claimed = Claimed(
        queue=record.origin,
        job_id=record.id,
        execution_id=execution.execution_id,
        data=record.data,
        description=record.description or "",
        timeout=record.timeout,
        result_ttl=record.result_ttl,
        failure_ttl=record.failure_ttl,
        policy=Policy(),
        result_in=record.result_in,
    )
    started_at = time.monotonic()
    outcome = runner.run(runner.Running(claimed, WORKER, keys, serializer, connect))
    ended_at = time.monotonic()
    if isinstance(outcome, Returned) and outcome.replaced:
        say("replace", f"{record.origin}: the result of job {record.id} is not stored: "
            f"{outcome.replaced}", level=logging.WARNING, job_id=record.id)  # fmt: skip
    settlement = jobs.settlement(
        claimed,
        judge(outcome),
        result_ttl=RESULT_TTL,
        started_at=started_at,
        ended_at=ended_at,
    )
    store.run(jobs.settle(keys, [settlement], worker=WORKER, sent_at=time.monotonic()))
    return ""
