"""When scheduled jobs move, how many in a call, and what is told of the next one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.lives import Life, record
from workhorse.core.outcomes import Raised
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import jobs, reconcile, schedule, views
from workhorse.store.schedule import Forwarded


def forward(life: Life, *queues: str, limit: int = schedule.DUE_SLICE) -> Forwarded:
    return life.store.run(schedule.forward(life.keys, queues, limit=limit))


def now_of(life: Life) -> float:
    seconds, micros = life.client.time()
    return float(seconds + micros / 1e6)


def due_at(life: Life, job_id: str = "j") -> float:
    return float(life.client.zscore("rq:scheduled:q", job_id))


def test_a_job_for_later_waits_in_the_schedule_to_the_microsecond(every_life: Life) -> None:
    due = now_of(every_life) + 60.123456
    assert every_life.enqueue("j", scheduled_for=due).states == [State.SCHEDULED]
    assert due_at(every_life) == pytest.approx(due, abs=1e-6)
    assert every_life.waiting() == []


def test_a_while_is_counted_by_the_servers_clock(every_life: Life) -> None:
    before = now_of(every_life)
    every_life.enqueue("j", due_in=60.5)
    assert before + 60.5 <= due_at(every_life) <= now_of(every_life) + 60.5
    assert float(every_life.field("scheduled_for") or 0) == due_at(every_life)


@pytest.mark.parametrize(
    "options", [{"due_in": 0.0}, {"scheduled_for": 1.5}, {"scheduled_for": -9e9}]
)
def test_a_job_that_is_due_goes_straight_to_its_queue(
    every_life: Life, options: dict[str, Any]
) -> None:
    assert every_life.enqueue("j", **options).states == [State.QUEUED]
    assert every_life.waiting() == ["j"]


def test_forward_says_how_long_it_is_until_the_next_is_due(every_life: Life) -> None:
    assert forward(every_life) == Forwarded({}, None)
    every_life.enqueue("later", due_in=90)
    every_life.enqueue("j", due_in=30)
    every_life.enqueue("other", due_in=60, origin="p")
    told = forward(every_life)
    assert told.moved == {}
    assert told.next_in == pytest.approx(30, abs=1)


def test_a_job_is_moved_when_its_time_has_come_and_not_before(every_life: Life) -> None:
    every_life.enqueue("j", due_in=0.05)
    assert forward(every_life).moved == {}
    while (told := forward(every_life)).moved == {}:
        assert told.next_in is not None
        assert told.next_in > 0
        time.sleep(told.next_in)
    assert now_of(every_life) >= float(every_life.field("scheduled_for") or 0)
    assert every_life.waiting() == ["j"]


def test_a_call_moves_so_many_and_gives_each_queue_its_share(every_life: Life) -> None:
    every_life.enqueue(*(f"a{number}" for number in range(50)), due_in=3600, origin="a")
    every_life.enqueue("b0", due_in=3600, origin="b")
    every_life.enqueue("c0", due_in=3600, origin="c")
    for queue, count in (("a", 50), ("b", 1), ("c", 1)):
        key = f"rq:scheduled:{queue}"
        every_life.client.zadd(key, {f"{queue}{n}": 1 + n for n in range(count)}, xx=True)
    told = forward(every_life, limit=9)
    assert told == Forwarded({"a": 3, "b": 1, "c": 1}, 0)
    assert forward(every_life, limit=9) == Forwarded({"a": 9}, 0)
    assert forward(every_life, limit=100) == Forwarded({"a": 38}, None)
    assert every_life.waiting("a") == [f"a{number}" for number in range(50)]


def test_more_queues_than_a_call_moves_jobs_have_their_turn_later(every_life: Life) -> None:
    for number in range(6):
        every_life.enqueue(f"j{number}", due_in=3600, origin=f"q{number}")
        every_life.client.zadd(f"rq:scheduled:q{number}", {f"j{number}": 1})
    moved: dict[str, int] = {}
    for _ in range(3):
        told = forward(every_life, limit=2)
        assert len(told.moved) == 2
        moved |= told.moved
    assert (moved, told.next_in) == ({f"q{number}": 1 for number in range(6)}, None)


def test_the_schedule_counts_more_than_what_the_job_says(every_life: Life) -> None:
    """A hand, or RQ's registry, may have moved it."""
    every_life.enqueue("j", due_in=3600)
    every_life.client.zadd("rq:scheduled:q", {"j": 1})
    assert forward(every_life).moved == {"q": 1}
    assert every_life.waiting() == ["j"]


