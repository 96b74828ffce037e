"""What is done about executions whose lease has lapsed, as a plan. No I/O here; see drivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workhorse.core.verdicts import Verdict, judge_lost
from workhorse.store import jobs
from workhorse.store.broken import tell_broken, without_broken
from workhorse.store.calls import Arguments, Plan, script
from workhorse.wire.claimed import EXTRA_FIELDS, FIELDS_TO_RUN, Claimed, decode_claimed
from workhorse.wire.keys import Keys


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of executions whose lease had lapsed."""

    verdicts: list[tuple[Claimed, Verdict]]
    """Those that were requeued or failed; others had been extended, settled or deleted."""
    seen: int


def recover(keys: Keys, queue: str) -> Plan[Recovered]:
    """Judge up to ``SLICE`` executions of *queue* whose holder let the lease lapse.

    Each is applied only if its lease is still lapsed then: a holder that came back in time
    keeps its job.
    """
    args: Arguments = {
        "queue": queue,
        "limit": jobs.SLICE,
        "fields": FIELDS_TO_RUN,
        "extras": EXTRA_FIELDS,
    }
    lapsed, odd = yield from script(
        "lapsed", keys, args, parse=lambda reply: _lapsed(without_broken(keys, reply))
    )
    if odd:
        args = {"queue": queue, "members": odd}
        yield from script("discard", keys, args, parse=lambda reply: tell_broken(keys, reply))
    if not lapsed:
        return Recovered([], len(odd))
    verdicts = [
        (job, judge_lost(f"worker {worker} stopped renewing its lease", job.policy))
        for job, worker in lapsed
    ]
    items = [jobs.settlement(job, verdict, result_ttl=0) for job, verdict in verdicts]
    outcomes = yield from script(
        "recover", keys, {}, items, parse=lambda reply: jobs.settled(keys, reply)
    )
    applied = [
        judged
        for judged, outcome in zip(verdicts, outcomes, strict=True)
        if outcome is jobs.Settled.APPLIED
    ]
    return Recovered(applied, len(lapsed) + len(odd))


def _lapsed(reply: list[Any]) -> tuple[list[tuple[Claimed, str]], list[bytes]]:
    """Return the executions with their workers, and entries that no client can have made."""
    lapsed: list[tuple[Claimed, str]] = []
    odd: list[bytes] = []
    for row in reply:
        worker, member, *extras = row[4:]
        try:
            lapsed.append((decode_claimed([*row[:4], *extras]), jobs.text(worker or b"unknown")))
        except UnicodeDecodeError:
            odd.append(member)
    return lapsed, odd
