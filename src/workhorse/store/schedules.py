"""Cron entries as people look at them, a page at a time. Reads only.

What an entry's jobs are called with is not read: a page costs what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from workhorse.core.cron import Rules
from workhorse.store.calls import Call, command
from workhorse.store.pages import lenient, shown
from workhorse.wire.codec import date_from_text, float_or_none, int_or_none
from workhorse.wire.crons import OF_RULES, decode_due
from workhorse.wire.keys import Keys

_FIELDS: Final = (
    "queue", "call", "source", "paused", "times_left", "last_job", "last_slot", "last_at",
    "created_at", "edited_at", "fired", "skipped", "job.description",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """A cron entry in a list. What is missing, or can't be read, is None or empty."""

    name: str
    rules: Rules | None
    """None where what is stored can't be read; ``problem`` says why."""
    problem: str
    queue: str
    function: str
    source: str
    """The configuration that it stands in; empty for one that was added by call or command."""
    paused: bool
    times_left: int | None
    """How many jobs it makes yet; None for no end."""
    slot: float | None
    """What it fires next, in seconds since 1970, without its jitter."""
    due_at: float | None
    """When it fires that; None for an entry that fires no more, or not now."""
    last_job: str
    last_at: datetime | None
    created_at: datetime | None
    edited_at: datetime | None
    fired: int
    """Jobs that it made."""
    skipped: int
    """Slots without a job, because one had not ended."""
    description: str


class Listed(NamedTuple):
    """An entry, and when it fires next: None for one that fires no more, or not now."""

    name: str
    due_at: float | None


def count(keys: Keys) -> Call[int]:
    """Return how many entries there are."""
    return command("ZCARD", keys.cron_due(), parse=int)


def listed(keys: Keys, *, offset: int = 0, length: int = 50) -> Call[list[Listed]]:
    """Return some of the entries, the one that fires next first, those that don't last."""

    def parse(reply: list[Any]) -> list[Listed]:
        pairs = reply
        if reply and not isinstance(reply[0], list | tuple):
            pairs = list(zip(reply[::2], reply[1::2], strict=True))
        return [Listed(shown(name), _moment(float(due))) for name, due in pairs]

    last = offset + length - 1
    return command("ZRANGE", keys.cron_due(), offset, last, "WITHSCORES", parse=parse)


def due_at(keys: Keys, name: str) -> Call[float | None]:
    """Return when an entry fires next; None for one that fires no more, or not now."""

    def parse(reply: Any) -> float | None:
        return None if reply is None else _moment(float(reply))

    return command("ZSCORE", keys.cron_due(), name, parse=parse)


def entry(keys: Keys, name: str, due: float | None) -> Call[ScheduleRow | None]:
    """Return an entry that is *due* then; None where there is none."""

    def parse(values: Sequence[bytes | None]) -> ScheduleRow | None:
        return _row(name, values, due) if any(values) else None

    return command("HMGET", keys.cron_entry(name), *OF_RULES, *_FIELDS, parse=parse)


def _moment(score: float) -> float | None:
    return score if math.isfinite(score) else None


def _row(name: str, values: Sequence[bytes | None], due: float | None) -> ScheduleRow:
    version, slot, *rules = values[: len(OF_RULES)]
    told = dict(zip(_FIELDS, values[len(OF_RULES) :], strict=True))
    get = told.get
    # One that is paused has no slot; its rules are there all the same.
    read = decode_due(b"", [version, b"0", *rules])
    return ScheduleRow(
        name=name,
        rules=read.rules,
        problem=read.problem,
        queue=shown(get("queue")),
        function=shown(get("call")),
        source=shown(get("source")),
        paused=get("paused") == b"1",
        times_left=lenient(int_or_none, get("times_left")),
        slot=lenient(float_or_none, slot),
        due_at=due,
        last_job=shown(get("last_job")),
        last_at=lenient(date_from_text, get("last_at")),
        created_at=lenient(date_from_text, get("created_at")),
        edited_at=lenient(date_from_text, get("edited_at")),
        fired=lenient(int_or_none, get("fired")) or 0,
        skipped=lenient(int_or_none, get("skipped")) or 0,
        description=shown(get("job.description")),
    )
