"""Hear what is published. Its one rule: never wait, and never stand in anybody's way.

What is heard only saves time, so a connection that is lost is opened again later, and a server
that does not let its user subscribe (an ACL) is told about once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from workhorse.store.drivers import Client
from workhorse.store.faults import ServerError

_AGAIN_AFTER: Final = 5.0
"""Seconds until a lost connection is opened again."""


class Listener:
    """Hears messages on some channels, over a connection of its own.

    *connect* opens that. A client without ``pubsub`` hears nothing.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._channels: frozenset[str] = frozenset()
        self._client: Any = None
        self._pubsub: Any = None
        self._not_before = 0.0

    def follow(self, channels: Iterable[str]) -> None:
        """Hear these channels from now on, and no others."""
        wanted = frozenset(channels)
        if wanted == self._channels:
            return
        added, dropped = wanted - self._channels, self._channels - wanted
        self._channels = wanted
        if self._pubsub is None:
            return
        with suppress(ServerError):  # `heard` finds out
            if added:
                self._pubsub.subscribe(*added)
            if dropped:
                self._pubsub.unsubscribe(*dropped)

    def heard(self) -> list[tuple[str, bytes]]:
        """Return what came since the last call: channel and message. Raises ServerError.

        After an error nothing is tried for some seconds.
        """
        pubsub = self._pubsub or self._open()
        found: list[tuple[str, bytes]] = []
        try:
            self._read(pubsub, found)
        except ServerError:
            # redis-py tells of a lost connection after it opened another, and subscribed: what
            # was published since then counted as heard, and would be lost with that one.
            try:
                self._read(pubsub, found)
            except ServerError:
                self.close()
                raise
        return found

    def _read(self, pubsub: Any, found: list[tuple[str, bytes]]) -> None:
        while pubsub and (message := pubsub.get_message(timeout=0)) is not None:
            if message["type"] == "message":
                found.append((message["channel"].decode(), message["data"]))

    def _open(self) -> Any:
        now = time.monotonic()
        if not self._channels or now < self._not_before:
            return None
        self._not_before = now + _AGAIN_AFTER
        self._client = self._connect()
        begin = getattr(self._client, "pubsub", None)
        if begin is None:
            return None
        self._pubsub = begin()
        try:
            self._pubsub.subscribe(*self._channels)
        except ServerError:
            self.close()
            raise
        return self._pubsub

    def close(self) -> None:
        """Close the connection; ``heard`` opens another."""
        for thing in (self._pubsub, self._client):
            with suppress(Exception):  # a connection that is broken already
                thing.close()
        self._pubsub = self._client = None
