"""What is in no place is found and put back; what is in a place, or on its way, is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.lives import Life
from workhorse.core.settings import RECONCILE_AFTER
from workhorse.core.states import State
from workhorse.store import reconcile
from workhorse.store.audit import audit
from workhorse.store.reconcile import SEARCHED, Reconciled, Sighting
from workhorse.worker.duties.admit import Admit
from workhorse.worker.duties.reconcile import Reconcile

LONG_AGO = "2020-01-01T00:00:00.000000Z"
Act = Callable[[Life], object]


def look(life: Life, *job_ids: str) -> list[Sighting]:
    """Return what seems to be in no place, of these or of all jobs."""
    ids = [job_id.encode() for job_id in job_ids]
    if not ids:
        _, ids = life.store.run(reconcile.job_ids(life.keys, b"0"))
    before = life.dump()
    found = life.store.run(reconcile.mislaid(life.keys, ids))
    assert found.looked == len(ids)
    assert life.dump() == before
    return found.sightings


def put_back(life: Life, *sightings: Sighting) -> list[Reconciled]:
    return life.store.run(reconcile.reconcile(life.keys, sightings))


def duty(life: Life) -> Reconcile:
    return Reconcile(life.store, life.keys)


def lines_of(made: Reconcile, *times: float) -> tuple[str, ...]:
    """Return what the duty tells, run at these times."""
    return tuple(line for now in times for line in made.run_once(now).lines)


def lose_lease(life: Life, job_id: str = "j") -> None:
    for member in life.members("rq:wip:q"):
        if member.partition(":")[0] == job_id:
            life.client.zrem("rq:wip:q", member)
    life.client.delete(f"rq:executions:{job_id}")


# Putting back


def test_a_queued_job_comes_back_to_the_front(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", "c")
    life.client.lrem("rq:queue:q", 0, "b")
    (seen,) = look(life)
    life.client.delete("rq:bell:q")
    assert put_back(life, seen) == [Reconciled.APPLIED]
    assert life.waiting() == ["b", "a", "c"]
    assert life.client.llen("rq:bell:q") == 1
    assert audit(life.store, life.keys) == []


def test_a_started_job_is_judged_as_lost(every_life: Life) -> None:
    life = every_life
    life.start()
    lose_lease(life)
    (seen,) = look(life)
    assert put_back(life, seen) == [Reconciled.APPLIED]
    ((_, verdict),) = life.recover().verdicts
    assert (verdict.to, life.waiting(), life.field("starts")) == (State.QUEUED, ["j"], "1")


def test_a_worker_that_still_runs_it_keeps_its_job(every_life: Life) -> None:
    life = every_life
    job = life.start()
    lose_lease(life)
    put_back(life, *look(life))
    assert not life.extend(job)
    assert life.recover().verdicts == []


def test_a_job_that_a_person_stopped_meanwhile_does_not_start_again(every_life: Life) -> None:
    life = every_life
    life.start()
    lose_lease(life)
    assert life.stop() is State.STARTED
    put_back(life, *look(life))
    assert len(life.recover().verdicts) == 1
    assert life.state() is State.STOPPED
    assert life.waiting() == []


def test_a_scheduled_job_is_due(every_life: Life) -> None:
    life = every_life
    life.in_state(State.SCHEDULED)
    life.client.delete("rq:scheduled:q")
    (seen,) = look(life)
    assert put_back(life, seen) == [Reconciled.APPLIED]
    assert life.members("rq:scheduled:q") == ["j"]
    assert 0 < life.client.zscore("rq:scheduled:q", "j") <= life.client.time()[0] + 1


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_a_job_in_its_place_is_not_seen(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    assert look(every_life) == []


def test_a_job_that_waited_for_a_place_does_so_again_before_the_others(every_life: Life) -> None:
    life = every_life
    limit: dict[str, Any] = {"rate_limit_key": "mail", "rate_limit_concurrency": 1}
    life.enqueue("a", "b", "c", "d", **limit)
    life.client.zrem("rq:rl:mail:rate_limited", "b", "c")
    seen = look(life)
    by_id = sorted(seen, key=lambda one: one.job_id, reverse=True)
    assert put_back(life, *by_id) == [Reconciled.APPLIED] * 2
    assert put_back(life, *by_id) == [Reconciled.REFUSED] * 2
    assert life.members("rq:rl:mail:rate_limited") == ["b", "c", "d"]
    assert audit(life.store, life.keys) == []


def test_one_whose_limit_is_gone_too_gets_the_place_that_is_free(every_life: Life) -> None:
    life = every_life
    limit: dict[str, Any] = {"rate_limit_key": "mail", "rate_limit_concurrency": 1}
    life.enqueue("a", "b", **limit)
    life.delete("a")
    life.enqueue("c", **limit)
    life.client.delete(*life.client.keys("rq:rl*"))
    assert put_back(life, *look(life)) == [Reconciled.APPLIED]
    Admit(life.store, life.keys).run_once(0)
    assert "c" in life.waiting()


def test_one_that_names_no_limit_is_left_alone(every_life: Life) -> None:
    life = every_life
    life.in_state(State.RATE_LIMITED)
    life.client.delete("rq:rl:slots:rate_limited")
    life.client.hdel("rq:job:j", "rate_limit_key")
    before = life.dump()
    assert put_back(life, *look(life)) == [Reconciled.REFUSED]
    assert life.dump() == before


@pytest.mark.parametrize("state", [State.DEFERRED, State.READY_TO_ENQUEUE], ids=str)
def test_what_only_rq_can_move_is_left_alone(life: Life, state: State) -> None:
    life.in_state(state)
    life.client.delete("rq:deferred:q", "rq:ready:q")
    assert look(life) == []


MEANWHILE: dict[str, Act] = {
    "it was queued again": lambda life: life.client.rpush("rq:queue:q", "j"),
    "it was claimed": lambda life: (life.client.rpush("rq:queue:q", "j"), life.claim()),
    "it was canceled": lambda life: life.cancel(),
    "it was deleted": lambda life: life.delete(),
    "it was queued anew": lambda life: life.client.hset("rq:job:j", "enqueued_at", LONG_AGO),
    "it is another queue's": lambda life: life.client.hset("rq:job:j", "origin", "other"),
    "another execution has it": lambda life: life.client.zadd("rq:executions:j", {"e": 9e9}),
    "its lease lapsed": lambda life: life.client.zadd("rq:wip:q", {"j": 1}),
    "its hash is none": lambda life: (life.delete(), life.client.set("rq:job:j", "x")),
    "its queue is no list": lambda life: life.client.set("rq:queue:q", "x"),
}


@pytest.mark.parametrize("name", MEANWHILE, ids=lambda name: name.replace(" ", "-"))
def test_what_has_changed_is_left_alone(every_life: Life, name: str) -> None:
    life = every_life
    life.enqueue("j")
    life.client.delete("rq:queue:q")
    (seen,) = look(life)
    MEANWHILE[name](life)
    before = life.dump()
    assert put_back(life, seen)[0] in {Reconciled.REFUSED, Reconciled.FOUND}
    assert life.dump() == before


def test_it_is_put_back_once_however_often_it_was_seen(every_life: Life) -> None:
    life = every_life
    for state in (State.QUEUED, State.STARTED, State.SCHEDULED):
        life.in_state(state, job_id=state.value)
    for state in (State.QUEUED, State.STARTED, State.SCHEDULED):
        life.client.delete("rq:queue:q", "rq:wip:q", "rq:scheduled:q")
        life.client.delete(f"rq:executions:{state.value}")
    sightings = look(life)
    assert len(sightings) == 3
    assert put_back(life, *sightings, *sightings).count(Reconciled.APPLIED) == 3
    assert audit(life.store, life.keys) == []


def test_an_entry_where_its_state_does_not_belong_is_cleared(every_life: Life) -> None:
    life = every_life
    life.enqueue("j")
    life.client.delete("rq:queue:q")
    for registry in ("finished", "failed", "scheduled", "deferred", "canceled"):
        life.client.zadd(f"rq:{registry}:q", {"j": 9e9})
    put_back(life, *look(life))
    assert life.waiting() == ["j"]
    assert audit(life.store, life.keys) == []


# Looking


def test_a_long_list_is_not_searched_for_each_job(life: Life) -> None:
    ids = [f"j{number:03}" for number in range(300)]
    for job_id in ids:
        life.enqueue(job_id)
    assert look(life) == []
    life.client.lrem("rq:queue:q", 0, ids[0])
    life.client.lrem("rq:queue:q", 0, ids[150])
    assert [seen.job_id for seen in look(life, *ids)] == [ids[0].encode()]
    for _ in range(60):
        life.client.lpop("rq:queue:q")  # workers come to it
    remaining = [job_id for job_id in ids[150:] if job_id]
    assert [seen.job_id for seen in look(life, *remaining)] == []
    for _ in range(95):
        life.client.lpop("rq:queue:q")
    assert [seen.job_id for seen in look(life, ids[150])] == [ids[150].encode()]


def test_a_job_behind_newer_ones_is_found_in_its_list(life: Life) -> None:
    life.enqueue("old", "older")
    newer = [f"new{number:03}" for number in range(100)]
    for job_id in newer:
        life.enqueue(job_id, at_front=[job_id])
    sightings = look(life, "old", "older")
    assert put_back(life, *sightings) == [Reconciled.FOUND, Reconciled.FOUND]
    assert len(life.waiting()) == 102


def make_long(life: Life, queue: str, length: int) -> None:
    """Put so many ids behind the jobs of a queue."""
    for first in range(0, length, 10_000):
        life.client.rpush(f"rq:queue:{queue}", *range(first, min(first + 10_000, length)))


def test_one_call_searches_one_long_list(life: Life) -> None:
    for queue in ("q", "r", "s"):
        life.enqueue(*[f"{queue}{number}" for number in range(9)], origin=queue)
        life.client.lrem(f"rq:queue:{queue}", 0, f"{queue}5")
        life.client.hset(f"rq:job:{queue}5", "enqueued_at", "2026-01-01T00:00:00.000000Z")
        make_long(life, queue, SEARCHED * 2 // 3)
    replies = put_back(life, *look(life))
    assert sorted(replies) == ["applied", "later", "later"]


def test_the_fronts_of_few_queues_are_read_in_one_call(life: Life) -> None:
    for number in range(30):
        life.enqueue(f"j{number}", origin=f"q{number}")
    ids = [f"j{number}".encode() for number in range(30)]
    looked = []
    while ids:
        found = life.store.run(reconcile.mislaid(life.keys, ids))
        looked.append(found.looked)
        ids = ids[found.looked :]
    assert looked == [10, 10, 10]


ODD: dict[str, Act] = {
    "no state": lambda life: life.client.hdel("rq:job:j", "status"),
    "a state of an unknown kind": lambda life: life.client.hset("rq:job:j", "status", "odd"),
    "no queue": lambda life: life.client.hdel("rq:job:j", "origin"),
    "no hash": lambda life: (life.client.delete("rq:job:j"), life.client.set("rq:job:j", "x")),
    "a list that is none": lambda life: life.client.set("rq:queue:q", "x"),
    "leases that are none": lambda life: life.client.set("rq:wip:q", "x"),
    "an index that is none": lambda life: life.client.set("rq:executions:j", "x"),
    "a list of queues that is none": lambda life: life.client.set("rq:queues", "x"),
}


@pytest.mark.parametrize("name", ODD)
def test_bad_data_does_not_keep_it_from_the_others(every_life: Life, name: str) -> None:
    life = every_life
    life.enqueue("j", "other", origin="q")
    life.enqueue("good", origin="fine")
    life.client.delete("rq:queue:q", "rq:queue:fine")
    ODD[name](life)
    put_back(life, *look(life, "j", "other", "good"))
    assert life.waiting("fine") == ["good"]


def test_what_was_set_aside_is_left_there(every_life: Life) -> None:
    life = every_life
    life.enqueue("j")
    life.client.rename("rq:queue:q", "rq:broken:q")
    assert lines_of(duty(life), 0, 60) == ()
    assert life.waiting() == []


# The duty


def test_a_lost_job_is_put_back_after_a_minute(life: Life) -> None:
    life.enqueue("a", "b")
    life.client.lrem("rq:queue:q", 0, "b")
    made = duty(life)
    assert lines_of(made, 0, 1, RECONCILE_AFTER - 1) == ()
    assert lines_of(made, RECONCILE_AFTER) == ("q: queued job (b) was in no place: put back",)
    assert lines_of(made, RECONCILE_AFTER + 1, 2 * RECONCILE_AFTER + 1) == ()
    assert life.waiting() == ["b", "a"]


def test_the_minute_begins_anew_where_the_job_moved(life: Life) -> None:
    life.enqueue("j")
    life.client.delete("rq:queue:q")
    made = duty(life)
    made.run_once(0)
    life.client.hset("rq:job:j", "enqueued_at", LONG_AGO)  # tried again, and popped again
    made.run_once(30)
    assert lines_of(made, 60, 89) == ()
    assert len(lines_of(made, 90)) == 1


def test_lost_jobs_come_back_in_their_order(life: Life) -> None:
    for number in range(8):
        life.enqueue(f"j{number}")
    life.client.delete("rq:queue:q")
    lines_of(duty(life), 0, 60)
    assert life.waiting() == [f"j{number}" for number in range(8)]


def test_all_pages_are_looked_at(life: Life) -> None:
    ids = [f"j{number}" for number in range(700)]
    for first in range(0, 700, 100):
        life.enqueue(*ids[first : first + 100])
    life.client.delete("rq:queue:q")
    made = duty(life)
    told = lines_of(made, *range(12), *range(60, 90))
    assert len(told) == 700
    assert sorted(life.waiting()) == sorted(ids)


def test_jobs_of_many_queues_are_all_looked_at(life: Life) -> None:
    for number in range(25):
        life.enqueue(f"j{number}", origin=f"q{number}")
        life.client.delete(f"rq:queue:q{number}")
    made = duty(life)
    assert lines_of(made, 0, 1, 2) == ()
    assert len(lines_of(made, 62)) == 25


def test_jobs_that_only_seemed_lost_are_not_searched_for_one_by_one(life: Life) -> None:
    life.enqueue(*[f"old{number}" for number in range(20)])
    for number in range(100):
        life.enqueue(f"new{number}", at_front=[f"new{number}"])
    make_long(life, "q", SEARCHED)
    made = duty(life)
    made.run_once(0)
    life.client.config_resetstat()
    assert lines_of(made, *range(60, 70)) == ()
    searches = life.client.info("commandstats")["cmdstat_lpos"]["calls"]
    assert searches == 1


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTED, State.SCHEDULED], ids=str)
def test_a_queue_that_is_not_listed_is_listed_again(every_life: Life, state: State) -> None:
    life = every_life
    life.in_state(state)
    life.client.delete("rq:queues")
    told = lines_of(duty(life), 0)
    assert told == ("q: has jobs and was not in the list of queues: listed again",)
    assert life.client.smembers("rq:queues") == {b"rq:queue:q"}


def test_one_of_the_fleet_does_it_at_a_time(life: Life) -> None:
    life.enqueue("j")
    life.client.delete("rq:queue:q")
    first, second = duty(life), duty(life)
    assert lines_of(first, 0) == lines_of(second, 0, 60) == ()
    assert life.client.ttl("rq:turn:reconcile") > 0
    life.client.delete("rq:turn:reconcile")  # the first died
    assert lines_of(second, 61) == ()
    assert len(lines_of(second, 121)) == 1


def test_fault_68_two_maintainers_at_once_and_one_that_dies_inside(life: Life) -> None:
    life.enqueue("a", "b", "c")
    life.client.delete("rq:queue:q")
    dead, alive, third = look(life), look(life), look(life)
    put_back(life, *dead[:1])  # killed between two calls
    assert sorted(put_back(life, *alive)) == ["applied", "applied", "found"]
    assert put_back(life, *third) == [Reconciled.FOUND] * 3
    assert sorted(life.waiting()) == ["a", "b", "c"]
    assert audit(life.store, life.keys) == []


# What RQ's processes leave


def as_rq_left_it(life: Life, status: str, **fields: Any) -> None:
    """Store a job's hash as RQ 3.0 writes it."""
    base = {
        "data": b"call", "status": status, "origin": "q", "created_at": LONG_AGO,
        "enqueued_at": LONG_AGO, "started_at": "", "ended_at": "", "last_heartbeat": LONG_AGO,
        "worker_name": "", "timeout": 180, "success_callback_name": "", "meta": b"",
    }  # fmt: skip
    life.client.hset("rq:job:j", mapping=base | fields)
    life.client.sadd("rq:queues", "rq:queue:q")


