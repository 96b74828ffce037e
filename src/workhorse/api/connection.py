"""The server that an object talks to: the one it was given, or the process's default.

The default is chosen once per process, as ``store.connections`` describes, when it is first
needed, and logged: making a queue or a job reaches for no server.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from workhorse.api.connection_stack import chosen
from workhorse.core.errors import ConnectionChoiceError
from workhorse.core.settings import KEY_PREFIX
from workhorse.store.connections import choose_url, connect, redacted
from workhorse.store.drivers import RESEND_FOR, Client, Store
from workhorse.store.fitness import CLUSTER
from workhorse.wire.keys import Keys

LOG = logging.getLogger("workhorse")

_stores: Final[dict[tuple[int, str | None], Store]] = {}
"""One store for each process and URL; that of None is the process's default."""
_redirects: Final[list[Store]] = []
"""Where everything goes instead of where it was to: the last one; see ``redirected``."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where an object sends its operations."""

    given: Store | None

    @property
    def store(self) -> Store:
        """The store that was given, or else this process's default."""
        return redirection() or self.given or default_store()


def link_to(connection: Client | str | None) -> Link:
    """Return the link to *connection*: a client, a URL, or None for what is chosen when needed.

    Unless somebody chose one that holds here, by RQ's old words: see ``connection_stack``.

    Raises ConnectionChoiceError for a client that turns replies into text or is awaited, and
    for what is no client at all.
    """
    connection = _or_chosen(connection)
    if connection is None:
        return Link(None)
    if isinstance(connection, str):
        return Link(_store_at(choose_url(connection, os.environ, Path.cwd()).url))
    return Link(Store(_checked(connection)))


def _or_chosen(connection: Client | str | None) -> Client | str | None:
    if connection is not None or (here := chosen()) is None:
        return connection
    return here.connection


def store_of(connection: Client | str | None) -> Store:
    """Return the store behind *connection*; raises what ``link_to`` raises."""
    return link_to(connection).store


def redirection() -> Store | None:
    """Return where all goes that this process sends, while it is redirected."""
    return _redirects[-1] if _redirects else None


@contextmanager
def redirected(store: Store) -> Generator[None]:
    """Have all queues, jobs and workers of this process use *store* within the block.

    For tests: whatever they were made with, and whenever, modules' own queues too.
    """
    _redirects.append(store)
    try:
        yield
    finally:
        _redirects.remove(store)


def default_store() -> Store:
    """Return the store of this process, chosen at its first use."""
    store = _stores.get((os.getpid(), None))
    if store is None:
        choice = choose_url(None, os.environ, Path.cwd())
        LOG.info("using %s (%s)", redacted(choice.url), choice.source)
        store = _stores.setdefault((os.getpid(), None), _store_of_ours(choice.url))
    return store


def _store_at(url: str) -> Store:
    key = (os.getpid(), url)
    return _stores.get(key) or _stores.setdefault(key, _store_of_ours(url))


def _store_of_ours(url: str) -> Store:
    """Return a store whose client nobody has given settings of their own."""
    return Store(connect(url), resend_for=RESEND_FOR)


def _checked(connection: object) -> Client:
    send = getattr(connection, "execute_command", None)
    if not callable(send):
        raise ConnectionChoiceError(
            f"connection={connection!r}: give a client such as redis.Redis(), a URL, or None"
        )
    kinds = {kind.__name__ for kind in type(connection).__mro__}
    if kinds & {"RedisCluster", "ValkeyCluster"}:
        raise ConnectionChoiceError(f"connection={connection!r}: {CLUSTER}")
    if "Pipeline" in kinds:
        raise ConnectionChoiceError(
            f"connection={connection!r}: a pipeline does not answer before it is executed; give "
            "its client here, and the pipeline to enqueue(..., pipeline=)"
        )
    if inspect.iscoroutinefunction(send):
        raise ConnectionChoiceError(
            f"connection={connection!r}: a client for asyncio can't be used here; "
            "give one that blocks, such as redis.Redis()"
        )
    return cast("Client", connection)


def default_keys() -> Keys:
    """Return the keys under ``RQ_KEY_PREFIX``, as RQ reads it, or under ``rq``."""
    return Keys(os.environ.get("RQ_KEY_PREFIX", KEY_PREFIX))


def client_of(store: Store) -> Any:
    """Return the client that *store* talks through, for the user's own commands."""
    return store.client


def longest_block(store: Store) -> float:
    """Return the seconds that a command may block for before *store*'s client gives up on it."""
    pool = getattr(store.client, "connection_pool", None)
    timeout = getattr(pool, "connection_kwargs", {}).get("socket_timeout")
    return float("inf") if timeout is None else timeout / 2
