"""Rate limits: who has a place, who waits for one, and the sweep of places that nobody needs.

A place is given and freed by the scripts that move its job; here is what they leave over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from workhorse.core.limits import limit_key, limit_name
from workhorse.store.calls import Call, Plan, command, page, script
from workhorse.store.pages import lenient
from workhorse.wire.codec import int_or_none
from workhorse.wire.keys import Keys

PAGE: Final = 50
"""Jobs of a limit that one call looks at, of those with a place and of those that wait."""
LIMITS: Final = 20
"""Limits in one call: some milliseconds of the server's time at most."""


class Limit(NamedTuple):
    """One limit, and how far its jobs were looked at; "0" for the beginning."""

    name: bytes
    cursor: bytes = b"0"
    waiters_cursor: bytes = b"0"


class Admitted(NamedTuple):
    """What became of a limit."""

    following: Limit
    """Where to go on."""
    freed: int
    """Places that no job needed any more."""
    admitted: int
    """Jobs that got a place."""
    problem: str
    """Why its keys can't be worked; '' if they can."""

    @property
    def is_whole(self) -> bool:
        """Whether the last of its jobs was looked at."""
        return (self.following.cursor, self.following.waiters_cursor) == (b"0", b"0")


def admit(keys: Keys, limits: Iterable[Limit]) -> Call[list[Admitted]]:
    """Free stale places of *limits*, a page of each, and admit those that wait."""
    items = list(limits)

    def parse(reply: list[Any]) -> list[Admitted]:
        return [
            Admitted(Limit(item.name, cursor, waiters), freed, admitted, problem.decode())
            for item, (cursor, waiters, freed, admitted, problem) in zip(items, reply, strict=True)
        ]

    return script("admit", keys, {"page": PAGE}, items, parse=parse)


def admit_all(keys: Keys, key: str) -> Plan[int]:
    """Free all stale places of the limit *key*; return how many jobs were admitted."""
    limit, admitted, is_done = Limit(limit_name(key).encode()), 0, False
    while not is_done:
        (found,) = yield from admit(keys, [limit])
        limit, is_done = found.following, found.is_whole and not found.admitted
        admitted += found.admitted
    return admitted


def some_names(keys: Keys, cursor: bytes) -> Call[tuple[bytes, list[bytes]]]:
    """Return the next cursor, b"0" after the last page, and the names of some limits."""
    return command("SSCAN", keys.limits(), cursor, "COUNT", LIMITS, parse=page)


def known_keys(keys: Keys) -> Call[list[str]]:
    """Return the key of every limit that is in use, sorted."""

    def parse(reply: Iterable[bytes]) -> list[str]:
        return sorted(limit_key(name.decode("utf-8", "backslashreplace")) for name in reply)

    return command("SMEMBERS", keys.limits(), parse=parse)


def concurrency(keys: Keys, key: str) -> Call[int]:
    """Return how many jobs with this key may have a place.

    0 for a limit that is not in use, or whose number can't be read.
    """

    def parse(reply: bytes | None) -> int:
        return lenient(int_or_none, reply) or 0

    return command("HGET", keys.limit(limit_name(key)), "concurrency", parse=parse)


def with_place(keys: Keys, key: str) -> Call[list[str]]:
    """Return the jobs that have a place, in the order in which they got it."""
    return command("ZRANGE", keys.allowed(limit_name(key)), 0, -1, parse=_ids)


def waiting(keys: Keys, key: str) -> Call[list[str]]:
    """Return the jobs that wait for a place, the next one first."""
    return command("ZRANGE", keys.limited(limit_name(key)), 0, -1, parse=_ids)


def count_with_place(keys: Keys, key: str) -> Call[int]:
    """Return how many jobs have a place."""
    return command("ZCARD", keys.allowed(limit_name(key)), parse=int)


def count_waiting(keys: Keys, key: str) -> Call[int]:
    """Return how many jobs wait for a place."""
    return command("ZCARD", keys.limited(limit_name(key)), parse=int)


def set_concurrency(keys: Keys, key: str, most: int) -> Plan[int]:
    """Let so many jobs with this key have a place from now on; return how many were admitted.

    A limit without jobs stays unknown: its next job says what holds. Two steps, of which the
    second is also anybody's sweep.
    """
    name = limit_name(key)
    yield from command("HSET", keys.limit(name), "concurrency", most, parse=int)
    yield from command("SADD", keys.limits(), name, parse=int)
    return (yield from admit_all(keys, key))


def _ids(reply: Iterable[bytes]) -> list[str]:
    return [job_id.decode("utf-8", "backslashreplace") for job_id in reply]
