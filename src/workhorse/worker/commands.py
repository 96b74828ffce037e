"""What people tell workers, over their channels."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from workhorse.store.channels import Listener
from workhorse.store.drivers import Client
from workhorse.store.faults import ServerError, is_passing
from workhorse.wire.commands import Command, decode_command
from workhorse.wire.keys import Keys
from workhorse.worker.logs import say

_SAID: Final = (
    "can't hear commands ({error}): stopped and canceled jobs are ended when their leases are "
    "extended, and a worker is shut down by signals only"
)


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
