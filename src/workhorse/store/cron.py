"""Cron entries: stored, fired, looked at. No I/O here; see drivers.

An entry's hash is the one source of what it is and of its next slot. The sorted set ``cron_due``
says only when that is due, so that looking costs what is due, and holds every entry's name:
with ``inf`` those that fire no more, or not now.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, cast

from workhorse.core.cron import slot_text
from workhorse.core.errors import DeserializationError
from workhorse.store.broken import tell_broken, without_broken
from workhorse.store.calls import Arguments, Call, as_it_is, command, script
from workhorse.wire.codec import Value
from workhorse.wire.crons import (
    OF_RULES,
    CronRecord,
    DueEntry,
    decode_cron,
    decode_due,
    encode_cron,
)
from workhorse.wire.keys import Keys

SLICE: Final = 50
"""Entries that are looked at in one call."""
SCHEDULER_TTL: Final = 120
"""Seconds after its last sign of life at which a scheduler counts as gone."""

Planned = Literal["", "changed", "late"]
NextSlot = float | Literal["same"] | None
LOG: Final = logging.getLogger("workhorse.store")


class Shot(NamedTuple):
    """One entry for ``fire``."""

    name: str
    version: str
    """Empty where a person wants it now, whatever its schedule says."""
    slot: str
    next_slot: str
    next_due: str
    ids: list[Value]
    slots: list[Value]


class EntryAt(NamedTuple):
    """One entry, as it was when it was read."""

    name: str
    version: str


class Fired(NamedTuple):
    """What became of one entry's slots."""

    outcome: Literal["fired", "past", "gone", "broken"]
    """``past``: somebody else fired it, or it was edited."""
    made: int = 0
    passed_over: int = 0
    """Slots without a job, because of ``overlap``."""


_NOT_FIRED: Final[Mapping[str, Fired]] = {
    "past": Fired("past"),
    "gone": Fired("gone"),
    "broken": Fired("broken"),
}


@dataclass(frozen=True, slots=True)
class Due:
    """Which entries are due."""

    at: float
    """The moment that counts: the server's time, or what was asked for."""
    next_due: float
    """When the first of all entries is due, those here included."""
    entries: list[DueEntry]


def due(keys: Keys, *, at: float | None = None) -> Call[Due]:
    """Return the entries that are due by the server's clock, ``SLICE`` at most.

    *at* is a moment that counts in its place, for tests that can't wait.
    """

    def parse(reply: list[Any]) -> Due:
        moment, first, rows, broken = reply
        tell_broken(keys, broken)
        entries = [decode_due(name, values) for name, values in rows]
        return Due(float(moment), float(first) if first else math.inf, entries)

    args: Arguments = {"at": "" if at is None else at, "limit": SLICE, "fields": OF_RULES}
    return script("due", keys, args, parse=parse)


def fire(keys: Keys, shots: Sequence[Shot]) -> Call[list[Fired]]:
    """Make the jobs of *shots*; each slot's once, however often and by whomever this is sent."""

    def parse(reply: list[Any]) -> list[Fired]:
        return [_fired(word.decode()) for word in without_broken(keys, reply)]

    return script("fire", keys, {}, shots, parse=parse)


def _fired(word: str) -> Fired:
    if word in _NOT_FIRED:
        return _NOT_FIRED[word]
    made, _, passed = word.partition(":")
    return Fired("fired", int(made), int(passed))


def shot(
    entry: DueEntry, slots: Mapping[str, float], next_slot: float | None, due_at: float
) -> Shot:
    """Return what fires *slots* of *entry*, by the ids of their jobs, and plans the next."""
    return Shot(
        entry.name,
        entry.version,
        entry.slot_text,
        "" if next_slot is None else slot_text(next_slot),
        "inf" if next_slot is None else f"{due_at:.3f}",
        list(slots),
        [slot_text(slot) for slot in slots.values()],
    )


def put_off(entry: DueEntry, until: float) -> Shot:
    """Return what has *entry* looked at again at *until*, its next slot as it is."""
    slot = entry.slot_text
    return Shot(entry.name, entry.version, slot, slot, f"{until:.3f}", [], [])


def by_hand(name: str, job_id: str, now: float) -> Shot:
    """Return what makes a job of the entry *name* now, beside its schedule."""
    return Shot(name, "", "", "", "", [job_id], [slot_text(now)])


def plan(
    keys: Keys,
    record: CronRecord,
    *,
    expected: str,
    slot: NextSlot,
    due_at: float = math.inf,
) -> Call[Planned]:
    """Store *record*, whose ``version`` names this change, if its version is *expected*.

    An empty *expected* is for an entry that is not there yet. *slot* is what it fires next,
    ``"same"`` leaves that as it is, None has it fire no more.
    """
    args: Arguments = {
        "name": record.name,
        "expected": expected,
        "version": record.version,
        "slot": _slot_word(slot),
        "due": "inf" if math.isinf(due_at) else f"{due_at:.3f}",
        "fields": encode_cron(record),
    }
    return script("plan", keys, args, parse=lambda word: cast("Planned", word.decode()))


def _slot_word(slot: NextSlot) -> str:
    if slot is None:
        return ""
    return slot if isinstance(slot, str) else slot_text(slot)


