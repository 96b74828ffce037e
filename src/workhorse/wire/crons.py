"""A cron entry as its hash holds it: when it fires, and the fields of the jobs that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from workhorse.core.cron import Misfire, Overlap, Rules, Schedule, slot_text
from workhorse.core.errors import DeserializationError, InvalidOptionError
from workhorse.wire.codec import (
    Hash,
    Value,
    date_from_text,
    date_to_text,
    float_or_none,
    int_or_none,
    text_or_none,
)
from workhorse.wire.records import JobRecord, decode, encode, tags_to_json

OF_RULES: Final = (
    "version", "slot", "cron", "interval", "anchor", "zone", "jitter", "start", "end",
    "overlap", "misfire", "catch_up",
)  # fmt: skip
"""Fields that say when an entry fires."""
_OF_JOBS: Final = b"job."
"""What the name of a field begins with that is one of the jobs'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRecord:
    """A cron entry."""

    name: str
    rules: Rules
    job: JobRecord
    """What its jobs are like; without an id and times."""
    call: str = ""
    """The function's name."""
    source: str = ""
    """The configuration that it belongs to; empty for what was added by call or command."""
    digest: str = ""
    """Of what the configuration said of it last."""
    version: str = ""
    """Another after each change."""
    paused: bool = False
    times_left: int | None = None
    """How many jobs it makes yet; None for no end."""
    slot: float | None = None
    """What it fires next."""
    live: tuple[str, ...] = ()
    """Its jobs that had not ended when it fired last; not kept with ``overlap="allow"``."""
    last_job: str | None = None
    last_slot: float | None = None
    last_at: datetime | None = None
    created_at: datetime | None = None
    edited_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """``fired``: jobs that it made; ``skipped``: slots without one, because of ``overlap``."""


@dataclass(frozen=True, slots=True)
class DueEntry:
    """What a scheduler has to know of an entry that is due."""

    name: str
    version: str
    slot_text: str
    rules: Rules | None
    """None where what is stored can't be read; ``problem`` says why."""
    problem: str = ""

    @property
    def slot(self) -> float:
        """The slot as a number."""
        return float(self.slot_text)


def encode_cron(record: CronRecord) -> list[Value]:
    """Return the fields of an entry, flat, without those that firing writes."""
    job, schedule = record.job, record.rules.schedule
    optional: tuple[tuple[str, Value | None], ...] = (
        ("cron", schedule.cron),
        ("interval", _number(schedule.interval)),
        ("anchor", None if schedule.interval is None else slot_text(schedule.anchor)),
        ("zone", schedule.zone),
        ("jitter", _number(schedule.jitter or None)),
        ("start", _number(schedule.start)),
        ("end", _number(schedule.end)),
        ("overlap", record.rules.overlap),
        ("misfire", record.rules.misfire),
        ("catch_up", record.rules.catch_up),
        ("queue", job.origin),
        ("call", record.call),
        ("source", record.source or None),
        ("digest", record.digest or None),
        ("paused", 1 if record.paused else None),
        ("times_left", record.times_left),
        ("at_front", 1 if job.enqueue_at_front else None),
        ("ttl", job.ttl),
        ("group", job.group_id),
        ("tags", tags_to_json(job.tags) or None),
    )
    fields: list[Value] = []
    for name, value in optional:
        if value is not None:
            fields += (name, value)
    of_job = encode(job)
    for key, told in zip(of_job[::2], of_job[1::2], strict=True):
        if key not in ("created_at", "token"):
            fields += (f"{_OF_JOBS.decode()}{key!s}", told)
    return fields


def decode_cron(name: str, fields: Hash) -> CronRecord:
    """Return the entry in *fields*. Raises DeserializationError where one can't be read."""
    of_job = {
        key.removeprefix(_OF_JOBS): value
        for key, value in fields.items()
        if key.startswith(_OF_JOBS)
    }
    get = fields.get
    return CronRecord(
        name=name,
        rules=_rules(fields),
        job=decode("", of_job),
        call=text_or_none(get(b"call")) or "",
        source=text_or_none(get(b"source")) or "",
        digest=text_or_none(get(b"digest")) or "",
        version=text_or_none(get(b"version")) or "",
        paused=get(b"paused") == b"1",
        times_left=int_or_none(get(b"times_left")),
        slot=float_or_none(get(b"slot")),
        live=tuple((text_or_none(get(b"live")) or "").split()),
        last_job=text_or_none(get(b"last_job")) or None,
        last_slot=float_or_none(get(b"last_slot")),
        last_at=date_from_text(get(b"last_at")),
        created_at=date_from_text(get(b"created_at")),
        edited_at=date_from_text(get(b"edited_at")),
        counts={
            "fired": int_or_none(get(b"fired")) or 0,
            "skipped": int_or_none(get(b"skipped")) or 0,
        },
    )


def decode_due(name: bytes, values: Sequence[bytes | None]) -> DueEntry:
    """Return an entry that is due from the values of ``OF_RULES``."""
    fields = {
        key.encode(): value
        for key, value in zip(OF_RULES, values, strict=True)
        if value is not None
    }
    shown = name.decode("utf-8", "replace")
    version = fields.get(b"version", b"").decode("utf-8", "replace")
    slot = fields.get(b"slot", b"").decode("utf-8", "replace")
    try:
        float(slot)
        return DueEntry(shown, version, slot, _rules(fields))
    except (DeserializationError, ValueError) as error:
        return DueEntry(shown, version, slot, None, str(error))


def _rules(fields: Hash) -> Rules:
    get = fields.get
    try:
        schedule = Schedule(
            cron=text_or_none(get(b"cron")),
            interval=float_or_none(get(b"interval")),
            anchor=float_or_none(get(b"anchor")) or 0.0,
            zone=text_or_none(get(b"zone")) or "UTC",
            jitter=float_or_none(get(b"jitter")) or 0.0,
            start=float_or_none(get(b"start")),
            end=float_or_none(get(b"end")),
        )
        return Rules(
            schedule=schedule,
            overlap=cast("Overlap", text_or_none(get(b"overlap")) or "allow"),
            misfire=cast("Misfire", text_or_none(get(b"misfire")) or "once"),
            catch_up=int_or_none(get(b"catch_up")) or 1,
        )
    except InvalidOptionError as error:
        raise DeserializationError(f"not a cron entry: {error}") from None


def _number(value: float | None) -> str | None:
    return None if value is None else repr(value)


def rq_cron_job(record: CronRecord, args: str | None, kwargs: str | None) -> dict[str, Any]:
    """Return *record* as RQ's monitors read it; *args* and *kwargs* are JSON, or None."""
    schedule = record.rules.schedule
    told: dict[str, Any] = {
        "func_name": record.call,
        "name": record.name,
        "queue_name": record.job.origin,
        "args": args,
        "kwargs": kwargs,
        "interval": schedule.interval,
        "cron": schedule.cron,
        "latest_enqueue_time": _utc(record.last_at),
        "next_enqueue_time": _utc(_moment(record.slot)),
        "job_timeout": record.job.timeout,
        "result_ttl": record.job.result_ttl,
        "ttl": record.job.ttl,
        "failure_ttl": record.job.failure_ttl,
    }
    return {name: value for name, value in told.items() if value is not None or name in _ALWAYS}


_ALWAYS: Final = (
    "func_name", "name", "queue_name", "args", "kwargs", "interval", "cron",
    "latest_enqueue_time", "next_enqueue_time",
)  # fmt: skip


def _moment(slot: float | None) -> datetime | None:
    return None if slot is None else datetime.fromtimestamp(slot, UTC)


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else date_to_text(moment)
