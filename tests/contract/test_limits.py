"""Rate limits on real servers: a place is held exactly while its job is queued or started."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.support import fleet as fleets
from tests.support.fleet import Fleet
from tests.support.lives import Life
from tests.support.waiting import wait_until
from workhorse.core.dependencies import Parents
from workhorse.core.outcomes import Crashed, Raised, Returned, Stopped
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import jobs, limits, schedule
from workhorse.wire.claimed import Claimed
from workhorse.worker.duties.admit import Admit

ONE: dict[str, Any] = {"rate_limit_key": "mail", "rate_limit_concurrency": 1}
TWO: dict[str, Any] = {"rate_limit_key": "mail", "rate_limit_concurrency": 2}


def with_place(life: Life, key: str = "mail") -> list[str]:
    return life.store.run(limits.with_place(life.keys, key))


def waiting(life: Life, key: str = "mail") -> list[str]:
    return life.store.run(limits.waiting(life.keys, key))


def assert_tidy(life: Life) -> None:
    """Check that nothing is left of any limit."""
    assert [key for key in life.dump() if key.startswith("rq:rl")] == []


def bring_forward(life: Life, *job_ids: str) -> None:
    for job_id in job_ids:
        life.client.zadd("rq:scheduled:q", {job_id: 1}, xx=True)
        life.client.hset(f"rq:job:{job_id}", "scheduled_for", 1)
    life.store.run(schedule.forward(life.keys, ["q"]))


def test_as_many_jobs_as_the_limit_says_are_queued_and_the_others_wait(every_life: Life) -> None:
    told = every_life.enqueue("a", "b", "c", **TWO)
    assert told.states == [State.QUEUED, State.QUEUED, State.RATE_LIMITED]
    assert every_life.waiting() == ["a", "b"]
    assert with_place(every_life) == ["a", "b"]
    assert waiting(every_life) == ["c"]


def test_those_of_one_call_and_of_several_are_admitted_in_their_order(every_life: Life) -> None:
    names = [f"{letter}{number}" for letter in "zma" for number in (9, 1, 5)]
    for first in range(0, 9, 3):
        every_life.enqueue(*names[first : first + 3], **ONE)
    ran: list[str] = []
    while claimed := every_life.claim().jobs:
        ran.append(claimed[0].job_id)
        every_life.settle(claimed[0], Returned(b""))
    assert ran == names
    assert_tidy(every_life)


def test_who_comes_later_waits_behind_though_the_servers_clock_went_back(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "z", **ONE)
    life.client.zincrby("rq:rl:mail:rate_limited", 3600, "z")  # as if it had come in an hour
    life.enqueue("y", "x", **ONE)
    life.enqueue("w", **ONE)
    assert waiting(life) == ["z", "y", "x", "w"]


def test_many_places_at_once_are_given_in_several_calls(life: Life) -> None:
    ids = [f"j{number:04}" for number in range(1201)]
    for first in range(0, 1201, 200):
        life.enqueue(*ids[first : first + 200], **ONE)
    life.enqueue("last", **{**ONE, "rate_limit_concurrency": 2000})
    assert len(with_place(life)) == 501
    life.store.run(limits.admit_all(life.keys, "mail"))
    assert life.waiting() == [*ids, "last"]


ENDS: dict[str, Any] = {
    "succeeds": lambda life, job: life.settle(job, Returned(b"")),
    "fails": lambda life, job: life.settle(job, Raised("boom")),
    "is stopped": lambda life, job: life.settle(job, Stopped()),
    "is stopped and given back": lambda life, job: (life.stop("a"), life.release(job)),
    "is not kept": lambda life, job: life.settle(job, Returned(b""), ttl=0),
    "is canceled": lambda life, _: life.cancel("a"),
    "is deleted": lambda life, _: life.delete("a"),
    "waits for another try": lambda life, job: life.settle(job, judge(Raised("x"), job.policy)),
    "dies too often": lambda life, job: life.settle(job, judge(Crashed("x"), job.policy)),
    "lapses too often": lambda life, job: (life.extend(job, lease=-1), life.recover()),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_place_is_freed_in_the_call_that_ends_its_job(every_life: Life, how: str) -> None:
    again = {"retries_left": 1, "retry_intervals": (60,)} if "try" in how else {"max_starts": 1}
    job = every_life.start("a", **ONE, **again)
    every_life.enqueue("b", **ONE)
    ENDS[how](every_life, job)
    assert (with_place(every_life), waiting(every_life)) == (["b"], [])
    assert every_life.waiting() == ["b"]
    assert every_life.state("b") is State.QUEUED


KEEPS: dict[str, Any] = {
    "is tried again at once": lambda life, job: life.settle(job, judge(Raised("x"), job.policy)),
    "is given back": lambda life, job: life.release(job),
    "crashes": lambda life, job: life.settle(job, judge(Crashed("x"), job.policy)),
    "lapses": lambda life, job: (life.extend(job, lease=-1), life.recover()),
}


@pytest.mark.parametrize("how", KEEPS)
def test_a_job_that_goes_back_to_its_queue_keeps_its_place(every_life: Life, how: str) -> None:
    job = every_life.start("a", retries_left=1, **ONE)
    every_life.enqueue("b", **ONE)
    KEEPS[how](every_life, job)
    assert (with_place(every_life), waiting(every_life)) == (["a"], ["b"])
    assert every_life.waiting() == ["a"]


def test_a_queued_job_that_is_canceled_or_deleted_frees_its_place(every_life: Life) -> None:
    every_life.enqueue("a", "b", "c", **ONE)
    every_life.cancel("a")
    assert with_place(every_life) == ["b"]
    every_life.delete("b")
    assert with_place(every_life) == ["c"]
    assert every_life.waiting() == ["c"]


def test_a_waiting_job_that_is_canceled_or_deleted_waits_no_more(every_life: Life) -> None:
    every_life.enqueue("a", "b", "c", **ONE)
    every_life.cancel("b")
    every_life.delete("c")
    assert (with_place(every_life), waiting(every_life)) == (["a"], [])


def test_a_queue_that_is_emptied_loses_what_was_on_it_and_no_more(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", "c", "d", **TWO)
    emptied = jobs.empty(life.keys, "q", keep_jobs=False, forget=False)
    assert life.store.run(emptied) == 2
    assert (with_place(life), waiting(life), life.waiting()) == (["c", "d"], [], ["c", "d"])


def test_a_queue_that_is_forgotten_is_known_again_when_a_job_of_it_is_admitted(
    every_life: Life,
) -> None:
    life = every_life
    life.enqueue("a", **ONE)
    life.enqueue("b", origin="other", **ONE)
    life.store.run(jobs.empty(life.keys, "other", keep_jobs=True, forget=True))
    assert life.client.smembers("rq:queues") == {b"rq:queue:q"}
    life.cancel("a")
    assert life.waiting("other") == ["b"]
    assert life.client.smembers("rq:queues") == {b"rq:queue:q", b"rq:queue:other"}


def test_a_queue_onto_which_a_job_is_admitted_is_not_forgotten(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", **ONE)
    life.store.run(jobs.empty(life.keys, "q", keep_jobs=True, forget=True))
    assert life.waiting() == ["b"]
    assert life.client.smembers("rq:queues") == {b"rq:queue:q"}


def test_a_long_queue_is_emptied_in_several_calls_and_the_sweep_admits_the_rest(
    every_life: Life,
) -> None:
    life, many = every_life, [f"j{number}" for number in range(jobs.MANY)]
    life.enqueue(*many, rate_limit_key="mail", rate_limit_concurrency=jobs.MANY)
    life.enqueue("after", rate_limit_key="mail", rate_limit_concurrency=jobs.MANY)
    emptied = jobs.empty(life.keys, "q", keep_jobs=False, forget=False)
    assert life.store.run(emptied) == jobs.MANY
    Admit(life.store, life.keys).run_once(0)
    assert (with_place(life), waiting(life)) == (["after"], [])


def test_a_job_whose_time_to_wait_is_over_leaves_its_place_when_a_worker_finds_it_gone(
    every_life: Life,
) -> None:
    life = every_life
    life.enqueue("a", "b", ttl=60, **ONE)
    life.client.delete("rq:job:a")  # as its expiry does
    claim = life.claim()
    assert claim.dropped == [("q", "a", "")]
    assert [job.job_id for job in claim.jobs] == ["b"]
    assert (with_place(life), waiting(life)) == (["b"], [])


def test_it_does_when_its_queue_is_emptied_too(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", ttl=60, **ONE)
    life.client.delete("rq:job:a")
    life.store.run(jobs.empty(life.keys, "q", keep_jobs=False, forget=False))
    assert (with_place(life), life.waiting()) == (["b"], ["b"])


def test_a_waiting_job_that_expires_is_passed_over(every_life: Life) -> None:
    every_life.enqueue("a", "b", "c", **ONE)
    every_life.client.delete("rq:job:b")
    every_life.cancel("a")
    assert (with_place(every_life), waiting(every_life)) == (["c"], [])


def test_an_id_that_expired_in_its_queue_has_no_place_when_it_begins_anew(
    every_life: Life,
) -> None:
    life = every_life
    life.enqueue("a", "b", ttl=60, **ONE)
    life.client.delete("rq:job:a")
    life.enqueue("a", token="another", **ONE)
    assert (with_place(life), waiting(life)) == (["b"], ["a"])
    life.settle(life.claim_one(), Returned(b""))
    assert life.claim_one().job_id == "a"


@pytest.mark.parametrize("how", ["the next is admitted", "a sweep"])
def test_the_children_of_a_job_that_expired_while_it_waited_are_told(
    every_life: Life, how: str
) -> None:
    life = every_life
    life.enqueue("a", "b", "c", **ONE)
    life.enqueue("child", parents=Parents(("b",), on_failure="run"))
    life.client.delete("rq:job:b")
    if how == "a sweep":
        Admit(life.store, life.keys).run_once(0)
    else:
        life.cancel("a")
    assert life.client.hgetall("rq:promoting") == {b"b": b"0:gone"}


def test_a_retry_that_waits_takes_a_place_again_when_it_is_due(every_life: Life) -> None:
    life = every_life
    job = life.start("a", retries_left=1, retry_intervals=(60,), **ONE)
    life.settle(job, judge(Raised("x"), job.policy))
    assert_tidy(life)
    life.enqueue("b", **ONE)
    bring_forward(life, "a")
    assert (with_place(life), waiting(life)) == (["b"], ["a"])
    assert life.state("a") is State.RATE_LIMITED
    life.settle(life.claim_one(), Returned(b""))
    assert life.waiting() == ["a"]


def test_jobs_that_are_scheduled_or_deferred_take_a_place_when_they_are_due(
    every_life: Life,
) -> None:
    life = every_life
    life.enqueue("parent")
    life.enqueue("late", due_in=60, **ONE)
    life.enqueue("child", parents=Parents(("parent",)), **ONE)
    assert_tidy(life)
    life.settle(life.claim_one(), Returned(b""))
    assert with_place(life) == ["child"]
    bring_forward(life, "late")
    assert (with_place(life), waiting(life)) == (["child"], ["late"])
    life.settle(life.claim_one(), Returned(b""))
    assert life.waiting() == ["late"]


def test_a_requeued_job_waits_for_a_place_as_others_do(every_life: Life) -> None:
    life = every_life
    life.settle(life.start("a", **ONE), Raised("boom"))
    life.enqueue("b", **ONE)
    assert life.requeue("a") is State.FAILED
    assert (life.state("a"), with_place(life), waiting(life)) == ("rate_limited", ["b"], ["a"])
    life.cancel("b")
    assert life.waiting() == ["a"]


def test_a_requeued_job_with_a_place_goes_where_it_was_asked_to(every_life: Life) -> None:
    life = every_life
    life.settle(life.start("a", **ONE), Raised("boom"))
    life.enqueue("other")
    life.requeue("a", at_front=True)
    assert life.waiting() == ["a", "other"]


def test_at_front_is_kept_while_a_job_waits(every_life: Life) -> None:
    life = every_life
    first = life.start("a", **ONE)
    life.enqueue("b", at_front=["b"], enqueue_at_front=True, **ONE)
    life.enqueue("other")
    life.settle(first, Returned(b""))
    assert life.waiting() == ["b", "other"]


def test_the_newest_concurrency_holds_for_all(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", "c", **ONE)
    life.enqueue("d", **{**ONE, "rate_limit_concurrency": 3})
    assert (with_place(life), waiting(life)) == (["a", "b", "c"], ["d"])
    life.enqueue("e", **ONE)
    for _ in range(3):
        assert waiting(life)[0] == "d"
        life.settle(life.claim_one(), Returned(b""))
    assert (with_place(life), waiting(life)) == (["d"], ["e"])


def test_a_job_that_ran_before_does_not_bring_its_old_concurrency_back(every_life: Life) -> None:
    life = every_life
    job = life.start("a", retries_left=1, retry_intervals=(60,), **ONE)
    life.settle(job, judge(Raised("x"), job.policy))
    life.enqueue("b", "c", "d", **TWO)
    bring_forward(life, "a")
    life.requeue("a")
    life.settle(life.claim_one(), Returned(b""))
    assert (with_place(life), waiting(life)) == (["c", "d"], ["a"])


KEYS = ["mail", "x", "x:allowed", "x:allowed:", "x:rate_limited", ":", "é 🐴\n{}", "a" * 255, "*"]


def test_limits_of_any_names_keep_apart(every_life: Life) -> None:
    life = every_life
    for number, key in enumerate(KEYS):
        limit: dict[str, Any] = {"rate_limit_key": key, "rate_limit_concurrency": 1}
        life.enqueue(f"a{number}", f"b{number}", **limit)
    for number, key in enumerate(KEYS):
        assert (with_place(life, key), waiting(life, key)) == ([f"a{number}"], [f"b{number}"])
    assert life.store.run(limits.known_keys(life.keys)) == sorted(KEYS)
    while claimed := life.claim(len(KEYS)).jobs:
        for job in claimed:
            life.settle(job, Returned(b""))
    assert_tidy(life)


def test_a_limit_called_as_anothers_places_takes_none_of_them_away(every_life: Life) -> None:
    """RQ's client makes such keys: its limit ``x:allowed`` has the places of ``x`` as its own."""
    life = every_life
    life.enqueue("a", **{**ONE, "rate_limit_key": "x"})
    life.client.sadd("rq:rl-keys", "x:allowed")
    Admit(life.store, life.keys).run_once(0)
    assert with_place(life, "x") == ["a"]


