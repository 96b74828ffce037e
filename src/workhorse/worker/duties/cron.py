"""Cron: entries whose time has come, onto their queues, by name: no user code is imported."""

from __future__ import annotations

import logging
import math
from typing import Final

from workhorse.core.cron import due_at, job_id_of, weigh
from workhorse.store import cron as store
from workhorse.store.calls import Plan
from workhorse.store.cron import Fired, Shot
from workhorse.store.drivers import Store
from workhorse.wire.crons import DueEntry
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report
from workhorse.worker.logs import say

_EVERY: Final = 1.0
"""Seconds after which it looks for entries that somebody added or edited."""
_SHORTEST: Final = 0.02
_LEAVE_ALONE: Final = 30.0


class Cron:
    """Fires what is due by the server's clock; any number of them fire each slot once.

    With *at* that moment counts in place of the server's time, for tests that can't wait.
    """

    name = "cron"
    every = _EVERY

    def __init__(self, server: Store, keys: Keys) -> None:
        self._server = server
        self._keys = keys
        self._told: set[tuple[str, str]] = set()
        self.fired: list[str] = []
        """The entries that the last run fired."""

    def run_once(self, now: float, *, at: float | None = None) -> Report:
        """Fire what is due, all of it, in slices; the report says when to look again."""
        del now
        self.fired = []
        return self._server.run(self._plan(at))

    def _plan(self, at: float | None) -> Plan[Report]:
        done, lines = 0, list[str]()
        while True:
            due = yield from store.due(self._keys, at=at)
            if not due.entries:
                wait = max(_SHORTEST, due.next_due - due.at)
                return Report(done, tuple(lines), wait if wait < self.every else None)
            shots = [self._shot(entry, due.at) for entry in due.entries]
            outcomes = yield from store.fire(self._keys, shots)
            for shot, fired in zip(shots, outcomes, strict=True):
                done += fired.made
                lines += self._tell(shot, fired)
            if all(fired.outcome != "fired" for fired in outcomes):
                return Report(done, tuple(lines), _SHORTEST)  # others are at it

    def _shot(self, entry: DueEntry, now: float) -> Shot:
        if entry.rules is None:
            self._complain(entry)
            return store.put_off(entry, now + _LEAVE_ALONE)
        firing = weigh(entry.name, entry.rules, entry.slot, now)
        if firing is None:  # it was looked at too soon
            return store.put_off(entry, due_at(entry.name, entry.rules.schedule, entry.slot))
        slots = {job_id_of(entry.name, slot): slot for slot in firing.slots}
        next_slot = firing.next_slot
        due = math.inf
        if next_slot is not None:
            due = due_at(entry.name, entry.rules.schedule, next_slot)
        if firing.missed:
            say("miss", f"cron entry {entry.name}: slots were missed; firing {len(slots)}",
                level=logging.WARNING, entry=entry.name, fired=len(slots))  # fmt: skip
        return store.shot(entry, slots, next_slot, due)

    def _complain(self, entry: DueEntry) -> None:
        """Tell, once for each version, of an entry that can't be read."""
        if (entry.name, entry.version) not in self._told:
            self._told.add((entry.name, entry.version))
            say("broken", f"cron entry {entry.name} can't be read and does not fire: "
                f"{entry.problem}", level=logging.ERROR, entry=entry.name)  # fmt: skip

    def _tell(self, shot: Shot, fired: Fired) -> list[str]:
        if fired.outcome == "fired" and fired.made:
            self.fired.append(shot.name)
            say("fire", f"cron entry {shot.name}: {fired.made} enqueued ({shot.ids[-1]!s})",
                entry=shot.name, jobs=fired.made)  # fmt: skip
        if fired.passed_over:
            told = f"{fired.passed_over} passed over, because its last job has not ended"
            return [f"{shot.name}: {told}"]
        return []
