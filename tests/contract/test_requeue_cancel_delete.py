"""What people do to jobs: requeue, cancel, delete; each once, however often it is sent."""

from __future__ import annotations

import pytest

from tests.support.lives import MADE_BY_RQ, Life
from workhorse.core.outcomes import Returned
from workhorse.core.states import ENDED, State
from workhorse.store.jobs import Settled

ALL = [state for state in State if state is not State.CREATED]


@pytest.mark.parametrize("act", ["cancel", "requeue"])
@pytest.mark.parametrize("state", ALL)
def test_a_call_sent_twice_applies_once(every_life: Life, act: str, state: State) -> None:
    every_life.in_state(state)
    assert getattr(every_life, act)() is state
    before = every_life.dump()
    getattr(every_life, act)()
    assert every_life.dump() == before


@pytest.mark.parametrize("state", ALL)
def test_delete_leaves_nothing_but_a_tombstone(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    every_life.client.sadd("rq:job:j:dependents", "child")
    every_life.client.sadd("rq:job::j:dependencies", "parent")
    assert every_life.delete() == [state]
    every_life.client.delete("rq:bell:q", "rq:worker:w:claim")
    before = every_life.dump()
    assert set(before) == {"rq:queues", "rq:gone:j"}
    assert every_life.client.ttl("rq:gone:j") > 0
    assert every_life.delete() == [None]
    assert every_life.dump() == before


def test_many_are_deleted_together(every_life: Life) -> None:
    every_life.enqueue("a", "b")
    assert every_life.delete("a", "none", "b") == [State.QUEUED, None, State.QUEUED]
    assert every_life.waiting() == []


def test_there_is_nothing_to_do_for_a_job_that_does_not_exist(every_life: Life) -> None:
    assert (every_life.cancel(), every_life.requeue()) == (None, None)
    assert every_life.dump() == {}


@pytest.mark.parametrize("state", ENDED)
def test_a_requeued_job_starts_as_if_it_were_new(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    every_life.requeue()
    assert every_life.client.ttl("rq:job:j") == -1
    for name in ("started_at", "ended_at", "execution_id", "result", "starts"):
        assert every_life.field(name) is None
    assert every_life.settle(every_life.claim_one(), Returned(b"42")) is Settled.APPLIED


def test_a_requeued_job_goes_to_the_back_or_to_the_front(every_life: Life) -> None:
    every_life.in_state(State.CANCELED, "a")
    every_life.in_state(State.CANCELED, "b")
    every_life.enqueue("waits")
    every_life.requeue("a")
    every_life.requeue("b", at_front=True)
    assert every_life.waiting() == ["b", "waits", "a"]


def test_a_requeue_registers_a_queue_that_was_forgotten(every_life: Life) -> None:
    every_life.in_state(State.CANCELED)
    every_life.client.delete("rq:queues")
    every_life.requeue()
    assert every_life.client.smembers("rq:queues") == {b"rq:queue:q"}


def test_a_job_that_rq_failed_is_requeued(every_life: Life) -> None:
    every_life.in_state(State.CREATED)
    every_life.client.hset("rq:job:j", "status", "failed")
    every_life.client.zadd("rq:failed:q", {"j": 99})
    every_life.requeue()
    assert every_life.members("rq:failed:q") == []
    assert every_life.claim_one().job_id == "j"


@pytest.mark.parametrize("state", MADE_BY_RQ)
def test_a_job_that_rq_keeps_back_is_canceled(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    assert every_life.cancel() is state
    assert every_life.members(MADE_BY_RQ[state]) == []
    assert every_life.members("rq:canceled:q") == ["j"]


def test_a_canceled_job_is_in_no_list_even_if_it_was_there_twice(every_life: Life) -> None:
    every_life.enqueue("j")
    every_life.client.rpush("rq:queue:q", "j")
    every_life.cancel()
    assert every_life.waiting() == []


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_a_running_execution_is_fenced_out(every_life: Life, act: str) -> None:
    job = every_life.start()
    every_life.extend(job)
    getattr(every_life, act)()
    left = {key for key in every_life.dump() if "execution" in key or "wip" in key}
    assert left == set()
    state = every_life.state()
    assert len(every_life.extend(job)) == 1
    assert every_life.settle(job, Returned(None)) is not Settled.APPLIED
    assert every_life.state() is state
    assert every_life.field("execution_id") is None


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_a_run_of_rqs_worker_is_fenced_out_which_the_job_does_not_name(
    every_life: Life, act: str
) -> None:
    every_life.extend(every_life.start())
    every_life.client.hdel("rq:job:j", "execution_id")
    getattr(every_life, act)()
    assert {key for key in every_life.dump() if "execution" in key or "wip" in key} == set()


def test_a_canceled_and_requeued_job_ignores_its_first_execution(every_life: Life) -> None:
    first = every_life.start()
    every_life.cancel()
    every_life.requeue()
    assert every_life.settle(first, Returned(None)) is Settled.REFUSED
    second = every_life.claim_one()
    assert every_life.settle(first, Returned(None)) is Settled.REFUSED
    assert every_life.settle(second, Returned(None)) is Settled.APPLIED


def test_a_canceled_job_outlives_the_ttl_of_its_waiting(every_life: Life) -> None:
    every_life.enqueue("j", ttl=60)
    every_life.cancel()
    assert every_life.client.ttl("rq:job:j") == -1


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_a_job_that_rqs_worker_parked_leaves_that_list(every_life: Life, act: str) -> None:
    every_life.enqueue("j")
    every_life.client.rpoplpush("rq:queue:q", "rq:queue:q:intermediate")
    getattr(every_life, act)()
    assert every_life.waiting("q:intermediate") == []
