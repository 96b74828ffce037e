"""What waits for its time. No I/O here; see drivers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from workhorse.core.states import State
from workhorse.store.broken import without_broken
from workhorse.store.calls import Arguments, Call, command, script
from workhorse.store.jobs import state_of, text
from workhorse.wire.keys import Keys

DUE_SLICE: Final = 200
"""Jobs that one call moves: 2 to 4 ms of the server's time."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What became of what was due."""

    moved: dict[str, int]
    """How many jobs of which queue; queues without any are left out."""
    next_in: float | None
    """Seconds until the next job is due, by the server's clock; None where none is scheduled."""


def forward(keys: Keys, queues: Sequence[str] = (), *, limit: int = DUE_SLICE) -> Call[Forwarded]:
    """Move scheduled jobs that are due, *limit* at most, a share of each queue's.

    Those of every queue that was ever used, where *queues* are not given.
    """

    def parse(reply: list[Any]) -> Forwarded:
        next_in, *moved = without_broken(keys, reply)
        return Forwarded(
            {text(queue): count for queue, count in moved}, float(next_in) if next_in else None
        )

    args: Arguments = {"limit": limit, "names": list(queues)}
    return script("forward", keys, args, parse=parse)


def waiting(keys: Keys, queue: str, until: float) -> Call[list[tuple[str, float]]]:
    """Return the jobs of *queue* that are due until then, and when, the first of them first."""

    def parse(reply: list[Any]) -> list[tuple[str, float]]:
        pairs = reply
        if reply and not isinstance(reply[0], list | tuple):
            pairs = list(zip(reply[::2], reply[1::2], strict=True))
        return [(job_id.decode("utf-8", "replace"), float(due)) for job_id, due in pairs]

    key = keys.registry("scheduled", queue)
    last = "+inf" if math.isinf(until) else f"{until:.6f}"
    return command("ZRANGEBYSCORE", key, "-inf", last, "WITHSCORES", parse=parse)


def hasten(keys: Keys, job_id: str, *, token: str = "") -> Call[State | None]:
    """Have a job run now that waits for its time, or for others; return the state it was in.

    None if there is no such job; one that waits for neither is left alone. Its rate limit holds.
    """
    args: Arguments = {"job_id": job_id, "token": token}
    return script("hasten", keys, args, parse=state_of)
