"""Whether anything changed that pages show: one cheap question, however many look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workhorse.store.calls import Arguments, Call, script
from workhorse.store.jobs import JobId
from workhorse.wire.keys import Keys

MOST: Final = 200
"""Queues, workers and schedules that are looked at one by one. Of all, what is counted counts."""
MOST_JOBS: Final = 100
"""Jobs that are looked at in one call."""


@dataclass(frozen=True, slots=True)
class Words:
    """A word for each thing; another one means that it has changed, or that ten seconds passed."""

    server: str
    """For everything but what single jobs are doing meanwhile."""
    jobs: Mapping[str, str]


def changes(keys: Keys, job_ids: Sequence[str] = ()) -> Call[Words]:
    """Return words for what the server holds, and for the first ``MOST_JOBS`` of these jobs."""
    asked = list(job_ids[:MOST_JOBS])
    args: Arguments = {"most": MOST}

    def parse(reply: list[Any]) -> Words:
        server, *jobs = [word.decode() for word in reply]
        return Words(server, dict(zip(asked, jobs, strict=True)))

    return script("changes", keys, args, [JobId(job_id) for job_id in asked], parse=parse)
