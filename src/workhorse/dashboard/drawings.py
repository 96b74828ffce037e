"""Where the lines of drawings go: a job's runs in time, and its parents and children. Pure.

Templates draw them as SVG with attributes alone, for pages may hold no styles of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from workhorse.core.failures import cause_of
from workhorse.store.pages import JobRow
from workhorse.store.whole import Attempt, Relatives, Running, WholeJob

WIDTH: Final = 100.0
_LEAST: Final = 0.6
"""The width of what took no time: it must be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a job in time, beside the others."""

    number: int
    outcome: str
    """That of ``Attempt``, or "started" for one that goes on."""
    since: datetime | None
    worker: str
    execution_id: str
    waited: float | None
    """Seconds between the run before, or the job's making, and this one."""
    took: float | None
    """Seconds; so far, for one that goes on."""
    wait_x: float
    wait_width: float
    x: float
    width: float
    error: str = ""
    reason: str = ""
    """The last of that: the kind of error, and its words."""


def runs_of(job: WholeJob, now: float) -> list[Run]:
    """Return the runs of a job, the first that is known first, on one axis ``WIDTH`` wide."""
    attempts = [*reversed(job.attempts)]
    number = attempts[-1].number if attempts else job.attempts_total
    ends = [
        *(each.ended_at.timestamp() for each in attempts if each.ended_at),
        *(now for _ in job.running),
    ]
    begin = job.row.created_at.timestamp() if job.row.created_at else None
    if not attempts or attempts[0].number > 1:  # earlier ones are forgotten
        begin = begin if not attempts else _start(attempts[0])
    starts = [_start(each) for each in attempts] + [_since(each) for each in job.running]
    known = [moment for moment in (begin, *starts) if moment is not None]
    axis = _Axis(min(known, default=now), max([*ends, *known], default=now))
    before = begin
    found: list[Run] = []
    for each in attempts:
        found.append(_run(axis, each, before))
        before = each.ended_at.timestamp() if each.ended_at else None
    going = enumerate(job.running, number + 1)
    found += [_going(axis, one, before, count, now) for count, one in going]
    return found


def reason_of(error: str) -> str:
    r"""Return in a line what a traceback, or what stands for one, says.

    >>> reason_of("Traceback (most recent call last):\nValueError: too\nmuch")
    'ValueError: too'
    """
    cause = cause_of("", error)
    return ": ".join(word for word in (cause.error, cause.message) if word)


@dataclass(frozen=True, slots=True)
class _Axis:
    start: float
    end: float

    def x(self, moment: float) -> float:
        span = max(self.end - self.start, 1e-9)
        share = min(max((moment - self.start) / span, 0.0), 1.0)
        return round(share * (WIDTH - _LEAST), 2)

    def width(self, first: float, last: float) -> float:
        return round(max(self.x(last) - self.x(first), _LEAST), 2)


def _run(axis: _Axis, each: Attempt, before: float | None) -> Run:
    start = _start(each)
    end = each.ended_at.timestamp() if each.ended_at else start
    waited = max(start - before, 0.0) if before is not None and start is not None else None
    return Run(
        number=each.number,
        outcome=each.outcome,
        since=each.started_at,
        worker=each.worker,
        execution_id=each.execution_id,
        waited=waited,
        took=each.seconds,
        wait_x=axis.x(before) if waited and before is not None else 0,
        wait_width=axis.width(before, start) if waited and before and start else 0,
        x=axis.x(start) if start is not None else 0,
        width=axis.width(start, end) if start is not None and end is not None else 0,
        error=each.error,
        reason=reason_of(each.error),
    )


def _going(axis: _Axis, each: Running, before: float | None, number: int, now: float) -> Run:
    start = _since(each)
    waited = max(start - before, 0.0) if before is not None and start is not None else None
    return Run(
        number=number,
        outcome="started",
        since=each.since,
        worker=each.worker,
        execution_id=each.execution_id,
        waited=waited,
        took=max(now - start, 0.0) if start is not None else None,
        wait_x=axis.x(before) if waited and before is not None else 0,
        wait_width=axis.width(before, start) if waited and before and start else 0,
        x=axis.x(start) if start is not None else 0,
        width=axis.width(start, now) if start is not None else 0,
    )


def _start(each: Attempt) -> float | None:
    moment = each.started_at or each.ended_at
    return moment.timestamp() if moment else None


def _since(each: Running) -> float | None:
    return each.since.timestamp() if each.since else None


# Parents and children

MOST: Final = 8
"""Jobs of a column that are drawn; the rest is a number."""
BOX_WIDTH: Final = 200
BOX_HEIGHT: Final = 44
_GAP: Final = 12
_LETTERS: Final = 27
"""Of a name that fit in a box."""
_BETWEEN: Final = 60


@dataclass(frozen=True, slots=True)
class Box:
    """A job in a graph, or a number of jobs that are left out."""

    x: int
    y: int
    job: JobRow | None
    text: str
    """The function's name, its end where it is long; or how many are left out."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A job between those that it waits for and those that wait for it."""

    columns: int
    width: int
    height: int
    boxes: list[Box]
    edges: list[str]
    """Paths, as SVG has them."""


def family(job: JobRow, parents: Relatives, children: Relatives) -> Graph | None:
    """Return a graph of a job's parents and children; None for one without any."""
    if not parents.total and not children.total:
        return None
    columns = [_column(each) for each in (parents, Relatives([job], 1), children)]
    columns = [column for column in columns if column]
    rows = max(len(column) for column in columns)
    height = rows * (BOX_HEIGHT + _GAP) - _GAP
    placed = [
        _placed(column, number * (BOX_WIDTH + _BETWEEN), height)
        for number, column in enumerate(columns)
    ]
    edges = [
        _edge(left, right) for here, there in pairwise(placed) for left in here for right in there
    ]
    width = len(placed) * (BOX_WIDTH + _BETWEEN) - _BETWEEN
    return Graph(len(placed), width, height, [box for column in placed for box in column], edges)


def _column(relatives: Relatives) -> list[tuple[JobRow | None, str]]:
    shown = relatives.rows if relatives.total <= MOST else relatives.rows[: MOST - 1]
    found: list[tuple[JobRow | None, str]] = [(row, _name(row)) for row in shown]
    rest = relatives.total - len(shown)
    return [*found, (None, f"{rest:,} more")] if rest else found


def _name(row: JobRow) -> str:
    name = row.function if row.status else row.id
    return name if len(name) <= _LETTERS else f"…{name[1 - _LETTERS :]}"


def _placed(column: Sequence[tuple[JobRow | None, str]], x: int, height: int) -> list[Box]:
    top = (height - len(column) * (BOX_HEIGHT + _GAP) + _GAP) // 2
    return [
        Box(x, top + number * (BOX_HEIGHT + _GAP), row, text)
        for number, (row, text) in enumerate(column)
    ]


def _edge(left: Box, right: Box) -> str:
    x, y = left.x + BOX_WIDTH, left.y + BOX_HEIGHT // 2
    to_x, to_y = right.x, right.y + BOX_HEIGHT // 2
    middle = (x + to_x) // 2
    return f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x - 5} {to_y}"
