"""Leases: extended, given back, and recovered when they lapse."""

from __future__ import annotations

import time

import pytest

from tests.support.lives import Life, execution_of
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.settings import MAX_STARTS
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import recover, registries, schedule, workers
from workhorse.store.jobs import Settled
from workhorse.store.schedule import Forwarded
from workhorse.wire.codec import date_from_text


def lapse(life: Life) -> str:
    """Let a job's holder disappear, and return what became of the job."""
    life.extend(life.claim_one(), lease=-1)
    ((_, verdict),) = life.recover().verdicts
    return verdict.to


def test_an_extended_lease_lasts_from_now(every_life: Life) -> None:
    job = every_life.start()
    assert every_life.extend(job, lease=1000) == []
    lapses = every_life.client.zscore("rq:wip:q", f"j:{job.execution_id}")
    assert lapses - time.time() == pytest.approx(1000, abs=5)


def test_an_extended_execution_is_seen_by_rqs_monitors(every_life: Life) -> None:
    job = every_life.start()
    every_life.extend(job)
    member = f"j:{job.execution_id}"
    execution = every_life.client.hgetall(f"rq:execution:{member}")
    assert set(execution) == {b"id", b"job_id", b"created_at", b"last_heartbeat", b"worker_name"}
    assert float(execution[b"created_at"]) == pytest.approx(time.time(), abs=5)
    assert every_life.members("rq:executions:j") == [job.execution_id]
    assert every_life.client.smembers("rq:worker:w:executions") == {member.encode()}
    assert date_from_text(every_life.field("last_heartbeat")) is not None


def test_what_monitors_read_of_an_execution_expires_by_itself(every_life: Life) -> None:
    job = every_life.start()
    every_life.extend(job)
    keys = (
        f"rq:execution:j:{job.execution_id}", "rq:executions:j", "rq:worker:w:executions",
    )  # fmt: skip
    for key in keys:
        assert 0 < every_life.client.ttl(key) <= 120


def test_an_execution_keeps_the_time_at_which_it_was_first_seen(every_life: Life) -> None:
    job = every_life.start()
    key = f"rq:execution:j:{job.execution_id}"
    every_life.extend(job)
    first = every_life.client.hget(key, "created_at")
    every_life.extend(job)
    assert every_life.client.hget(key, "created_at") == first


@pytest.mark.parametrize("ended_by", ["settle", "cancel", "delete", "release"])
def test_who_lost_the_lease_is_told_and_brings_nothing_back(
    every_life: Life, ended_by: str
) -> None:
    job = every_life.start()
    every_life.extend(job)
    if ended_by == "settle":
        every_life.settle(job, Returned(None))
    elif ended_by == "release":
        every_life.release(job)
    else:
        getattr(every_life, ended_by)()
    before = every_life.dump()
    assert every_life.extend(job) == [execution_of(job)]
    assert every_life.dump() == before


@pytest.mark.parametrize("by_rq", ["canceled", "deleted"])
def test_a_job_that_rq_ended_under_a_running_execution_stops_it(
    every_life: Life, by_rq: str
) -> None:
    job = every_life.start()
    every_life.extend(job)
    if by_rq == "deleted":
        every_life.client.delete("rq:job:j")
    else:
        every_life.client.hset("rq:job:j", "status", "canceled")
    assert every_life.extend(job) == [execution_of(job)]
    left = {key for key in every_life.dump() if "execution" in key or "wip" in key}
    assert left == set()
    assert every_life.settle(job, Returned(None)) in {Settled.GONE, Settled.REFUSED}


def test_those_that_are_held_are_extended_beside_one_that_is_lost(every_life: Life) -> None:
    every_life.enqueue(*"abc")
    held = every_life.claim(3).jobs
    every_life.cancel("b")
    assert every_life.extend(*held) == [execution_of(held[1])]
    assert len(every_life.members("rq:wip:q")) == 2


def test_released_jobs_are_first_again_in_their_order(every_life: Life) -> None:
    every_life.enqueue(*"abcd")
    every_life.release(*every_life.claim(3).jobs)
    assert every_life.waiting() == list("abcd")
    assert every_life.members("rq:wip:q") == []
    assert every_life.field("started_at", "a") is None


def test_a_release_sent_twice_applies_once(every_life: Life) -> None:
    every_life.enqueue(*"ab")
    held = every_life.claim(2).jobs
    assert every_life.release(*held) == 2
    before = every_life.dump()
    assert every_life.release(*held) == 0
    assert every_life.dump() == before


def test_a_late_release_leaves_the_next_execution_alone(every_life: Life) -> None:
    late = every_life.start()
    every_life.release(late)
    every_life.extend(every_life.claim_one())
    before = every_life.dump()
    assert every_life.release(late) == 0
    assert every_life.dump() == before


