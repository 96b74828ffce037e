"""Windows in which RQ 3.0 fails a job wrongly (F), brings one back (R), forgets what it saved (M),
kills too much (K) or changes what it was to show (P): none here.

The numbers are those of README.md, which names the tests of those that are not here.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
import redis

from tests.support.faults import Life, Started, children_of, is_running
from tests.support.lives import Life as Calls
from tests.support.proxy import Fault, Rule, Seen
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import Group, Job, Queue, Retry, SimpleWorker, Worker
from workhorse.cli.main import run as command_line
from workhorse.core.settings import RECONCILE_AFTER
from workhorse.core.states import State
from workhorse.store import jobs, workers
from workhorse.wire.commands import Kind, encode_command
from workhorse.wire.entries import ResultType
from workhorse.worker.duties.duty import Duty
from workhorse.worker.duties.forward import Forward
from workhorse.worker.duties.reconcile import Reconcile
from workhorse.worker.duties.recover import Recover
from workhorse.worker.duties.sweep import Sweep

ISOLATIONS = ("inline", "fork")
LEASE = 0.5
FOREVER = {"retries_left": 99, "retry_intervals": (0,)}
"""Of a job that would be tried again for any reason."""

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)


def enqueue(life: Life, queue: Queue, name: str, **options: Any) -> Job:
    """Queue one of our functions as a program does."""
    words = (str(life.journal), "job", *options.pop("words", ()))
    return queue.enqueue(f"tests.fault.jobs.{name}", *words, job_id="job", **options)


# F: failed although it succeeded


@pytest.mark.parametrize(
    "error", ["ERR boom", "OOM no memory", "WRONGTYPE no such", "READONLY no"]
)
def test_window_f1_a_job_whose_end_the_server_refuses_at_first_has_finished(
    life: Life, error: str
) -> None:
    life.enqueue("give", "job", **FOREVER)
    refused = life.proxy.add(Rule(Fault.REFUSE, name="settle", error=error))
    life.drain()
    assert refused.hits
    assert (life.state("job"), life.value("job")) == ("finished", "job's value")
    assert life.begun()["job"] == 1
    life.assert_clean()


def test_window_f2_a_job_that_is_retried_all_the_time_is_never_taken_for_a_stuck_one(
    life: Life,
) -> None:
    """Whoever mends looks again and again, and takes a minute to have passed each time."""
    life.enqueue("fail", "job", retries_left=79, retry_intervals=(0,))
    mends: list[Duty] = [
        Reconcile(life.store, life.keys),
        Recover(life.store, life.keys),
        Sweep(life.store, life.keys),
        Forward(life.store, life.keys),
    ]
    life.start()
    now = 0.0
    while life.state("job") != "failed":
        now += RECONCILE_AFTER
        life.client.delete(f"{life.prefix}:turn:reconcile")  # whosever it is
        assert [line for duty in mends for line in duty.run_once(now).lines] == []
    assert (life.begun()["job"], life.starts("job")) == (80, 0)
    assert life.field("job", "retries_left") == "0"
    life.assert_clean()


def test_window_f3_no_key_is_outside_of_the_prefix(life: Life) -> None:
    life.enqueue("give", "value")
    life.enqueue("fail", "flaky", retries_left=1, retry_intervals=(0,))
    life.enqueue("save", "meta")
    go = life.folder / "go"
    life.enqueue("wait_for", "shown", str(go))
    life.start(2, lease=LEASE)
    wait_until(lambda: life.client.exists(f"{life.prefix}:executions:shown"))
    ours = f"{life.prefix}:".encode()
    assert [key for key in life.client.scan_iter() if not key.startswith(ours)] == []
    go.touch()
    life.wait_for("value", "flaky", "meta", "shown")
    wait_until(lambda: life.leases() == 0)
    life.assert_clean()


def test_window_f4_a_job_without_a_limit_in_a_worker_that_can_not_extend_its_lease_keeps_it(
    life: Life, queue: Queue
) -> None:
    """Another supervisor recovers what has lapsed, and finds nothing."""
    go = life.folder / "go"
    enqueue(life, queue, "wait_for", words=(str(go),), job_timeout=-1)
    worker = Thread(target=lambda: SimpleWorker([queue]).work(burst=True))
    worker.start()
    try:
        wait_until(lambda: life.begun()["job"])
        (lapses,) = [score for _, score in life.client.zrange(
            life.keys.lease("q"), 0, -1, withscores=True
        )]  # fmt: skip
        life.start(lease=LEASE, queues=["other"])
        wait_until(lambda: life.proxy.names().count("lapsed") >= 3)
    finally:
        go.touch()
        worker.join(10)
    assert 86_000 < lapses - time.time() <= 86_400
    assert (life.state("job"), life.starts("job")) == ("finished", 0)
    assert life.begun()["job"] == 1
    life.assert_clean()


# R: brought back by its own late end


def take_away(life: Life, act: str) -> Callable[[Seen], None]:
    """Return what cancels or deletes the job, at the moment of a fault."""

    def then(_: Seen) -> None:
        if act == "cancel":
            life.store.run(jobs.cancel(life.keys, "job"))
        else:
            life.store.run(jobs.delete(life.keys, ["job"]))

    return then


@both_isolations
@pytest.mark.parametrize("result_ttl", [None, 0])
def test_window_r1_a_job_that_is_deleted_while_it_ends_stays_deleted(
    life: Life, isolation: str, result_ttl: int | None
) -> None:
    life.enqueue("give", "job", result_ttl=result_ttl)
    race = Rule(Fault.LOSE_REQUEST, name="settle", then=take_away(life, "delete"))
    life.proxy.add(race)
    life.drain(isolation=isolation)
    assert race.hits
    assert not life.client.exists(life.keys.job("job"), life.keys.results("job"))
    life.assert_clean()


@both_isolations
def test_window_r2_a_job_that_is_canceled_while_it_ends_stays_canceled(
    life: Life, isolation: str
) -> None:
    life.enqueue("give", "job")
    race = Rule(Fault.LOSE_REQUEST, name="settle", then=take_away(life, "cancel"))
    life.proxy.add(race)
    life.drain(isolation=isolation)
    assert race.hits
    assert (life.state("job"), life.value("job")) == ("canceled", None)
    life.assert_clean()


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_window_r3_a_job_that_is_taken_away_while_it_becomes_due_is_not_run(
    life: Life, act: str
) -> None:
    life.enqueue("fail", "job", retries_left=1, retry_intervals=(3600,))
    life.start()
    life.wait_for("job", state="scheduled")
    schedule = life.keys.registry("scheduled", "q")

    def is_due(_: Seen) -> bool:
        return bool(life.client.zscore(schedule, "job") == 1)

    race = Rule(Fault.LOSE_REQUEST, name="forward", where=is_due, then=take_away(life, act))
    life.proxy.add(race)
    life.client.zadd(schedule, {"job": 1})
    race.wait()
    seen = life.proxy.names().count("forward")
    wait_until(lambda: life.proxy.names().count("forward") > seen)
    life.enqueue("work", "next")
    life.wait_for("next", state="finished")
    assert life.state("job") == ("canceled" if act == "cancel" else None)
    assert life.begun()["job"] == 1
    life.assert_clean()


# M: what was saved is lost


@both_isolations
def test_window_m1_what_a_job_saved_before_it_was_killed_is_there_in_its_next_run(
    life: Life, isolation: str
) -> None:
    life.enqueue("save_and_die_once", "job")
    life.drain(isolation=isolation)
    assert life.begun()["job"] == 2
    assert (life.state("job"), life.value("job")) == ("finished", {"half": "done"})
    life.assert_clean()


# K: killed too much


def tell_all(life: Life, worker: str) -> int:
    """Publish whatever may end the job, as RQ's clients do; return how many heard it."""
    told = [encode_command(kind, job_id="job") for kind in (Kind.STOP_JOB, Kind.STOP_EXECUTION)]
    told.append('{"command": "kill-horse"}')
    return min(life.store.run(workers.tell(life.keys, worker, word)) for word in told)


