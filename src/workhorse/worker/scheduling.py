"""A process that runs no jobs: it fires cron entries, and moves scheduled jobs when due."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Final

from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.wire.keys import Keys
from workhorse.worker.duties.cron import Cron
from workhorse.worker.duties.duty import Timetable
from workhorse.worker.duties.forward import Forward
from workhorse.worker.lifecycle import Shutdown
from workhorse.worker.logs import say
from workhorse.worker.patience import pause, tell

SHOW_EVERY: Final = 30.0
"""Seconds between two signs of life, as monitors see them; it counts as gone after 120."""
_TICK: Final = 0.05

Calls = Callable[[], Sequence[Call[Any]]]


class Scheduling:
    """Fires and forwards until it is told to stop, however long the server is away.

    *prepare* is sent first, until it is answered; *show* makes the calls that show it as alive,
    *hide* those that take it off the list.
    """

    def __init__(self, store: Store, keys: Keys, *, show: Calls, hide: Calls) -> None:
        self._store = store
        self._show = show
        self._hide = hide
        self._shown_at = float("-inf")
        self._duties = (Forward(store, keys), Cron(store, keys))

    def run(
        self, shutdown: Shutdown | None = None, *, prepare: Callable[[], None] = lambda: None
    ) -> None:
        """Work until SIGTERM or SIGINT, or a request of *shutdown*."""
        shutdown = shutdown or Shutdown()
        in_main = threading.current_thread() is threading.main_thread()
        with shutdown.on_signals() if in_main else nullcontext():
            self._insist(prepare, shutdown)
            timetable = Timetable(self._duties, now=time.monotonic())
            while not shutdown.requested:
                self._insist(lambda: self._tick(timetable), shutdown)
                time.sleep(min(_TICK, timetable.next_in(time.monotonic())))
        with suppress(ServerError):
            self._store.run_many(self._hide())
        say("exit", "the scheduler ended")

    def _tick(self, timetable: Timetable) -> None:
        now = time.monotonic()
        if now - self._shown_at >= SHOW_EVERY:
            self._store.run_many(self._show())
            self._shown_at = now
        timetable.run_due(now, kept_until=float("inf"))

    def _insist(self, work: Callable[[], None], shutdown: Shutdown) -> None:
        """Do *work*, and again until the server lets it; leave it when a stop is asked for."""
        attempt = 0
        while not shutdown.requested:
            try:
                work()
            except ServerError as error:
                pause_of = tell(error, attempt)
                with suppress(_StopRequested):
                    pause(pause_of, lambda: _end_if(shutdown))
                attempt += 1
            else:
                if attempt:
                    say("reconnect", "the server is back", level=logging.INFO)
                return


class _StopRequested(Exception):  # noqa: N818 - no error
    """Somebody asked to stop while the server was away."""


def _end_if(shutdown: Shutdown) -> None:
    if shutdown.requested:
        raise _StopRequested
