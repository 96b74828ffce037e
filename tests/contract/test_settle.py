"""Settle: a verdict is applied once, by who holds the lease, and by nobody else."""

from __future__ import annotations

import time

import pytest

from tests.support.lives import Life, settlement
from workhorse.core.outcomes import AskedRetry, Crashed, Outcome, Raised, Returned, Stopped
from workhorse.core.retry import Retry
from workhorse.core.settings import FAILURE_TTL
from workhorse.core.states import State
from workhorse.core.verdicts import Policy, judge
from workhorse.store import jobs, registries, schedule, waiting
from workhorse.store.jobs import Settled
from workhorse.wire.codec import date_from_text

ENDS: list[Outcome] = [Returned(b"42"), Raised("boom"), Stopped(), AskedRetry(Retry(2))]
VERDICTS = [judge(outcome) for outcome in ENDS]


def register(life: Life) -> None:
    life.client.hset("rq:worker:w", "birth", "now")


def counters(life: Life) -> tuple[int, int, float]:
    names = ("successful_job_count", "failed_job_count", "total_working_time")
    succeeded, failed, seconds = life.client.hmget("rq:worker:w", names)
    return int(succeeded), int(failed), float(seconds)


def expires_in(life: Life, key: str) -> int:
    seconds: int = life.client.ttl(key)
    return seconds


def test_a_success_is_kept_for_its_result_ttl(every_life: Life) -> None:
    job = every_life.start()
    assert every_life.settle(job, Returned(b"42")) is Settled.APPLIED
    assert every_life.field("result") == "42"
    assert 495 < expires_in(every_life, "rq:job:j") <= 500
    score = every_life.client.zscore("rq:finished:q", "j")
    assert score - time.time() == pytest.approx(500, abs=5)


@pytest.mark.parametrize(("of_job", "expected"), [(7, 7), (None, 500)])
def test_the_ttl_of_the_job_goes_before_the_workers(
    every_life: Life, of_job: int | None, expected: int
) -> None:
    every_life.settle(every_life.start(result_ttl=of_job), Returned(None))
    assert expires_in(every_life, "rq:job:j") == pytest.approx(expected, abs=3)


def test_a_success_with_result_ttl_0_leaves_nothing_but_a_tombstone(every_life: Life) -> None:
    job = every_life.start(retries_left=1)
    every_life.settle(job, judge(Raised("boom"), job.policy))
    job = every_life.claim_one()
    every_life.extend(job)
    every_life.settle(job, Returned(b"42"), ttl=0)
    every_life.client.delete("rq:bell:q", "rq:worker:w:claim")
    assert set(every_life.dump()) == {"rq:queues", "rq:gone:j"}
    assert 0 < expires_in(every_life, "rq:gone:j") <= 60


def test_a_success_with_result_ttl_minus_1_is_kept_for_ever(every_life: Life) -> None:
    every_life.settle(every_life.start(result_ttl=-1, result_in=""), Returned(b"42"))
    assert expires_in(every_life, "rq:job:j") == -1
    assert expires_in(every_life, "rq:results:j") == -1
    assert every_life.client.zscore("rq:finished:q", "j") == float("inf")


@pytest.mark.parametrize("outcome", [Raised("boom"), Stopped()], ids=["failed", "stopped"])
def test_a_failure_is_kept_for_a_year_with_its_results(every_life: Life, outcome: Outcome) -> None:
    """RQ keeps the results of a failed job for ever; we don't."""
    every_life.settle(every_life.start(), outcome)
    assert expires_in(every_life, "rq:job:j") == pytest.approx(FAILURE_TTL, abs=5)
    assert expires_in(every_life, "rq:results:j") == pytest.approx(FAILURE_TTL, abs=5)
    score = every_life.client.zscore("rq:failed:q", "j")
    assert score - time.time() == pytest.approx(FAILURE_TTL, abs=5)


def test_a_failure_with_a_negative_failure_ttl_is_kept_for_ever_as_rq_writes_it(
    every_life: Life,
) -> None:
    every_life.settle(every_life.start(failure_ttl=-1), Raised("boom"))
    assert expires_in(every_life, "rq:job:j") == -1
    assert every_life.client.zscore("rq:failed:q", "j") == -1
    every_life.store.run(registries.sweep(every_life.keys, ["q"]))
    assert every_life.members("rq:failed:q") == ["j"]


def test_a_failure_with_failure_ttl_0_is_gone(every_life: Life) -> None:
    every_life.settle(every_life.start(failure_ttl=0), Raised("boom"))
    every_life.client.delete("rq:bell:q", "rq:worker:w:claim", "rq:gone:j")
    assert set(every_life.dump()) == {"rq:queues"}