def test_the_front_of_the_queue_is_remembered(every_life: Life) -> None:
    every_life.enqueue("waits")
    new = record("j", due_in=0.01, enqueue_at_front=True)
    every_life.store.run(jobs.enqueue(every_life.keys, [new], at_front=["j"]))
    while not forward(every_life).moved:
        pass
    assert every_life.waiting() == ["j", "waits"]


def test_a_due_job_with_a_limit_waits_for_its_place(every_life: Life) -> None:
    limit: dict[str, Any] = {"rate_limit_key": "mail", "rate_limit_concurrency": 1}
    every_life.enqueue("first", **limit)
    every_life.enqueue("j", due_in=0.01, **limit)
    assert every_life.state() is State.SCHEDULED
    while not forward(every_life).moved:
        pass
    assert every_life.state() is State.RATE_LIMITED


def test_a_ttl_counts_from_the_enqueue_and_an_expired_job_leaves_the_schedule(
    every_life: Life,
) -> None:
    every_life.enqueue("j", due_in=3600, ttl=60)
    assert 50 < every_life.client.ttl("rq:job:j") <= 60
    every_life.client.delete("rq:job:j")  # it expired
    every_life.client.zadd("rq:scheduled:q", {"j": 1})
    assert forward(every_life) == Forwarded({}, None)
    assert every_life.client.zcard("rq:scheduled:q") == 0
    assert every_life.waiting() == []


def test_an_expired_jobs_children_are_told(every_life: Life) -> None:
    every_life.client.sadd("rq:job:j:dependents", "child")
    every_life.client.sadd("rq:queues", "rq:queue:q")
    every_life.client.zadd("rq:scheduled:q", {"j": 1})
    forward(every_life)
    assert every_life.client.hexists("rq:promoting", "j")


def test_a_retry_says_when_it_is_due(every_life: Life) -> None:
    job = every_life.start(retries_left=1, retry_intervals=(60,))
    every_life.settle(job, judge(Raised("boom"), job.policy))
    found = every_life.store.run(views.job(every_life.keys, "j"))
    assert found is not None
    assert found.scheduled_for == pytest.approx(due_at(every_life), abs=1e-6)


def test_a_scheduled_job_in_no_place_is_put_back_for_its_moment(every_life: Life) -> None:
    every_life.enqueue("j", due_in=3600)
    due = due_at(every_life)
    seen = every_life.store.run(reconcile.sight(every_life.keys, b"j"))
    every_life.client.delete("rq:scheduled:q")
    every_life.store.run(reconcile.reconcile(every_life.keys, [seen]))
    assert due_at(every_life) == pytest.approx(due, abs=1e-6)


def test_a_look_costs_the_same_however_many_wait(life: Life) -> None:
    def commands() -> int:
        return sum(each["calls"] for each in life.client.info("commandstats").values())

    counts = []
    for many in (1, 2000):
        ids = [f"j{many}-{number}" for number in range(many)]
        for first in range(0, many, 200):
            life.enqueue(*ids[first : first + 200], due_in=3600)
        forward(life)
        before = commands()
        forward(life)
        counts.append(commands() - before)
    assert counts[0] == counts[1] <= 6


def test_an_unusual_moment_is_taken(life: Life) -> None:
    last = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
    life.enqueue("j", scheduled_for=last.timestamp())
    told = forward(life)
    assert (told.moved, life.state()) == ({}, State.SCHEDULED)
    assert told.next_in is not None
    assert told.next_in > 1e11
