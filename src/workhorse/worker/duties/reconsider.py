"""Reconsider: jobs that wait for others and were never told of their ends."""

from __future__ import annotations

from typing import Final

from workhorse.core.ids import new_token
from workhorse.core.settings import RECONSIDER_AFTER, RECONSIDER_EVERY
from workhorse.store import dependents, views
from workhorse.store.calls import Plan
from workhorse.store.dependents import Child
from workhorse.store.drivers import Store
from workhorse.store.reconcile import take_turn
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report

_TURN: Final = 10
"""Seconds after which another supervisor goes on where one stopped."""
_LINES: Final = 10
_AT_ONCE: Final = 500
"""Questions in one round trip."""


class Reconsider:
    """Walks through all jobs that wait for others, a page at a time, and looks at each again.

    Our scripts need no such walk. RQ's workers do, which die between their steps, and so do
    jobs that expire while they wait. One supervisor of the fleet does it.
    """

    name = "reconsider"
    every = RECONSIDER_EVERY

    def __init__(self, store: Store, keys: Keys, *, after: float = RECONSIDER_AFTER) -> None:
        self._store = store
        self._keys = keys
        self._after = after
        self._me = new_token()
        self._begun_at = float("-inf")
        self._rooms: list[tuple[str, str]] = []
        self._cursor = b""
        self._page: list[Child] = []

    def run_once(self, now: float) -> Report:
        """Look at one more page; begin anew some time after the last walk was begun."""
        lines = self._store.run(self._plan(now))
        return Report(len(lines), tuple(lines))

    def _plan(self, now: float) -> Plan[list[str]]:
        turn = take_turn(self._keys, self.name, holder=self._me, seconds=_TURN)
        if not (yield from turn):
            return []
        if not self._rooms and not self._page:
            if now - self._begun_at < self._after:
                return []
            self._begun_at = now
            self._rooms = self._rooms_in_use((yield from views.queue_names(self._keys)))
        if not self._page and self._rooms:
            yield from self._turn_page()
        if not self._page:
            return []
        found = yield from dependents.reconsider(self._keys, self._page)
        queue = self._page[0].queue
        self._page = self._page[found.looked :]
        told = [f"{queue}: job ({job_id}) waited for nothing more" for job_id in found.changed]
        more = len(told) - _LINES
        return [*told[:_LINES], *([f"{queue}: so did {more} more jobs"] if more > 0 else [])]

    def _rooms_in_use(self, queues: list[str]) -> list[tuple[str, str]]:
        rooms = [(room, queue) for queue in queues for room in dependents.WAITING_ROOMS]
        used: list[bool] = []
        for at in range(0, len(rooms), _AT_ONCE):
            some = rooms[at : at + _AT_ONCE]
            used += self._store.run_many([dependents.is_used(self._keys, *room) for room in some])
        return [room for room, is_used in zip(rooms, used, strict=True) if is_used]

    def _turn_page(self) -> Plan[None]:
        room, queue = self._rooms.pop(0)
        page = dependents.waiting_page(self._keys, room, queue, self._cursor)
        self._cursor = b""
        following, self._page = yield from page
        if following != b"0":
            self._cursor = following
            self._rooms.insert(0, (room, queue))
