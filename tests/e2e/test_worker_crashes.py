"""What becomes of jobs when one of them, or its worker, or all workers come to a bad end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import fleet as fleets
from tests.support.fleet import Fleet, is_running
from tests.support.waiting import wait_until

ISOLATIONS = ("inline", "fork")
CRASHES = [("segfault",), ("leave", 3), ("leave", 0), ("kill_own_process",)]


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: "".join(map(str, crash)))
def test_a_job_that_crashes_is_tried_three_times_and_harms_no_other(
    fleet: Fleet, crash: tuple[Any, ...], isolation: str
) -> None:
    name, *args = crash
    others = [fleet.note(f"before {number}") for number in range(5)]
    later = [fleet.note(f"after {number}") for number in range(5)]
    ids = fleet.enqueue_many([*others, (name, str(fleet.journal), *args), *later])
    poison = ids.pop(5)
    fleet.drain(isolation=isolation)

    assert fleet.state(poison) == "failed"
    assert fleet.starts(poison) == 3
    assert "Job lost 3 times" in fleet.error(poison)
    assert "its process" in fleet.error(poison)
    harmless = [text for text in fleet.noted if text.startswith(("before", "after"))]
    assert sorted(harmless) == sorted(text for _, _, text in [*others, *later])
    assert len(fleet.noted) == 10 + 3
    assert {fleet.state(job_id) for job_id in ids} == {"finished"}
    assert {fleet.fetch(job_id, "starts") for job_id in ids} == {None}
    assert fleet.leases() == 0
    assert fleet.queued() == []


def test_a_crashed_job_is_the_next_to_be_run(fleet: Fleet) -> None:
    crash = ("leave", str(fleet.journal), 1)
    fleet.enqueue_many([crash, fleet.note("next")])
    fleet.drain()
    assert fleet.noted == ["left", "left", "left", "next"]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_crashed_job_that_must_not_be_repeated_has_failed(fleet: Fleet, isolation: str) -> None:
    job_id = fleet.enqueue("leave", str(fleet.journal), 1, on_lost="fail")
    fleet.drain(isolation=isolation)
    assert fleet.state(job_id) == "failed"
    assert fleet.noted == ["left"]
    assert fleet.error(job_id).startswith("Job lost: its process ended with exit code 1")


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_killed_worker_is_replaced_and_its_job_run_again(fleet: Fleet, isolation: str) -> None:
    release = fleet.folder / "release"
    job_id = fleet.enqueue("note_and_wait_for", str(fleet.journal), "ran", str(release))
    supervisor = fleet.start(isolation=isolation)
    wait_until(lambda: fleet.noted == ["ran"])
    (worker,) = supervisor.workers
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: fleet.noted == ["ran", "ran"])
    release.touch()
    fleet.wait_for(job_id, "finished")
    assert fleet.starts(job_id) == 1
    assert supervisor.workers != [worker]
    assert supervisor.stop() == 0


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_what_a_killed_worker_started_is_killed_too(fleet: Fleet, isolation: str) -> None:
    job_id = fleet.enqueue("start_child_and", str(fleet.journal), "hang", on_lost="fail")
    supervisor = fleet.start(isolation=isolation)
    wait_until(lambda: len(fleet.noted) == 2)
    os.kill(supervisor.workers[0], signal.SIGKILL)
    wait_until(lambda: not is_running(int(fleet.noted[0])))
    fleet.wait_for(job_id, "failed")
    assert supervisor.stop() == 0


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_job_that_sleeps_past_its_limit_has_failed(fleet: Fleet, isolation: str) -> None:
    job_id = fleet.enqueue("sleep", 30, timeout=1)
    fleet.enqueue(*fleet.note("next"))
    supervisor = fleet.drain(isolation=isolation)
    assert fleet.state(job_id) == "failed"
    assert "1 seconds, its time limit" in fleet.error(job_id)
    assert "is gone" not in supervisor.log
    assert fleet.noted == ["next"]


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("retries", [0, 1])
def test_a_job_that_ignores_its_limit_is_killed_and_counts_as_timed_out(
    fleet: Fleet, isolation: str, retries: int
) -> None:
    journal = str(fleet.journal)
    job_id = fleet.enqueue("eat_everything", journal, 60, timeout=1, retries_left=retries or None)
    fleet.enqueue(*fleet.note("next"))
    fleet.drain(isolation=isolation, timeout_grace=0.5)
    assert fleet.state(job_id) == "failed"
    assert fleet.noted.count("began") == 1 + retries
    assert fleet.noted.count("next") == 1
    assert "killed: the job did not end within" in fleet.error(job_id)
    assert fleet.starts(job_id) == 0
    assert len(fleet.results(job_id)) == 1 + retries


def test_jobs_behind_a_slow_one_are_run_by_another_worker_in_order(fleet: Fleet) -> None:
    release = fleet.folder / "release"
    # Quick jobs make a worker take several at once; the slow one comes with some of them.
    calls = [fleet.note(f"quick {number}") for number in range(20)]
    slow = ("note_and_wait_for", str(fleet.journal), "slow", str(release))
    behind = [fleet.note(f"behind {number}") for number in range(5)]
    ids = fleet.enqueue_many([*calls, slow, *behind])
    first = fleet.start()
    wait_until(lambda: "slow" in fleet.noted)
    # What ended before it is to be seen as finished while it runs.
    wait_until(lambda: {fleet.state(job_id) for job_id in ids[:20]} == {"finished"}, within=2)
    wait_until(lambda: fleet.queued() == ids[21:], within=2)
    second = fleet.start()
    wait_until(lambda: fleet.noted[-1] == "behind 4")
    assert [text for text in fleet.noted if text.startswith("behind")] == [
        text for _, _, text in behind
    ]
    assert fleet.state(ids[20]) == "started"
    release.touch()
    fleet.wait_for(ids[20], "finished")
    assert {fleet.fetch(job_id, "starts") for job_id in ids} == {None}
    assert [first.stop(), second.stop()] == [0, 0]


def test_jobs_whose_claim_had_no_reply_yet_come_back_at_once(fleet: Fleet) -> None:
    supervisor = fleet.start_and_wait(lease=600)
    (worker,) = supervisor.workers
    os.kill(worker, signal.SIGSTOP)
    ids = fleet.enqueue_many([fleet.note("one"), fleet.note("two")])
    with ThreadPoolExecutor() as pool:
        # While the server is busy the worker hears the bell and sends its claim; when the
        # server takes that, the worker can't hold the jobs any more.
        busy = pool.submit(fleet.keep_server_busy, 1.5)
        wait_until(fleet.is_server_busy)
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: all(fleets.sleeps(worker) for _ in range(50)))
        os.kill(worker, signal.SIGSTOP)
        busy.result()
    wait_until(lambda: fleet.leases() == 1)
    assert fleet.noted == []
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: fleet.noted == ["one", "two"], within=5)
    assert {fleet.fetch(job_id, "starts") for job_id in ids} == {None}
    assert supervisor.stop() == 0


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_workers_die_with_their_supervisor_and_another_recovers_their_jobs(
    fleet: Fleet, isolation: str
) -> None:
    release = fleet.folder / "release"
    job_id = fleet.enqueue("note_and_wait_for", str(fleet.journal), "ran", str(release))
    supervisor = fleet.start(2, isolation=isolation, lease=2)
    wait_until(lambda: fleet.noted == ["ran"])
    workers = supervisor.workers
    runners = [child for worker in workers for child in fleets.children(worker)]
    assert len(workers) == 2
    supervisor.process.kill()
    wait_until(lambda: not any(is_running(pid) for pid in workers + runners), within=2)
    release.touch()
    other = fleet.start(isolation=isolation, lease=2)
    fleet.wait_for(job_id, "finished")
    assert fleet.noted == ["ran", "ran"]
    assert fleet.starts(job_id) == 1
    assert other.stop() == 0


def test_a_lease_is_extended_while_a_job_runs_longer_than_it(fleet: Fleet) -> None:
    job_id = fleet.enqueue("note_and_sleep", str(fleet.journal), "ran", 3)
    supervisors = [fleet.start(lease=1), fleet.start(lease=1)]
    fleet.wait_for(job_id, "finished")
    assert fleet.noted == ["ran", "ran ended"]
    assert fleet.starts(job_id) == 0
    assert [supervisor.stop() for supervisor in supervisors] == [0, 0]


def test_what_a_stopped_worker_holds_unrun_goes_back(fleet: Fleet) -> None:
    """A worker under SIGSTOP, or one whose log nobody reads any more."""
    calls = [("sleep", 0.02) for _ in range(100)]
    fleet.enqueue_many(calls)
    supervisor = fleet.start(2)
    wait_until(lambda: fleet.leases() > 0)
    os.kill(supervisor.workers[0], signal.SIGSTOP)
    wait_until(lambda: not fleet.queued() and fleet.leases() <= 1)
    os.kill(supervisor.workers[0], signal.SIGCONT)
    wait_until(lambda: fleet.client.zcard("rq:finished:q") == 100)
    assert supervisor.stop() == 0
