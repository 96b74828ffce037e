"""What waits for its time. No I/O here; see drivers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from workhorse.store.broken import without_broken
from workhorse.store.calls import Call, command, script
from workhorse.store.jobs import SLICE, QueueName
from workhorse.wire.keys import Keys


def forward(keys: Keys, queues: Iterable[str]) -> Call[list[int]]:
    """Move scheduled jobs that are due; return how many for each queue, ``SLICE`` at most."""
    items = [QueueName(name) for name in queues]
    return script(
        "forward",
        keys,
        {"limit": SLICE},
        items,
        parse=lambda reply: without_broken(keys, reply),
    )


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
