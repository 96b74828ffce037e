"""Waiting for a job's end: told by our workers, and looked for where RQ's run it."""

from __future__ import annotations

import time
from typing import Final

from workhorse.api.connection import longest_block
from workhorse.core.errors import DeserializationError
from workhorse.core.states import ENDED, State
from workhorse.store import views, waiting, workers
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

_LOOK_EVERY: Final = 1.0
"""Seconds between two looks: RQ's workers tell nobody when a job ends."""


def await_end(store: Store, keys: Keys, job_id: str, timeout: float | None) -> State | None:
    """Return the job's state once it has ended, or after *timeout* seconds; None if it is gone."""
    until = None if timeout is None else time.monotonic() + timeout
    longest = min(_LOOK_EVERY, longest_block(store))
    state = store.run(waiting.wait(keys, job_id))
    while state is not None and state not in ENDED:
        left = longest if until is None else min(longest, until - time.monotonic())
        if left <= 0:
            return state
        store.run(workers.await_end(keys, job_id, seconds=max(left, 0.01)))
        state = state_now(store, keys, job_id)
    return state


def state_now(store: Store, keys: Keys, job_id: str) -> State | None:
    """Return the job's state on the server; None if it is gone. Raises DeserializationError."""
    word = store.run(views.job_field(keys, job_id, "status"))
    if word is None:
        return None
    try:
        return State(word.decode("utf-8", "replace"))
    except ValueError:
        raise DeserializationError(f"job {job_id}: not a job status: {word!r}") from None
