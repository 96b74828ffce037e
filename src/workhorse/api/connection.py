"""The server that an object talks to: the one it was given, or the process's default.

The default is chosen once per process, as ``store.connections`` describes, and logged.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workhorse.store.connections import choose_url, connect, redacted
from workhorse.store.drivers import Client, Store
from workhorse.wire.keys import KEY_PREFIX, Keys

LOG = logging.getLogger("workhorse")


@dataclass(slots=True)
class _Default:
    """The process's own connection; made anew after a fork."""

    store: Store | None = None
    pid: int = 0


_default = _Default()


def store_of(connection: Client | str | None) -> Store:
    """Return the store behind *connection*: a client, a URL, or None for the default.

    Raises ConnectionChoiceError for a client that turns replies into text.
    """
    if connection is None:
        return default_store()
    if isinstance(connection, str):
        return Store(connect(choose_url(connection, os.environ, Path.cwd()).url))
    return Store(connection)


def default_store() -> Store:
    """Return the store of this process, chosen at its first use."""
    if _default.store is None or _default.pid != os.getpid():
        choice = choose_url(None, os.environ, Path.cwd())
        LOG.info("using %s (%s)", redacted(choice.url), choice.source)
        _default.store, _default.pid = Store(connect(choice.url)), os.getpid()
    return _default.store


def default_keys() -> Keys:
    """Return the keys under ``RQ_KEY_PREFIX``, as RQ reads it, or under ``rq``."""
    return Keys(os.environ.get("RQ_KEY_PREFIX", KEY_PREFIX))


def client_of(store: Store) -> Any:
    """Return the client that *store* talks through, for the user's own commands."""
    return store.client
