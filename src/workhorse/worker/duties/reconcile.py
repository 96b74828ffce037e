"""Reconcile: live jobs that are in no place, back to where their state says."""

from __future__ import annotations

from typing import Final

from workhorse.core.ids import new_token
from workhorse.core.settings import RECONCILE_AFTER, RECONCILE_EVERY
from workhorse.store import reconcile as store
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.store.reconcile import Reconciled, Sighting
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report

_TURN: Final = 10
"""Seconds after which another supervisor goes on where one stopped."""
_MOST: Final = 10_000
"""Sightings to remember: about 3 MB. The others are seen the next time round."""


class Reconcile:
    """Walks through all jobs, a page at a time, and looks again at what it saw in no place.

    One supervisor of the fleet does it; several at once would only do it more often.
    """

    name = "reconcile"
    every = RECONCILE_EVERY

    def __init__(self, server: Store, keys: Keys, *, after: float = RECONCILE_AFTER) -> None:
        self._server = server
        self._keys = keys
        self._after = after
        self._me = new_token()
        self._cursor = b"0"
        self._page: list[bytes] = []
        self._seen: dict[bytes, tuple[Sighting, float]] = {}

    def run_once(self, now: float) -> Report:
        """Put back what was seen in no place long enough ago; then look at one more page."""
        lines = self._server.run(self._plan(now))
        return Report(len(lines), tuple(lines))

    def _plan(self, now: float) -> Plan[list[str]]:
        turn = store.take_turn(self._keys, self.name, holder=self._me, seconds=_TURN)
        if not (yield from turn):
            return []
        lines = yield from self._put_back(now)
        if len(self._seen) < _MOST:
            lines += yield from self._look(now)
        return lines

    def _put_back(self, now: float) -> Plan[list[str]]:
        due = [seen for seen, at in self._seen.values() if now - at >= self._after]
        if not due:
            return []
        # The newest first: what follows goes to the front of its queue, before it.
        due.sort(key=lambda seen: seen.enqueued_at, reverse=True)
        some = due[: store.SLICE]
        replies = yield from store.reconcile(self._keys, some)
        for seen, reply in zip(some, replies, strict=True):
            if reply is not Reconciled.LATER:
                self._seen.pop(seen.job_id, None)
            if reply is Reconciled.FOUND:
                self._forget_queue(seen.queue)
        return [
            store.told(seen)
            for seen, reply in zip(some, replies, strict=True)
            if reply is Reconciled.APPLIED
        ]

    def _forget_queue(self, queue: bytes) -> None:
        """Drop what was seen of a queue whose front is not its oldest part: all of it seems lost.

        The search for each would cost the server as much as its list is long.
        """
        self._seen = {
            job_id: (seen, at)
            for job_id, (seen, at) in self._seen.items()
            if seen.queue != queue or seen.status != b"queued"
        }

    def _look(self, now: float) -> Plan[list[str]]:
        if not self._page:
            self._cursor, self._page = yield from store.job_ids(self._keys, self._cursor)
        if not self._page:
            return []
        found = yield from store.mislaid(self._keys, self._page)
        self._page = self._page[found.looked :]
        for sighting in found.sightings:
            known = self._seen.get(sighting.job_id)
            if not known or known[0] != sighting:
                self._seen[sighting.job_id] = sighting, now
        if found.unlisted:
            queues = [queue for queue, _ in found.unlisted]
            yield from store.list_queues(self._keys, queues)
        return [store.told_listed(queue) for queue, _ in found.unlisted]
