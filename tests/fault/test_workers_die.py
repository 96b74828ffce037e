"""Rows 1 to 10 of the fault matrix: a process that works dies, and no job is lost.

Row 8, every point of a life, is in test_killed_anywhere.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.support.faults import Life, Started, is_running
from tests.support.proxy import Fault, Rule
from tests.support.waiting import wait_until
from workhorse.store import jobs

ISOLATIONS = ("inline", "fork")
LEASE = 0.5
BOUND = 3.0
"""Seconds in which the jobs of a dead machine run elsewhere: a lease, a sweep, and a margin."""

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)


def dead(life: Life, supervisor: Started) -> float:
    """Wait for the end of a supervisor and of all that called; return the moment."""
    assert supervisor.end() == -signal.SIGKILL
    wait_until(life.all_dead)
    return time.monotonic()


def left_of_bound(since: float) -> float:
    """Return how much of the bound is left, which began at *since*."""
    return since + BOUND - time.monotonic()


def taken_over(life: Life, isolation: str = "inline") -> Started:
    """Start a supervisor when all of the first one's leases have lapsed."""
    dead(life, life.started[0])
    life.let_leases_lapse()
    return life.start(isolation=isolation)


def running_job(life: Life, job: str) -> int:
    """Return the process that runs a job, when that has begun."""
    wait_until(lambda: life.begun()[job])
    return life.process_of(job)


@both_isolations
def test_fault_01_a_worker_killed_after_its_claim_costs_nothing(
    life: Life, isolation: str
) -> None:
    """Its supervisor gives the job back at once, uncounted."""
    life.enqueue("work", "job", retries_left=1)
    kill = Rule(Fault.LOSE_REPLY, name="claim", then=lambda call: os.kill(call.pid, 9))
    life.proxy.add(kill)
    life.drain(isolation=isolation, lease=60)
    assert kill.hits
    assert life.state("job") == "finished"
    assert (life.begun()["job"], life.starts("job")) == (1, 0)
    assert life.field("job", "retries_left") == "1"
    life.assert_clean()


@both_isolations
def test_fault_01_a_machine_that_dies_after_a_claim_loses_nothing(
    life: Life, isolation: str
) -> None:
    """Nobody can tell that the code had not begun, so it counts as a start."""
    life.enqueue("work", "job", retries_left=1)
    life.proxy.add(Rule(Fault.LOSE_REPLY, name="claim", then=lambda _: life.started[0].kill_all()))
    died = dead(life, life.start(isolation=isolation, lease=LEASE))
    life.start(isolation=isolation, lease=2 * LEASE)
    life.wait_for("job", state="finished", within=left_of_bound(died))
    assert (life.begun()["job"], life.starts("job")) == (1, 1)
    assert life.field("job", "retries_left") == "1"
    life.assert_clean()


def test_fault_01_what_a_worker_held_behind_the_job_that_killed_it_is_not_counted(
    life: Life,
) -> None:
    quick = [f"quick{number}" for number in range(40)]
    for job in quick[:20]:  # so that many are claimed at once by then
        life.enqueue("work", job)
    life.enqueue("die", "poison", on_lost="fail")
    for job in quick[20:]:
        life.enqueue("work", job)
    life.drain()
    assert life.begun() == dict.fromkeys([*quick, "poison"], 1)
    assert [job for job in quick if life.starts(job)] == []
    assert {life.state(job) for job in quick} == {"finished"}
    assert life.state("poison") == "failed"
    life.assert_clean()


@pytest.mark.parametrize("killed", ["worker", "machine"])
@pytest.mark.parametrize("on_lost", ["requeue", "fail"])
def test_fault_02_killed_between_its_entry_and_its_process_a_job_counts_as_begun(
    life: Life, on_lost: str, killed: str
) -> None:
    life.enqueue("work", "job", on_lost=on_lost)
    # The job's process is there already, and is about to be told what to run.
    die_at = ("socket.sendmsg", str(life.folder / "once"), killed)
    life.start(isolation="fork", die_at=die_at)
    if killed == "machine":
        taken_over(life, "fork")
    life.wait_for("job", state="finished" if on_lost == "requeue" else "failed")
    assert life.starts("job") == 1
    assert life.begun()["job"] == (1 if on_lost == "requeue" else 0)
    life.assert_clean()


