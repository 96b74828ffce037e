"""Recover: jobs whose holder let the lease lapse, for every queue, whoever held them."""

from __future__ import annotations

from workhorse.core.settings import RECOVER_EVERY
from workhorse.store import jobs, views
from workhorse.store import recover as store
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report


class Recover:
    """Judges lapsed executions: back to the queue, or failed when that happened too often."""

    name = "recover"

    def __init__(self, store: Store, keys: Keys, *, every: float = RECOVER_EVERY) -> None:
        self._store = store
        self._keys = keys
        self.every = every

    def run_once(self, now: float) -> Report:
        """Recover what has lapsed by the server's clock, all of it, in slices."""
        del now
        lines = self._store.run(self._plan())
        return Report(len(lines), tuple(lines))

    def _plan(self) -> Plan[list[str]]:
        lines: list[str] = []
        for queue in (yield from views.queue_names(self._keys)):
            seen = jobs.SLICE
            while seen >= jobs.SLICE:
                recovered = yield from store.recover(self._keys, queue)
                seen = recovered.seen
                lines += [
                    f"{queue}: job {verdict.to} ({job.job_id}): {verdict.error}"
                    for job, verdict in recovered.verdicts
                ]
        return lines