@both_isolations
@pytest.mark.parametrize("moment", ["before its first job", "after a job", "while a job ends"])
def test_window_k1_a_stop_ends_nobody_where_no_job_runs(
    life: Life, isolation: str, moment: str
) -> None:
    supervisor = life.start(isolation=isolation, name="w", lease=LEASE)
    wait_until(lambda: tell_all(life, "w"))
    everybody = [supervisor.pid, *supervisor.workers]

    def stop(_: object = None) -> None:
        life.store.run(jobs.stop(life.keys, "job", token="t" * 24))
        assert tell_all(life, "w") == 1

    if moment == "before its first job":
        stop()
    elif moment == "while a job ends":
        life.proxy.add(Rule(Fault.DELAY, name="settle", then=stop))
    life.enqueue("give", "job")
    life.wait_for("job", state="finished")
    if moment == "after a job":
        stop()
    life.enqueue("linger", "next", LEASE)  # in which its lease is extended
    life.wait_for("next", state="finished")
    assert [supervisor.pid, *supervisor.workers] == everybody
    assert life.begun() == {"job": 1, "next": 1}
    life.assert_clean()


def idle_after_a_job(life: Life) -> tuple[Started, int]:
    """Return a supervisor and what its worker's last job left running, in its own group."""
    supervisor = life.start(isolation="fork", lease=LEASE)
    life.enqueue("leave_child", "first")
    life.wait_for("first", state="finished")
    return supervisor, life.children()["first"]


