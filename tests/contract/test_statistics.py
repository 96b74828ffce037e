"""What is counted of functions."""

from __future__ import annotations

import math
from itertools import count

import pytest

from tests.support.lives import Life
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.verdicts import judge
from workhorse.store import jobs, statistics
from workhorse.store.statistics import FunctionRow

NUMBERS = count()


def run(life: Life, function: str, seconds: float, *, fails: bool = False) -> None:
    job = life.start(f"job-{next(NUMBERS)}", description=f"{function}()")
    verdict = judge(Raised("boom") if fails else Returned(b"42"))
    settled = jobs.settlement(job, verdict, result_ttl=9, started_at=10.0, ended_at=10.0 + seconds)
    life.settle_many([settled])


def functions(life: Life) -> list[FunctionRow]:
    return life.store.run(statistics.functions(life.keys))


def test_runs_are_counted_by_function(every_life: Life) -> None:
    for seconds in (0.001, 0.0011, 7, 4000):
        run(every_life, "shop.pay", seconds)
    run(every_life, "shop.fail", 0.2, fails=True)
    fail, pay = functions(every_life)
    assert (pay.name, pay.runs, pay.failed) == ("shop.pay", 4, 0)
    assert pay.seconds == pytest.approx(4007.0021)
    assert (fail.name, fail.runs, fail.failed) == ("shop.fail", 1, 1)
    assert [pay.buckets[bound] for bound in (0.001, 0.005, 5.0, 10.0, 3600.0, math.inf)] == [
        1, 2, 2, 3, 3, 4,
    ]  # fmt: skip


def test_what_can_not_be_read_is_left_out(life: Life) -> None:
    odd = {"1:f": "3", "3:f": "3", "1:g": "x", "nonsense": "1", b"inf:\xff": "2", "failed:h": "1"}
    life.client.hset("rq:durations", mapping=odd)
    assert [(row.name, row.runs) for row in functions(life)] == [("\\xff", 2), ("f", 3)]


def test_functions_beyond_what_is_counted_are_one(life: Life) -> None:
    life.client.hset("rq:durations", mapping={f"1:{number}": 1 for number in range(10_000)})
    run(life, "one.more", 0.9)
    found = {row.name: row.runs for row in functions(life)}
    assert found["(other)"] == 1
    assert "one.more" not in found or found["one.more"] == 0
