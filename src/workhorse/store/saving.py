"""What of a job is written by hand: its notes, and all of it while it is nowhere yet."""

from __future__ import annotations

from workhorse.core.states import State
from workhorse.store.calls import Arguments, Call, script
from workhorse.wire.keys import Keys
from workhorse.wire.records import JobRecord, encode


def set_meta(keys: Keys, job_id: str, meta: bytes) -> Call[bool]:
    """Replace a job's meta; False, and nothing written, if there is no such job."""
    return script("set_meta", keys, {"job_id": job_id, "meta": meta}, parse=bool)


def save(keys: Keys, record: JobRecord) -> Call[bool]:
    """Store a job that waits nowhere; False, and nothing written, if its id is taken."""
    args: Arguments = {"job_id": record.id, "fields": ["status", State.CREATED, *encode(record)]}
    return script("save", keys, args, parse=bool)
