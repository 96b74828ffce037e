"""Sweep: what is gone, out of registries of ended jobs, groups and the lists of workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from workhorse.core.settings import SWEEP_EVERY
from workhorse.store import groups, registries, views, workers
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report

_PAGES: Final = 20
"""Pages of groups that are looked at in one run."""


class Sweep:
    """Removes what expired; the hashes themselves expire on the server."""

    name = "sweep"
    every = SWEEP_EVERY

    def __init__(self, store: Store, keys: Keys, queues: Iterable[str] = ()) -> None:
        self._store = store
        self._keys = keys
        self._own = frozenset(queues)
        self._groups: list[str] = []
        self._next_groups = b"0"
        self._next_members = b"0"

    def run_once(self, now: float) -> Report:
        """Sweep one slice of every queue's registries and workers; the rest waits."""
        del now
        return Report(self._store.run(self._plan()))

    def _plan(self) -> Plan[int]:
        listed = yield from views.queue_names(self._keys)
        # A queue is listed once it was used, and its workers are from the beginning.
        known = sorted({*listed, *self._own})
        swept = yield from workers.sweep_workers(self._keys, known)
        if listed:
            swept += sum((yield from registries.sweep(self._keys, listed)))
        return swept + (yield from self._sweep_groups())

    def _sweep_groups(self) -> Plan[int]:
        """Go on where the last run ended; after all groups, with the first."""
        swept = 0
        for _ in range(_PAGES):
            if not self._groups:
                found = yield from groups.some_names(self._keys, self._next_groups)
                self._next_groups, self._groups = found
                if not self._groups:
                    break
            group = self._groups[-1]
            page = yield from groups.sweep_page(self._keys, group, self._next_members)
            self._next_members, removed = page
            swept += removed
            if self._next_members == b"0":
                self._groups.pop()
                if not self._groups and self._next_groups == b"0":
                    break
        return swept
