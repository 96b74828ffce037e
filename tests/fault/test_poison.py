"""Rows 46 and 47 of the fault matrix: what kills whoever runs it is failed in the end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.faults import Life
from tests.support.waiting import wait_until
from workhorse.core.settings import MAX_STARTS

both_isolations = pytest.mark.parametrize("isolation", ["inline", "fork"])

KILLED = {
    "segfault": "killed by SIGSEGV",
    "exit": "exit code 7",
    "memory": "SIGKILL (out of memory",
}


@both_isolations
def test_fault_46_a_job_that_kills_its_process_each_time_is_failed_and_says_by_what(
    life: Life, isolation: str
) -> None:
    for how in KILLED:
        life.enqueue("kill", how, how, retries_left=5, retry_intervals=(0,))
        life.enqueue("work", f"after-{how}")
    supervisor = life.drain(processes=2, isolation=isolation)
    for how, told in KILLED.items():
        assert life.state(how) == "failed"
        assert (life.begun()[how], life.starts(how)) == (MAX_STARTS, MAX_STARTS)
        assert life.field(how, "retries_left") == "5"
        last, *before = life.results(how)
        assert f"Job lost {MAX_STARTS} times" in str(last.error)
        assert len(before) == MAX_STARTS - 1
        assert all(told in str(run.error) for run in (last, *before))
        assert (life.state(f"after-{how}"), life.begun()[f"after-{how}"]) == ("finished", 1)
    failed = life.client.zrange(life.keys.registry("failed", "q"), 0, -1)
    assert {job.decode() for job in failed} == set(KILLED)
    assert supervisor.code() == 0
    life.assert_clean()


@both_isolations
def test_fault_47_a_job_that_kills_its_supervisor_each_time_is_failed_all_the_same(
    life: Life, isolation: str
) -> None:
    """Nobody is left who could count: whoever finds its lease lapsed does."""
    file = life.folder / "supervisor"
    life.enqueue("kill_supervisor", "poison", str(file))
    life.enqueue("work", "after")
    for number in range(MAX_STARTS):
        file.unlink(missing_ok=True)
        supervisor = life.start(isolation=isolation)
        wait_until(lambda: life.begun()["poison"] == number + 1)  # noqa: B023 - called here
        Path(f"{file}.new").write_text(str(supervisor.pid))
        Path(f"{file}.new").rename(file)
        assert supervisor.end() == -signal.SIGKILL
        wait_until(life.all_dead)
        life.let_leases_lapse()
    life.start(isolation=isolation)
    life.wait_for("poison", state="failed")
    life.wait_for("after", state="finished")
    assert (life.begun()["poison"], life.starts("poison")) == (MAX_STARTS, MAX_STARTS)
    assert life.begun()["after"] == 1
    last = life.results("poison")[0]
    assert f"Job lost {MAX_STARTS} times" in str(last.error)
    assert "stopped renewing its lease" in str(last.error)
    life.assert_clean()
