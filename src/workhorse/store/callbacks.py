"""What callbacks of a job did wrong, kept with the job. No I/O here; see drivers."""

from __future__ import annotations

from workhorse.store.calls import Arguments, Call, script
from workhorse.store.jobs import Settlement
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys


def with_problem(settled: Settlement, problem: str) -> Settlement:
    """Return the verdict with what a callback did wrong, to be kept with the job; or nothing."""
    shown = problem.encode("utf-8", "backslashreplace")
    return settled._replace(fields=[*settled.fields, "callback_error", shown])


def set_callback_error(keys: Keys, job: Claimed, problem: str) -> Call[bool]:
    """Keep what a callback did wrong with a job whose end is settled; False if that is gone."""
    shown = problem.encode("utf-8", "backslashreplace")
    args: Arguments = {"job_id": job.job_id, "execution_id": job.execution_id, "problem": shown}
    return script("set_callback_error", keys, args, parse=bool)