def test_an_enqueue_that_is_sent_again_takes_no_second_place(every_life: Life) -> None:
    life = every_life
    for _ in range(2):
        life.enqueue("a", token="t1", **TWO)
        life.enqueue("b", "c", token="t2", **TWO)
    assert (with_place(life), waiting(life), life.waiting()) == (["a", "b"], ["c"], ["a", "b"])


def test_a_settle_that_is_sent_again_admits_once(every_life: Life) -> None:
    life = every_life
    job = life.start("a", **ONE)
    life.enqueue("b", "c", **ONE)
    life.settle(job, Returned(b""))
    life.settle(job, Returned(b""))
    assert (with_place(life), waiting(life)) == (["b"], ["c"])


# What only a sweep can see


def sweep(life: Life) -> int:
    """Have a new supervisor sweep, after the one before it ended."""
    life.client.delete("rq:turn:admit")
    return Admit(life.store, life.keys).run_once(0).done


@pytest.mark.parametrize("left", ["gone", "ended", "begun anew"])
def test_a_stale_place_is_freed_and_the_next_job_admitted(every_life: Life, left: str) -> None:
    """RQ 2 knows no limits: its workers run the jobs and leave their places."""
    life = every_life
    life.enqueue("a", "b", **ONE)
    life.client.lpop("rq:queue:q")
    if left == "gone":
        life.client.delete("rq:job:a")
    elif left == "ended":
        life.client.hset("rq:job:a", "status", "finished")
    else:
        life.client.delete("rq:job:a")
        life.enqueue("a", rate_limit_key="another", rate_limit_concurrency=1)
        life.client.lrem("rq:queue:q", 0, "a")
    assert sweep(life) == 2
    assert (with_place(life), waiting(life), life.waiting()) == (["b"], [], ["b"])
    assert sweep(life) == 0