def test_what_rq_popped_and_never_started_comes_back(every_life: Life) -> None:
    as_rq_left_it(every_life, "queued")
    assert len(lines_of(duty(every_life), 0, 60)) == 1
    assert every_life.waiting() == ["j"]


def test_what_rq_parked_and_never_started_comes_back(every_life: Life) -> None:
    as_rq_left_it(every_life, "queued")
    every_life.client.rpush("rq:queue:q:intermediate", "j")
    assert lines_of(duty(every_life), 0, 59) == ()
    every_life.client.delete("rq:turn:reconcile")
    assert len(lines_of(duty(every_life), 0, 60)) == 1
    assert every_life.waiting() == ["j"]
    assert every_life.waiting("q:intermediate") == []


def test_what_rq_had_leased_and_not_started_comes_back(every_life: Life) -> None:
    """First while the lease lasts, then after it lapsed, then where RQ removed it."""
    life = every_life
    as_rq_left_it(life, "queued")
    life.client.zadd("rq:wip:q", {"j:e": life.client.time()[0] + 60})
    life.client.zadd("rq:executions:j", {"e": life.client.time()[0] + 60})
    assert look(life) == []
    life.client.zadd("rq:wip:q", {"j:e": 1})
    life.client.zadd("rq:executions:j", {"e": 1})
    assert look(life) == []
    life.client.delete("rq:wip:q")
    assert len(lines_of(duty(life), 0, 60)) == 1
    assert life.waiting() == ["j"]


