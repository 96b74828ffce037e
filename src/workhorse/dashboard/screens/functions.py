"""Functions: how often each ran, how long that took, and how much of it failed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from workhorse.core.durations import in_words
from workhorse.core.histograms import quantile
from workhorse.dashboard.view import PAGE, Screen, View
from workhorse.store import statistics
from workhorse.store.statistics import FunctionRow

_ORDERS: Final = {"runs": "runs", "failed": "failed", "seconds": "time in all", "name": "name"}
"""What the functions can be sorted by, and how that is called."""


_FEW: Final = 0.1


@dataclass(frozen=True, slots=True)
class Bar:
    """How many runs took a time between two bounds."""

    x: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A function in the list, its times in seconds."""

    row: FunctionRow
    median: float | None
    most: float | None
    """That of 95 in 100 runs."""
    nearly_all: float | None
    """That of 99 in 100 runs."""
    failed_share: str
    """Of all runs, in hundredths; empty for none."""
    bars: list[Bar]


def functions(view: View) -> Screen:
    """Show the functions that ran; ``?sort=`` and ``?find=`` choose which, and their order."""
    (told,) = view.store.look_at([statistics.functions(view.keys)])
    found: list[FunctionRow] = told or []
    wanted = view.query.get("find", "").strip()
    rows = [row for row in found if wanted.lower() in row.name.lower()]
    order = view.query.get("sort", "runs")
    order = order if order in _ORDERS else "runs"
    rows.sort(key=lambda row: (-getattr(row, order), row.name) if order != "name" else row.name)
    offset = view.number("offset")
    data = {
        "functions": [_measured(row) for row in rows[offset : offset + PAGE]],
        "orders": _ORDERS,
        "order": order,
        "find": wanted,
        "offset": offset,
        "length": PAGE,
        "total": len(rows),
    }
    return Screen("functions.html", "Functions", data)


def _measured(row: FunctionRow) -> Measured:
    median, most, nearly_all = (_time(row, q) for q in (0.5, 0.95, 0.99))
    share = min(row.failed / row.runs, 1.0) if row.runs else 0.0
    text = f"{share:.1%}" if 0 < share < _FEW else f"{share:.0%}" if share else ""
    return Measured(row, median, most, nearly_all, text, _bars(row))


def _time(row: FunctionRow, q: float) -> float | None:
    """Return the time that a run took no longer than: never more than all of them together."""
    found = quantile(row.buckets, q)
    return None if found is None else min(found, row.seconds)


def _bars(row: FunctionRow) -> list[Bar]:
    """Return a bar for each bound, in a box of 100 by 100."""
    counts: list[tuple[float, int]] = []
    below = 0
    for bound, upto in sorted(row.buckets.items()):
        counts.append((bound, upto - below))
        below = upto
    highest = max((many for _, many in counts), default=0)
    step = 100 / max(len(counts), 1)
    return [
        Bar(round(number * step, 2), round(max(100 * many / highest, 4), 1), _text(bound, many))
        for number, (bound, many) in enumerate(counts)
        if many
    ]


def _text(bound: float, many: int) -> str:
    if math.isinf(bound):
        return f"{many:,} longer"
    return f"{many:,} up to {in_words(bound)}"
