"""What somebody should look at now, and what helps: the notices on top of the overview."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from workhorse.core.durations import in_words
from workhorse.store.overview import QueueRow

LATE: Final = 30.0
"""Seconds after its time at which a scheduled job is overdue."""
_SHOWN: Final = 3
"""Queues that have a notice of their own, of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A notice."""

    kind: str
    """bad, warn or info."""
    title: str
    text: str
    queue: str = ""
    """Whose page tells more."""
    command: str = ""
    """What to type in a terminal."""
    action: str = ""
    """What a button does, and what it says."""
    label: str = ""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


def alerts(
    queues: Sequence[QueueRow],
    *,
    now: float,
    suspended_for: float | None,
    overdue: Mapping[str, float],
    warnings: Sequence[str],
) -> list[Alert]:
    """Return what is wrong, the worst first.

    *overdue* says for how many seconds the first scheduled job of a queue is late; *warnings* is
    what is wrong with the server.
    """
    most_first = sorted(queues, key=lambda row: -(row.queued or 0))
    return [
        *_of_work(suspended_for),
        *_of_server(warnings),
        *_first(_without_worker(most_first, now), "have jobs that wait, and no worker"),
        *_first(_overdue(overdue), "have scheduled jobs that are overdue"),
        *_first(_paused(most_first, now), "are paused, and jobs wait there"),
    ]


def _first(several: Iterable[Alert], what: str) -> list[Alert]:
    """Return the first of *several* notices, and one for the rest of the queues."""
    every = list(several)
    rest = len(every) - _SHOWN
    if rest <= 1:
        return every
    more = Alert(kind=every[0].kind, title=f"{rest} more queues", text=f"{what}.")
    return [*every[:_SHOWN], more]


def _of_work(suspended_for: float | None) -> Iterator[Alert]:
    if suspended_for is None:
        return
    until = "until it is resumed"
    if math.isfinite(suspended_for):
        until = f"for another {_span(suspended_for)}"
    yield Alert(
        kind="bad",
        title="All work is suspended",
        text=f"{until}: no worker takes a job. What runs goes on.",
        action="work-resume",
        label="Resume all work",
    )


def _of_server(warnings: Sequence[str]) -> Iterator[Alert]:
    for text in warnings:
        yield Alert(kind="bad", title="The server", text=text, command="workhorse doctor")


def _without_worker(queues: Sequence[QueueRow], now: float) -> Iterator[Alert]:
    for row in queues:
        if row.queued and row.workers == 0 and row.paused_until is None:
            since = f", the next for {_span(now - row.oldest.timestamp())}" if row.oldest else ""
            yield Alert(
                kind="bad",
                title="No worker",
                text=f"{_jobs(row.queued)}{since}.",
                queue=row.name,
                command=f"workhorse worker {shlex.quote(row.name)}",
            )


def _overdue(overdue: Mapping[str, float]) -> Iterator[Alert]:
    for queue, seconds in overdue.items():
        if seconds > LATE:
            yield Alert(
                kind="bad",
                title="Scheduled jobs are overdue",
                text=f"by {_span(seconds)}: no worker of ours, or scheduler, moves them on.",
                queue=queue,
                command=f"workhorse worker {shlex.quote(queue)}",
            )


def _paused(queues: Sequence[QueueRow], now: float) -> Iterator[Alert]:
    for row in queues:
        if row.queued and row.paused_until is not None:
            until = "until it is resumed"
            if math.isfinite(row.paused_until):
                until = f"for another {_span(row.paused_until - now)}"
            yield Alert(
                kind="warn",
                title="Paused",
                text=f"{until}; {_jobs(row.queued)}.",
                queue=row.name,
                action="queue-resume",
                label="Resume",
                fields={"queue": row.name},
            )


def _jobs(many: int) -> str:
    return "one job waits" if many == 1 else f"{many:,} jobs wait"


def _span(seconds: float) -> str:
    return in_words(max(int(seconds), 1))
