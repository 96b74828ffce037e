"""What ``workhorse top`` shows, as lines: pure, so that any terminal can be thought of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from workhorse.cli.output import (
    Cell,
    Column,
    ago,
    columns_of,
    cut,
    number_of,
    painted,
    rough,
    table,
)
from workhorse.cli.queue import note_of
from workhorse.cli.situation import Situation
from workhorse.cli.workers import LOOKS, heard, running_for
from workhorse.core.durations import in_words
from workhorse.store.failures import CauseRow
from workhorse.store.overview import QueueRow
from workhorse.store.statistics import FunctionRow

SORTS: Final = ("name", "queued", "rate", "failed", "waits")
EVENTS: Final = {"enqueue": "in/s", "succeed": "done/s", "fail": "failed/s"}
HELP: Final = "q quit  p pause or resume  s sort  / filter  ↑↓ choose  space hold"


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read at once."""

    situation: Situation
    causes: Sequence[CauseRow] = ()
    ungrouped: int | None = None
    functions: Sequence[FunctionRow] = ()
    server: str = ""


@dataclass(slots=True)
class View:
    """What the person wants to see."""

    sort: str = "name"
    filter: str = ""
    chosen: str = ""
    """The queue that a key is for."""
    typing: bool = False
    """What is typed goes to the filter."""
    asking: str = ""
    """The queue that is about to be paused or resumed, once that is confirmed."""
    holds: bool = False
    message: str = ""


