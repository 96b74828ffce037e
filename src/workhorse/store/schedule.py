"""What waits for its time. No I/O here; see drivers."""

from __future__ import annotations

from collections.abc import Iterable

from workhorse.store.broken import without_broken
from workhorse.store.calls import Call, script
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
