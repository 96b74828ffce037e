"""What charts draw: the history of all queues, or of one, as ``static/charts.js`` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from workhorse.core.durations import in_words
from workhorse.dashboard.view import NoSuchPageError, View
from workhorse.store.history import SPANS, Series, Span, history


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: which values of a series, and how they are called and coloured."""

    field: str
    name: str
    tone: str
    is_filled: bool = False


CHARTS: Final = MappingProxyType(
    {
        "rates": (
            Line("succeeded", "finished", "good", is_filled=True),
            Line("failed", "failed", "bad"),
            Line("retried", "retried", "warn"),
            Line("enqueued", "enqueued", "info"),
        ),
        "waiting": (Line("queued", "waiting", "info", is_filled=True),),
        "oldest": (Line("oldest", "oldest waits", "later", is_filled=True),),
        "workers": (
            Line("busy", "busy", "info", is_filled=True),
            Line("workers", "workers", "plain"),
        ),
        "memory": (Line("memory", "memory", "plain", is_filled=True),),
    }
)
"""The charts, by name."""
_FEWEST: Final = 30
"""Slots that are shown where less is known; what is before all that is known is left out."""
_OF_TIME: Final = frozenset({"oldest"})
_NOTHING: Final = (
    "Nothing is known of this time yet. Workers note how it stands every ten seconds: "
    "start one with workhorse worker."
)


def chart(view: View) -> dict[str, Any]:
    """Return one chart, of ``?span=`` hour, day or fortnight, and of ``?queue=`` or of all."""
    lines = CHARTS.get(view.path["chart"])
    if lines is None:
        raise NoSuchPageError(f"Charts are {', '.join(CHARTS)}.")
    word = view.query.get("span", "")
    span: Span = word if word in SPANS else "hour"
    found = view.store.run(history(view.keys, span, view.query.get("queue", "")))
    values = {line.field: _rounded(getattr(found, line.field)) for line in lines}
    known = [i for each in values.values() for i, value in enumerate(each) if value is not None]
    first = max(0, min(min(known, default=0), len(found.times) - _FEWEST))
    return {
        "times": found.times[first:] if known else [],
        "series": [
            {
                "name": line.name,
                "tone": line.tone,
                "fill": line.is_filled,
                "values": values[line.field][first:] if known else [],
            }
            for line in lines
        ],
        "told": _in_words(lines, found) if known else _NOTHING,
    }


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.4g}") for value in values]


def _in_words(lines: Sequence[Line], found: Series) -> str:
    """Return what a chart shows to those who can't see it."""
    minutes = in_words(found.step * len(found.times))
    told: list[str] = []
    for line in lines:
        known = [value for value in getattr(found, line.field) if value is not None]
        if known:
            last, most = (_amount(line, value) for value in (known[-1], max(known)))
            told.append(f"{line.name}: {last} at last, {most} at most")
    return f"In {minutes}: {'; '.join(told)}."


def _amount(line: Line, value: float) -> str:
    return in_words(value) if line.field in _OF_TIME else f"{value:,.3g}"
