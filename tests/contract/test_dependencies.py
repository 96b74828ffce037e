"""Jobs that wait for others, by the real scripts on each server that we support."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.lives import Life
from workhorse.core.dependencies import OnParentFailure, Parents
from workhorse.core.outcomes import Raised, Returned, Stopped
from workhorse.core.states import Event, State
from workhorse.core.verdicts import Verdict, judge
from workhorse.store import dependents, jobs, registries, schedule
from workhorse.store.audit import audit
from workhorse.store.dependents import Child
from workhorse.wire.claimed import Claimed

RULES: tuple[OnParentFailure, ...] = ("wait", "cancel", "run")


def wait_for(*ids: str, rule: OnParentFailure = "wait", **more: Any) -> dict[str, Any]:
    """Return the fields of a child of the jobs *ids*."""
    return {"parents": Parents(ids, rule, **more), "token": "t"}


def family(life: Life, rule: OnParentFailure = "wait") -> None:
    """Have the child "c" wait for the job "p", which is queued."""
    life.enqueue("p", token="p")
    life.enqueue("c", **wait_for("p", rule=rule))


def finish(life: Life, *ids: str, result: bytes = b"42", ttl: int = 500) -> None:
    """Run jobs, which must be next on the queue, and have them succeed."""
    for job_id in ids:
        job = life.claim_one()
        assert job.job_id == job_id
        life.settle(job, Returned(result), ttl=ttl)


def promote(life: Life) -> int:
    """Do all that was left for later; return how many calls that took."""
    calls = 0
    while life.store.run(dependents.promote(life.keys)):
        calls += 1
    return calls


def reconsider(life: Life, *ids: str) -> dependents.Reconsidered:
    children = [Child("q", job_id.encode()) for job_id in ids]
    return life.store.run(dependents.reconsider(life.keys, children))


def edges(life: Life) -> set[str]:
    """Return the keys that say who waits for whom."""
    found = {key.decode() for key in life.client.scan_iter(count=1000)}
    return {key for key in found if key.endswith(("dependents", "dependencies", "promoting"))}


def all_is_in_its_place(life: Life) -> bool:
    found = audit(life.store, life.keys)
    assert found == []
    return True


# Ends, as functions of a parent "p" that is queued.


def fail(life: Life) -> None:
    life.settle(life.claim_one(), Raised("boom"))


def stop(life: Life) -> None:
    life.settle(life.claim_one(), Stopped())


def cancel(life: Life) -> None:
    life.cancel("p")


def delete(life: Life) -> None:
    life.delete("p")


def expire(life: Life) -> None:
    life.client.delete("rq:job:p")
    assert life.claim().dropped == [("q", "p", "")]
    promote(life)


def empty(life: Life) -> None:
    life.store.run(jobs.empty(life.keys, "q", keep_jobs=False, forget=False))


def empty_and_keep(life: Life) -> None:
    life.store.run(jobs.empty(life.keys, "q", keep_jobs=True, forget=False))


def lose(life: Life) -> None:
    life.client.hset("rq:job:p", "on_lost", "fail")
    life.claim_one(lease=0)
    life.recover()


ENDS = [fail, stop, cancel, delete, expire, empty, empty_and_keep, lose]
End = Callable[[Life], None]


def test_a_child_waits_until_its_parent_finished(every_life: Life) -> None:
    family(every_life)
    assert every_life.state("c") is State.DEFERRED
    assert every_life.members("rq:deferred:q") == ["c"]
    assert every_life.waiting() == ["p"]
    assert all_is_in_its_place(every_life)
    finish(every_life, "p")
    assert every_life.waiting() == ["c"]
    assert edges(every_life) == set()
    finish(every_life, "c")
    assert all_is_in_its_place(every_life)


def test_a_child_of_what_is_done_or_unknown_is_queued_at_once(every_life: Life) -> None:
    every_life.enqueue("p")
    finish(every_life, "p")
    told = every_life.enqueue("c", **wait_for("p", "nobody"))
    assert told.states == [State.QUEUED]
    assert edges(every_life) == set()


def test_a_child_waits_for_all_its_parents(every_life: Life) -> None:
    every_life.enqueue("a", "b")
    every_life.enqueue("c", **wait_for("a", "b"))
    finish(every_life, "a")
    assert every_life.state("c") is State.DEFERRED
    finish(every_life, "b")
    assert every_life.waiting() == ["c"]
    assert edges(every_life) == set()


@pytest.mark.parametrize("end", ENDS)
def test_a_child_waits_on_for_a_parent_that_did_not_finish(every_life: Life, end: End) -> None:
    family(every_life)
    end(every_life)
    assert every_life.state("c") is State.DEFERRED
    assert reconsider(every_life, "c").changed == []
    assert all_is_in_its_place(every_life)


@pytest.mark.parametrize("end", ENDS)
def test_a_child_may_run_whatever_became_of_its_parent(every_life: Life, end: End) -> None:
    family(every_life, "run")
    end(every_life)
    assert every_life.waiting() == ["c"]
    assert edges(every_life) == set()


@pytest.mark.parametrize("end", ENDS)
def test_a_child_may_be_canceled_with_its_parent(every_life: Life, end: End) -> None:
    family(every_life, "cancel")
    every_life.enqueue("grandchild", **wait_for("c", rule="cancel"))
    end(every_life)
    assert every_life.state("c") is State.CANCELED
    assert every_life.state("grandchild") is State.CANCELED
    assert edges(every_life) == set()
    assert all_is_in_its_place(every_life)


@pytest.mark.parametrize("end", [fail, stop, cancel, empty_and_keep, lose])
@pytest.mark.parametrize(
    ("rule", "state"),
    [("wait", State.DEFERRED), ("cancel", State.CANCELED), ("run", State.QUEUED)],
)
def test_a_rule_holds_for_a_parent_that_had_ended_before(
    every_life: Life, end: End, rule: OnParentFailure, state: State
) -> None:
    every_life.enqueue("p")
    end(every_life)
    assert every_life.enqueue("c", **wait_for("p", rule=rule)).states == [state]
    assert every_life.state("c") is state
    assert all_is_in_its_place(every_life)


@pytest.mark.parametrize("end", [fail, stop, cancel, empty_and_keep, lose])
def test_a_parent_that_is_requeued_and_finishes_releases_its_child(
    every_life: Life, end: End
) -> None:
    family(every_life)
    end(every_life)
    every_life.requeue("p")
    finish(every_life, "p")
    assert every_life.waiting() == ["c"]


@pytest.mark.parametrize("end", [delete, expire, empty])
def test_a_parent_that_begins_anew_under_its_id_releases_its_child(
    every_life: Life, end: End
) -> None:
    family(every_life)
    end(every_life)
    every_life.enqueue("p", token="another")
    finish(every_life, "p")
    assert every_life.waiting() == ["c"]
    assert edges(every_life) == set()


@pytest.mark.parametrize("end", [delete, expire, empty])
@pytest.mark.parametrize("first", ["gone", "finished"])
def test_a_parent_that_is_gone_is_no_parent_that_finished(
    every_life: Life, end: End, first: str
) -> None:
    """In whatever order the child hears of its parents."""
    if first == "finished":
        every_life.enqueue("b")
    every_life.enqueue("p", token="p")
    if first == "gone":
        every_life.enqueue("b")
    every_life.enqueue("c", **wait_for("p", "b"))
    if first == "finished":
        finish(every_life, "b")
        end(every_life)
    elif end is empty:
        every_life.delete("p")
        finish(every_life, "b")
    else:
        end(every_life)
        if every_life.state("b") is State.STARTED:
            return  # `expire` claimed it: nothing more to see
        finish(every_life, "b")
    assert every_life.state("c") is State.DEFERRED


def test_a_parent_that_finished_and_expired_counts_as_finished(every_life: Life) -> None:
    every_life.enqueue("a", "b")
    every_life.enqueue("c", **wait_for("a", "b"))
    finish(every_life, "a")
    every_life.client.delete("rq:job:a")
    finish(every_life, "b")
    assert every_life.waiting() == ["c"]


@pytest.mark.parametrize("ttl", [0, 500, -1])
def test_it_does_not_matter_how_long_a_parent_is_kept(every_life: Life, ttl: int) -> None:
    family(every_life)
    finish(every_life, "p", ttl=ttl)
    assert every_life.waiting() == ["c"]
    assert edges(every_life) == set()


def test_a_retry_is_no_end(every_life: Life) -> None:
    every_life.enqueue("p", retries_left=1, retry_intervals=(0,))
    every_life.enqueue("c", **wait_for("p", rule="run"))
    job = every_life.claim_one()
    every_life.settle(job, judge(Raised("boom"), job.policy))
    assert every_life.state("c") is State.DEFERRED
    finish(every_life, "p")
    assert every_life.waiting() == ["c"]


def test_the_first_success_of_a_job_that_repeats_releases_its_children(every_life: Life) -> None:
    family(every_life)
    job = every_life.claim_one()
    every_life.settle(job, Verdict(Event.REPEAT, State.SCHEDULED, due_in=60))
    assert every_life.state("p") is State.SCHEDULED
    assert every_life.waiting() == ["c"]


def test_a_cancel_may_let_the_children_go_on(every_life: Life) -> None:
    family(every_life)
    every_life.store.run(jobs.cancel(every_life.keys, "p", children="run"))
    assert every_life.waiting() == ["c"]
    assert every_life.state("p") is State.CANCELED


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_a_child_that_is_taken_away_leaves_its_parents(every_life: Life, act: str) -> None:
    family(every_life)
    getattr(every_life, act)("c")
    assert edges(every_life) == set()
    finish(every_life, "p")
    assert every_life.waiting() == []
    assert all_is_in_its_place(every_life)


def test_a_canceled_child_that_is_requeued_does_not_wait_again(every_life: Life) -> None:
    family(every_life)
    every_life.cancel("c")
    every_life.requeue("c")
    assert every_life.waiting() == ["p", "c"]
    finish(every_life, "p")
    assert every_life.waiting() == ["c"]


def test_a_child_goes_to_the_front_if_it_was_told_so(every_life: Life) -> None:
    every_life.enqueue("p", "other")
    every_life.enqueue("c", **wait_for("p", at_front=True))
    finish(every_life, "p")
    assert every_life.waiting() == ["c", "other"]


def test_a_child_whose_time_is_to_come_waits_for_that_too(every_life: Life) -> None:
    every_life.enqueue("p")
    every_life.enqueue("c", due_in=60, **wait_for("p"))
    assert every_life.state("c") is State.DEFERRED
    finish(every_life, "p")
    assert every_life.state("c") is State.SCHEDULED
    every_life.client.zadd("rq:scheduled:q", {"c": 1})
    every_life.client.hset("rq:job:c", "scheduled_for", 1)
    every_life.store.run(schedule.forward(every_life.keys, ["q"]))
    assert every_life.waiting() == ["c"]


def test_a_child_with_a_limit_waits_for_its_place_then(every_life: Life) -> None:
    limit: dict[str, Any] = {"rate_limit_key": "k", "rate_limit_concurrency": 1}
    every_life.enqueue("p")
    every_life.enqueue("x", token="x", **limit)
    every_life.enqueue("c", **limit, **wait_for("p"))
    finish(every_life, "p")
    assert every_life.state("c") is State.RATE_LIMITED
    finish(every_life, "x")
    assert every_life.waiting() == ["c"]


def test_a_call_sent_again_changes_nothing(every_life: Life) -> None:
    family(every_life)
    before = every_life.dump()
    assert every_life.enqueue("c", **wait_for("p")).states == [State.DEFERRED]
    assert every_life.dump() == before
    finish(every_life, "p")
    assert every_life.enqueue("c", **wait_for("p")).refused == [""]
    assert every_life.waiting() == ["c"]


@pytest.mark.parametrize("parents", [("p",), ("x", "p"), ("g",), ("c",)])
def test_who_waits_for_it_can_t_be_waited_for(every_life: Life, parents: tuple[str, ...]) -> None:
    """A job that ended begins anew under its id, with children that wait for it."""
    every_life.enqueue("c")
    every_life.cancel("c")
    every_life.enqueue("x", token="x")
    every_life.enqueue("p", **wait_for("c"))
    every_life.enqueue("g", **wait_for("p"))
    before = every_life.dump()
    assert every_life.enqueue("c", parents=Parents(parents), token="n").refused == ["cycle"]
    assert every_life.dump() == before


def test_a_call_sent_again_is_known_though_its_parent_waits_for_the_job_by_now(
    every_life: Life,
) -> None:
    family(every_life)
    finish(every_life, "p")
    assert every_life.enqueue("p", parents=Parents(("c",)), token="new").refused == [""]
    assert every_life.enqueue("c", **wait_for("p")).states == [State.QUEUED]


def test_a_job_that_begins_anew_has_no_parents_of_before(every_life: Life) -> None:
    family(every_life)
    every_life.client.hset("rq:job:c", "status", "canceled")  # as RQ cancels it
    every_life.client.zrem("rq:deferred:q", "c")
    every_life.enqueue("c", token="new")
    assert "rq:job::c:dependencies" not in edges(every_life)
    assert every_life.waiting() == ["p", "c"]
    finish(every_life, "p")
    assert every_life.waiting() == ["c"]


# Many of them.


def children(life: Life, count: int, *ids: str, rule: OnParentFailure = "wait") -> list[str]:
    names = [f"c{number:05}" for number in range(count)]
    for at in range(0, count, jobs.MANY):
        life.enqueue(*names[at : at + jobs.MANY], **wait_for(*ids, rule=rule))
    return names


def test_ten_thousand_children_are_told_in_slices(every_life: Life) -> None:
    every_life.enqueue("p")
    names = children(every_life, 10_000, "p")
    finish(every_life, "p")
    assert 0 < len(every_life.waiting()) <= 400
    calls = promote(every_life)
    assert sorted(every_life.waiting()) == names
    assert 25 <= calls <= 80
    assert edges(every_life) == set()


def test_many_children_of_a_parent_that_is_not_kept_are_told(every_life: Life) -> None:
    every_life.enqueue("p")
    names = children(every_life, 1000, "p")
    finish(every_life, "p", ttl=0)
    promote(every_life)
    assert sorted(every_life.waiting()) == names


def test_a_thousand_parents_have_one_child(every_life: Life) -> None:
    names = [f"p{number:04}" for number in range(1000)]
    for at in range(0, 1000, jobs.MANY):
        every_life.enqueue(*names[at : at + jobs.MANY])
    every_life.enqueue("c", **wait_for(*names))
    while claimed := every_life.claim(200).jobs:
        assert every_life.state("c") is State.DEFERRED
        items = [settled(job) for job in claimed]
        assert set(every_life.settle_many(items)) == {jobs.Settled.APPLIED}
        if every_life.waiting() == ["c"]:
            break
    assert every_life.waiting() == ["c"]
    assert edges(every_life) == set()


def settled(job: Claimed) -> jobs.Settlement:
    return jobs.settlement(job, judge(Returned(None)), result_ttl=500)


def test_a_chain_of_a_thousand_runs_one_after_the_other(every_life: Life) -> None:
    every_life.enqueue("c0")
    for number in range(1, 1000):
        every_life.enqueue(f"c{number}", **wait_for(f"c{number - 1}"))
    for number in range(1000):
        assert every_life.waiting() == [f"c{number}"]
        finish(every_life, f"c{number}")
    assert edges(every_life) == set()


@pytest.mark.parametrize("rule", ["cancel", "run"])
def test_a_chain_of_a_thousand_falls_with_its_first(every_life: Life, rule: Any) -> None:
    every_life.enqueue("c0")
    for number in range(1, 1000):
        every_life.enqueue(f"c{number}", **wait_for(f"c{number - 1}", rule=rule))
    every_life.cancel("c0")
    promote(every_life)
    assert every_life.state("c1") is (State.CANCELED if rule == "cancel" else State.QUEUED)
    assert every_life.state("c999") is (State.CANCELED if rule == "cancel" else State.DEFERRED)


def test_a_diamond_runs_each_once(every_life: Life) -> None:
    every_life.enqueue("top")
    every_life.enqueue("left", "right", **wait_for("top"))
    every_life.enqueue("end", **wait_for("left", "right"))
    finish(every_life, "top")
    assert sorted(every_life.waiting()) == ["left", "right"]
    for _ in range(2):
        every_life.settle(every_life.claim_one(), Returned(None))
    assert every_life.waiting() == ["end"]
    assert edges(every_life) == set()


def test_a_wide_tree_is_canceled_in_slices(every_life: Life) -> None:
    """However wide and deep, one call looks at a bounded number of edges."""
    every_life.enqueue("p")
    for name in children(every_life, 100, "p", rule="cancel"):
        grown = [f"{name}-{number}" for number in range(20)]
        every_life.enqueue(*grown, **wait_for(name, rule="cancel"))
    every_life.cancel("p")
    before = every_life.client.zcard("rq:canceled:q")
    assert before <= 401
    promote(every_life)
    assert every_life.client.zcard("rq:canceled:q") == 2101
    assert edges(every_life) == set()


# What was never told.


def test_a_job_that_rqs_worker_was_about_to_queue_is_queued(every_life: Life) -> None:
    """Window S5: its worker died between the two steps."""
    every_life.in_state(State.READY_TO_ENQUEUE, "c")
    assert reconsider(every_life, "c").changed == ["c"]
    assert every_life.waiting() == ["c"]
    assert every_life.members("rq:ready:q") == []


def test_a_job_whose_parents_ended_untold_is_queued(every_life: Life) -> None:
    family(every_life)
    every_life.client.hset("rq:job:p", "status", "finished")
    assert reconsider(every_life, "c").changed == ["c"]
    assert every_life.waiting() == ["p", "c"]
    assert edges(every_life) == set()


@pytest.mark.parametrize("state", [State.FAILED, State.STOPPED, State.CANCELED, None])
def test_a_job_whose_parent_failed_untold_is_canceled_where_it_says_so(
    every_life: Life, state: State | None
) -> None:
    family(every_life, "cancel")
    if state is None:
        every_life.client.delete("rq:job:p")
    else:
        every_life.client.hset("rq:job:p", "status", state.value)
    assert reconsider(every_life, "c").changed == ["c"]
    assert every_life.state("c") is State.CANCELED


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTED, State.SCHEDULED, State.DEFERRED])
@pytest.mark.parametrize("rule", RULES)
def test_a_job_whose_parent_lives_is_left_alone(
    every_life: Life, state: State, rule: OnParentFailure
) -> None:
    family(every_life, rule)
    every_life.client.hset("rq:job:p", "status", state.value)
    before = every_life.dump()
    assert reconsider(every_life, "c").changed == []
    assert every_life.dump() == before


def test_a_deferred_job_that_expired_is_forgotten_and_its_children_hear_of_it(
    every_life: Life,
) -> None:
    family(every_life)
    every_life.enqueue("g", **wait_for("c", rule="run"))
    every_life.client.delete("rq:job:c")
    assert reconsider(every_life, "c").changed == ["c"]
    assert every_life.waiting() == ["p", "g"]
    assert every_life.members("rq:deferred:q") == []
    assert edges(every_life) == set()


def test_children_of_a_scheduled_job_that_expired_hear_of_it(every_life: Life) -> None:
    every_life.enqueue("p", token="p", due_in=-1, rate_limit_key="")
    every_life.enqueue("c", **wait_for("p", rule="run"))
    every_life.client.lrem("rq:queue:q", 0, "p")
    every_life.client.zadd("rq:scheduled:q", {"p": 1})
    every_life.client.delete("rq:job:p")
    every_life.store.run(schedule.forward(every_life.keys, ["q"]))
    promote(every_life)
    assert every_life.waiting() == ["c"]


def test_a_parent_that_is_just_telling_is_waited_for(every_life: Life) -> None:
    """It is not kept, so that only `promoting` knows that it finished."""
    every_life.enqueue("p")
    names = children(every_life, 500, "p", rule="cancel")
    finish(every_life, "p", ttl=0)
    last = next(name for name in reversed(names) if every_life.state(name) is State.DEFERRED)
    assert reconsider(every_life, last).changed == []
    promote(every_life)
    assert sorted(every_life.waiting()) == names


def test_a_look_is_bounded_however_many_parents_there_are(every_life: Life) -> None:
    parents = [f"p{number}" for number in range(150)]
    every_life.enqueue(*parents)
    names = children(every_life, 10, *parents)
    found = reconsider(every_life, *names)
    assert (found.looked, found.changed) == (2, [])


def as_rq_registers(life: Life, child: str, *parents: str, seen: int) -> None:
    """Store a child as RQ's `enqueue_many` does, which registers it with *seen* parents so far."""
    life.client.hset(
        f"rq:job:{child}",
        mapping={"data": b"call", "status": "deferred", "origin": "q", "last_heartbeat": "",
                 "dependency_ids": json.dumps(parents)},
    )  # fmt: skip
    life.client.zadd("rq:deferred:q", {child: 1})
    for parent in parents[:seen]:
        life.client.sadd(f"rq:job:{parent}:dependents", child)
        life.client.sadd(f"rq:job::{child}:dependencies", parent)


