"""Checkup: settings of the server that may lose jobs, told when they are found."""

from __future__ import annotations

from workhorse.core.settings import CHECKUP_EVERY
from workhorse.store.drivers import Store
from workhorse.store.fitness import warnings
from workhorse.worker.duties.duty import Report


class Checkup:
    """Looks at the server's settings: at first, and now and then, because they may change."""

    name = "checkup"
    every = CHECKUP_EVERY

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: tuple[str, ...] = ()

    def run_once(self, now: float) -> Report:
        """Tell what is wrong, once for each change."""
        del now
        found = warnings(self._store)
        lines = tuple(line for line in found if line not in self._told)
        self._told = found
        return Report(len(lines), lines)
