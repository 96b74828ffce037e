"""Rows 46, 47 and 73 of the fault matrix: jobs that take processes down, and what forks what."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.faults import Life, Nursery
from tests.support.fleet import Fleet
from tests.support.servers import ROOT, RunningServer
from tests.support.waiting import wait_until

ISOLATIONS = ("inline", "fork")
MAX_STARTS = 3

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)

POISON: dict[str, tuple[tuple[Any, ...], str]] = {
    "segfault": (("segfault",), "SIGSEGV"),
    "abort": (("abort",), "SIGABRT"),
    "exit 3": (("leave", 3), "exit code 3"),
    "exit 0": (("leave", 0), "exit code 0"),
    "kill": (("die",), "SIGKILL"),
}
"""Jobs, and what is told to have ended them."""


@dataclass(frozen=True)
class Scene:
    """What became of all, in one life."""

    code: int | None
    problems: list[str]
    states: dict[str, str | None]
    starts: dict[str, int]
    begun: dict[str, int]
    errors: dict[str, str]


@pytest.fixture(scope="module", params=ISOLATIONS)
def scene(
    request: pytest.FixtureRequest, valkey_server: RunningServer, nursery: Nursery
) -> Iterator[Scene]:
    """One of each kind among harmless ones."""
    with Life(valkey_server.socket, nursery, f"poison-{request.param}") as life:
        others = [f"other {number}" for number in range(12)]
        for number, (job, ((name, *args), _)) in enumerate(POISON.items()):
            life.enqueue(name, job, *args)
            life.enqueue(name, f"{job} once", *args, on_lost="fail")
            life.enqueue("work", others[2 * number])
            life.enqueue("work", others[2 * number + 1])
        life.enqueue("eat_memory", "memory")
        life.enqueue("work", others[-2])
        life.enqueue("work", others[-1])
        supervisor = life.start(2, isolation=request.param, burst=True)
        code = supervisor.end_or_kill(20)
        poison = [*POISON, *(f"{job} once" for job in POISON), "memory"]
        every = [*poison, *others]
        yield Scene(
            code=code,
            problems=life.audit(),
            states={job: life.state(job) for job in every},
            starts={job: life.starts(job) for job in every},
            begun={job: life.begun()[job] for job in every},
            errors={job: " ".join(r.error or "" for r in life.results(job)[:1]) for job in poison},
        )


@pytest.mark.parametrize("kind", POISON)
def test_fault_46_a_job_that_takes_its_process_down_each_time_ends_failed(
    scene: Scene, kind: str
) -> None:
    assert scene.states[kind] == "failed"
    assert scene.starts[kind] == scene.begun[kind] == MAX_STARTS
    assert f"Job lost {MAX_STARTS} times" in scene.errors[kind]
    assert POISON[kind][1] in scene.errors[kind]


@pytest.mark.parametrize("kind", POISON)
def test_fault_46_one_that_may_not_be_repeated_ends_failed_at_once(
    scene: Scene, kind: str
) -> None:
    once = f"{kind} once"
    assert scene.states[once] == "failed"
    assert scene.begun[once] == 1
    assert POISON[kind][1] in scene.errors[once]


def test_fault_46_one_that_wants_more_memory_than_there_is_has_failed(scene: Scene) -> None:
    assert scene.states["memory"] == "failed"
    assert "MemoryError" in scene.errors["memory"] or "Job lost" in scene.errors["memory"]
    assert scene.begun["memory"] <= MAX_STARTS


def test_fault_46_the_others_run_once(scene: Scene) -> None:
    assert (scene.code, scene.problems) == (0, [])
    others = [job for job in scene.states if job.startswith("other")]
    assert len(others) == 12
    assert {scene.states[job] for job in others} == {"finished"}
    assert {scene.begun[job] for job in others} == {1}
    assert {scene.starts[job] for job in others} == {0}


@both_isolations
def test_fault_47_a_job_that_kills_the_supervisor_too_ends_failed(
    life: Life, isolation: str
) -> None:
    """As a service manager would, we start it again each time."""
    life.enqueue("kill_ancestors", "poison", "workhorse: supe")
    life.enqueue("work", "other")
    for number in range(MAX_STARTS):
        supervisor = life.start(isolation=isolation, lease=1)
        assert supervisor.end() == -signal.SIGKILL
        wait_until(life.all_dead)
        assert life.begun()["poison"] == number + 1
        life.let_leases_lapse()
    life.drain(isolation=isolation, lease=1)
    wait_until(lambda: life.state("other") == "finished")
    assert life.state("poison") == "failed"
    assert life.starts("poison") == life.begun()["poison"] == MAX_STARTS
    assert f"Job lost {MAX_STARTS} times" in (life.results("poison")[0].error or "")
    assert life.begun()["other"] == 1
    life.assert_clean()


# Forks and threads


@both_isolations
def test_fault_73_whoever_forks_has_one_thread(life: Life, isolation: str) -> None:
    life.enqueue("threads", "job")
    life.drain(isolation=isolation)
    # Inline its supervisor; in a fork whoever forked it, and the worker, too.
    assert life.value("job") == ([1] if isolation == "inline" else [1, 1, 1])


def test_fault_73_python_has_nothing_to_warn_of(fleet: Fleet) -> None:
    """From 3.12 on it warns of a fork in a process with threads."""
    for isolation in ISOLATIONS:
        job_id = fleet.enqueue("nothing")
        strict = {"PYTHONWARNINGS": "error::DeprecationWarning:workhorse"}
        ran = fleet.drain(isolation=isolation, environment=strict)
        assert fleet.state(job_id) == "finished"
        assert "Warning" not in ran.log


_THREADED = """
import sys, threading, time
from redis import Redis
from workhorse import Queue, Worker

def talk(lock):
    while True:
        with lock:
            print(end="", flush=True)
        time.sleep(0.001)

if __name__ == "__main__":
    lock = threading.Lock()
    for _ in range(3):
        threading.Thread(target=talk, args=(lock,), daemon=True).start()
    queue = Queue("q", connection=Redis(unix_socket_path="{socket}"))
    Worker([queue]).work(burst=True)
    print("in order")
"""


def test_fault_73_a_worker_in_a_process_with_threads_runs_all_its_jobs(fleet: Fleet) -> None:
    """Its jobs are forked by a process that has none."""
    ids = fleet.enqueue_many([("nothing",)] * 30)
    script = fleet.folder / "threaded.py"
    script.write_text(_THREADED.format(socket=fleet.socket))
    ran = subprocess.run(
        [sys.executable, str(script)],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stdout.splitlines()[-1:] == ["in order"], ran.stderr
    assert {fleet.state(job_id) for job_id in ids} == {"finished"}