def test_what_an_rq_worker_ended_without_a_word_comes_back(every_life: Life) -> None:
    life = every_life
    as_rq_left_it(life, "started", worker_name="w", started_at=LONG_AGO)
    assert len(lines_of(duty(life), 0, 60)) == 1
    assert life.members("rq:wip:q") == ["j"]
    ((job, verdict),) = life.recover().verdicts
    assert (job.job_id, verdict.to) == ("j", State.QUEUED)
    assert life.waiting() == ["j"]


def test_what_an_rq_worker_runs_is_left_alone(every_life: Life) -> None:
    life = every_life
    as_rq_left_it(life, "started", worker_name="w", started_at=LONG_AGO)
    life.client.zadd("rq:wip:q", {"j:e2": life.client.time()[0] + 60})
    life.client.zadd("rq:executions:j", {"e1": 1, "e2": life.client.time()[0] + 60})
    assert look(life) == []
    life.client.delete("rq:wip:q")  # its index alone says that it lives
    assert look(life) == []


def test_what_rq_meant_to_schedule_comes_back(every_life: Life) -> None:
    as_rq_left_it(every_life, "scheduled", retries_left=1, retry_intervals=json.dumps([60]))
    assert len(lines_of(duty(every_life), 0, 60)) == 1
    assert every_life.members("rq:scheduled:q") == ["j"]
