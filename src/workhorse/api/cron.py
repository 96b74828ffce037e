"""Cron entries: functions that are enqueued again and again, by a schedule kept on the server."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from workhorse.api.connection import default_keys, link_to
from workhorse.api.cron_definition import define, of_zone, redefine
from workhorse.api.job import Job
from workhorse.core.cron import Schedule, due_at, explain, first_slot, id_start, next_slot
from workhorse.core.errors import InvalidJobOperation, InvalidOptionError, NoSuchCronError
from workhorse.core.ids import new_token
from workhorse.store import cron as store
from workhorse.store.cron import NextSlot
from workhorse.store.drivers import Client, Store
from workhorse.wire.crons import CronRecord
from workhorse.wire.payload import Call, Serializer, choose_serializer, decode_call


@dataclass(frozen=True, slots=True)
class CronEntry:
    """A cron entry as it was when it was read. Change it by the methods of ``Cron``."""

    record: CronRecord
    serializer: Serializer

    def __repr__(self) -> str:
        return f"<CronEntry {self.name}: {self.explain()}, {self.func_name}>"

    @property
    def name(self) -> str:
        """Its name, of which there is one on a server."""
        return self.record.name

    @property
    def func_name(self) -> str:
        """The dotted name of its function."""
        return self.record.call

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments by position. Raises DeserializationError."""
        return tuple(self._call().args)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments by name. Raises DeserializationError."""
        return dict(self._call().kwargs)

    @property
    def queue_name(self) -> str:
        """The queue of its jobs."""
        return self.record.job.origin

    @property
    def cron(self) -> str | None:
        """Its cron expression; None for an interval."""
        return self.record.rules.schedule.cron

    @property
    def interval(self) -> float | None:
        """The seconds between two slots; None for an expression."""
        return self.record.rules.schedule.interval

    @property
    def zone(self) -> str:
        """The time zone of its expression."""
        return self.record.rules.schedule.zone

    @property
    def paused(self) -> bool:
        """Whether it fires only by hand."""
        return self.record.paused

    @property
    def source(self) -> str:
        """The configuration file that it stands in; empty for one that was added."""
        return self.record.source

    @property
    def last_job_id(self) -> str | None:
        """The id of the job that it made last."""
        return self.record.last_job

    @property
    def last_run_at(self) -> datetime | None:
        """When it made a job last."""
        return self.record.last_at

    @property
    def next_run_at(self) -> datetime | None:
        """When it fires next, in its zone; None for never."""
        record = self.record
        if record.slot is None:
            return None
        schedule = record.rules.schedule
        return of_zone(due_at(record.name, schedule, record.slot), schedule.zone)

    def next_runs(self, count: int) -> list[datetime]:
        """Return its next slots, *count* at most, in its zone, without jitter."""
        found: list[datetime] = []
        schedule, slot = self.record.rules.schedule, self.record.slot
        while slot is not None and len(found) < count:
            shown = of_zone(slot, schedule.zone)
            found += [shown] if shown else []
            slot = next_slot(schedule, slot)
        return found

    def explain(self) -> str:
        """Return its schedule in words."""
        return explain(self.record.rules.schedule)

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has; moments as text, in its zone."""
        record, rules = self.record, self.record.rules
        schedule = rules.schedule
        return {
            "name": record.name,
            "function": record.call,
            "description": record.job.description,
            "queue": record.job.origin,
            "cron": schedule.cron,
            "interval": schedule.interval,
            "zone": schedule.zone,
            "explanation": self.explain(),
            "jitter": schedule.jitter,
            "start": _iso(of_zone(schedule.start, schedule.zone)),
            "end": _iso(of_zone(schedule.end, schedule.zone)),
            "overlap": rules.overlap,
            "misfire": rules.misfire,
            "catch_up": rules.catch_up,
            "times_left": record.times_left,
            "paused": record.paused,
            "source": record.source,
            "next_run": _iso(self.next_run_at),
            "last_run": _iso(record.last_at),
            "last_job": record.last_job,
            **record.counts,
        }

    def _call(self) -> Call:
        return decode_call(self.record.job.data, self.serializer)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