def test_window_k1_a_stop_between_a_jobs_entry_and_its_process_ends_that_job_alone(
    life: Life,
) -> None:
    """The processes that are to run it stand still meanwhile; what ran before is none of its."""
    supervisor, bystander = idle_after_a_job(life)
    (worker,) = supervisor.workers
    (forker,) = children_of(worker)
    wait_until(lambda: len(children_of(forker)) == 1)
    still = [forker, *children_of(forker)]
    for pid in still:
        os.kill(pid, signal.SIGSTOP)
    life.enqueue("linger", "job", 60)
    life.wait_for("job", state="started")
    wait_until(lambda: "extend" in life.proxy.names())
    life.store.run(jobs.stop(life.keys, "job", token="t" * 24))
    wait_until(lambda: "ending job job" in supervisor.log)
    extended = life.proxy.names().count("extend")
    wait_until(lambda: life.proxy.names().count("extend") > extended + 1)
    for pid in still:
        os.kill(pid, signal.SIGCONT)
    life.wait_for("job", state="stopped")
    life.enqueue("work", "next")
    life.wait_for("next", state="finished")
    assert is_running(bystander)
    assert supervisor.workers == [worker]
    life.assert_clean()


def test_window_k1_who_ends_a_worker_without_a_job_ends_nothing_of_an_earlier_job(
    life: Life,
) -> None:
    supervisor, bystander = idle_after_a_job(life)
    (worker,) = supervisor.workers
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: supervisor.workers not in ([worker], []))
    assert is_running(bystander)
    life.assert_clean()


def test_window_k2_a_stop_that_came_too_late_says_nothing_of_a_later_run(
    life: Life, queue: Queue
) -> None:
    """A SimpleWorker is its job's process, and can't be ended for it."""
    job = enqueue(life, queue, "stop_itself_once", retry=Retry(2))
    SimpleWorker([queue]).work(burst=True)
    assert job.get_status() == "finished"
    job.requeue()
    SimpleWorker([queue]).work(burst=True)
    assert job.get_status() == "failed"
    assert life.begun()["job"] == 1 + 3
    assert ResultType.STOPPED not in {run.type for run in life.results("job")}
    life.assert_clean()


# P: changed by looking

READS: dict[str, Callable[[Queue], object]] = {
    "jobs": lambda queue: [
        (job.get_status(), job.results(), job.return_value(), job.get_position(), job.get_meta())
        for job in Job.fetch_many([str(state) for state in State], queue.connection, "json")
        if job
    ],
    "a job": lambda queue: [
        Job.fetch("started", queue.connection).is_failed,
        Job.exists("none", queue.connection),
        queue.fetch_job("lapsed"),
    ],
    "a queue": lambda queue: [
        queue.count, len(queue), queue.is_empty(), queue.job_ids, queue.jobs,
        queue.get_job_position("queued"), Queue.all(queue.connection),
    ],
    "registries": lambda queue: [
        (
            registry.count, len(registry), registry.get_job_ids(), registry.get_jobs(0, 9),
            registry.get_expired_job_ids(), "lapsed" in registry,
        )
        for registry in (
            queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry,
            queue.deferred_job_registry, queue.ready_job_registry, queue.scheduled_job_registry,
            queue.canceled_job_registry,
        )
    ],
    "groups": lambda queue: [
        (group.get_jobs(), group.count, group.count_by_status(), group.get_job_ids())
        for group in Group.all(queue.connection)
    ],
    "executions": lambda queue: [
        (worker.get_current_executions(), worker.get_current_job())
        for worker in Worker.all(queue.connection)
    ] + [Job.fetch("lapsed", queue.connection).get_executions()],
    "workers": lambda queue: [
        Worker.all(queue.connection), Worker.all(queue=queue), Worker.count(queue.connection),
        Worker.find_by_key("rq:worker:w", queue.connection),
    ],
    "info": lambda _: command_line(["info"]),
    "info by queue": lambda _: command_line(["info", "-R", "--raw", "q"]),
    "doctor": lambda _: command_line(["doctor", "--audit", "--pause", "0"]),
}  # fmt: skip


@pytest.mark.parametrize("what", READS)
def test_window_p1_who_looks_changes_nothing(
    client: redis.Redis,
    valkey_server: RunningServer,
    environment_of_its_own: pytest.MonkeyPatch,
    what: str,
) -> None:
    """Not even where all that is there has to be mended."""
    environment_of_its_own.setenv("WORKHORSE_URL", valkey_server.url)
    life = Calls(client)
    for state in sorted(State, key=lambda state: state is State.QUEUED):  # nobody is to claim it
        life.in_state(state, state.value)
    life.enqueue("lapsed", at_front=["lapsed"], on_lost="fail")
    life.extend(life.claim_one(), lease=-5)
    life.enqueue("parked", "lost", "stale", at_front=["parked"])
    client.lmove("rq:queue:q", "rq:queue:q:intermediate", "LEFT", "RIGHT")
    client.lrem("rq:queue:q", 0, "lost")
    client.delete("rq:job:stale")
    client.zadd("rq:failed:q", {"expired": 1})
    client.sadd("rq:groups", "g", "empty")
    client.sadd("rq:group:g", "started", "stale", "gone")
    client.sadd("rq:workers", "rq:worker:w", "rq:worker:gone")
    client.hset("rq:worker:w", mapping={"queues": "q", "state": "busy", "death": ""})
    before = life.dump()
    READS[what](Queue("q", client, serializer="json"))
    assert life.dump() == before
