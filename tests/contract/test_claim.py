"""Claim: what a worker gets, in which order, and under which lease."""

from __future__ import annotations

import time

import pytest

from tests.support.lives import Life
from workhorse.core.callbacks import CallbackRecord
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.settings import CLAIM_BYTES
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import jobs


def ids(claim: jobs.Claim) -> list[str]:
    return [job.job_id for job in claim.jobs]


def test_the_claimed_job_is_started_and_leased_to_the_worker(every_life: Life) -> None:
    job = every_life.start()
    assert every_life.state() is State.STARTED
    assert every_life.field("worker_name") == "w"
    assert every_life.field("execution_id") == job.execution_id
    assert every_life.members("rq:wip:q") == [f"j:{job.execution_id}"]
    lapses = every_life.client.zscore("rq:wip:q", f"j:{job.execution_id}")
    assert 50 < lapses - time.time() < 70


def test_queues_are_emptied_in_the_order_given(every_life: Life) -> None:
    every_life.enqueue("l", origin="low")
    every_life.enqueue("h1", "h2", origin="high")
    claim = every_life.claim(5, "high", "low")
    assert ids(claim) == ["h1", "h2", "l"]
    assert [job.queue for job in claim.jobs] == ["high", "high", "low"]


def test_no_more_are_taken_than_asked_for(every_life: Life) -> None:
    every_life.enqueue(*"abc")
    assert ids(every_life.claim(2)) == ["a", "b"]
    assert every_life.waiting() == ["c"]


def test_the_same_claim_sent_again_returns_the_same_jobs(every_life: Life) -> None:
    every_life.enqueue(*"abc")
    first = every_life.claim(2, token="t" * 24)
    before = every_life.dump()
    assert every_life.claim(2, token="t" * 24) == first
    assert every_life.dump() == before


def test_the_same_claim_sent_again_leaves_out_what_is_no_longer_held(every_life: Life) -> None:
    every_life.enqueue(*"abcd")
    first = every_life.claim(4, token="t" * 24)
    every_life.settle(first.jobs[0], Returned(None))
    every_life.release(first.jobs[2])
    every_life.cancel("d")
    assert every_life.claim(4, token="t" * 24).jobs == [first.jobs[1]]


def test_what_an_earlier_claim_took_can_be_asked_for_without_taking_more(every_life: Life) -> None:
    every_life.enqueue(*"ab")
    first = every_life.claim(1, token="t" * 24)
    call = jobs.claimed_before(every_life.keys, worker="w", token="t" * 24)
    assert every_life.store.run(call) == first
    call = jobs.claimed_before(every_life.keys, worker="w", token="u" * 24)
    assert every_life.store.run(call).jobs == []
    assert every_life.waiting() == ["b"]


def test_ids_without_a_job_are_dropped_and_told(every_life: Life) -> None:
    every_life.client.rpush("rq:queue:q", "gone")
    every_life.enqueue("j")
    claim = every_life.claim(1)
    assert ids(claim) == ["j"]
    assert claim.dropped == [("q", "gone", "")]


def test_a_job_past_its_ttl_is_dropped(every_life: Life) -> None:
    every_life.enqueue("j", ttl=100)
    every_life.client.pexpire("rq:job:j", 1)
    time.sleep(0.005)
    assert every_life.claim().dropped == [("q", "j", "")]


