"""What becomes of jobs when one of them, or its worker, or all workers come to a bad end.

More of it is in `tests/fault`: `test_poison.py`, `test_time_limits.py`, `test_workers_die.py`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import fleet as fleets
from tests.support.fleet import Fleet, is_running
from tests.support.waiting import wait_until

ISOLATIONS = ("inline", "fork")


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


def test_a_crashed_job_is_the_next_to_be_run(fleet: Fleet) -> None:
    crash = ("leave", str(fleet.journal), 1)
    fleet.enqueue_many([crash, fleet.note("next")])
    fleet.drain()
    assert fleet.noted == ["left", "left", "left", "next"]


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
