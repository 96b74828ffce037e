"""Windows in which RQ 3.0 loses a job (L), leaves it stuck (S) or runs it twice (T): none here.

The numbers are those of README.md, which names the tests of those that are not here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
import redis

from tests.support.faults import Life
from tests.support.lives import Life as Calls
from tests.support.proxy import Fault, Rule, Seen
from tests.support.waiting import wait_until
from workhorse import Job, Queue, RateLimit
from workhorse.core.settings import RECONCILE_AFTER
from workhorse.store import jobs
from workhorse.store.audit import audit
from workhorse.worker.duties.reconcile import Reconcile

LEASE = 0.5


def enqueue(life: Life, queue: Queue, name: str, **options: Any) -> Job:
    """Queue one of our functions as a program does."""
    words = (str(life.journal), "job")
    return queue.enqueue(f"tests.fault.jobs.{name}", *words, job_id="job", **options)


def scheduled(life: Life, *job_ids: str) -> None:
    """Have jobs that failed once be scheduled, an hour from now."""
    for job_id in job_ids:
        life.enqueue("fail", job_id, retries_left=1, retry_intervals=(3600,))
    life.drain()
    assert {life.state(job_id) for job_id in job_ids} == {"scheduled"}


def make_due(life: Life, *job_ids: str) -> None:
    schedule = life.keys.registry("scheduled", "q")
    assert life.client.zadd(schedule, dict.fromkeys(job_ids, 1), xx=True, ch=True) == len(job_ids)


def test_window_l1_a_claim_over_several_queues_is_not_lost_with_its_worker(life: Life) -> None:
    life.enqueue("work", "job")
    kill = Rule(Fault.LOSE_REPLY, name="claim", then=lambda call: os.kill(call.pid, 9))
    life.proxy.add(kill)
    life.drain(queues=["urgent", "q", "low"])
    assert kill.hits
    assert (life.state("job"), life.begun()["job"], life.starts("job")) == ("finished", 1, 0)
    life.assert_clean()


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.CUT_REQUEST, Fault.LOSE_REPLY])
def test_window_l5_who_dies_in_the_middle_of_a_requeue_leaves_no_job_in_between(
    life: Life, queue: Queue, fault: Fault
) -> None:
    job = enqueue(life, queue, "fail")
    life.drain()
    lost = life.proxy.add(Rule(fault, name="requeue", at=20))
    with suppress(redis.ConnectionError):
        job.requeue()
    assert lost.hits
    assert life.state("job") == ("queued" if fault is Fault.LOSE_REPLY else "failed")
    life.assert_clean()


def test_window_l6_a_requeued_job_does_not_expire_while_it_waits(life: Life, queue: Queue) -> None:
    job = enqueue(life, queue, "fail", failure_ttl=600)
    keys = (life.keys.job("job"), life.keys.results("job"))
    life.drain()
    assert all(590 < life.client.ttl(key) <= 600 for key in keys)
    job.requeue()
    assert [life.client.ttl(key) for key in keys] == [-1, -1]
    life.drain()
    assert life.begun()["job"] == 2
    assert all(590 < life.client.ttl(key) <= 600 for key in keys)
    life.assert_clean()


def test_window_l7_jobs_in_a_list_that_a_dead_compact_of_rqs_left_come_back(
    client: redis.Redis,
) -> None:
    """Ours needs no such thing: a claim drops the ids that are stale."""
    life = Calls(client)
    for job_id in ("a", "b", "c"):
        life.enqueue(job_id)
    client.rename("rq:queue:q", "rq:queue:_compact:5ca1ab1e")
    duty = Reconcile(life.store, life.keys)
    for now in (0, RECONCILE_AFTER):
        duty.run_once(now)
    assert life.waiting() == ["a", "b", "c"]
    client.delete("rq:queue:_compact:5ca1ab1e")
    assert audit(life.store, life.keys) == []


def test_window_l8_a_job_that_is_enqueued_again_while_it_waits_for_a_place_still_waits(
    life: Life, queue: Queue
) -> None:
    held, waits = (
        queue.enqueue(f"tests.fault.jobs.{name}", str(life.journal), name, job_id=name,
                      rate_limit=RateLimit("mail", 1))
        for name in ("work", "give")
    )  # fmt: skip
    again = queue.enqueue("tests.fault.jobs.fail", str(life.journal), "give", job_id="give")
    assert again.func_name == waits.func_name
    assert again.is_rate_limited
    life.drain()
    assert held.is_finished
    assert waits.return_value() == "give's value"
    life.assert_clean()


def test_window_l8_a_waiting_job_that_rq_dropped_waits_again(client: redis.Redis) -> None:
    """Our own scripts drop none whose state says that it waits."""
    life = Calls(client)
    life.enqueue("a", "b", "c", rate_limit_key="mail", rate_limit_concurrency=1)
    client.zrem("rq:rl:mail:rate_limited", "b")
    duty = Reconcile(life.store, life.keys)
    for now in (0, RECONCILE_AFTER):
        duty.run_once(now)
    life.cancel("a")
    assert life.waiting() == ["b"]
    assert audit(life.store, life.keys) == []


def test_window_s2_a_dead_machines_job_comes_back_although_every_worker_is_busy(
    life: Life,
) -> None:
    life.enqueue("wait_for", "job", str(life.folder / "never"))
    dies = life.start(lease=LEASE)
    wait_until(lambda: life.begun()["job"])
    go = life.folder / "go"
    life.enqueue("wait_for", "busy", str(go))
    life.start(lease=LEASE)
    wait_until(lambda: life.begun()["busy"])
    dies.kill_all()
    life.wait_for("job", state="queued", within=3)
    life.store.run(jobs.delete(life.keys, ["job"]))
    go.touch()
    life.wait_for("busy", state="finished")
    assert life.starts("busy") == 0
    life.assert_clean()


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_REPLY])
def test_window_s7_due_jobs_are_moved_at_once_though_whoever_moves_them_dies(
    life: Life, fault: Fault
) -> None:
    """Nobody waits for a lock: whoever looks moves what is due."""
    scheduled(life, "job")
    dies = life.start(queues=["other"])
    wait_until(lambda: "forward" in life.proxy.names())
    schedule = life.keys.registry("scheduled", "q")

    def is_due(_: Seen) -> bool:
        return bool(life.client.zscore(schedule, "job") == 1)

    kill = Rule(fault, name="forward", where=is_due, then=lambda _: dies.kill_all())
    life.proxy.add(kill)
    make_due(life, "job")
    kill.wait()
    life.start(url=f"unix://{life.server}")
    life.wait_for("job", state="failed", within=3)
    assert life.begun()["job"] == 2
    life.assert_clean()


def test_window_t5_several_that_saw_the_same_lapsed_leases_judge_each_once(life: Life) -> None:
    back, failed = [[f"{kind}{number}" for number in range(10)] for kind in ("back", "failed")]
    for job_id in back:
        life.enqueue("work", job_id)
    for job_id in failed:
        life.enqueue("work", job_id, on_lost="fail")
    claim = jobs.claim(life.keys, ["q"], worker="dead", token="t" * 24, count=20, lease=60)
    assert len(life.store.run(claim).jobs) == 20
    together = Barrier(4)

    def wait_for_the_others(_: Seen) -> None:
        together.wait(10)

    life.proxy.add(Rule(Fault.DELAY, name="lapsed", times=4, then=wait_for_the_others))
    life.let_leases_lapse()
    for _ in range(4):
        life.start(queues=["other"])
    wait_until(lambda: life.proxy.names().count("recover") >= 4)
    wait_until(lambda: life.leases() == 0)
    assert sorted(life.waiting()) == sorted(back)
    assert {life.starts(job_id) for job_id in back} == {1}
    assert {life.state(job_id) for job_id in failed} == {"failed"}
    assert {len(life.results(job_id)) for job_id in back + failed} == {1}
    life.assert_clean()


def test_window_t7_several_that_move_due_jobs_at_once_move_each_once(life: Life) -> None:
    job_ids = [f"job{number}" for number in range(20)]
    scheduled(life, *job_ids)
    for _ in range(3):
        life.start(queues=["other"])
    wait_until(lambda: len({c.pid for c in life.proxy.calls if c.name == "forward"}) >= 3)
    life.proxy.add(Rule(Fault.REPEAT, name="forward", times=10))
    make_due(life, *job_ids)
    seen = len(life.proxy.calls)
    wait_until(lambda: len({c.pid for c in life.proxy.calls[seen:] if c.name == "forward"}) >= 3)
    wait_until(lambda: len(life.waiting()) >= 20)
    assert sorted(life.waiting()) == sorted(job_ids)
    life.assert_clean()


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.REPEAT], ids=["lost", "repeated"])
@pytest.mark.parametrize("interval", [0, 3600])
def test_window_t2_a_repeat_whose_reply_is_lost_is_no_second_one(
    life: Life, fault: Fault, interval: int
) -> None:
    life.enqueue("work", "job", repeats_left=2, repeat_intervals=(interval,))
    lost = life.proxy.add(Rule(fault, name="settle", times=2))
    life.drain()
    assert lost.hits
    runs = 1 if interval else 3
    assert life.begun()["job"] == len(life.results("job")) == runs
    assert life.field("job", "repeats_left") == ("1" if interval else "0")
    life.assert_clean()


@pytest.mark.parametrize("how", ["succeeds", "fails"])
def test_window_t11_a_process_that_dies_when_its_job_has_ended_changes_nothing(
    life: Life, how: str
) -> None:
    """Its worker has the end by then, and does not ask how the process exited."""
    life.enqueue("be_killed_after_it", "job", how, retries_left=2, retry_intervals=(0,))
    life.enqueue("work", "next")
    life.drain(isolation="fork")
    assert life.begun()["job"] == (1 if how == "succeeds" else 3)
    assert life.state("job") == ("finished" if how == "succeeds" else "failed")
    assert life.starts("job") == 0
    assert "SIGKILL" not in "".join(run.error or "" for run in life.results("job"))
    assert life.state("next") == "finished"
    life.assert_clean()
