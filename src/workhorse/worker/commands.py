"""What people tell workers, over their channels."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from workhorse.store import jobs
from workhorse.store.channels import Listener
from workhorse.store.drivers import Client, Store
from workhorse.store.faults import ServerError, is_passing
from workhorse.wire.commands import Command, Kind, decode_command
from workhorse.wire.keys import Keys
from workhorse.worker.ledger import LedgerBusyError, Slot
from workhorse.worker.logs import say
from workhorse.worker.patience import can_wait, tell
from workhorse.worker.presence import Member

_SAID: Final = (
    "can't hear commands ({error}): stopped and canceled jobs are ended when their leases are "
    "extended, and a worker is shut down by signals only"
)

HEARD_WITHIN: Final = 0.3
"""Seconds that a command may take to be heard: who kills whatever runs means no newer job."""


class Commands:
    """Hears the commands for some workers. While the server is away there are none."""

    def __init__(self, connect: Callable[[], Client], keys: Keys) -> None:
        self._listener = Listener(connect)
        self._keys = keys
        self._is_told = False

    def heard(self, workers: Iterable[str]) -> list[Command]:
        """Return what *workers* were told since the last call."""
        channels = {self._keys.channel(name): name for name in workers}
        self._listener.follow(channels)
        try:
            heard = self._listener.heard()
        except ServerError as error:
            if not is_passing(error) and not self._is_told:
                self._is_told = True
                say("refuse", _SAID.format(error=error), level=logging.WARNING, error=str(error))
            return []
        found = [decode_command(channels[c], said) for c, said in heard if c in channels]
        return [command for command in found if command]

    def close(self) -> None:
        """Stop hearing."""
        self._listener.close()


class Stops:
    """Runs that RQ's client wants ended. It tells their worker alone; we have the server know."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._asked: set[tuple[str, str]] = set()
        self._passed_on: set[str] = set()

    def note(self, told: Command) -> None:
        """Take note of what a worker was told."""
        if told.kind in (Kind.STOP_JOB, Kind.STOP_EXECUTION) and told.job_id:
            self._asked.add((told.job_id, told.execution_id))

    def pass_on(self, store: Store, members: Iterable[Member]) -> bool:
        """Ask for the end of the runs that are meant; return whether there were any.

        To be called when leases were just extended: what our own clients asked for is known
        by then, and is not asked for again. Raises the ServerError of one that is away.
        """
        if not self._asked:
            return False
        try:
            meant = self._meant(members)
        except LedgerBusyError:  # the next time
            return False
        new = meant.keys() - self._passed_on
        try:
            store.run_many([jobs.stop(self._keys, meant[execution]) for execution in new])
        except ServerError as error:
            if can_wait(error):
                raise
            tell(error, 0)
        self._asked.clear()
        self._passed_on = {*meant}
        return bool(new)

    def _meant(self, members: Iterable[Member]) -> dict[str, str]:
        """Return the runs that are meant, each with its job."""
        return {
            held.job.execution_id: held.job.job_id
            for member in members
            for held in member.ledger.held()
            if (held.runs or held.slot is Slot.HELD) and not held.stop_asked
            if {(held.job.job_id, ""), (held.job.job_id, held.job.execution_id)} & self._asked
        }
