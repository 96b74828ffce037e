"""Sample: how much is where, once for each slot of time, for the dashboard's charts."""

from __future__ import annotations

from typing import Final

from workhorse.core.ids import new_token
from workhorse.store import history
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report

_EVERY: Final = 10.0
_LATE: Final = 0.05
"""Seconds after a slot's beginning at which it comes."""
_AT_ONCE: Final = 10
"""Calls in one run, each for some hundreds of queues: the rest waits for the next run."""
_SOON: Final = 0.1


class Sample:
    """Takes a sample where nobody else did; any supervisor may come first.

    It costs one call for each slot, and only who comes first looks at queues and workers. With
    *at* that moment counts in place of the server's time, for tests.
    """

    name = "sample"
    every = _EVERY

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._me = new_token()
        self._so_far = b""

    def run_once(self, now: float, *, at: float | None = None) -> Report:
        """Take the sample of this slot; the report says when the next one begins."""
        del now
        return self._store.run(self._plan(at))

    def _plan(self, at: float | None) -> Plan[Report]:
        so_far, self._so_far = self._so_far, b""  # to be begun anew where the server fails
        for _ in range(_AT_ONCE):
            step = history.sample(self._keys, holder=self._me, so_far=so_far, at=at)
            so_far, next_in = yield from step
            if not so_far:
                return Report(again_in=next_in + _LATE)
        self._so_far = so_far
        return Report(again_in=_SOON)
