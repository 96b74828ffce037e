"""Sweep: expired entries out of the registries of finished and failed jobs."""

from __future__ import annotations

from workhorse.core.settings import SWEEP_EVERY
from workhorse.store import jobs, views
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report


class Sweep:
    """Removes what expired; the hashes themselves expire on the server."""

    name = "sweep"
    every = SWEEP_EVERY

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def run_once(self, now: float) -> Report:
        """Sweep one slice of every queue's registries; the rest waits for the next time."""
        del now
        return Report(self._store.run(self._plan()))

    def _plan(self) -> Plan[int]:
        queues = yield from views.queue_names(self._keys)
        if not queues:
            return 0
        return sum((yield from jobs.sweep(self._keys, queues)))