@pytest.mark.parametrize("on_lost", ["requeue", "fail"])
def test_fault_03_a_killed_job_is_told_as_lost_and_its_worker_lives(
    life: Life, on_lost: str
) -> None:
    file = life.folder / "go"
    life.enqueue("wait_for", "job", str(file), on_lost=on_lost, retries_left=1)
    supervisor = life.start(isolation="fork")
    job = running_job(life, "job")
    workers = supervisor.workers
    os.kill(job, signal.SIGKILL)
    if on_lost == "requeue":
        wait_until(lambda: life.begun()["job"] == 2)
        file.touch()
    life.wait_for("job", state="finished" if on_lost == "requeue" else "failed")
    assert life.starts("job") == 1
    assert life.field("job", "retries_left") == "1"
    assert any("SIGKILL" in (result.error or "") for result in life.results("job"))
    assert supervisor.workers == workers
    life.assert_clean()


@both_isolations
def test_fault_04_a_job_dies_with_its_supervisor_and_is_never_run_twice_at_once(
    life: Life, isolation: str
) -> None:
    file = life.folder / "go"
    life.enqueue("wait_for", "job", str(file))
    first = life.start(isolation=isolation)
    job = running_job(life, "job")
    first.send(signal.SIGKILL)
    wait_until(lambda: not is_running(job), within=1)
    file.touch()
    taken_over(life, isolation)
    life.wait_for("job", state="finished")
    assert life.lines == ["begin job", "begin job", "end job"]
    life.assert_clean()


@both_isolations
@pytest.mark.parametrize("on_lost", ["requeue", "fail"])
def test_fault_05_a_job_whose_machine_died_is_treated_as_it_says(
    life: Life, isolation: str, on_lost: str
) -> None:
    file = life.folder / "go"
    life.enqueue("wait_for", "job", str(file), on_lost=on_lost)
    first = life.start(isolation=isolation, lease=LEASE)
    running_job(life, "job")
    first.kill_all()
    died = dead(life, first)
    file.touch()
    life.start(isolation=isolation, lease=2 * LEASE)
    life.wait_for(
        "job", state="finished" if on_lost == "requeue" else "failed", within=left_of_bound(died)
    )
    assert life.starts("job") == 1
    assert life.begun()["job"] == (2 if on_lost == "requeue" else 1)
    assert any("Job lost" in (result.error or "") for result in life.results("job"))
    life.assert_clean()


@both_isolations
def test_fault_06_what_had_returned_when_its_worker_died_is_settled_and_not_run_again(
    life: Life, isolation: str
) -> None:
    """The ledger has the verdict."""
    life.enqueue("give", "job", on_lost="fail")
    kill = Rule(Fault.LOSE_REQUEST, name="settle", then=lambda call: os.kill(call.pid, 9))
    life.proxy.add(kill)
    life.drain(isolation=isolation)
    assert kill.hits
    assert life.state("job") == "finished"
    assert (life.begun()["job"], life.starts("job")) == (1, 0)
    assert life.value("job") == "job's value"
    life.assert_clean()


@both_isolations
@pytest.mark.parametrize("on_lost", ["requeue", "fail"])
def test_fault_06_what_had_returned_when_its_machine_died_has_an_unknown_outcome(
    life: Life, isolation: str, on_lost: str
) -> None:
    life.enqueue("give", "job", on_lost=on_lost)
    life.proxy.add(
        Rule(Fault.LOSE_REQUEST, name="settle", then=lambda _: life.started[0].kill_all())
    )
    life.start(isolation=isolation)
    taken_over(life, isolation)
    life.wait_for("job", state="finished" if on_lost == "requeue" else "failed")
    assert life.begun()["job"] == (2 if on_lost == "requeue" else 1)
    assert life.value("job") == ("job's value" if on_lost == "requeue" else None)
    life.assert_clean()


