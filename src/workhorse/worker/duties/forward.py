"""Forward: scheduled jobs whose time has come, onto their queues."""

from __future__ import annotations

from typing import Final

from workhorse.core.settings import FORWARD_EVERY
from workhorse.store import schedule
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report

_AT_ONCE: Final = 10
"""Slices in one run: some tens of milliseconds, in which nobody else is looked after."""


class Forward:
    """Moves due jobs of every queue, in slices. The time that counts is the server's.

    One call says what is due next, and costs the same however many jobs are scheduled.
    """

    name = "forward"
    every = FORWARD_EVERY

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def run_once(self, now: float) -> Report:
        """Forward what is due; the report says when to look again."""
        del now
        return self._store.run(self._plan())

    def _plan(self) -> Plan[Report]:
        done, wait = 0, None
        for _ in range(_AT_ONCE):
            forwarded = yield from schedule.forward(self._keys)
            done += sum(forwarded.moved.values())
            wait = forwarded.next_in
            if wait != 0:
                break
        return Report(done, again_in=wait if wait is not None and wait < self.every else None)
