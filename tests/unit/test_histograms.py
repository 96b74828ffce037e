"""What a histogram tells of values that it does not hold."""

from __future__ import annotations

import math
from random import Random

import pytest

from workhorse.core.histograms import BOUNDS, cumulative, quantile


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile(cumulative({}), 0.5) is None


def test_values_between_two_bounds_count_as_evenly_spread() -> None:
    buckets = cumulative({5.0: 4})
    assert [quantile(buckets, q) for q in (0, 0.25, 0.5, 1)] == [2, 2.75, 3.5, 5]


def test_of_what_is_above_the_last_bound_that_is_told() -> None:
    assert quantile(cumulative({math.inf: 10}), 0.99) == 3600


def test_a_share_beyond_all_is_all() -> None:
    buckets = cumulative({1.0: 1})
    assert quantile(buckets, 7) == quantile(buckets, 1) == 1
    assert quantile(buckets, -1) == quantile(buckets, 0) == 0.5


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_a_quantile_is_within_its_bucket(q: float) -> None:
    dice = Random(1)  # noqa: S311 - a test that falls the same way each time
    values = sorted(dice.expovariate(1 / 20) for _ in range(1000))
    counts: dict[float, int] = {}
    for value in values:
        bound = next(bound for bound in BOUNDS if value <= bound)
        counts[bound] = counts.get(bound, 0) + 1
    true = values[int(q * len(values))]
    found = quantile(cumulative(counts), q)
    assert found is not None
    bounds = (0.0, *BOUNDS)
    at = next(number for number, bound in enumerate(bounds) if true <= bound)
    assert bounds[at - 1] <= found <= bounds[at]
