"""An operation on Redis, as a value.

A ``Call`` says what to send and how to read the reply; it does no I/O. A ``Plan`` is a
generator that makes several calls and thinks in between::

    def recover(keys: Keys, queue: str) -> Plan[int]:
        lapsed = yield from lapsed_leases(keys, queue)     # typed: list[Claimed]
        ...

``Store`` and ``AsyncStore`` run both. Every script call may be sent twice: it applies once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from workhorse.store import scripts
from workhorse.store.scripts import Argument, Item
from workhorse.wire.codec import Value
from workhorse.wire.keys import Keys

R = TypeVar("R")
Arguments = Mapping[str, Argument]


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """One request and how to read its reply with *parse*."""

    words: tuple[Value, ...]
    parse: Callable[[Any], R]
    source: str | None = None
    """The Lua text, for a server that does not know the script's digest yet."""

    @property
    def words_with_source(self) -> tuple[Value, ...]:
        """The same request with the script in full."""
        if self.source is None:
            return self.words
        return ("EVAL", self.source, *self.words[2:])

    def __iter__(self) -> Generator[Call[Any], Any, R]:
        """Make one step of a plan: yield the call, return its parsed reply."""
        return self.parse((yield self))


Plan = Generator[Call[Any], Any, R]
Operation = Call[R] | Plan[R]


def script(
    name: str,
    keys: Keys,
    args: Arguments,
    items: Iterable[Item] = (),
    *,
    parse: Callable[[Any], R],
) -> Call[R]:
    """Return a call of the script *name*, its inputs given by name."""
    loaded = scripts.load(name)
    words = loaded.order(args, items)
    head = ("EVALSHA", loaded.sha, 1, keys.queues(), keys.prefix)
    return Call((*head, *words), parse, loaded.source)


def command(*words: Value, parse: Callable[[Any], R]) -> Call[R]:
    """Return a call of a plain command."""
    return Call(words, parse)


def page(reply: Any) -> tuple[bytes, list[Any]]:
    """Return the next cursor, b"0" after the last page, and what SCAN found on this one."""
    cursor, found = reply
    return (cursor if isinstance(cursor, bytes) else b"%d" % cursor), list(found)


def as_it_is(reply: Any) -> Any:
    """Return the *reply* unread."""
    return reply