@both_isolations
def test_fault_07_what_follows_from_an_end_is_in_the_same_commit(
    life: Life, isolation: str
) -> None:
    """The machine dies as soon as the server has the end of a job; nobody comes after it."""
    life.enqueue("fail", "now", retries_left=1, retry_intervals=(0,))
    life.enqueue("fail", "later", retries_left=1, retry_intervals=(600,))
    life.enqueue("give", "done")
    first = life.start(isolation=isolation, max_jobs=3)
    client, keys = life.client, life.keys
    assert life.client.hincrby(keys.job("done"), "waiters", 1) == 1  # somebody waits for it

    life.proxy.add(
        Rule(
            Fault.DELAY,
            name="settle",
            times=10,
            then=lambda _: first.kill_all() if life.state("done") == "finished" else None,
        )
    )
    assert first.end() in (-signal.SIGKILL, 0)
    wait_until(life.all_dead)
    assert [life.state(job) for job in ("now", "later", "done")] == [
        "queued", "scheduled", "finished",
    ]  # fmt: skip
    assert client.llen(keys.ended("done")) == 1
    assert {life.field(job, "retries_left") for job in ("now", "later")} == {"0"}
    life.assert_clean()


@pytest.mark.parametrize("point", ["claim", "idle", "running"])
def test_fault_09_a_machine_that_vanishes_keeps_no_job(life: Life, point: str) -> None:
    """Its sockets stay open, and say nothing; when it comes back it changes nothing."""
    file = life.folder / "go"
    frozen = life.start(lease=LEASE, url=f"{life.proxy.url}?socket_timeout=2")
    wait_until(lambda: "BLPOP" in life.proxy.names())
    if point == "claim":
        stop = Rule(
            Fault.HANG,
            name="claim",
            where=lambda _: life.state("job") == "queued",
            then=lambda _: frozen.send_all(signal.SIGSTOP),
        )
        life.proxy.add(stop)
    elif point == "idle":
        frozen.send_all(signal.SIGSTOP)
    life.enqueue("wait_for", "job", str(file))
    if point == "claim":
        stop.wait()
    elif point == "running":
        running_job(life, "job")
        frozen.send_all(signal.SIGSTOP)
    vanished = time.monotonic()
    began = life.begun()["job"]
    file.touch()
    other = life.start(lease=2 * LEASE)
    life.wait_for("job", state="finished", within=left_of_bound(vanished))
    wait_until(lambda: life.leases() == 0)
    as_it_ended = life.client.hgetall(life.keys.job("job"))
    frozen.send_all(signal.SIGCONT)
    assert [other.stop(), frozen.stop()] == [0, 0]
    assert life.begun()["job"] == began + 1
    assert life.client.hgetall(life.keys.job("job")) == as_it_ended
    assert life.starts("job") == (0 if point == "idle" else 1)
    life.assert_clean()


@both_isolations
def test_fault_09_a_worker_begins_no_job_that_it_held_for_longer_than_its_lease(
    life: Life, isolation: str
) -> None:
    """It was stopped, or its claim's answer took too long: by then another may have run it."""
    life.enqueue("work", "job")
    nothing = jobs.claimed_before(life.keys, worker="w", token="0" * 24)
    life.store.run(nothing)  # so that the server knows the script
    late = life.proxy.add(Rule(Fault.DELAY, name="claim", seconds=3 * LEASE))
    life.start(isolation=isolation, lease=LEASE)
    life.wait_for("job", state="finished")
    assert late.hits
    wait_until(lambda: life.leases() == 0)
    assert life.begun() == {"job": 1}
    life.assert_clean()


def test_fault_10_jobs_of_a_queue_without_workers_are_recovered_by_those_of_another(
    life: Life,
) -> None:
    life.enqueue("wait_for", "job", str(life.folder / "never"))
    first = life.start(lease=LEASE)
    running_job(life, "job")
    first.kill_all()
    died = dead(life, first)
    life.start(lease=2 * LEASE, queues=["other"])
    life.wait_for("job", state="queued", within=left_of_bound(died))
    life.assert_clean()
