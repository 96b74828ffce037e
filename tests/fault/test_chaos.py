"""A small storm of `make chaos`: one of each fault. And what it makes of runs that went wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import report
from chaos.plan import Fault, Mix
from chaos.processes import left_over
from chaos.run import Result, Settings, Stage, run
from tests.support.servers import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)  # a dozen seconds; a busy machine takes longer

# Workers are nearly always busy, so that a fault finds something to break; some jobs run for long
# enough to meet the one that was stopped in them meanwhile.
SMALL = Settings(
    Mix(seed=4, slow=0.012, longest=1.5),
    jobs=1500,
    rate=300,
    processes=2,
    lease=1.5,
    gap=0.4,
    faults=len(Fault),
    patience=20,
)


@pytest.fixture(scope="module")
def storm() -> Iterator[tuple[Result, Path]]:
    """A run, and the folder that it was in."""
    stage = Stage(SMALL)
    try:
        with stage:
            result = run(SMALL, stage)
        yield result, stage.folder
    finally:
        stage.remove()


def test_a_storm_loses_no_job_and_runs_again_only_what_ran_at_a_fault(
    storm: tuple[Result, Path],
) -> None:
    account = storm[0].account

    assert account.problems == [], report.problems(account, storm[0].known)
    assert 0 < account.again <= account.at_risk
    assert sum(account.states().values()) == SMALL.jobs


def test_a_storm_has_every_fault(storm: tuple[Result, Path]) -> None:
    assert {one.fault for one in storm[0].account.evidence.injected} == set(Fault)


def test_a_storm_that_is_interrupted_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="workhorse-test-") as place:
        process = subprocess.Popen(
            [sys.executable, "-m", "chaos", "--jobs", "100000"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": place},
            stdout=subprocess.DEVNULL,
        )
        try:
            (folder,) = wait_until(lambda: list(Path(place).glob("workhorse-chaos-*")), within=30)
            wait_until(lambda: len(list(folder.glob("journal/*"))) > 1, within=60)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 128 + signal.SIGINT
            assert left_over(folder) == []
            assert list(Path(place).iterdir()) == []
        finally:
            process.kill()
            process.wait()