def test_only_lapsed_leases_are_recovered(every_life: Life) -> None:
    every_life.enqueue(*"ab")
    first, second = every_life.claim(2).jobs
    every_life.extend(first, lease=-1)
    every_life.extend(second)
    recovered = every_life.recover()
    assert [job.job_id for job, _ in recovered.verdicts] == ["a"]
    assert every_life.waiting() == ["a"]
    assert every_life.state("b") is State.STARTED


def test_a_recovered_job_is_first_in_its_queue_and_its_run_is_kept(every_life: Life) -> None:
    every_life.enqueue("j", "other")
    lapse(every_life)
    assert every_life.waiting() == ["j", "other"]
    assert every_life.field("starts") == "1"
    assert every_life.client.xlen("rq:results:j") == 1


def test_a_recover_sent_twice_applies_once(every_life: Life) -> None:
    every_life.enqueue("j")
    lapse(every_life)
    before = every_life.dump()
    assert every_life.recover().verdicts == []
    assert every_life.dump() == before


def test_two_recoverers_that_saw_the_same_lapsed_lease_recover_it_once(every_life: Life) -> None:
    every_life.extend(every_life.start(), lease=-1)
    plans = [iter(recover.recover(every_life.keys, "q")) for _ in range(2)]
    seen = [every_life.client.execute_command(*next(plan).words_with_source) for plan in plans]
    applied = 0
    for plan, reply in zip(plans, seen, strict=True):
        judged = plan.send(reply)
        outcome = every_life.client.execute_command(*judged.words_with_source)
        applied += outcome == [b"applied"]
    assert applied == 1
    assert every_life.waiting() == ["j"]


def test_a_lease_that_was_extended_meanwhile_is_left_alone(every_life: Life) -> None:
    job = every_life.start()
    every_life.extend(job, lease=-1)
    plan = iter(recover.recover(every_life.keys, "q"))
    reply = every_life.client.execute_command(*next(plan).words_with_source)
    judged = plan.send(reply)
    every_life.extend(job)  # the holder is back
    before = every_life.dump()
    assert every_life.client.execute_command(*judged.words_with_source) == [b"refused"]
    assert every_life.dump() == before


def test_a_job_that_is_lost_again_and_again_is_failed(every_life: Life) -> None:
    every_life.enqueue("j")
    became = [lapse(every_life) for _ in range(MAX_STARTS)]
    assert became == [State.QUEUED] * (MAX_STARTS - 1) + [State.FAILED]
    assert every_life.members("rq:failed:q") == ["j"]


def test_a_job_that_must_not_run_twice_is_failed_when_it_is_lost(every_life: Life) -> None:
    every_life.enqueue("j", on_lost="fail")
    assert lapse(every_life) == State.FAILED


def test_losses_count_until_a_requeue(every_life: Life) -> None:
    every_life.enqueue("j", on_lost="fail")
    lapse(every_life)
    every_life.requeue()
    assert every_life.claim_one().policy.starts == 0


def test_a_lapsed_lease_of_a_deleted_job_is_removed(every_life: Life) -> None:
    job = every_life.start()
    every_life.extend(job, lease=-1)
    every_life.client.delete("rq:job:j")  # as RQ does it
    recovered = every_life.recover()
    assert (recovered.verdicts, recovered.seen) == ([], 1)
    assert every_life.members("rq:wip:q") == []
    assert every_life.state() is None


def test_a_job_that_rqs_worker_held_before_it_started_it_is_not_lost(every_life: Life) -> None:
    """Popped by BLPOP, and its worker died between its two steps."""
    every_life.enqueue("j")
    every_life.client.lpop("rq:queue:q")
    every_life.client.zadd("rq:wip:q", {f"j:{'a' * 32}": 1})
    every_life.recover()
    assert every_life.waiting() == ["j"]
    assert every_life.members("rq:wip:q") == []


def test_a_job_that_waits_in_its_queue_is_not_pushed_again_for_a_stale_lease(
    every_life: Life,
) -> None:
    every_life.enqueue("j")
    every_life.client.zadd("rq:wip:q", {f"j:{'a' * 32}": 1})
    every_life.recover()
    assert every_life.waiting() == ["j"]


def test_a_job_of_a_dead_worker_of_rqs_is_recovered(every_life: Life) -> None:
    every_life.in_state(State.CREATED)
    every_life.client.hset("rq:job:j", mapping={"status": "started", "worker_name": "rqs"})
    execution = "a" * 32
    every_life.client.zadd("rq:wip:q", {f"j:{execution}": 1})
    every_life.client.zadd("rq:executions:j", {execution: time.time() + 60})  # RQ adds a minute
    every_life.recover()
    assert every_life.waiting() == ["j"]
    assert every_life.members("rq:executions:j") == []


def test_a_stale_lease_does_not_take_the_job_from_who_holds_it_now(every_life: Life) -> None:
    """RQ canceled and requeued it under our running execution, whose worker then died."""
    stale = every_life.start()
    every_life.client.hset("rq:job:j", "status", "queued")
    every_life.client.rpush("rq:queue:q", "j")
    holder = every_life.claim_one(worker="w2")
    every_life.client.zadd("rq:wip:q", {f"j:{stale.execution_id}": 1})
    assert every_life.recover().verdicts == []
    assert every_life.waiting() == []
    assert every_life.settle(holder, Returned(None), worker="w2") is Settled.APPLIED


