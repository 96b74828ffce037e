"""Sweep: what is gone, out of registries, groups, causes of failures and the lists of workers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from workhorse.core.settings import SWEEP_EVERY
from workhorse.store import failures, groups, registries, tags, views, workers
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report
from workhorse.worker.duties.walk import Walk

_PAGES: Final = 20
"""Pages of groups, and of causes and tags, that are looked at in one run."""


class Sweep:
    """Removes what expired; the hashes themselves expire on the server."""

    name = "sweep"
    every = SWEEP_EVERY

    def __init__(self, store: Store, keys: Keys, queues: Iterable[str] = ()) -> None:
        self._store = store
        self._keys = keys
        self._own = frozenset(queues)
        self._walks = tuple(
            Walk(partial(kind.some_names, keys), partial(kind.sweep_page, keys))
            for kind in (groups, failures, tags)
        )

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
        for walk in self._walks:
            swept += yield from walk.go_on(_PAGES)
        return swept
