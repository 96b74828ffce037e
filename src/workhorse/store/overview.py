"""What there is, at a glance: the queues, and how much is where. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workhorse.store import views
from workhorse.store.calls import Arguments, Call, Plan, script
from workhorse.store.jobs import QueueName
from workhorse.store.pages import lenient, shown
from workhorse.wire.codec import date_from_text, float_or_none
from workhorse.wire.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """How many jobs of a queue are where; None where the key is of another kind."""

    name: str
    queued: int | None
    started: int | None
    scheduled: int | None
    deferred: int | None
    finished: int | None
    failed: int | None
    canceled: int | None
    broken: int | None
    """Ids that were set aside because they could not be handled."""
    workers: int | None
    oldest: datetime | None
    """Since when the next job has waited."""
    paused_until: float | None
    """In seconds since 1970; infinity where nothing but a person ends it; None if not paused."""
    totals: dict[str, int]
    """How often what happened, by event, since the server was first used."""


def queues(keys: Keys, names: Sequence[str]) -> Call[list[QueueRow]]:
    """Return a row for each queue, in the order of *names*."""
    args: Arguments = {}
    items = [QueueName(name) for name in names]

    def parse(reply: list[Any]) -> list[QueueRow]:
        return [_row(name, row) for name, row in zip(names, reply, strict=True)]

    return script("overview", keys, args, items, parse=parse)


def every_queue(keys: Keys) -> Plan[list[QueueRow]]:
    """Return a row for each queue that was ever used, sorted by name."""
    names = yield from views.queue_names(keys)
    return (yield from queues(keys, names))


def _row(name: str, row: list[Any]) -> QueueRow:
    oldest, paused_until, totals, *counts = row
    counted = [None if isinstance(count, bytes) else int(count) for count in counts]
    return QueueRow(
        name=name,
        queued=counted[0],
        started=counted[1],
        scheduled=counted[2],
        deferred=counted[3],
        finished=counted[4],
        failed=counted[5],
        canceled=counted[6],
        broken=counted[7],
        workers=counted[8],
        oldest=lenient(date_from_text, oldest),
        paused_until=lenient(float_or_none, paused_until),
        totals={
            shown(event): int(many)
            for event, many in zip(totals[::2], totals[1::2], strict=True)
            if many
        },
    )
