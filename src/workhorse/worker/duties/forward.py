"""Forward: scheduled jobs whose time has come, onto their queues."""

from __future__ import annotations

from workhorse.core.settings import FORWARD_EVERY
from workhorse.store import jobs, schedule, views
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report


class Forward:
    """Moves due jobs of every queue. The time that counts is the server's."""

    name = "forward"
    every = FORWARD_EVERY

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def run_once(self, now: float) -> Report:
        """Forward what is due, all of it, in slices."""
        del now
        return Report(self._store.run(self._plan()))

    def _plan(self) -> Plan[int]:
        queues: list[str] = yield from views.queue_names(self._keys)
        moved = 0
        while queues:
            counts: list[int] = yield from schedule.forward(self._keys, queues)
            moved += sum(counts)
            queues = [
                queue for queue, count in zip(queues, counts, strict=True) if count >= jobs.SLICE
            ]
        return moved