@pytest.mark.parametrize("seen", [0, 1, 2])
def test_a_job_that_rqs_client_is_about_to_register_is_not_taken_for_free(
    every_life: Life, seen: int
) -> None:
    every_life.enqueue("a", "b")
    as_rq_registers(every_life, "c", "a", "b", seen=seen)
    finish(every_life, "a")
    assert reconsider(every_life, "c").changed == []
    assert every_life.state("c") is State.DEFERRED
    finish(every_life, "b")
    reconsider(every_life, "c")
    assert every_life.waiting() == ["c"]


def test_a_child_of_rqs_client_is_promoted_by_its_last_parent(every_life: Life) -> None:
    """RQ registers it with those that had finished, too."""
    every_life.enqueue("a", "b")
    finish(every_life, "a")
    as_rq_registers(every_life, "c", "a", "b", seen=2)
    finish(every_life, "b")
    assert every_life.waiting() == ["c"]
    assert edges(every_life) <= {"rq:job:a:dependents"}


def test_a_success_that_repeats_is_told_to_the_end_though_the_next_run_fails(
    every_life: Life,
) -> None:
    every_life.enqueue("p")
    names = children(every_life, 500, "p")
    every_life.settle(every_life.claim_one(), Verdict(Event.REPEAT, State.QUEUED, at_front=True))
    job = every_life.claim_one()
    assert job.job_id == "p"
    every_life.settle(job, Raised("boom"))
    promote(every_life)
    assert sorted(every_life.waiting()) == names


