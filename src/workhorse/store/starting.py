"""A new job that its producer runs itself, at once."""

from __future__ import annotations

from typing import NamedTuple

from workhorse.store.calls import Arguments, Call, script
from workhorse.store.jobs import Enqueued, Execution, read_enqueued
from workhorse.wire.codec import Value
from workhorse.wire.keys import Keys
from workhorse.wire.records import JobRecord, encode, tags_to_json


class StartedJob(NamedTuple):
    """One job for ``start``."""

    job_id: str
    token: str
    queue: str
    execution_id: str
    group: str
    tags: str
    fields: list[Value]


def start(
    keys: Keys, record: JobRecord, execution: Execution, *, worker: str, lease: float
) -> Call[Enqueued]:
    """Store a new job as started by *execution*, for a queue that runs its jobs itself."""
    item = StartedJob(
        record.id,
        record.token,
        record.origin,
        execution.execution_id,
        record.group_id or "",
        tags_to_json(record.tags),
        encode(record),
    )
    args: Arguments = {"worker": worker, "lease": lease, "unique": int(record.unique)}
    return script("start", keys, args, [item], parse=read_enqueued)