@pytest.mark.parametrize("member", [b"j", b"\xff:\xfe", b"a:b:c", b"", b":", b"j:"])
def test_an_odd_entry_among_the_leases_blocks_nobody(every_life: Life, member: bytes) -> None:
    """RQ before 2.0 wrote the job's id alone; others may have written anything."""
    every_life.client.zadd("rq:wip:q", {member: 1})
    every_life.recover()
    assert every_life.client.zcard("rq:wip:q") == 0
    broken = every_life.client.lrange("rq:broken:q", 0, -1)
    assert broken == [member] * member.startswith(b"\xff")


def test_a_started_job_that_old_rq_left_is_recovered(every_life: Life) -> None:
    every_life.in_state(State.CREATED)
    every_life.client.hset("rq:job:j", "status", "started")
    every_life.client.zadd("rq:wip:q", {"j": 1})
    every_life.recover()
    assert every_life.waiting() == ["j"]


def test_due_jobs_are_forwarded_in_the_order_they_became_due(every_life: Life) -> None:
    every_life.enqueue("waits")
    for due, job_id in enumerate("cab", start=1):
        every_life.client.hset(f"rq:job:{job_id}", mapping={"status": "scheduled", "data": "x"})
        every_life.client.zadd("rq:scheduled:q", {job_id: due})
    forward = schedule.forward(every_life.keys, ["q", "none"])
    assert every_life.store.run(forward) == Forwarded({"q": 3}, None)
    assert every_life.waiting() == ["waits", "c", "a", "b"]
    assert every_life.store.run(forward) == Forwarded({}, None)


def test_what_is_not_due_stays_scheduled(every_life: Life) -> None:
    job = every_life.start(retries_left=1, retry_intervals=(60,))
    every_life.settle(job, judge(Raised("boom"), job.policy))
    assert every_life.store.run(schedule.forward(every_life.keys, ["q"])).moved == {}
    assert every_life.state() is State.SCHEDULED


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"enqueue_at_front": 1}, True),
        ({"enqueue_at_front": 1, "ended_at": ""}, True),
        ({"enqueue_at_front_on_retry": 1}, False),
        ({"enqueue_at_front_on_retry": 1, "ended_at": "2026-01-01T00:00:00Z"}, True),
        ({"enqueue_at_front": 1, "ended_at": "2026-01-01T00:00:00Z"}, False),
        ({}, False),
    ],
    ids=["new", "new, of RQ", "new with Retry", "retried with Retry", "retried", "plain"],
)
def test_a_forwarded_job_goes_to_the_front_if_enqueue_or_its_retry_said_so(
    every_life: Life, fields: dict[str, str], *, first: bool
) -> None:
    every_life.enqueue("waits")
    every_life.client.hset("rq:job:j", mapping={"status": "scheduled", "data": "x", **fields})
    every_life.client.zadd("rq:scheduled:q", {"j": 1})
    every_life.store.run(schedule.forward(every_life.keys, ["q"]))
    assert every_life.waiting() == (["j", "waits"] if first else ["waits", "j"])


def test_a_forwarded_job_rings_the_bell(every_life: Life) -> None:
    every_life.in_state(State.SCHEDULED)
    every_life.client.delete("rq:bell:q")
    every_life.store.run(schedule.forward(every_life.keys, ["q"]))
    assert every_life.client.llen("rq:bell:q") == 1


def test_a_sweep_removes_expired_entries_only(every_life: Life) -> None:
    for registry in ("finished", "failed"):
        entries = {"old": 1, "new": time.time() + 100, "ever": -1}
        every_life.client.zadd(f"rq:{registry}:q", entries)
    sweep = registries.sweep(every_life.keys, ["q"])
    assert every_life.store.run(sweep) == [2]
    assert every_life.members("rq:finished:q") == every_life.members("rq:failed:q")
    assert every_life.members("rq:finished:q") == ["ever", "new"]
    assert every_life.store.run(sweep) == [0]


def test_a_recovered_run_keeps_the_time_at_which_it_began(life: Life) -> None:
    job = life.start()
    life.client.hset("rq:job:j", "started_at", "2026-01-02T03:04:05.000006Z")
    life.extend(job, lease=-1)

    life.recover()

    assert life.field("started_at") == "2026-01-02T03:04:05.000006Z"


def test_the_list_of_a_workers_executions_lasts_as_long_as_the_worker_is_shown(
    every_life: Life,
) -> None:
    every_life.extend(every_life.start(), lease=60)
    fields = ["state", "busy"]
    every_life.store.run(workers.register(every_life.keys, "w", ["q"], fields, ttl=480))
    assert every_life.client.ttl("rq:worker:w:executions") > 400
