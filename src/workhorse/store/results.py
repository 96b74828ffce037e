"""The runs of a job, as they are kept: the first success in its hash, the others in a stream."""

from __future__ import annotations

from typing import Any, cast

from workhorse.store.calls import Plan, command
from workhorse.store.views import job
from workhorse.wire.codec import Hash
from workhorse.wire.entries import ResultRecord, ResultType, decode_entry, result_in_hash
from workhorse.wire.keys import Keys


def runs(keys: Keys, job_id: str, *, limit: int = 10) -> Plan[list[ResultRecord]]:
    """Return the kept runs of a job, newest first; empty for none."""
    record = yield from job(keys, job_id)
    entries = yield from command(
        "XREVRANGE", keys.results(job_id), "+", "-", "COUNT", limit, parse=_entries
    )
    if record is not None and (own := result_in_hash(record)) and not _told(entries, own):
        entries.append(own)
        entries.sort(key=lambda run: run.created_at, reverse=True)
    return entries[:limit]


def delete(keys: Keys, job_id: str) -> Plan[None]:
    """Delete what is kept of the runs of a job: its stream, and the success in its hash."""
    yield from command("DEL", keys.results(job_id), parse=int)
    yield from command("HDEL", keys.job(job_id), "result", parse=int)


def _told(entries: list[ResultRecord], own: ResultRecord) -> bool:
    """Return whether the stream has the last success, so that the hash's is no result.

    RQ writes each success to the stream, and leaves a ``Retry`` that a job returned in the hash.
    """
    return any(
        run.type is ResultType.SUCCESSFUL and run.worker_name == own.worker_name
        for run in entries[:1]
    )


def _entries(reply: list[Any] | None) -> list[ResultRecord]:
    return [decode_entry(entry_id, _as_hash(fields)) for entry_id, fields in reply or ()]


def _as_hash(fields: Any) -> Hash:
    if isinstance(fields, dict):
        return cast("Hash", fields)  # redis-py has read it already
    return dict(zip(fields[::2], fields[1::2], strict=True))
