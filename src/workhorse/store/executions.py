"""Runs that go on: of a job, and of a worker. Reads only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from workhorse.core.errors import DeserializationError
from workhorse.core.states import State
from workhorse.store.calls import Plan, command
from workhorse.wire.codec import date_from_text, text_or_none
from workhorse.wire.keys import Keys, split_lease

_TOKEN: Final = 24
"""Characters of a claim's token, which its executions begin with."""
_MOST: Final = 1000
"""Entries of RQ's indexes that are looked at: nobody runs so many jobs at once."""


class ExecutionRecord(NamedTuple):
    """One run, as it shows itself."""

    job_id: str
    execution_id: str
    worker_name: str
    created_at: datetime | None
    last_heartbeat: datetime | None


class Held(NamedTuple):
    """A job that a worker holds, and the run that holds it."""

    job_id: str
    execution_id: str


def of_job(keys: Keys, job_id: str) -> Plan[list[ExecutionRecord]]:
    """Return the runs of a job that go on, the one that holds it first."""
    status, own, *told = yield from _about(keys, job_id)
    indexed = yield from command(
        "ZRANGE", keys.executions(job_id), 0, _MOST - 1, parse=list[bytes]
    )
    is_running = status == State.STARTED.value.encode()
    ids = [own] if own and is_running else []
    ids += [each for each in indexed if each != own]
    found: list[ExecutionRecord] = []
    for each in ids:
        execution_id = each.decode("utf-8", "backslashreplace")
        fields = yield from command(
            "HMGET", keys.execution(job_id, execution_id), "worker_name", "created_at",
            "last_heartbeat", parse=list[bytes | None],
        )  # fmt: skip
        if fields[1] is not None:
            name, began, heard = text_or_none(fields[0]), _epoch(fields[1]), _epoch(fields[2])
            found.append(ExecutionRecord(job_id, execution_id, name or "", began, heard))
        elif each == own:
            began, heard = _date(told[1]), _date(told[2])
            latest = max((moment for moment in (began, heard) if moment), default=None)
            name = text_or_none(told[0]) or ""
            found.append(ExecutionRecord(job_id, execution_id, name, began, latest))
    return found


def of_worker(keys: Keys, worker: str) -> Plan[list[Held]]:
    """Return the jobs that a worker holds: those it runs, and those it will run next."""
    memo = yield from command("GET", keys.claim(worker), parse=_bytes)
    members = yield from command("SMEMBERS", keys.worker_executions(worker), parse=list[bytes])
    candidates = dict.fromkeys((*_claimed(memo), *map(split_lease, members)))
    held: list[Held] = []
    for job, execution in list(candidates)[:_MOST]:
        job_id = job.decode("utf-8", "backslashreplace")
        status, own, name, *_ = yield from _about(keys, job_id)
        is_ours = own == execution or own is None  # RQ's workers note none
        if status == State.STARTED.value.encode() and is_ours and name == worker.encode():
            held.append(Held(job_id, execution.decode("utf-8", "backslashreplace")))
    return held


def _about(keys: Keys, job_id: str) -> Plan[list[bytes | None]]:
    found: list[bytes | None] = yield from command(
        "HMGET", keys.job(job_id), "status", "execution_id", "worker_name", "started_at",
        "last_heartbeat", parse=list[bytes | None],
    )  # fmt: skip
    return found


def _claimed(memo: bytes) -> list[tuple[bytes, bytes]]:
    """Return the jobs and executions of a worker's last claim, as claim.lua keeps it."""
    with suppress(ValueError, TypeError, IndexError, AttributeError):
        token, told = memo[:_TOKEN], json.loads(memo[_TOKEN:].decode("utf-8", "surrogateescape"))
        ids = cast("Sequence[str]", list(told[0])[1::2])
        return [
            (job_id.encode("utf-8", "surrogateescape"), b"%s%08x" % (token, number))
            for number, job_id in enumerate(ids, 1)
        ]
    return []


def _bytes(reply: Any) -> bytes:
    return reply if isinstance(reply, bytes) else b""


def _epoch(text: bytes | None) -> datetime | None:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(float(text), tz=UTC) if text else None
    return None


def _date(text: bytes | None) -> datetime | None:
    with suppress(DeserializationError):
        return date_from_text(text)
    return None
