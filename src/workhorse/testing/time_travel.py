"""A clock for tests: time passes at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from workhorse.api.connection import default_keys
from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import new_token
from workhorse.store import clock as store
from workhorse.store import views
from workhorse.store.drivers import Store
from workhorse.testing.servers import needed_server
from workhorse.worker.duties.cron import Cron

_LONGEST: Final = timedelta(days=50 * 365)
_MOST_FIRINGS: Final = 10_000


class Clock:
    """Has time pass for all that is stored on the server for tests."""

    def advance(
        self,
        by: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> timedelta:
        """Have time pass, and return how much: what is to come comes nearer by so much.

        Scheduled jobs and retries that wait become due (``drain`` runs them then), leases lapse,
        what expires is gone, and cron entries fire, each when its moment has come. What has
        happened keeps its date, and clocks of machines go on as they did: ``datetime.now()`` is
        what it was. Raises InvalidOptionError for a time that is not ahead.
        """
        told = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        whole = told + (by or timedelta())
        if not timedelta() < whole <= _LONGEST:
            raise InvalidOptionError(
                f"the clock can't be moved by {whole}: give a time ahead, fifty years at most, as "
                "in clock.advance(hours=1)"
            )
        pass_time(needed_server("clock.advance()").store, whole.total_seconds())
        return whole

    def advance_to_next(self) -> timedelta | None:
        """Move to when the next scheduled job is due; return by how much, None without one."""
        found, keys = needed_server("clock.advance_to_next()").store, default_keys()
        queues: list[str] = found.run(views.queue_names(keys))
        wait = found.run(store.until_next(keys, queues))
        if wait is None:
            return None
        return self.advance(seconds=wait) if wait > 0 else timedelta()


def pass_time(server: Store, seconds: float, *, most_firings: int = _MOST_FIRINGS) -> None:
    """Have *seconds* pass; cron entries fire on the way, each when its moment has come."""
    keys = default_keys()
    now = server.run(store.moment(keys))
    cron = Cron(server, keys)
    for _ in range(most_firings):
        due = server.run(store.next_cron(keys))
        if due > now + seconds:
            break
        cron.run_once(0, at=max(due, now))
    else:
        raise InvalidOptionError(
            f"the clock can't be moved by {timedelta(seconds=seconds)} at once: cron entries "
            f"would fire more than {most_firings} times"
        )
    server.run(store.advance(keys, seconds, token=new_token()))


clock: Final = Clock()
"""The clock of the server for tests that is in use."""