def forget(keys: Keys, entries: Iterable[EntryAt]) -> Call[int]:
    """Remove entries and return how many there were; an empty version stands for any."""
    return script("forget", keys, {}, list(entries), parse=int)


def entry(keys: Keys, name: str) -> Call[CronRecord | None]:
    """Return the entry *name*, or None."""

    def parse(reply: Any) -> CronRecord | None:
        fields = _as_hash(reply)
        return decode_cron(name, fields) if b"version" in fields else None

    return command("HGETALL", keys.cron_entry(name), parse=parse)


def is_listed(keys: Keys, name: str) -> Call[bool]:
    """Return whether it is known when the entry *name* fires: a server may have forgotten."""
    return command("ZSCORE", keys.cron_due(), name, parse=lambda reply: reply is not None)


def readable_entry(keys: Keys, name: str) -> Call[CronRecord | None]:
    """Return the entry *name*; None, and a line in the log, for one that can't be read."""
    plain = entry(keys, name)

    def parse(reply: Any) -> CronRecord | None:
        try:
            return plain.parse(reply)
        except DeserializationError as error:
            LOG.warning("cron entry %r is passed over: %s", name, error)
            return None

    return Call(plain.words, parse)


def names(keys: Keys) -> Call[list[str]]:
    """Return the names of all entries, the one that fires next first; no damaged ones."""

    def parse(reply: Sequence[bytes]) -> list[str]:
        texts = [word.decode("utf-8", "replace") for word in reply]
        return [text for text, word in zip(texts, reply, strict=True) if text.encode() == word]

    return command("ZRANGE", keys.cron_due(), 0, -1, parse=parse)


def source_of(keys: Keys, name: str) -> Call[str]:
    """Return the configuration that the entry *name* belongs to."""

    def parse(reply: bytes | None) -> str:
        return (reply or b"").decode("utf-8", "replace")

    return command("HGET", keys.cron_entry(name), "source", parse=parse)


def history(keys: Keys, name: str, start: int, end: int) -> Call[list[tuple[str, datetime]]]:
    """Return the ids of an entry's jobs and when they were made, newest first.

    *start* and *end* count from the newest; *end* is included, and -1 is the oldest.
    """

    def parse(reply: list[Any]) -> list[tuple[str, datetime]]:
        pairs = reply
        if reply and not isinstance(reply[0], list | tuple):
            pairs = list(zip(reply[::2], reply[1::2], strict=True))
        return [(job_id.decode(), datetime.fromtimestamp(float(at), UTC)) for job_id, at in pairs]

    return command("ZRANGE", keys.cron_history(name), start, end, "REV", "WITHSCORES", parse=parse)


def now(keys: Keys) -> Call[float]:
    """Return the server's time, in seconds since 1970."""
    del keys

    def parse(reply: Sequence[Any]) -> float:
        return float(reply[0]) + float(reply[1]) / 1_000_000

    return command("TIME", parse=parse)


# Schedulers, as RQ's monitors see them


def show_scheduler(
    keys: Keys, name: str, fields: Sequence[Value], *, seen_at: float
) -> list[Call[Any]]:
    """Return the calls that show a scheduler as alive at *seen_at*."""
    key = keys.cron_scheduler(name)
    return [
        command("ZADD", keys.cron_schedulers(), f"{seen_at:.6f}", name, parse=as_it_is),
        command("HSET", key, *fields, parse=as_it_is),
        command("EXPIRE", key, SCHEDULER_TTL, parse=as_it_is),
    ]


def hide_scheduler(keys: Keys, name: str) -> list[Call[Any]]:
    """Return the calls that take a scheduler off the list."""
    return [
        command("ZREM", keys.cron_schedulers(), name, parse=as_it_is),
        command("DEL", keys.cron_scheduler(name), parse=as_it_is),
    ]


def schedulers(keys: Keys, *, seen_since: float) -> Call[list[str]]:
    """Return the schedulers that were alive at *seen_since* or later."""
    return command(
        "ZRANGEBYSCORE", keys.cron_schedulers(), f"{seen_since:.6f}", "+inf", parse=_texts
    )


def scheduler(keys: Keys, name: str) -> Call[dict[str, str]]:
    """Return what a scheduler shows of itself; empty if it is gone."""

    def parse(reply: Any) -> dict[str, str]:
        return {
            key.decode(): value.decode("utf-8", "replace")
            for key, value in _as_hash(reply).items()
        }

    return command("HGETALL", keys.cron_scheduler(name), parse=parse)


def last_seen(keys: Keys, name: str) -> Call[datetime | None]:
    """Return a scheduler's last sign of life."""

    def parse(reply: Any) -> datetime | None:
        return None if reply is None else datetime.fromtimestamp(float(reply), UTC)

    return command("ZSCORE", keys.cron_schedulers(), name, parse=parse)


def _texts(reply: Sequence[bytes]) -> list[str]:
    return [word.decode("utf-8", "replace") for word in reply]


def _as_hash(reply: Any) -> dict[bytes, bytes]:
    if isinstance(reply, dict):
        return cast("dict[bytes, bytes]", reply)
    return dict(zip(reply[::2], reply[1::2], strict=True))
