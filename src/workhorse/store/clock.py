"""The server's clock, and time that passes at once, for tests. No I/O here; see drivers.

The scripts' clock is the server's, which nobody can set: what is stored is moved instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from workhorse.store.calls import Arguments, Call, Plan, command, script
from workhorse.wire.keys import Keys


def advance(keys: Keys, seconds: float, *, token: str) -> Call[int]:
    """Have *seconds* pass for all that is stored: what is to come comes nearer by so much.

    Moves what is scheduled, leases, what registries and keys expire at. Atomic, and applied once
    for each *token*. Takes time in proportion to all that is on the server: for tests.
    """
    args: Arguments = {"token": token, "by": seconds, "pattern": keys.pattern()}
    return script("advance", keys, args, parse=int)


def now() -> Call[float]:
    """Return the server's time, in seconds since 1970."""
    return command("TIME", parse=_moment)


def moment(keys: Keys) -> Plan[float]:
    """Return how late it is for tests: the server's time, and what they moved it by."""
    at: float = yield from now()
    moved: float = yield from command("HGET", keys.advanced(), "seconds", parse=_seconds)
    return at + moved


def next_cron(keys: Keys) -> Call[float]:
    """Return the moment at which a cron entry fires next; inf where none does."""
    return command("ZRANGE", keys.cron_due(), 0, 0, "WITHSCORES", parse=_first)


def until_next(keys: Keys, queues: Iterable[str]) -> Plan[float | None]:
    """Return the seconds until the next scheduled job of *queues* is due; None without one.

    Less than 0 for one that is overdue.
    """
    at: float = yield from now()
    scores: list[float] = []
    for queue in queues:
        key = keys.registry("scheduled", queue)
        scores += yield from command("ZRANGE", key, 0, 0, "WITHSCORES", parse=_score)
    return min(scores) - at if scores else None


def _moment(reply: Any) -> float:
    seconds, micros = reply
    return int(seconds) + int(micros) / 1_000_000


def _seconds(reply: Any) -> float:
    return float(reply or 0)


def _first(reply: Any) -> float:
    return min(_score(reply), default=math.inf)


def _score(reply: Any) -> list[float]:
    """Return the score of the one member, of either shape that clients have for it."""
    if not reply:
        return []
    pair: Any = reply if len(reply) > 1 else reply[0]
    return [float(pair[1])]