def test_a_retry_at_once_goes_to_the_back_of_its_queue_or_to_the_front(every_life: Life) -> None:
    every_life.enqueue("a", retries_left=1)
    every_life.enqueue("b", retries_left=1, enqueue_at_front_on_retry=True)
    every_life.enqueue("c")
    first, second = every_life.claim(2).jobs
    for job in (first, second):
        every_life.settle(job, judge(Raised("boom"), job.policy))
    assert every_life.waiting() == ["b", "c", "a"]
    assert every_life.field("retries_left", "a") == "0"


def test_a_job_that_is_tried_again_at_once_waits_since_then(every_life: Life) -> None:
    job = every_life.start(retries_left=1)
    every_life.client.hset("rq:job:j", "enqueued_at", "2001-01-01T00:00:00.000000Z")
    every_life.settle(job, judge(Raised("boom"), job.policy))
    assert every_life.state() is State.QUEUED
    assert str(every_life.field("enqueued_at")) > "2020"


def test_a_retry_later_is_scheduled(every_life: Life) -> None:
    job = every_life.start(retries_left=1, retry_intervals=(60,))
    every_life.settle(job, judge(Raised("boom"), job.policy))
    assert every_life.state() is State.SCHEDULED
    due = every_life.client.zscore("rq:scheduled:q", "j")
    assert due - time.time() == pytest.approx(60, abs=5)


def test_a_retry_that_the_job_asked_for_is_counted(every_life: Life) -> None:
    job = every_life.start()
    every_life.settle(job, judge(AskedRetry(Retry(2)), job.policy))
    assert every_life.field("number_of_retries") == "1"
    assert every_life.claim_one().policy.asked_retries == 1


def test_a_crash_counts_a_start_and_brings_the_job_back_to_the_front(every_life: Life) -> None:
    every_life.enqueue("j", "other")
    job = every_life.claim_one()
    every_life.settle(job, judge(Crashed("signal 9"), job.policy))
    assert every_life.waiting() == ["j", "other"]
    assert every_life.claim_one().policy.starts == 1


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.event.value)
def test_a_verdict_sent_twice_is_applied_once(every_life: Life, verdict: object) -> None:
    register(every_life)
    job = every_life.start()
    assert every_life.settle(job, verdict) is Settled.APPLIED  # type: ignore[arg-type]
    before = every_life.dump()
    assert every_life.settle(job, verdict) is Settled.ALREADY  # type: ignore[arg-type]
    assert every_life.dump() == before


def test_a_success_that_was_not_kept_is_answered_with_already_too(every_life: Life) -> None:
    job = every_life.start()
    assert every_life.settle(job, Returned(None), ttl=0) is Settled.APPLIED
    assert every_life.settle(job, Returned(None), ttl=0) is Settled.ALREADY


def test_the_workers_counters_are_added_once_a_batch(every_life: Life) -> None:
    register(every_life)
    every_life.enqueue(*"abc")
    outcomes: list[Outcome] = [Returned(None), Raised("boom"), Returned(None)]
    batch = [
        settlement(job, judge(outcome))
        for job, outcome in zip(every_life.claim(3).jobs, outcomes, strict=True)
    ]
    every_life.settle_many(batch)
    every_life.settle_many(batch)
    assert counters(every_life) == (2, 1, 3.0)


def test_the_counters_do_not_bring_back_a_worker_that_is_gone(every_life: Life) -> None:
    every_life.settle(every_life.start(), Returned(None))
    assert not every_life.client.exists("rq:worker:w")


def test_times_are_the_servers_whatever_the_workers_clock_says(every_life: Life) -> None:
    every_life.settle(every_life.start(), Returned(None))  # from 8 to 9, sent at 10
    seconds, micros = every_life.client.time()
    now = seconds + micros / 1e6
    began, ended = (
        date_from_text(every_life.field(f"{edge}_at")) for edge in ("started", "ended")
    )
    assert began is not None
    assert ended is not None
    assert ended.timestamp() == pytest.approx(now - 1, abs=0.5)
    assert (ended - began).total_seconds() == pytest.approx(1, abs=1e-5)


