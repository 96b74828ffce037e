"""Asking to be told of a job's end."""

from __future__ import annotations

from workhorse.core.states import ENDED, State
from workhorse.store.calls import Call, script
from workhorse.store.jobs import state_of
from workhorse.wire.keys import Keys


def wait(keys: Keys, job_id: str) -> Call[State | None]:
    """Ask for a token on the job's ``ended`` list when it ends; return its state now.

    Nothing is sent for a job that has ended already.
    """
    return script("wait", keys, {"job_id": job_id, "ends": ENDED}, parse=state_of)
