"""The runs of a job, as they are kept: the first success in its hash, the others in a stream."""

from __future__ import annotations

from typing import Any

from workhorse.store.calls import Plan, command
from workhorse.store.views import job
from workhorse.wire.keys import Keys
from workhorse.wire.records import ResultRecord, decode_entry, result_in_hash


def runs(keys: Keys, job_id: str, *, limit: int = 10) -> Plan[list[ResultRecord]]:
    """Return the kept runs of a job, newest first; empty for none."""
    record = yield from job(keys, job_id)
    entries = yield from command(
        "XREVRANGE", keys.results(job_id), "+", "-", "COUNT", limit, parse=_entries
    )
    if record is not None and (own := result_in_hash(record)):
        entries.append(own)
        entries.sort(key=lambda run: run.created_at, reverse=True)
    return entries[:limit]


def _entries(reply: list[Any] | None) -> list[ResultRecord]:
    return [decode_entry(entry_id, _as_hash(fields)) for entry_id, fields in reply or ()]


def _as_hash(fields: Any) -> dict[bytes, bytes]:
    if isinstance(fields, dict):
        return fields  # redis-py has read it already
    return dict(zip(fields[::2], fields[1::2], strict=True))
