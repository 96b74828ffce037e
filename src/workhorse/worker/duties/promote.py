"""Promote: children of ended parents, where they were too many for the step of the end itself."""

from __future__ import annotations

import time
from typing import Final

from workhorse.core.settings import PROMOTE_EVERY
from workhorse.store import dependents
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.duty import Report

_AT_A_TIME: Final = 0.1
"""Seconds after which it pauses, for what else its process has to do."""


class Promote:
    """Goes on telling children that their parents ended. Where nothing is to do: one call."""

    name = "promote"
    every = PROMOTE_EVERY

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def run_once(self, now: float) -> Report:
        """Tell some slices of children."""
        del now
        began, done, last = time.monotonic(), 0, 1
        while last and time.monotonic() - began < _AT_A_TIME:
            last = self._store.run(dependents.promote(self._keys))
            done += last
        return Report(done)
