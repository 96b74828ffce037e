"""What nobody takes for a while: any job, as RQ suspends work, or those of one queue."""

from __future__ import annotations

import math
from typing import Any, Final

from workhorse.store.calls import Arguments, Call, Plan, as_it_is, command, script
from workhorse.wire.keys import Keys


def suspend(keys: Keys, *, seconds: float | None = None) -> Call[None]:
    """Have no worker take a job, ours and RQ's, for *seconds* or until work is resumed."""
    key = keys.suspended()
    if seconds is None:
        return command("SET", key, 1, parse=_nothing)
    if seconds < _SHORTEST:
        return command("DEL", key, parse=_nothing)
    return command("SET", key, 1, "PX", int(seconds * 1000), parse=_nothing)


_SHORTEST = 0.001


def _nothing(reply: object) -> None:
    del reply


def end_suspension(keys: Keys) -> Call[bool]:
    """Have workers take jobs again; False if work was not suspended."""
    return command("DEL", keys.suspended(), parse=bool)


def is_suspended(keys: Keys) -> Call[bool]:
    """Return whether work is suspended."""
    return command("EXISTS", keys.suspended(), parse=bool)


def suspended_for(keys: Keys) -> Call[float | None]:
    """Return for how many seconds work is suspended yet; infinity for good, None if it is not."""
    return command("PTTL", keys.suspended(), parse=_left)


def _left(reply: Any) -> float | None:
    if reply == _GONE:
        return None
    return math.inf if reply < 0 else reply / 1000


_GONE: Final = -2


def pause(keys: Keys, queue: str, *, seconds: float | None = None) -> Call[bool]:
    """Have no worker of ours take a job from *queue*; False if it was paused already.

    For *seconds*, or until it is resumed; a pause that goes on is made as long as this one.
    """
    args: Arguments = {"name": queue, "seconds": "" if seconds is None else seconds}
    return script("pause", keys, args, parse=bool)


def resume(keys: Keys, queue: str) -> Call[bool]:
    """Have workers take jobs from *queue* again, at once; False if it was not paused."""
    return script("resume", keys, {"name": queue}, parse=bool)


def paused_queues(keys: Keys) -> Plan[list[str]]:
    """Return the queues that are paused now, by the server's clock, sorted."""
    seconds, micros = yield from command("TIME", parse=as_it_is)
    now = f"({int(seconds)}.{int(micros):06d}"
    found: list[bytes] = yield from command(
        "ZRANGEBYSCORE", keys.paused(), now, "+inf", parse=as_it_is
    )
    return sorted(name.decode("utf-8", "backslashreplace") for name in found)
