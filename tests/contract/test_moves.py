"""A job is given to another queue: as it is, in one step, and once however often it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_failures import fail, rows
from tests.support.lives import Life
from workhorse.core.outcomes import Returned
from workhorse.core.states import State
from workhorse.store import moves
from workhorse.store import schedule as schedules
from workhorse.store.audit import audit
from workhorse.store.moves import Moved

PLACES = {
    State.SCHEDULED: "scheduled",
    State.DEFERRED: "deferred",
    State.READY_TO_ENQUEUE: "ready",
    State.FINISHED: "finished",
    State.FAILED: "failed",
    State.STOPPED: "failed",
    State.CANCELED: "canceled",
}


def move(life: Life, job_id: str = "j", to: str = "low", **options: Any) -> Moved:
    return life.store.run(moves.move(life.keys, job_id, to, **options))


@pytest.mark.parametrize("state", PLACES, ids=lambda state: state.value)
def test_a_job_of_a_registry_keeps_its_state_and_its_time(every_life: Life, state: State) -> None:
    life = every_life
    life.in_state(state)
    before = life.client.zscore(f"rq:{PLACES[state]}:q", "j")
    assert move(life) == Moved(state, is_moved=True)
    assert life.client.zscore(f"rq:{PLACES[state]}:low", "j") == before
    assert life.client.zscore(f"rq:{PLACES[state]}:q", "j") is None
    assert (life.state(), life.field("origin")) == (state, "low")
    assert life.client.sismember("rq:queues", "rq:queue:low")
    assert audit(life.store, life.keys) == []


def test_a_queued_job_goes_to_the_end_or_to_the_front(every_life: Life) -> None:
    life = every_life
    life.enqueue("old", origin="low")
    life.enqueue("a", "b", "c")
    assert move(life, "b") == move(life, "a") == Moved(State.QUEUED, is_moved=True)
    move(life, "c", at_front=True)
    assert life.waiting("low") == ["c", "old", "b", "a"]
    assert life.waiting() == []
    assert life.client.llen("rq:bell:low") == 1
    assert life.claim(1, "low").jobs[0].job_id == "c"


def test_a_queued_job_goes_to_the_front_of_its_own_queue(every_life: Life) -> None:
    every_life.in_state(State.FAILED, "f")
    every_life.enqueue("a", "b", "c")
    assert not move(every_life, "c", "q").is_moved
    for _ in range(2):
        assert move(every_life, "c", "q", at_front=True, token="t").is_moved
    assert every_life.waiting() == ["c", "a", "b"]
    assert every_life.state("c") is State.QUEUED
    assert not move(every_life, "f", "q", at_front=True).is_moved


def test_a_job_that_waits_for_a_place_comes_to_its_new_queue(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", rate_limit_key="slots", rate_limit_concurrency=1)
    assert life.state("b") is State.RATE_LIMITED
    assert move(life, "b") == Moved(State.RATE_LIMITED, is_moved=True)
    assert move(life, "a") == Moved(State.QUEUED, is_moved=True)
    (job,) = life.claim(1, "low").jobs
    life.settle(job, Returned(None))
    assert life.waiting("low") == ["b"]
    assert audit(life.store, life.keys) == []


def test_a_scheduled_job_comes_to_its_new_queue(every_life: Life) -> None:
    every_life.in_state(State.SCHEDULED)  # due already
    move(every_life)
    every_life.store.run(schedules.forward(every_life.keys))
    assert every_life.waiting("low") == ["j"]


def test_a_failed_job_stays_with_its_cause(life: Life) -> None:
    fail(life, "a")
    move(life, "a")
    assert rows(life)[0].count == 1
    life.requeue("a")
    assert (rows(life), life.waiting("low")) == ([], ["a"])


def test_a_job_that_runs_stays(every_life: Life) -> None:
    life = every_life
    held = life.start()
    assert move(life) == Moved(State.STARTED, is_moved=False)
    life.settle(held, Returned(None))
    assert life.state() is State.FINISHED


def test_a_job_is_moved_only_as_it_is_meant(life: Life) -> None:
    life.enqueue("j")
    before = life.dump()
    assert move(life, "none") == Moved(None, is_moved=False)
    assert move(life, within="other") == Moved(None, is_moved=False)
    assert move(life, states=[State.FAILED]) == Moved(None, is_moved=False)
    assert move(life, to="q") == Moved(State.QUEUED, is_moved=False)
    assert life.dump() == before
    assert move(life, within="q", states=[State.QUEUED]).is_moved


def test_a_job_that_is_not_in_its_place_stays_what_it_is(life: Life) -> None:
    life.enqueue("j")
    life.client.lrem("rq:queue:q", 0, "j")  # as an RQ worker takes it, before it starts it
    life.client.rpush("rq:queue:q:intermediate", "j")
    before = life.dump()
    assert move(life) == Moved(State.QUEUED, is_moved=False)
    life.in_state(State.FAILED, "f")
    life.client.zrem("rq:failed:q", "f")
    assert move(life, "f") == Moved(State.FAILED, is_moved=False)
    assert before["rq:job:j"] == life.dump()["rq:job:j"]


def test_a_move_that_is_sent_again_gets_the_first_answer(every_life: Life) -> None:
    life = every_life
    life.enqueue("j")
    assert move(life, token="t") == Moved(State.QUEUED, is_moved=True)
    move(life, to="q", token="u")  # somebody else's, meanwhile
    assert move(life, token="t") == Moved(State.QUEUED, is_moved=True)
    assert (life.waiting(), life.waiting("low")) == (["j"], [])


@pytest.mark.parametrize("state", [State.QUEUED, State.FAILED], ids=lambda state: state.value)
def test_keys_of_another_kind_keep_a_job_where_it_is(every_life: Life, state: State) -> None:
    life = every_life
    life.in_state(state)
    life.client.set("rq:queue:low", "damaged")
    life.client.set("rq:failed:low", "damaged")
    before = life.dump()
    assert move(life) == Moved(None, is_moved=False)
    assert life.dump() == before
