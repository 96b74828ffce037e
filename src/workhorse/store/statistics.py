"""What is counted of functions: their runs, how long those took, and how many jobs failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from workhorse.core.histograms import BOUNDS, cumulative
from workhorse.store.calls import Call, command
from workhorse.wire.keys import Keys

OTHERS: Final = "(other)"
"""The name of all functions together that came when the server had counted ten thousand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRow:
    """What became of the runs of one function, since the server was first used."""

    name: str
    runs: int
    failed: int
    """Runs after which the job failed for good."""
    seconds: float
    """How long all runs took together."""
    buckets: dict[float, int]
    """For each bound in seconds, the last of them infinity, how many runs took no longer."""


def functions(keys: Keys) -> Call[list[FunctionRow]]:
    """Return a row for each function that ran, sorted by name.

    Costs what it returns: the server counts no more than ten thousand fields of functions.
    """
    return command("HGETALL", keys.durations(), parse=_rows)


def _rows(reply: Any) -> list[FunctionRow]:
    counts: dict[str, dict[float, int]] = {}
    failed: dict[str, int] = {}
    micros: dict[str, int] = {}
    for field, value in _pairs(reply):
        kind, colon, name = field.decode("utf-8", "backslashreplace").partition(":")
        number = _number(value)
        if not colon or number is None:
            continue
        if kind == "failed":
            failed[name] = number
        elif kind == "micros":
            micros[name] = number
        elif (bound := _bound(kind)) is not None:
            counts.setdefault(name, {})[bound] = number
    return [
        _row(name, counts.get(name, {}), failed.get(name, 0), micros.get(name, 0))
        for name in sorted({*counts, *micros})
    ]


def _row(name: str, counts: dict[float, int], failed: int, micros: int) -> FunctionRow:
    return FunctionRow(
        name=name,
        runs=sum(counts.values()),
        failed=failed,
        seconds=micros / 1_000_000,
        buckets=cumulative(counts),
    )


def _pairs(reply: Any) -> Iterable[tuple[bytes, bytes]]:
    if isinstance(reply, dict):  # redis-py has read it already
        return cast("dict[bytes, bytes]", reply).items()
    return zip(reply[::2], reply[1::2], strict=True)


_MOST: Final = 1 << 63
"""More than the server counts."""


def _number(text: bytes) -> int | None:
    try:
        return min(max(0, int(text)), _MOST)
    except ValueError:
        return None


def _bound(text: str) -> float | None:
    """Return the bound that a field names; None for one that is not ours."""
    try:
        bound = float(text)
    except ValueError:
        return None
    return bound if bound in BOUNDS else None