def test_a_key_that_is_no_job_is_set_aside_and_harms_nobody_else(
    every_life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    every_life.enqueue("a", "b", "c")
    every_life.client.set("rq:job:b", "no hash")
    claim = every_life.claim(3)
    assert (ids(claim), claim.dropped, claim.set_aside) == (["a", "c"], [], 1)
    assert every_life.client.lrange("rq:broken:q", 0, -1) == [b"b"]
    (line,) = caplog.messages
    assert line.startswith(
        "q: job 'b' can't be handled and is set aside in rq:broken:q: WRONGTYPE"
    )


def test_what_is_set_aside_is_kept_where_something_else_was(life: Life) -> None:
    life.client.set("rq:broken:q", "no list")
    life.enqueue("j")
    life.client.set("rq:job:j", "no hash")
    assert life.claim().set_aside == 1
    assert life.client.lrange("rq:broken:q", 0, -1) == [b"j"]


@pytest.mark.parametrize("count", [1, 5])
def test_an_id_that_is_twice_on_a_queue_is_run_once(every_life: Life, count: int) -> None:
    """RQ's client can push twice."""
    every_life.enqueue("j")
    every_life.client.rpush("rq:queue:q", "j")
    first, second = every_life.claim(count), every_life.claim(count)
    assert len(first.jobs + second.jobs) == 1
    assert first.dropped + second.dropped == [("q", "j", "started")]


def test_an_id_that_is_twice_on_a_queue_is_not_run_after_its_end(every_life: Life) -> None:
    every_life.enqueue("j")
    every_life.client.rpush("rq:queue:q", "j")
    every_life.settle(every_life.claim_one(), Returned(None))
    assert every_life.claim().dropped == [("q", "j", "finished")]


def test_an_id_that_is_twice_on_a_queue_is_retried_once(every_life: Life) -> None:
    every_life.enqueue("j", retries_left=1)
    every_life.client.rpush("rq:queue:q", "j")
    job = every_life.claim_one()
    every_life.settle(job, judge(Raised("boom"), job.policy))
    assert len(every_life.claim(5).jobs) == 1


def test_a_thousand_stale_ids_are_dropped_in_one_claim_and_the_bell_calls_for_the_next(
    every_life: Life,
) -> None:
    every_life.client.rpush("rq:queue:q", *range(1500))
    assert len(every_life.claim().dropped) == 1000
    assert every_life.client.llen("rq:bell:q") == 1
    assert len(every_life.claim().dropped) == 500


def test_large_arguments_travel_one_by_one(every_life: Life) -> None:
    every_life.enqueue("a", "b", data=b"x" * CLAIM_BYTES)
    assert ids(every_life.claim(10)) == ["a"]
    assert ids(every_life.claim(10)) == ["b"]


def test_nothing_is_taken_while_work_is_suspended(every_life: Life) -> None:
    every_life.enqueue("j")
    every_life.client.set("rq:suspended", 1)
    claim = every_life.claim()
    assert (claim.jobs, claim.suspended) == ([], True)
    assert every_life.waiting() == ["j"]


def test_who_leaves_jobs_behind_rings_for_the_next(every_life: Life) -> None:
    every_life.enqueue(*"ab")
    every_life.client.delete("rq:bell:q")
    every_life.claim()
    assert every_life.client.llen("rq:bell:q") == 1


def test_who_takes_the_last_does_not_ring(every_life: Life) -> None:
    every_life.enqueue("a")
    every_life.client.delete("rq:bell:q")
    every_life.claim()
    assert every_life.client.llen("rq:bell:q") == 0


@pytest.mark.parametrize(("timeout", "lasts"), [(None, 240), (10, 70), (1000, 1060), (-1, 86_400)])
def test_a_lease_for_the_whole_run_lasts_beyond_the_time_limit(
    every_life: Life, timeout: int | None, lasts: int
) -> None:
    every_life.enqueue("j", timeout=timeout)
    job = every_life.claim_one(whole_run=True)
    lapses = every_life.client.zscore("rq:wip:q", f"j:{job.execution_id}")
    assert lapses - time.time() == pytest.approx(lasts, abs=5)


def test_executions_of_one_claim_have_different_ids(every_life: Life) -> None:
    every_life.enqueue(*"abc")
    assert len({job.execution_id for job in every_life.claim(3).jobs}) == 3


def test_a_claim_carries_what_running_and_judging_need(every_life: Life) -> None:
    every_life.enqueue(
        "j", description="d", timeout=5, result_ttl=6, failure_ttl=7, retries_left=2,
        retry_intervals=(1, 2), enqueue_at_front_on_retry=True, on_lost="fail",
    )  # fmt: skip
    job = every_life.claim_one()
    assert (job.data, job.description, job.timeout) == (b"call", "d", 5)
    assert (job.result_ttl, job.failure_ttl, job.result_in) == (6, 7, "hash")
    policy = job.policy
    assert (policy.retries_left, policy.retry_intervals, policy.retry_at_front) == (
        2,
        (1, 2),
        True,
    )
    assert policy.on_lost == "fail"


def test_bad_fields_of_a_job_do_not_stop_a_claim(every_life: Life) -> None:
    every_life.enqueue("j")
    bad = {"timeout": "x", "retries_left": "y", "retry_intervals": "z", "starts": "?"}
    every_life.client.hset("rq:job:j", mapping=bad)
    job = every_life.claim_one()
    assert (job.timeout, job.policy.retries_left, job.policy.retry_intervals) == (None, None, ())


def test_the_memory_of_a_claim_expires(every_life: Life) -> None:
    every_life.start()
    assert 0 < every_life.client.ttl("rq:worker:w:claim") <= 120


def test_a_claim_tells_what_more_there_is_to_a_job_of_rqs_client(every_life: Life) -> None:
    every_life.enqueue("j", "plain", result_in="")
    options = {"success_callback_name": "", "repeats_left": "2", "failure_callback_name": "a.b"}
    every_life.client.hset("rq:job:j", mapping=options)

    first, second = every_life.claim(2).jobs

    assert first.extras is not None
    assert (first.extras.repeats_left, first.extras.success_callback) == (2, None)
    assert first.extras.failure_callback == CallbackRecord("a.b", 60)
    assert second.extras is None


def test_of_our_own_jobs_only_those_that_say_so_have_more_to_them(every_life: Life) -> None:
    every_life.enqueue("j", "plain")
    for job_id in ("j", "plain"):
        every_life.client.hset(f"rq:job:{job_id}", "repeats_left", 1)
    every_life.client.hset("rq:job:j", "extras", 1)

    first, second = every_life.claim(2).jobs

    assert first.extras is not None
    assert first.extras.repeats_left == 1
    assert second.extras is None


def test_a_claim_sent_again_and_a_recovery_see_what_more_there_is(every_life: Life) -> None:
    every_life.enqueue("j")
    every_life.client.hset("rq:job:j", mapping={"extras": 1, "repeats_left": 3})
    (first,) = every_life.claim(token="t" * 24).jobs
    (again,) = every_life.claim(token="t" * 24).jobs
    assert first == again
    every_life.extend(first, lease=-1)
    ((job, _),) = every_life.recover().verdicts
    assert job.extras == first.extras
    assert first.extras is not None
    assert first.extras.repeats_left == 3
