"""How it stands: what is wrong, how much is where, how fast it goes, and which queues matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from workhorse.dashboard.alerts import alerts
from workhorse.dashboard.view import Screen, View
from workhorse.store import clock, fitness, overview, pages, pauses, roster, views
from workhorse.store.history import SPANS, Series, Span, histories
from workhorse.store.overview import QueueRow
from workhorse.store.roster import WorkerRow

MOST: Final = 1000
"""Queues, and workers, that are looked at."""
ROWS: Final = 12
"""Queues that are shown."""
RECENT: Final = 30
"""Slots of the last minutes: of what rates are, and what is drawn beside a queue."""
_SLICE: Final = 100
_NOTICED: Final = 100
"""Queues whose scheduled jobs are looked at."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How much there is in all."""

    waiting: int
    running: int
    scheduled: int
    failed: int
    oldest: datetime | None
    workers: int
    busy: int
    """Of those that were looked at."""
    throughput: float | None
    """Jobs that ended in a second, of late; None where it is not known."""
    failing: float | None
    """Which part of them failed."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast the jobs of a queue ended of late: what is drawn, and said."""

    lines: list[str]
    now: str
    told: str


def home(view: View) -> Screen:
    """Show how it stands."""
    suspended, names, workers, now = view.store.run_many(
        [
            pauses.suspended_for(view.keys),
            views.queue_names(view.keys),
            views.worker_names(view.keys),
            clock.now(),
        ]
    )
    rows, crew = _read(view, names[:MOST], workers[:MOST])
    shown = _first(rows)
    recent = view.store.run(
        histories(view.keys, "hour", ["", *(row.name for row in shown)], slots=RECENT)
    )
    data = {
        "alerts": alerts(
            rows,
            now=now,
            suspended_for=suspended,
            overdue=_overdue(view, rows, now),
            warnings=fitness.warnings(view.store),
        ),
        "numbers": _numbers(rows, crew, len(workers), recent[0]),
        "queues": shown,
        "every": len(names),
        "rates": {series.queue: rate for series in recent[1:] if (rate := _rate(series))},
        "spans": _spans(view.query.get("span", "")),
        "span": _span(view.query.get("span", "")),
    }
    return Screen("overview.html", "Overview", data)


def _read(
    view: View, queues: Sequence[str], workers: Sequence[str]
) -> tuple[list[QueueRow], list[WorkerRow]]:
    of_queues = [overview.queues(view.keys, part) for part in _slices(queues)]
    of_workers = [roster.roster(view.keys, part) for part in _slices(workers)]
    replies = view.store.run_many([*of_queues, *of_workers])
    many = len(of_queues)
    rows: list[QueueRow] = [row for part in replies[:many] for row in part]
    crew: list[WorkerRow] = [row for part in replies[many:] for row in part]
    return rows, crew


def _slices(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(items), _SLICE):
        yield items[at : at + _SLICE]


def _first(rows: Sequence[QueueRow]) -> list[QueueRow]:
    """Return the queues that matter most: those with most to do, then those that did most."""

    def matter(row: QueueRow) -> tuple[int, int]:
        return -((row.queued or 0) + (row.started or 0)), -row.totals.get("claim", 0)

    return sorted(rows, key=matter)[:ROWS]


def _overdue(view: View, rows: Sequence[QueueRow], now: float) -> Mapping[str, float]:
    """Return for how long the first scheduled job of each queue is late, where there is one."""
    names = [row.name for row in rows if row.scheduled][:_NOTICED]
    found = view.store.run_many(
        [pages.page(view.keys, "scheduled", name, length=1) for name in names]
    )
    scores = (
        (name, page.rows[0].score) for name, page in zip(names, found, strict=True) if page.rows
    )
    return {name: now - score for name, score in scores if score is not None}


def _numbers(
    rows: Sequence[QueueRow], crew: Sequence[WorkerRow], workers: int, recent: Series
) -> Numbers:
    ended, failed = _mean(recent.succeeded), _mean(recent.failed)
    throughput = None if ended is None or failed is None else ended + failed
    return Numbers(
        waiting=sum(row.queued or 0 for row in rows),
        running=sum(row.started or 0 for row in rows),
        scheduled=sum(row.scheduled or 0 for row in rows),
        failed=sum(row.failed or 0 for row in rows),
        oldest=min((row.oldest for row in rows if row.oldest), default=None),
        workers=workers,
        busy=sum(row.holds > 0 for row in crew),
        throughput=throughput,
        failing=failed / throughput if throughput and failed is not None else None,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _rate(series: Series) -> Rate | None:
    """Return what is drawn of a queue's last minutes; None where nothing is known of it."""
    ended = [
        None if good is None or bad is None else good + bad
        for good, bad in zip(series.succeeded, series.failed, strict=True)
    ]
    last = next((value for value in reversed(ended) if value is not None), None)
    if last is None:
        return None
    most = max(value for value in ended if value is not None)
    told = f"{last:.3g} jobs a second ended, at most {most:.3g} in the last minutes"
    return Rate(_lines(ended, most or 1), f"{last:.3g}/s", told)


def _lines(values: Sequence[float | None], most: float) -> list[str]:
    """Return the points of lines in a box of 100 by 20, one line for each run of known values.

    >>> _lines([0, 1, None, 2, None], 2)
    ['0,19 25,10', '75,1 77,1']
    """
    step = 100 / max(len(values) - 1, 1)
    lines: list[list[str]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            at, height = i * step, f"{19 - 18 * value / most:g}"
            lines[-1].append(f"{at:g},{height}")
            alone = i + 1 == len(values) or values[i + 1] is None
            if alone and len(lines[-1]) == 1:
                lines[-1].append(f"{at + 2:g},{height}")
    return [" ".join(line) for line in lines if line]


_WORDS: Final[Mapping[Span, str]] = {"hour": "Hour", "day": "Day", "fortnight": "Two weeks"}


def _span(word: str) -> Span:
    return word if word in SPANS else "hour"


def _spans(word: str) -> list[tuple[Span, str, bool]]:
    return [(span, name, span == _span(word)) for span, name in _WORDS.items()]