class Cron:
    """The cron entries of a server. Each call may be repeated: what is done is not done twice.

    Every worker and ``workhorse cron`` fires what is due, at most a second after it was added.
    """

    def __init__(
        self,
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> None:
        self.serializer = choose_serializer(serializer)
        self._link = link_to(connection)
        self._keys = default_keys()

    @property
    def _store(self) -> Store:
        return self._link.store

    def add(
        self,
        name: str,
        func: Callable[..., Any] | str,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str = "default",
        replace: bool = False,
        **options: Any,
    ) -> CronEntry:
        """Add an entry that enqueues a call of *func*, a function or its dotted name.

        When: ``cron="30 1 * * *"`` in ``zone`` (this machine's, if not given), or ``interval``
        seconds; ``jitter`` seconds, ``start`` and ``end`` (datetimes), ``times`` (how many jobs in
        all), ``paused``. Where it can't be kept: ``overlap`` ("allow", "skip", "queue"),
        ``misfire`` ("once", "skip", "all") and ``catch_up``. The other options are those of
        ``Queue.enqueue`` for each of its jobs.

        Adding the same again changes nothing. Raises InvalidOptionError where another entry has
        the name, unless *replace* is true, and an error of ours for what could not run.
        """
        record = define(name, func, queue, (args, kwargs), options, serializer=self.serializer)
        return self.put(record, replace=replace, keep_edits=not replace)

    def put(
        self, record: CronRecord, *, replace: bool = True, keep_edits: bool = True
    ) -> CronEntry:
        """Store an entry made by ``define``; what fired it last, and its pause, stay.

        With *keep_edits* nothing changes where it was defined in the same way before, whatever
        was edited since.
        """
        while True:
            old = self._store.run(store.entry(self._keys, record.name))
            is_known = old is not None and (old.digest, old.source) == (
                record.digest,
                record.source,
            )
            if old is not None and is_known and keep_edits:
                if self._store.run(store.is_listed(self._keys, record.name)):
                    return self._shown(old)
                record = old
            if old is not None and record is not old and not replace:
                raise InvalidOptionError(
                    f"there is a cron entry {record.name!r} already, another one "
                    f"({explain(old.rules.schedule)}: {old.call}): edit it, or give replace=True"
                )
            is_paused = record.paused or (old is not None and old.paused)
            if stored := self._plan(dataclasses.replace(record, paused=is_paused), old):
                return self._shown(stored)

    def edit(self, name: str, **changes: Any) -> CronEntry:
        """Change some options of an entry: those of ``add``, ``func`` and ``queue`` too.

        Its next slot is found anew where the schedule changes, and is later than now.
        """
        return self._change(name, lambda old: redefine(old, changes, serializer=self.serializer))

    def pause(self, name: str) -> CronEntry:
        """Have an entry fire no more until it is resumed; its jobs stay."""
        return self._change(name, lambda old: replace(old, paused=True))

    def resume(self, name: str) -> CronEntry:
        """Have a paused entry fire again, from its next slot on: none is caught up."""
        return self._change(name, lambda old: replace(old, paused=False))

    def run(self, name: str) -> Job:
        """Enqueue an entry's job now, whatever its schedule says, and return the job."""
        job_id = f"{id_start(name)}-run-{new_token()}"
        shot = store.by_hand(name, job_id, self._store.run(store.now(self._keys)))
        (fired,) = self._store.run(store.fire(self._keys, [shot]))
        if fired.outcome == "gone":
            raise NoSuchCronError(name)
        if fired.outcome != "fired":
            raise InvalidJobOperation(
                f"cron entry {name!r} can't make a job: its queue's key is no list"
            )
        return Job.fetch(job_id, connection=self._store.client, serializer=self.serializer)

    def delete(self, *names: str) -> int:
        """Remove entries and return how many there were. Jobs that they made stay."""
        return self._store.run(store.forget(self._keys, [store.EntryAt(n, "") for n in names]))

    def get(self, name: str) -> CronEntry:
        """Return an entry. Raises NoSuchCronError."""
        record = self._store.run(store.entry(self._keys, name))
        if record is None:
            raise NoSuchCronError(name)
        return self._shown(record)

    def all(self) -> list[CronEntry]:
        """Return the entries, the one that fires next first."""
        names = self._store.run(store.names(self._keys))
        found = self._store.look_at([store.readable_entry(self._keys, name) for name in names])
        return [self._shown(record) for record in found if record is not None]

    def history(self, name: str, start: int = 0, end: int = -1) -> list[tuple[str, datetime]]:
        """Return the ids of an entry's jobs, newest first, and when each was made.

        *start* and *end* count from the newest, *end* included. The last thousand are kept.
        """
        return self._store.run(store.history(self._keys, name, start, end))

    def __contains__(self, name: object) -> bool:
        """Return whether there is an entry of this name."""
        if not isinstance(name, str):
            return False
        return self._store.run(store.entry(self._keys, name)) is not None

    # How a change is stored

    def _change(self, name: str, change: Callable[[CronRecord], CronRecord]) -> CronEntry:
        while True:
            old = self._store.run(store.entry(self._keys, name))
            if old is None:
                raise NoSuchCronError(name)
            new = change(old)
            if new == old:
                return self._shown(old)
            if stored := self._plan(new, old):
                return self._shown(stored)

    def _plan(self, new: CronRecord, old: CronRecord | None) -> CronRecord | None:
        """Store *new* where *old* was; None if somebody changed it, or fired it, meanwhile."""
        now = self._store.run(store.now(self._keys))
        if old is not None:  # a clock that was put back fires nothing again
            now = max(now, old.last_slot or now)
        schedule, slot = _placed(new, old, now)
        if new.paused:
            slot = None
        new = replace(
            new, version=new_token(), rules=replace(new.rules, schedule=schedule), slot=None
        )
        due = math.inf if slot is None or slot == "same" else due_at(new.name, schedule, slot)
        expected = "" if old is None else old.version
        call = store.plan(self._keys, new, expected=expected, slot=slot, due_at=due)
        if self._store.run(call):
            return None
        return self._store.run(store.entry(self._keys, new.name)) or new

    def _shown(self, record: CronRecord) -> CronEntry:
        return CronEntry(record, self.serializer)


def _placed(new: CronRecord, old: CronRecord | None, now: float) -> tuple[Schedule, NextSlot]:
    """Return the schedule of a changed entry with its first slot, and what it fires next."""
    schedule = new.rules.schedule
    if old is None or not schedule.is_as(old.rules.schedule):
        if schedule.interval is not None:
            begins = math.floor(now * 1000) / 1000 if schedule.start is None else schedule.start
            schedule = replace(schedule, anchor=begins)
            now = now if schedule.start is not None else max(now, begins)
        return schedule, first_slot(schedule, now) if old is None else next_slot(schedule, now)
    schedule = replace(schedule, anchor=old.rules.schedule.anchor)
    if new.paused == old.paused and new.times_left == old.times_left:
        return schedule, "same"
    return schedule, next_slot(schedule, now)
