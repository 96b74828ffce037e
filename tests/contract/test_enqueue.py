"""Enqueue: once, in order, and nothing half-written."""

from __future__ import annotations

import pytest

from tests.support.lives import Life, record
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.states import ENDED, State
from workhorse.core.verdicts import judge
from workhorse.store import starting
from workhorse.store.jobs import Execution
from workhorse.wire.codec import date_from_text


def test_a_job_is_stored_queued_and_its_queue_registered(every_life: Life) -> None:
    said = every_life.enqueue("j")
    assert said.refused == [""]
    assert every_life.waiting() == ["j"]
    assert every_life.client.smembers("rq:queues") == {b"rq:queue:q"}
    assert date_from_text(every_life.field("enqueued_at")) == said.at


def test_many_keep_their_order(every_life: Life) -> None:
    every_life.enqueue(*"abcde")
    assert every_life.waiting() == list("abcde")


def test_at_front_goes_before_those_that_wait(every_life: Life) -> None:
    every_life.enqueue("a", "b")
    every_life.enqueue("c", "d", at_front=["c"])
    assert every_life.waiting() == ["c", "a", "b", "d"]


@pytest.mark.parametrize("token", ["", "t1"], ids=["id of ours", "chosen id"])
def test_a_call_sent_twice_applies_once(every_life: Life, token: str) -> None:
    every_life.enqueue("j", token=token)
    before = every_life.dump()
    assert every_life.enqueue("j", token=token).refused == [""]
    assert every_life.dump() == before


@pytest.mark.parametrize("token", ["", "t1"], ids=["id of ours", "chosen id"])
def test_a_call_sent_again_does_not_bring_back_a_job_that_ended_unkept(
    every_life: Life, token: str
) -> None:
    job = every_life.start(token=token)
    every_life.settle(job, Returned(None), ttl=0)
    every_life.enqueue("j", token=token)
    assert every_life.state() is None
    assert every_life.waiting() == []


@pytest.mark.parametrize("token", ["", "t1"], ids=["id of ours", "chosen id"])
def test_a_call_sent_again_does_not_bring_back_a_deleted_job(every_life: Life, token: str) -> None:
    every_life.enqueue("j", token=token)
    every_life.delete()
    every_life.enqueue("j", token=token)
    assert every_life.state() is None


def test_a_call_sent_again_leaves_a_job_that_ran_meanwhile(every_life: Life) -> None:
    every_life.settle(every_life.start(token="t1"), Returned(b"42"))
    assert every_life.enqueue("j", token="t1").refused == [""]
    assert every_life.state() is State.FINISHED


def test_another_call_with_the_id_of_a_deleted_job_is_a_new_job(every_life: Life) -> None:
    every_life.enqueue("j", token="t1")
    every_life.delete()
    assert every_life.enqueue("j", token="t2").refused == [""]
    assert every_life.state() is State.QUEUED


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTED, State.SCHEDULED])
def test_an_id_in_use_is_refused_with_the_state_of_its_job(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    assert every_life.enqueue("j", token="another").refused == [state]


@pytest.mark.parametrize("state", ENDED)
def test_an_ended_id_begins_anew_with_nothing_of_the_old_job(
    every_life: Life, state: State
) -> None:
    every_life.in_state(state)
    every_life.enqueue("j", token="another", description="new")
    fresh = every_life.client.hgetall("rq:job:j")
    assert set(fresh) == {
        b"status", b"data", b"origin", b"enqueued_at", b"token", b"result_in", b"description",
    }  # fmt: skip
    every_life.client.delete("rq:worker:w:claim")
    assert set(every_life.dump()) == {"rq:queues", "rq:queue:q", "rq:bell:q", "rq:job:j"}


def test_an_ended_id_leaves_the_registries_of_the_queue_it_was_on(every_life: Life) -> None:
    every_life.settle(every_life.start(), Returned(None))
    every_life.enqueue("j", origin="other", token="another")
    assert every_life.members("rq:finished:q") == []


def test_what_a_late_heartbeat_left_of_a_hash_does_not_get_into_the_new_job(
    every_life: Life,
) -> None:
    every_life.client.hset("rq:job:j", "last_heartbeat", "old")  # by RQ, after a delete
    every_life.enqueue("j", token="t")
    assert every_life.field("last_heartbeat") is None


def test_one_refused_job_does_not_keep_the_others_back(every_life: Life) -> None:
    every_life.enqueue("b", token="t1")
    assert every_life.enqueue("a", "b", "c", token="t2").refused == ["", "queued", ""]
    assert every_life.waiting() == ["b", "a", "c"]


def test_a_ttl_makes_the_hash_expire_while_it_waits_and_not_after_the_claim(
    every_life: Life,
) -> None:
    every_life.enqueue("j", ttl=100)
    assert 0 < every_life.client.ttl("rq:job:j") <= 100
    every_life.claim()
    assert every_life.client.ttl("rq:job:j") == -1


def test_the_bell_rings_once(every_life: Life) -> None:
    every_life.enqueue("a", "b")
    every_life.enqueue("c")
    assert every_life.client.llen("rq:bell:q") == 1


def test_a_queue_that_runs_its_jobs_itself_starts_them_with_a_lease(every_life: Life) -> None:
    execution = Execution("j", "e" * 32, "q")
    call = starting.start(every_life.keys, record("j"), execution, worker="w", lease=60)
    every_life.store.run(call)
    before = every_life.dump()
    every_life.store.run(call)
    assert every_life.dump() == before
    assert every_life.state() is State.STARTED
    assert every_life.members("rq:wip:q") == [f"j:{'e' * 32}"]
    assert every_life.waiting() == []


def test_a_job_that_retries_keeps_its_token(every_life: Life) -> None:
    job = every_life.start(token="t1", retries_left=1)
    every_life.settle(job, judge(Raised("boom"), job.policy))
    before = every_life.dump()
    every_life.enqueue("j", token="t1")
    assert every_life.dump() == before
