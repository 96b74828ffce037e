"""What charts show: samples, slot by slot, of the server's time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tests.support.lives import Life
from workhorse.core.outcomes import Raised, Returned
from workhorse.store import history
from workhorse.store.history import BUDGET, BYTES, QUEUES, SPANS, Series, Span
from workhorse.worker.duties.sample import Sample

NOON = 1_800_000_000 - 1_800_000_000 % 900
"""A moment at which a slot of each span begins."""


def sample(life: Life, at: float) -> None:
    Sample(life.store, life.keys).run_once(0, at=at)


def series(life: Life, at: float, span: Span = "hour", queue: str = "", slots: int = 4) -> Series:
    return life.store.run(history.history(life.keys, span, queue, slots=slots, at=at))


def count(life: Life, event: str, many: int, queue: str = "q") -> None:
    life.client.sadd("rq:queues", f"rq:queue:{queue}")
    life.client.hset("rq:totals", f"{event}:{queue}", many)


def wait(life: Life, queue: str, many: int, since: float) -> None:
    """Have so many jobs wait, the first of them since *since*."""
    moment = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    life.client.sadd("rq:queues", f"rq:queue:{queue}")
    life.client.delete(f"rq:queue:{queue}")
    life.client.rpush(f"rq:queue:{queue}", *(f"{queue}-{number}" for number in range(many)))
    life.client.hset(f"rq:job:{queue}-0", "enqueued_at", moment)


def test_a_sample_says_what_is_where_and_how_fast_it_moves(every_life: Life) -> None:
    life = every_life
    life.client.hset("rq:worker:a", mapping={"state": "busy", "queues": "q,other"})
    life.client.hset("rq:worker:b", mapping={"state": "idle", "queues": "other"})
    life.client.sadd("rq:workers", "rq:worker:a", "rq:worker:b", "rq:worker:gone")
    life.enqueue("first")
    sample(life, NOON)
    life.enqueue("second", "third", "fourth")
    for job in life.claim(3).jobs:
        life.settle(job, Raised("boom") if job.job_id == "first" else Returned(b"42"))
    sample(life, NOON + 10)
    found = series(life, NOON + 12)
    assert found.times == [NOON - 20, NOON - 10, NOON, NOON + 10]
    assert found.queued == [None, None, 1, 1]
    assert found.enqueued == [None, None, None, 0.3]
    assert (found.succeeded[-1], found.failed[-1], found.retried[-1]) == (0.2, 0.1, 0)
    assert (found.busy[-1], found.workers[-1]) == (1, 2)
    memory = found.memory[-1]
    assert memory is not None
    assert memory > 100_000
    of_queue = series(life, NOON + 12, queue="q")
    assert of_queue.queued == found.queued
    assert (of_queue.busy[-1], of_queue.workers[-1], of_queue.memory[-1]) == (1, 1, None)


def test_the_oldest_is_of_the_queue_that_waits_longest(life: Life) -> None:
    wait(life, "quick", 2, since=NOON - 5)
    wait(life, "slow", 3, since=NOON - 60.5)
    sample(life, NOON)
    assert series(life, NOON, slots=1).oldest == [60.5]
    assert series(life, NOON, queue="quick", slots=1).oldest == [5]
    assert series(life, NOON, slots=1).queued == [5]


def test_how_long_jobs_have_waited_may_be_unknown(life: Life) -> None:
    sample(life, NOON)
    assert series(life, NOON, slots=1).oldest == [0]
    life.enqueue("j")
    life.client.delete("rq:job:j")
    sample(life, NOON + 10)
    assert series(life, NOON + 10, slots=1).oldest == [None]


def test_a_slot_is_written_once(life: Life) -> None:
    wait(life, "q", 1, since=NOON)
    sample(life, NOON + 0.1)
    wait(life, "q", 2, since=NOON)
    sample(life, NOON + 9.9)
    assert series(life, NOON + 9.9, slots=1).queued == [1]


def test_a_sample_knows_when_the_next_slot_begins(life: Life) -> None:
    duty = Sample(life.store, life.keys)
    for at in (NOON + 4, NOON + 5):  # taken, and taken already
        again_in = duty.run_once(0, at=at).again_in
        assert again_in == pytest.approx(NOON + 10 - at, abs=0.2)


def test_where_nobody_took_a_sample_there_is_a_gap(life: Life) -> None:
    for at in (0, 10, 30, 90):
        count(life, "succeed", at)
        sample(life, NOON + at)
    found = series(life, NOON + 90, slots=10)
    assert [value is None for value in found.queued] == [
        False, False, True, False, True, True, True, True, True, False,
    ]  # fmt: skip
    # Of two samples that are near each other a rate is made, of others none.
    assert found.succeeded == [None, 1, None, 1, *[None] * 6]


def test_the_slot_of_this_moment_counts_once_it_is_written(life: Life) -> None:
    sample(life, NOON)
    assert series(life, NOON + 10).times[-1] == NOON
    sample(life, NOON + 10)
    assert series(life, NOON + 10).times[-1] == NOON + 10
    assert len(series(life, NOON + 25, slots=0).times) == SPANS["hour"].many - 1


def test_counters_that_begin_anew_make_no_rate_of_that_moment(life: Life) -> None:
    for at, many in ((0, 1000), (10, 1100), (20, 50), (30, 60)):
        count(life, "succeed", many)
        sample(life, NOON + at)
    assert series(life, NOON + 30).succeeded == [None, 10, None, 1]


def test_counters_may_grow_beyond_four_bytes(life: Life) -> None:
    for at, many in ((0, 2**32 - 10), (10, 2**32 + 10)):
        count(life, "succeed", many)
        sample(life, NOON + at)
    assert series(life, NOON + 10, slots=1).succeeded == [2]


def test_a_clock_that_was_set_back_goes_on_from_there(life: Life) -> None:
    for at in (0, 10, 20, 30):
        sample(life, NOON + at)
    sample(life, NOON + 3600 + 40)
    for many, at in enumerate((100, 110)):
        wait(life, "q", 1 + many, since=NOON)
        sample(life, NOON + at)
    found = series(life, NOON + 110, slots=12)
    # What is written ahead of the time is not shown.
    assert found.queued == [0, 0, 0, 0, None, None, None, None, None, None, 1, 2]


def test_a_clock_that_leaps_ahead_leaves_a_gap(life: Life) -> None:
    sample(life, NOON)
    sample(life, NOON + 10**8)
    assert series(life, NOON + 10**8).queued == [None, None, None, 0]


def test_a_longer_span_sums_up_the_one_before(life: Life) -> None:
    for at in range(0, 70, 10):
        wait(life, "q", 1 + at // 10, since=NOON + at - (100 if at == 30 else 1))
        count(life, "succeed", at)
        sample(life, NOON + at)
    found = series(life, NOON + 60, "day", slots=2)
    assert found.times == [NOON, NOON + 60]
    assert found.queued[-1] == 5  # of 2, 3 ... 7: a record holds whole numbers
    assert found.oldest[-1] == 100
    assert found.succeeded[-1] == 1


@pytest.mark.parametrize("span", SPANS)
def test_a_ring_goes_round(life: Life, span: Span) -> None:
    step, many = SPANS[span]
    moments = [NOON + step * number for number in range(many - 3, many + 3)]
    for at in moments:
        sample(life, at)
    found = series(life, moments[-1], span, slots=0)
    assert found.times[-6:] == moments
    assert found.queued[-6:] == [0] * 6
    assert set(found.queued[:-6]) == {None}
    assert all(later - earlier == step for earlier, later in pairwise(found.times))


def test_history_takes_what_is_documented_and_no_more(life: Life) -> None:
    for number in range(QUEUES + 10):
        count(life, "enqueue", 100 + number, f"queue-{number}")
    before = int(life.client.info("memory")["used_memory"])
    for at in range(0, 3600, 300):
        sample(life, NOON + at)
    grown = int(life.client.info("memory")["used_memory"]) - before
    assert BYTES * (QUEUES + 1) == 2_640_960
    assert grown < 1.2 * BYTES * (QUEUES + 1)
    assert all(life.client.ttl(key) > 0 for key in life.client.scan_iter("rq:histor*"))


def test_the_busiest_queues_have_a_history_of_their_own(life: Life) -> None:
    for number in range(QUEUES + 5):
        count(life, "enqueue", 1000 - number, f"queue-{number}")
    sample(life, NOON)
    kept = {int(name.split(b"-")[1]) for name in life.client.zrange("rq:histories", 0, -1)}
    assert kept == set(range(QUEUES))
    # One that has jobs displaces one that is not used any more, once in a quarter of an hour.
    wait(life, f"queue-{QUEUES + 1}", 3, since=NOON)
    sample(life, NOON + 10)
    assert life.client.zscore("rq:histories", f"queue-{QUEUES + 1}") is None
    sample(life, NOON + 900)
    assert series(life, NOON + 900, queue=f"queue-{QUEUES + 1}", slots=1).queued == [3]
    assert not life.client.exists(f"rq:history:queue-{QUEUES - 1}")
    assert life.client.zcard("rq:histories") == QUEUES


def test_a_large_fleet_is_sampled_in_slices(life: Life) -> None:
    workers, queues = BUDGET + 20, 3 * BUDGET
    with life.client.pipeline() as pipe:
        for number in range(workers):
            pipe.hset(f"rq:worker:{number}", mapping={"state": "busy", "queues": f"q{number}"})
            pipe.sadd("rq:workers", f"rq:worker:{number}")
        for number in range(queues):
            pipe.sadd("rq:queues", f"rq:queue:q{number}")
            pipe.rpush(f"rq:queue:q{number}", "a", "b")
        pipe.execute()
    first = life.store.run(history.sample(life.keys, holder="first", at=NOON))
    assert first.so_far
    assert not life.store.run(history.sample(life.keys, holder="second", at=NOON)).so_far
    so_far, calls = first.so_far, 1
    while so_far:
        so_far = life.store.run(
            history.sample(life.keys, holder="first", so_far=so_far, at=NOON)
        ).so_far
        calls += 1
    found = series(life, NOON, slots=1)
    assert (found.queued, found.workers, found.busy) == ([2.0 * queues], [workers], [workers])
    assert calls <= 2 + (workers + queues) / BUDGET
    assert not life.client.exists("rq:turn:sample")


def test_a_fleet_too_large_for_one_run_is_gone_on_with(life: Life) -> None:
    life.client.sadd("rq:queues", *(f"rq:queue:q{number}" for number in range(14 * BUDGET)))
    duty = Sample(life.store, life.keys)
    soon = duty.run_once(0, at=NOON).again_in
    assert soon is not None
    assert soon < 1
    assert series(life, NOON, slots=1).queued == [None]
    duty.run_once(0, at=NOON)
    assert series(life, NOON, slots=1).queued == [0]


KEYS = ("rq:queues", "rq:workers", "rq:totals", "rq:histories", "rq:history", "rq:history:q",
        "rq:queue:q", "rq:wip:q", "rq:worker:a", "rq:turn:sample", "rq:job:j")  # fmt: skip


@pytest.mark.parametrize("kind", ["string", "set"])
def test_a_key_of_another_kind_is_no_reason_to_fail(life: Life, kind: str) -> None:
    for key in KEYS:
        life.client.flushall()
        life.client.sadd("rq:workers", "rq:worker:a", b"\xff")
        life.client.sadd("rq:queues", "rq:queue:q", b"rq:queue:\xff", "nonsense")
        life.client.rpush("rq:queue:q", "j")
        life.client.delete(key)
        if kind == "string":
            life.client.set(key, "x")
        else:
            life.client.sadd(key, "x")
        sample(life, NOON)
        sample(life, NOON + 10)
        if key not in {"rq:queues", "rq:queue:q"} and (key, kind) != ("rq:turn:sample", "string"):
            assert series(life, NOON + 10, slots=1).queued == [1], key


def test_nonsense_in_the_rings_is_no_history(life: Life) -> None:
    life.client.set("rq:history", b"\xff" * BYTES)
    assert set(series(life, NOON, slots=0).queued) == {None}
    life.client.set("rq:history", b"short")
    assert set(series(life, NOON, slots=0).queued) == {None}
    sample(life, NOON)
    assert series(life, NOON, slots=1).queued == [0]


def test_a_server_that_is_full_keeps_no_history_and_runs_on(life: Life) -> None:
    sample(life, NOON)
    life.client.config_set("maxmemory", 1)
    try:
        sample(life, NOON + 10)
        life.client.delete("rq:history")
        sample(life, NOON + 20)
        assert series(life, NOON + 20, slots=1).queued == [None]
    finally:
        life.client.config_set("maxmemory", 0)
    sample(life, NOON + 30)
    assert series(life, NOON + 30, slots=1).queued == [0]