class Panel(NamedTuple):
    """A part of the frame."""

    title: str
    columns: Sequence[Column]
    rows: list[list[str | Cell]]
    empty: str


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a second what happened on a queue."""

    by_event: Mapping[str, float] = field(default_factory=dict[str, float])

    def told(self, event: str) -> str:
        """Return a rate in few characters."""
        return _brief(self.by_event.get(event, 0.0)) if self.by_event else "…"


def _brief(rate: float) -> str:
    """Return a rate in few characters.

    >>> _brief(0), _brief(0.05), _brief(3.14), _brief(12345.6)
    ('0', '0.05', '3.1', '12,346')
    """
    if rate >= _MANY:
        return f"{rate:,.0f}"
    return f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}" if rate else "0"


_MANY: Final = 100
_LEAST: Final = 4
"""Rows of a panel, its head and the line below it among them; else the last ones are left out."""


def rates_of(now: Reading, before: Reading | None) -> dict[str, Rates]:
    """Return what happened between two readings, by queue."""
    if before is None:
        return {}
    seconds = now.situation.now - before.situation.now
    known = {row.name: row for row in before.situation.queues}
    found: dict[str, Rates] = {}
    for row in now.situation.queues:
        if seconds > 0 and row.name in known:
            was = known[row.name].totals
            found[row.name] = Rates({
                event: max(0, row.totals.get(event, 0) - was.get(event, 0)) / seconds
                for event in EVENTS
            })  # fmt: skip
    return found


def names_shown(now: Reading, before: Reading | None, view: View) -> list[str]:
    """Return the queues that are shown, in their order."""
    return [row.name for row in _queues(now, rates_of(now, before), view)]


def _queues(now: Reading, rates: Mapping[str, Rates], view: View) -> list[QueueRow]:
    rows = [row for row in now.situation.queues if view.filter in row.name]
    keys: dict[str, Callable[[QueueRow], float]] = {
        "queued": lambda row: -(row.queued or 0),
        "rate": lambda row: -sum(rates.get(row.name, Rates()).by_event.values()),
        "failed": lambda row: -(row.failed or 0),
        "waits": lambda row: row.oldest.timestamp() if row.oldest else now.situation.now,
    }
    return sorted(rows, key=keys[view.sort]) if view.sort in keys else rows


def frame(
    now: Reading, before: Reading | None, view: View, *, columns: int, rows: int
) -> list[str]:
    """Return the lines to show, *rows* at most and none wider than *columns*."""
    rates = rates_of(now, before)
    head = _head(now, rates, columns)
    panels = [
        _queue_panel(now, rates, view),
        _worker_panel(now, view),
        _cause_panel(now, view),
        _function_panel(now, before, view),
    ]
    room = rows - len(head) - 1
    while len(panels) > 1 and room < _LEAST * len(panels):
        panels.pop()
    given = _shares([len(panel.rows) for panel in panels], room - 2 * len(panels))
    lines = list(head)
    for panel, share in zip(panels, given, strict=True):
        lines += _drawn(panel, share, columns)
    lines = lines[: rows - 1]
    lines += [""] * (rows - 1 - len(lines))
    return [*lines, _foot(view, columns)]


def _head(now: Reading, rates: Mapping[str, Rates], columns: int) -> list[str]:
    told = now.situation
    queued = sum(row.queued or 0 for row in told.queues)
    running = sum(row.started or 0 for row in told.queues)
    busy = sum(worker.holds > 0 for worker in told.workers)
    sums = {
        word: sum(one.by_event.get(event, 0.0) for one in rates.values())
        for event, word in EVENTS.items()
    }
    rate = "  ".join(f"{_brief(sums[word])} {word}" for word in sums) if rates else "…"
    first = f"workhorse top  {now.server}"
    second = (
        f"{queued:,} queued  {running:,} running  {busy} of {len(told.workers)} workers busy  "
        f"{rate}"
    )
    lines = [painted(cut(first, columns), "strong"), cut(second, columns)]
    if told.suspended_until is not None:
        lines.append(painted(cut("Work is suspended: workhorse resume", columns), "warning"))
    return [*lines, ""]


def _queue_panel(now: Reading, rates: Mapping[str, Rates], view: View) -> Panel:
    columns = (
        Column(""), Column("queue", flexible=True), Column("queued", right=True),
        Column("running", right=True), Column("failed", right=True),
        Column("in/s", right=True, spare=3), Column("done/s", right=True, spare=2),
        Column("failed/s", right=True, spare=5),
        Column("waits", right=True, spare=1), Column("workers", right=True, spare=4), Column(""),
    )  # fmt: skip
    cells: list[list[str | Cell]] = []
    for row in _queues(now, rates, view):
        rate = rates.get(row.name, Rates())
        waits = rough(max(0.0, now.situation.now - row.oldest.timestamp())) if row.oldest else ""
        cells.append([
            ">" if row.name == view.chosen else "",
            Cell(row.name, "strong" if row.name == view.chosen else ""),
            number_of(row.queued), number_of(row.started),
            Cell(number_of(row.failed), "bad" if row.failed else ""),
            *(rate.told(event) for event in EVENTS),
            waits, number_of(row.workers), note_of(row, now.situation),
        ])  # fmt: skip
    title = f"QUEUES by {view.sort}"
    return Panel(
        title, columns, cells, "no queues" + (" with that in the name" * bool(view.filter))
    )


def _worker_panel(now: Reading, view: View) -> Panel:
    columns = (
        Column("worker", flexible=True), Column("state"), Column("runs", flexible=True),
        Column("for", right=True), Column("job", spare=2), Column("heard", right=True, spare=1),
        Column("queues", flexible=True, spare=3),
    )  # fmt: skip
    told = now.situation
    cells: list[list[str | Cell]] = []
    for one in sorted(told.workers, key=lambda worker: (worker.holds == 0, worker.name)):
        job = told.jobs.get(one.name)
        runs = job.function if job else ""
        if view.filter in f"{one.name} {runs} {' '.join(one.queues)}":
            cells.append([
                one.name, Cell(one.state or "?", LOOKS.get(one.state, "")), runs,
                running_for(job, told.now), job.id if job else "", heard(one, told.now),
                ", ".join(one.queues),
            ])  # fmt: skip
    return Panel("WORKERS", columns, cells, "no workers: workhorse worker starts one")


def _cause_panel(now: Reading, view: View) -> Panel:
    columns = (
        Column("jobs", right=True), Column("function", flexible=True),
        Column("error", flexible=True), Column("message", flexible=True),
        Column("last", right=True, spare=1), Column("cause", spare=2),
    )  # fmt: skip
    cells: list[list[str | Cell]] = [
        [
            Cell(number_of(row.count), "bad"), row.function, row.error, row.message,
            ago(row.last_at, now.situation.now), Cell(row.id, "quiet"),
        ]
        for row in now.causes
        if view.filter in f"{row.function} {row.error} {' '.join(row.queues)}"
    ]  # fmt: skip
    more = (
        f"none with a known cause; {now.ungrouped:,} of RQ's or stopped" if now.ungrouped else ""
    )
    return Panel("FAILURES", columns, cells, more or "no failed jobs")


def _function_panel(now: Reading, before: Reading | None, view: View) -> Panel:
    columns = (
        Column("function", flexible=True), Column("runs/s", right=True),
        Column("takes", right=True), Column("runs", right=True), Column("failed", right=True),
    )  # fmt: skip
    known = {row.name: row for row in before.functions} if before else {}
    seconds = now.situation.now - before.situation.now if before else 0.0
    shown: list[tuple[float, FunctionRow]] = []
    for row in now.functions:
        if view.filter in row.name:
            was = known[row.name].runs if row.name in known else 0
            rate = (
                (row.runs - was) / seconds if before and before.functions and seconds > 0 else -1.0
            )
            shown.append((rate, row))
    shown.sort(key=lambda one: (-one[0], -one[1].runs))
    cells: list[list[str | Cell]] = [
        [
            row.name, "…" if rate < 0 else _brief(rate),
            in_words(row.seconds / row.runs) if row.runs else "",
            number_of(row.runs), Cell(number_of(row.failed), "bad" if row.failed else ""),
        ]
        for rate, row in shown
    ]  # fmt: skip
    return Panel("FUNCTIONS", columns, cells, "no job has ended yet")


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """Return how many rows each panel gets: what it wants, or about the same as the others.

    >>> _shares([3, 50, 2, 1], 20), _shares([1, 1], 20), _shares([9, 9], 1)
    ([3, 14, 2, 1], [1, 1], [1, 0])
    """
    given = [0] * len(wanted)
    left = max(0, room)
    while left:
        hungry = [at for at, want in enumerate(wanted) if given[at] < want]
        if not hungry:
            break
        for at in hungry[:left]:
            given[at] += 1
        left -= len(hungry[:left])
    return given


def _drawn(panel: Panel, share: int, columns: int) -> list[str]:
    """Return a panel of *share* rows under its head, and an empty line."""
    if not panel.rows:
        return [cut(painted(panel.title, "") + f": {panel.empty}", columns), ""]
    lines = table(panel.columns, panel.rows, width=columns)
    left = len(panel.rows) - share
    if left > 0 and share > 0:
        more = painted(f"… and {left + 1:,} more", "quiet")
        return [lines[0], *lines[1:share], more, ""]
    return [lines[0], *lines[1 : share + 1], ""]


def _foot(view: View, columns: int) -> str:
    if view.asking:
        line = f"{view.asking} y/n"
    elif view.typing:
        line = f"filter: {view.filter}_  (enter keeps it, escape drops it)"
    else:
        parts = [view.message, "HOLDS" if view.holds else "",
                 f"filter: {view.filter}" if view.filter else "", HELP]  # fmt: skip
        line = "  ".join(part for part in parts if part)
    shown = cut(painted(line), columns)
    return painted(shown + " " * (columns - columns_of(shown)), "quiet")
