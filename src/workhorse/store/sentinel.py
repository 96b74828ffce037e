"""A server that Sentinels watch: who is the primary, is theirs to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import sentinel as _sentinel

from workhorse.store.connections import ANSWER_WITHIN, ASK_WITHIN, CONNECT_WITHIN, separate
from workhorse.store.drivers import Client

_sentinels: Any = _sentinel  # redis-py does not type it


@dataclass(frozen=True, slots=True)
class PrimaryOf:
    """Opens connections to the primary of a service, for a worker; ``client()`` for a producer."""

    service: str
    sentinels: tuple[tuple[str, int], ...]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the primary's clients are made with: ``db``, ``password``, ``ssl`` ..."""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the Sentinels' are."""

    def __call__(self) -> Client:
        """Return a new client, for a worker's use."""
        made: Client = separate(self.client())
        return made

    def client(self) -> Client:
        """Return a new client, not yet connected."""
        manager = _sentinels.Sentinel(
            list(self.sentinels),
            sentinel_kwargs={"socket_timeout": ASK_WITHIN, **self.sentinel_options},
        )
        settings = {
            "protocol": 2,
            "socket_connect_timeout": CONNECT_WITHIN,
            "socket_timeout": ANSWER_WITHIN,
            "socket_keepalive": True,
            **self.options,
        }
        made: Client = manager.master_for(self.service, **settings)
        return made

    def __str__(self) -> str:
        watchers = ", ".join(f"{host}:{port}" for host, port in self.sentinels)
        return f"the primary of {self.service!r}, asked of {watchers}"
