"""Have workers take no more jobs for a while: from any queue, or from one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from workhorse.api.connection import default_keys, store_of
from workhorse.core.errors import InvalidOptionError
from workhorse.core.settings import LONGEST_SPAN
from workhorse.store import pauses
from workhorse.store.drivers import Client, Store
from workhorse.wire.keys import Keys


def suspend(connection: Client | str | None = None, ttl: float | None = None) -> None:
    """Have no worker take a job, ours and RQ's, for *ttl* seconds or until ``resume``.

    Running jobs go on, scheduled ones become due, and may be enqueued all the while. A
    suspension that goes on ends as this one says; a *ttl* of 0 ends it at once.
    """
    seconds = None if ttl is None else _check_seconds("ttl", ttl)
    store_of(connection).run(pauses.suspend(default_keys(), seconds=seconds))


def resume(connection: Client | str | None = None) -> bool:
    """Have workers take jobs again, within a second; False if work was not suspended."""
    return store_of(connection).run(pauses.end_suspension(default_keys()))


def is_suspended(connection: Client | str | None = None, worker: Any = None) -> bool:
    """Return whether work is suspended. *worker* is RQ's and changes nothing."""
    del worker
    return store_of(connection).run(pauses.is_suspended(default_keys()))


class Pausable:
    """The part of a ``Queue`` that can be paused, which RQ's can't."""

    name: str
    _keys: Keys

    @property
    def _store(self) -> Store:
        raise NotImplementedError

    def pause(self, duration: timedelta | float | None = None) -> bool:
        """Have no worker take a job from this queue; False if it was paused already.

        For *duration*, a timedelta or seconds, or until ``resume``. Running jobs go on, and jobs
        may be enqueued and become due all the while. Workers of RQ know no pause.
        """
        span = duration.total_seconds() if isinstance(duration, timedelta) else duration
        seconds = None if span is None else _check_seconds("duration", span)
        return self._store.run(pauses.pause(self._keys, self.name, seconds=seconds))

    def resume(self) -> bool:
        """Have workers take jobs from it again, at once; False if it was not paused."""
        return self._store.run(pauses.resume(self._keys, self.name))

    @property
    def is_paused(self) -> bool:
        """Whether it is paused; asks the server."""
        return self.name in self._store.run(pauses.paused_queues(self._keys))


def _check_seconds(name: str, seconds: Any) -> float:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if is_number and 0 <= seconds <= LONGEST_SPAN:
        return float(seconds)
    raise InvalidOptionError(f"{name} is {seconds!r}: give seconds, 0 or more")
