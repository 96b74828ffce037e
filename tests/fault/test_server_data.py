"""Rows 22, 25 and 32 of the fault matrix: the server has lost a part of what it had.

What it had acknowledged may be undone. Then it is done again; nothing is stuck, no job is in two
places, and what is left of one that can't be run is told.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.fault.troubles import Restartable, idle
from tests.support.faults import FULL, Life, part_of
from tests.support.waiting import wait_until

EACH_SECOND = ("--appendonly", "yes", "--appendfsync", "everysec")


def test_fault_22_the_kill_of_a_server_that_syncs_each_second_loses_nothing(
    own_server: Restartable, own_life: Life
) -> None:
    own_server.start(*EACH_SECOND)
    life = own_life
    supervisor = life.start(2)
    idle(life, supervisor, 2)
    jobs = [f"job{number}" for number in range(60)]
    for job in jobs:
        life.enqueue("linger", job, 0.02)
    wait_until(lambda: len(life.begun()) > 10)
    own_server.kill()
    own_server.start(*EACH_SECOND)
    life.wait_for(*jobs, state="finished")
    wait_until(lambda: life.leases() == 0)
    assert life.begun() == dict.fromkeys(jobs, 1)
    life.assert_clean()


def log_of(folder: Path) -> Path:
    """Return the one file that grows."""
    (found,) = folder.glob("appendonlydir/*.incr.aof")
    return found


@pytest.mark.timeout(300)
def test_fault_22_a_power_failure_undoes_the_end_of_the_log_and_leaves_no_half_of_a_job(
    own_server: Restartable, own_life: Life
) -> None:
    """Each cut of the log is a moment of the past, whole: a script is on it all or not at all."""
    own_server.start(*EACH_SECOND)
    life = own_life
    life.enqueue("fail", "flaky", retries_left=1, retry_intervals=(0,))
    for name in ("one", "two", "three"):
        life.enqueue("give", name)
    life.enqueue("work", "late")
    life.drain(lease=2)
    own_server.kill()
    kept = life.folder / "kept"
    shutil.copytree(own_server.folder / "appendonlydir", kept / "appendonlydir")
    size = log_of(kept).stat().st_size
    known = {"flaky", "one", "two", "three", "late"}
    wrong: list[str] = []
    for cut in part_of(range(size // 3, size, max(1, size // 100)), 22):
        shutil.rmtree(own_server.folder / "appendonlydir")
        shutil.copytree(kept / "appendonlydir", own_server.folder / "appendonlydir")
        with log_of(own_server.folder).open("r+b") as log:
            log.truncate(cut)
        own_server.start(*EACH_SECOND)
        wrong += [f"at {cut}: {problem}" for problem in life.audit()]
        there = {job for job in known if life.state(job)}
        life.let_leases_lapse()
        supervisor = life.start(lease=2)
        life.wait_for(*there)
        assert supervisor.stop() == 0
        wrong += [f"at {cut}, run on: {problem}" for problem in life.audit()]
        ends = {job: life.state(job) for job in there}
        wrong += [f"at {cut}: {job} is {end}" for job, end in ends.items()
                  if end != ("failed" if job == "flaky" else "finished")]  # fmt: skip
        own_server.kill()
    assert wrong == []
    own_server.start()


@pytest.mark.parametrize("isolation", ["inline", "fork"] if FULL else ["inline"])
def test_fault_25_data_of_some_time_ago_is_gone_on_with(
    own_server: Restartable, own_life: Life, isolation: str
) -> None:
    """Under the same workers, one of which runs a job that this past has not claimed yet."""
    own_server.start(*EACH_SECOND)
    life = own_life
    supervisor = life.start(2, lease=2, isolation=isolation)
    workers = idle(life, supervisor, 2)
    go, end = life.folder / "go", life.folder / "end"
    life.enqueue("work", "done")
    life.enqueue("wait_for", "ran then", str(end))
    life.enqueue("wait_for", "runs on", str(go))
    wait_until(lambda: len(life.begun()) == 3 and life.state("done") == "finished")
    life.enqueue("wait_for", "waited then", str(go))
    kept = life.folder / "kept"
    shutil.copytree(own_server.folder / "appendonlydir", kept)
    end.touch()
    wait_until(lambda: life.begun()["waited then"])
    life.enqueue("work", "is new")
    own_server.kill()
    shutil.rmtree(own_server.folder / "appendonlydir")
    shutil.copytree(kept, own_server.folder / "appendonlydir")
    own_server.start(*EACH_SECOND)
    wait_until(lambda: life.begun()["waited then"] == 2)  # nobody had claimed it, then
    go.touch()
    jobs = ("done", "ran then", "runs on", "waited then")
    life.wait_for(*jobs, state="finished")
    wait_until(lambda: life.leases() == 0)
    assert life.state("is new") is None
    assert life.begun() == Counter({"done": 1, "ran then": 2, "runs on": 1, "waited then": 2})
    assert life.starts("ran then") == 1
    assert len(set(workers) & set(supervisor.workers)) >= 1
    life.assert_clean()


def test_fault_32_a_server_that_may_drop_any_key_is_warned_of_loudly(
    own_server: Restartable, own_life: Life
) -> None:
    own_server.start("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    life = own_life
    supervisor = life.start()
    idle(life, supervisor)
    wait_until(lambda: "JOBS MAY BE LOST" in supervisor.log)
    assert "maxmemory-policy noeviction" in supervisor.log
    life.enqueue("work", "job")
    life.wait_for("job", state="finished")
    life.assert_clean()


def test_fault_32_a_job_that_was_dropped_while_it_waited_is_told_by_its_id(
    own_server: Restartable, own_life: Life
) -> None:
    server = own_server.start("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru",
                              "--maxmemory-samples", "64")  # fmt: skip
    life = own_life
    jobs = [f"job{number}" for number in range(100)]
    for number, job in enumerate(jobs):
        life.enqueue("work", job, meta=b"x" * 40_000)
        if number == 50:  # those were not used for longest
            wait_until(partial(_is_idle, life, life.keys.job(job)))
    with server.client() as client:
        assert client.info("stats")["evicted_keys"]
        client.config_set("maxmemory", "100mb")
    assert life.client.llen(life.keys.queue("q")) == len(jobs)
    gone = [job for job in jobs if not life.state(job)]
    assert gone
    supervisor = life.start(burst=True)
    assert supervisor.end() == 0, supervisor.log
    named = re.findall(r"dropped (\S+) from the queue: there is no such job", supervisor.log)
    more = re.findall(r"dropped (\d+) more ids", supervisor.log)
    assert set(named) <= set(gone)
    assert len(named) + sum(map(int, more)) == len(gone)
    assert set(life.begun()) == set(jobs) - set(gone)
    life.assert_clean()


def _is_idle(life: Life, key: str) -> bool:
    return bool(life.client.object("idletime", key) >= 1)
