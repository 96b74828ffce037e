"""What is done in a transaction of the caller's, and what is said of it before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workhorse.api.sending import slices
from workhorse.core.errors import UnsupportedOptionError
from workhorse.core.states import State
from workhorse.store import jobs
from workhorse.store.pipelines import put_on
from workhorse.wire.keys import Keys
from workhorse.wire.records import JobRecord


def enqueue_on(pipeline: Any, keys: Keys, records: Sequence[JobRecord]) -> None:
    """Put new jobs on *pipeline*; *records* get the states that they are expected to have."""
    calls = [
        jobs.enqueue(keys, some, at_front={each.id for each in some if each.enqueue_at_front})
        for some in slices(records)
    ]
    put_on(pipeline, calls)
    for record in records:
        record.status = _expected(record)


def _expected(record: JobRecord) -> State:
    if record.parents.ids:
        return State.DEFERRED
    if record.scheduled_for is not None or record.due_in is not None:
        return State.SCHEDULED
    return State.RATE_LIMITED if record.rate_limit_key else State.QUEUED


def refuse_unless_async(*, is_async: bool) -> None:
    """Raise UnsupportedOptionError for a queue that runs its jobs at once."""
    if not is_async:
        raise UnsupportedOptionError(
            "pipeline with is_async=False: the job would run before the pipeline is executed; "
            "nothing was done"
        )