def test_a_place_that_a_running_job_needs_is_left(every_life: Life) -> None:
    life = every_life
    life.start("a", **TWO)
    life.enqueue("b", "c", **TWO)
    before = life.dump()
    assert sweep(life) == 0
    life.client.delete("rq:turn:admit")
    assert life.dump() == before


def test_a_run_that_rq_lets_go_on_after_its_cancel_keeps_its_place(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", **ONE)
    life.client.hset("rq:job:a", "status", "canceled")
    life.client.zadd("rq:executions:a", {"theirs": 9e9})
    assert sweep(life) == 0
    life.client.delete("rq:executions:a")
    assert sweep(life) == 2
    assert with_place(life) == ["b"]


def test_entries_of_jobs_that_wait_no_more_are_removed(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", "c", "d", **ONE)
    life.client.delete("rq:job:d")
    life.client.hset("rq:job:c", "status", "canceled")
    sweep(life)
    assert waiting(life) == ["b"]


def test_many_limits_and_many_places_are_swept_page_by_page(life: Life) -> None:
    for number in range(2 * limits.LIMITS):
        life.enqueue(f"x{number}", rate_limit_key=f"k{number}", rate_limit_concurrency=1)
    ids = [f"j{number:03}" for number in range(5 * limits.PAGE)]
    life.enqueue(*ids[:200], **{**ONE, "rate_limit_concurrency": 200})
    life.enqueue(*ids[200:], **{**ONE, "rate_limit_concurrency": 200})
    for job_id in ids[:200]:
        life.client.delete(f"rq:job:{job_id}")
    for number in range(2 * limits.LIMITS):
        life.client.delete(f"rq:job:x{number}")
    duty = Admit(life.store, life.keys)
    rounds = next(number for number in itertools.count() if not duty.run_once(0).done)
    assert rounds > 1
    assert with_place(life) == ids[200:]
    assert life.store.run(limits.known_keys(life.keys)) == ["mail"]


def test_the_sweep_of_one_limit_is_complete(life: Life) -> None:
    ids = [f"j{number:03}" for number in range(3 * limits.PAGE)]
    life.enqueue(*ids, **{**ONE, "rate_limit_concurrency": len(ids)})
    life.enqueue("last", **{**ONE, "rate_limit_concurrency": 1})
    for job_id in ids:
        life.client.delete(f"rq:job:{job_id}")
    assert life.store.run(limits.admit_all(life.keys, "mail")) == 1
    assert with_place(life) == ["last"]


def test_one_supervisor_of_a_fleet_sweeps(life: Life) -> None:
    life.enqueue("a", "b", **ONE)
    life.client.delete("rq:job:a")
    first, second = Admit(life.store, life.keys), Admit(life.store, life.keys)
    assert first.run_once(0).done == 2
    life.client.delete("rq:job:b")
    assert second.run_once(0).done == 0
    assert first.run_once(0).done == 1


# Keys of another kind


def test_a_limit_with_keys_of_another_kind_is_told_once_and_stops_no_other(
    every_life: Life,
) -> None:
    life = every_life
    life.enqueue("a", "b", **ONE)
    life.enqueue("c", "d", rate_limit_key="other", rate_limit_concurrency=1)
    life.client.delete("rq:job:c", "rq:rl:mail:allowed")
    life.client.set("rq:rl:mail:allowed", "x")
    duty = Admit(life.store, life.keys)
    lines = [duty.run_once(0).lines for _ in range(3)]
    assert [len(told) for told in lines] == [1, 0, 0]
    assert "'mail'" in lines[0][0]
    assert with_place(life, "other") == ["d"]


@pytest.mark.parametrize("kind", ["allowed", "rate_limited", ""])
def test_a_job_of_such_a_limit_is_refused_before_anything_is_stored(
    every_life: Life, kind: str
) -> None:
    life = every_life
    life.client.set(f"rq:rl:mail:{kind}".removesuffix(":"), "x")
    before = life.dump()
    with pytest.raises(Exception, match="WRONGTYPE"):
        life.enqueue("a", **ONE)
    assert life.dump() == before


@pytest.mark.parametrize("kind", ["allowed", "rate_limited", ""])
def test_a_job_of_such_a_limit_ends_all_the_same(every_life: Life, kind: str) -> None:
    life = every_life
    life.enqueue("a", "b", "c", rate_limit_key="mail", rate_limit_concurrency=3)
    key = f"rq:rl:mail:{kind}".removesuffix(":")
    held = life.claim(2).jobs
    life.client.delete(key)
    life.client.set(key, "x")
    life.settle(held[0], Returned(b""))
    life.cancel("c")
    life.delete("b")
    states = [life.state(job_id) for job_id in "abc"]
    assert states == [State.FINISHED, None, State.CANCELED]
    assert life.client.exists("rq:broken:q") == 0


def test_a_waiting_job_whose_queue_is_no_list_lets_the_others_pass(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", **ONE)
    life.enqueue("b", origin="bad", **ONE)
    life.enqueue("c", **ONE)
    life.client.set("rq:queue:bad", "x")
    life.cancel("a")
    assert (with_place(life), waiting(life)) == (["c"], ["b"])
    life.client.delete("rq:queue:bad")
    life.cancel("c")
    assert (with_place(life), life.waiting("bad")) == (["b"], ["b"])


def test_the_last_that_waits_leaves_nothing_of_its_limit(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", **ONE)
    life.enqueue("b", origin="bad", **ONE)
    life.client.set("rq:queue:bad", "x")
    life.cancel("a")
    assert waiting(life) == ["b"]
    life.cancel("b")
    assert_tidy(life)


def test_a_waiting_job_that_is_no_hash_lets_the_others_pass(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", "b", "c", **ONE)
    life.client.delete("rq:job:b")
    life.client.set("rq:job:b", "x")
    life.cancel("a")
    assert (with_place(life), waiting(life)) == (["c"], [])


# All of it together


class Walk:
    """Jobs of one limit, to which anything happens; after each step the places are right."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.held: dict[str, Claimed] = {}
        self.made = 0

    def step(self, what: str, number: int) -> None:
        known = sorted(
            key.removeprefix("rq:job:") for key in self.life.dump() if key.startswith("rq:job:")
        )
        held = sorted(self.held)
        if what == "enqueue":
            self.made += 1
            self.life.enqueue(f"j{self.made:03}", **TWO, **KINDS[number % len(KINDS)])
        elif what == "claim":
            for claimed in self.life.claim(1 + number % 2).jobs:
                self.held[claimed.job_id] = claimed
        elif what in MOVES and known:
            MOVES[what](self.life, known[number % len(known)])
        elif what in RUNS and held:
            RUNS[what](self.life, self.held[held[number % len(held)]])
            if what != "lapse":  # whoever held it may still believe so
                self.held.pop(held[number % len(held)])

    def check(self) -> None:
        life, placed, waits = self.life, with_place(self.life), waiting(self.life)
        states: dict[str, State | None] = {}
        for key in life.dump():
            if key.startswith("rq:job:"):
                states[key.removeprefix("rq:job:")] = life.state(key.removeprefix("rq:job:"))
        live = {job for job, state in states.items() if state in ("queued", "started")}
        assert set(placed) == live
        assert set(waits) == {job for job, state in states.items() if state == "rate_limited"}
        assert len(placed) <= 2
        assert len(placed) == 2 or not waits


KINDS: list[dict[str, Any]] = [
    {}, {"due_in": 60}, {"retries_left": 9, "retry_intervals": (60,)}, {"retries_left": 9},
    {"repeats_left": 9}, {"repeats_left": 9, "repeat_intervals": (60,)},
]  # fmt: skip
MOVES: dict[str, Callable[[Life, str], object]] = {
    "forward": bring_forward,
    "cancel": Life.cancel,
    "delete": Life.delete,
    "requeue": Life.requeue,
}
RUNS: dict[str, Callable[[Life, Claimed], object]] = {
    "succeed": lambda life, job: life.settle(job, judge(Returned(b""), job.policy)),
    "fail": lambda life, job: life.settle(job, judge(Raised("boom"), job.policy)),
    "stop": lambda life, job: life.settle(job, judge(Stopped(), job.policy)),
    "crash": lambda life, job: life.settle(job, judge(Crashed("boom"), job.policy)),
    "release": Life.release,
    "lapse": lambda life, job: (life.extend(job, lease=-1), life.recover()),
}
STEPS = ["enqueue", "claim", *MOVES, *RUNS]


@given(some.lists(some.tuples(some.sampled_from(STEPS), some.integers(0, 9)), max_size=40))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_happens_a_place_is_held_exactly_while_its_job_needs_it(
    life: Life, steps: list[tuple[str, int]]
) -> None:
    life.client.flushall()
    walk = Walk(life)
    for what, number in [("enqueue", 0)] * 3 + steps:
        walk.step(what, number)
        walk.check()


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


def test_a_running_supervisor_frees_a_stale_place(fleet: Fleet) -> None:
    life = Life(fleet.client)
    life.enqueue("a", origin="other", **ONE)
    life.enqueue("b", origin="other", **ONE)
    life.client.delete("rq:job:a")
    fleet.start()
    wait_until(lambda: life.state("b") is State.QUEUED)
