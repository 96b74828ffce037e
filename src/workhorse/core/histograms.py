"""Histograms: how many values were no greater than each of some bounds. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

BOUNDS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0,
    300.0, 600.0, 1800.0, 3600.0, math.inf,
)  # fmt: skip
"""Seconds: in the first of these that is no less is each run counted."""


def cumulative(counts: Mapping[float, int]) -> dict[float, int]:
    """Return for each of ``BOUNDS`` how many values were no greater, from *counts* of each alone.

    >>> list(cumulative({0.01: 2, math.inf: 1}).values())[-2:]
    [2, 3]
    """
    found, so_far = dict[float, int](), 0
    for bound in BOUNDS:
        so_far += counts.get(bound, 0)
        found[bound] = so_far
    return found


def quantile(buckets: Mapping[float, int], q: float) -> float | None:
    """Return the value below which a share *q* of all lies; None where there is none.

    *buckets* are cumulative: for each bound how many are no greater. Between two bounds values
    count as evenly spread, as in Prometheus; of what is above the last bound that bound is told.

    >>> quantile({1.0: 50, 2.0: 100, math.inf: 100}, 0.75)
    1.5
    >>> quantile({1.0: 0, math.inf: 3}, 0.5)
    1.0
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = min(max(q, 0.0), 1.0) * buckets[bounds[-1]]
    lower, below = 0.0, 0
    for bound in bounds:
        upto = buckets[bound]
        if upto >= rank and upto > below:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * max(rank - below, 0) / (upto - below)
        lower, below = bound, upto
    return lower
