"""Admit: jobs that wait for a place of a rate limit which nobody needs any more."""

from __future__ import annotations

from typing import Final

from workhorse.core.ids import new_token
from workhorse.core.settings import ADMIT_EVERY
from workhorse.store import limits as store
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.store.limits import Admitted, Limit
from workhorse.store.reconcile import take_turn
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report

_TURN: Final = 15
"""Seconds after which another supervisor goes on where one stopped."""
_PAGES: Final = 10
"""Calls in one run, each for some twenty limits."""


class Admit:
    """Walks through all limits, and looks at a page of the jobs of each.

    Our own scripts free a place when its job needs none. What they can't see is left: jobs that
    expired in their queue, and those that RQ 2 ran. One supervisor of the fleet does it.
    """

    name = "admit"
    every = ADMIT_EVERY

    def __init__(self, server: Store, keys: Keys) -> None:
        self._server = server
        self._keys = keys
        self._me = new_token()
        self._cursor = b"0"
        self._far: dict[bytes, Limit] = {}
        self._told: set[bytes] = set()

    def run_once(self, now: float) -> Report:
        """Sweep some limits; the next run goes on behind them."""
        del now
        try:
            found = self._server.run(self._plan())
        except ServerError as error:
            if "WRONGTYPE" not in str(error):
                raise
            found = [Admitted(Limit(b""), 0, 0, f"the set of all limits is none: {error}")]
        return Report(sum(each.freed + each.admitted for each in found), tuple(self._tell(found)))

    def _plan(self) -> Plan[list[Admitted]]:
        found: list[Admitted] = []
        for number in range(_PAGES):
            cursor, names = yield from store.some_names(self._keys, self._cursor)
            if number == 0 and names and not (yield from self._has_turn()):
                return []
            self._cursor = cursor
            for first in range(0, len(names), store.LIMITS):
                some = names[first : first + store.LIMITS]
                limits = [self._far.get(name, Limit(name)) for name in some]
                found += yield from store.admit(self._keys, limits)
            if cursor == b"0":
                break
        self._far |= {each.following.name: each.following for each in found if not each.is_whole}
        for each in found:
            if each.is_whole:
                self._far.pop(each.following.name, None)
        return found

    def _has_turn(self) -> Plan[bool]:
        return (yield from take_turn(self._keys, self.name, holder=self._me, seconds=_TURN))

    def _tell(self, found: list[Admitted]) -> list[str]:
        """Return a line for each limit that can't be worked, once until it can."""
        broken = {each.following.name: each.problem for each in found if each.problem}
        news = [name for name in broken if name not in self._told]
        self._told = (self._told | broken.keys()) - {
            each.following.name for each in found if not each.problem
        }
        return [
            f"rate limit {name.decode('utf-8', 'backslashreplace')!r}: a key of it is of another "
            f"kind than it should be, and its jobs wait: {broken[name]}"
            for name in news
        ]