def test_a_parent_that_was_requeued_while_it_told_its_failure_tells_its_next_end(
    every_life: Life,
) -> None:
    every_life.enqueue("p")
    names = children(every_life, 500, "p", rule="cancel")
    fail(every_life)
    every_life.requeue("p")
    canceled = every_life.client.zcard("rq:canceled:q")
    promote(every_life)
    assert every_life.client.zcard("rq:canceled:q") == canceled
    finish(every_life, "p")
    promote(every_life)
    assert len(every_life.waiting()) == len(names) - canceled


def test_what_rqs_worker_left_of_edges_goes_with_the_job(every_life: Life) -> None:
    """It releases our child and keeps its set; then one of ours runs the child."""
    every_life.enqueue("c")
    finish(every_life, "c")
    every_life.client.sadd("rq:job::c:dependencies", "p")
    every_life.client.delete("rq:job:c")
    every_life.client.zadd("rq:finished:q", {"c": 1})
    every_life.store.run(registries.sweep(every_life.keys, ["q"]))
    assert edges(every_life) == set()


# What the auditor makes of it


def test_the_auditor_finds_edges_that_nobody_owns(every_life: Life) -> None:
    every_life.client.sadd("rq:job:gone:dependents", "nobody")
    every_life.client.sadd("rq:job::gone:dependencies", "nobody")
    every_life.client.sadd("rq:promoting", "no hash")
    found = {(one.kind.value, one.key) for one in audit(every_life.store, every_life.keys)}
    assert found == {
        ("leftover", "rq:job:gone:dependents"),
        ("leftover", "rq:job::gone:dependencies"),
        ("misshapen", "rq:promoting"),
    }


def test_the_auditor_knows_what_is_left_to_tell(every_life: Life) -> None:
    every_life.enqueue("p")
    children(every_life, 500, "p")
    finish(every_life, "p", ttl=0)
    assert every_life.client.hlen("rq:promoting") == 1
    assert all_is_in_its_place(every_life)
    promote(every_life)
    assert all_is_in_its_place(every_life)