def test_a_settled_job_leaves_no_lease_and_no_execution(every_life: Life) -> None:
    job = every_life.start()
    every_life.extend(job)
    every_life.settle(job, Returned(None))
    left = {key for key in every_life.dump() if "execution" in key or "wip" in key}
    assert left == set()


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.event.value)
@pytest.mark.parametrize("lost_by", ["recover", "cancel", "delete", "release"])
def test_who_lost_the_lease_changes_nothing(
    every_life: Life, verdict: object, lost_by: str
) -> None:
    register(every_life)
    job = every_life.start()
    if lost_by == "recover":
        every_life.extend(job, lease=-1)
        every_life.recover()
    elif lost_by == "release":
        every_life.release(job)
    else:
        getattr(every_life, lost_by)()
    before = every_life.dump()
    expected = Settled.GONE if lost_by == "delete" else Settled.REFUSED
    answer = every_life.settle(job, verdict)  # type: ignore[arg-type]
    assert (answer, every_life.dump()) == (expected, before)


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.event.value)
def test_who_lost_the_lease_changes_nothing_in_the_next_execution(
    every_life: Life, verdict: object
) -> None:
    late = every_life.start()
    every_life.extend(late, lease=-1)
    every_life.recover()
    every_life.extend(every_life.claim_one(worker="w2"))
    before = every_life.dump()
    assert every_life.settle(late, verdict) is Settled.REFUSED  # type: ignore[arg-type]
    assert every_life.dump() == before


def test_a_lease_that_rq_left_when_it_canceled_and_requeued_is_no_leave_to_settle(
    every_life: Life,
) -> None:
    late = every_life.start()
    every_life.client.hset("rq:job:j", "status", "queued")
    every_life.client.rpush("rq:queue:q", "j")
    holder = every_life.claim_one(worker="w2")
    assert every_life.settle(late, Returned(b"late")) is Settled.REFUSED
    assert every_life.extend(holder) == []
    assert every_life.settle(holder, Returned(b"42"), worker="w2") is Settled.APPLIED


def test_a_refused_verdict_does_not_keep_the_others_of_its_batch_back(every_life: Life) -> None:
    every_life.enqueue(*"abc")
    batch = [settlement(job, judge(Returned(None))) for job in every_life.claim(3).jobs]
    every_life.cancel("b")
    assert every_life.settle_many(batch) == [Settled.APPLIED, Settled.REFUSED, Settled.APPLIED]


@pytest.mark.parametrize("verdict", VERDICTS[:3], ids=lambda verdict: verdict.event.value)
def test_those_who_wait_are_told_once_each(every_life: Life, verdict: object) -> None:
    job = every_life.start()
    ask = waiting.wait(every_life.keys, "j")
    assert every_life.store.run(ask) is State.STARTED
    assert every_life.store.run(ask) is State.STARTED
    every_life.settle(job, verdict)  # type: ignore[arg-type]
    assert every_life.client.llen("rq:ended:j") == 2
    assert 0 < every_life.client.ttl("rq:ended:j") <= 60
    assert every_life.field("waiters") is None


def test_those_who_wait_for_a_job_that_is_not_kept_are_told(every_life: Life) -> None:
    job = every_life.start()
    every_life.store.run(waiting.wait(every_life.keys, "j"))
    every_life.settle(job, Returned(None), ttl=0)
    assert every_life.client.llen("rq:ended:j") == 1
    assert every_life.state() is None


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_those_who_wait_are_told_of_other_ends(every_life: Life, end: str) -> None:
    every_life.start()
    every_life.store.run(waiting.wait(every_life.keys, "j"))
    getattr(every_life, end)()
    assert every_life.client.llen("rq:ended:j") == 1


@pytest.mark.parametrize("keep", [True, False], ids=["canceled", "deleted"])
def test_those_who_wait_are_told_when_the_queue_is_emptied(
    every_life: Life, *, keep: bool
) -> None:
    every_life.enqueue("j")
    every_life.store.run(waiting.wait(every_life.keys, "j"))
    every_life.store.run(jobs.empty(every_life.keys, "q", keep_jobs=keep, forget=False))
    assert every_life.client.llen("rq:ended:j") == 1


def test_those_who_wait_are_not_told_of_a_retry(every_life: Life) -> None:
    job = every_life.start(retries_left=1)
    every_life.store.run(waiting.wait(every_life.keys, "j"))
    every_life.settle(job, judge(Raised("boom"), Policy(retries_left=1)))
    assert every_life.client.llen("rq:ended:j") == 0
    every_life.settle(every_life.claim_one(), Returned(None))
    assert every_life.client.llen("rq:ended:j") == 1


def test_nothing_is_promised_to_who_waits_for_an_ended_job_or_none(every_life: Life) -> None:
    ask = waiting.wait(every_life.keys, "j")
    assert every_life.store.run(ask) is None
    every_life.settle(every_life.start(), Returned(None))
    before = every_life.dump()
    assert every_life.store.run(ask) is State.FINISHED
    assert every_life.dump() == before


def test_a_wait_that_the_job_asked_for_ends_where_its_retry_says(life: Life) -> None:
    job = life.start()
    life.enqueue("other")
    asked = AskedRetry(Retry(2, interval=10, enqueue_at_front=True))
    life.settle(job, asked)
    life.client.zadd("rq:scheduled:q", {"j": 1})  # its time has come

    life.store.run(schedule.forward(life.keys, ["q"]))

    assert life.waiting() == ["j", "other"]
