"""Row 59 of the fault matrix: jobs that would not end, each in another way, and all do."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tests.fault.jobs import HANGS, SlowToRead
from tests.support.faults import Life, Nursery, is_running
from tests.support.servers import RunningServer
from workhorse import Job, JobTimeoutException, Queue, SimpleWorker
from workhorse.wire.payload import Call, PickleSerializer, encode_call
from workhorse.worker.time_limits import interrupted_after

ISOLATIONS = ("inline", "fork")
LIMIT, GRACE = 1, 0.5
SLACK = 3.0
"""Seconds that a busy machine may take in addition."""

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)

INTERRUPTED = ("sleep", "spin", "regex", "libc", "libc with the GIL", "thread")
KILLED = tuple(how for how in HANGS if how not in INTERRUPTED)


@dataclass(frozen=True)
class Told:
    """What became of one job."""

    state: str | None
    errors: list[str]
    starts: int
    begun: int
    seconds: float


@dataclass(frozen=True)
class Scene:
    """What became of all, and who was killed for it."""

    isolation: str
    code: int | None
    problems: list[str]
    jobs: dict[str, Told]
    log: str
    alive_children: set[str]


def seconds_of(life: Life, job_id: str) -> float:
    """Return how long the last run took, by what the server has of it."""
    started, ended = (life.field(job_id, name) for name in ("started_at", "ended_at"))
    if not started or not ended:
        return float("inf")
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def call_data(function: str, *args: Any) -> bytes:
    return encode_call(Call(function, None, args, {}), PickleSerializer())


def enqueue_all(life: Life) -> list[str]:
    """Queue a job of each kind; return their ids."""
    for how in (*INTERRUPTED, *KILLED):
        life.enqueue("hang", how, how, timeout=LIMIT)
    life.enqueue("hang", "interrupted twice", "sleep", timeout=LIMIT, retries_left=1)
    life.enqueue("hang", "killed twice", "eat", timeout=LIMIT, retries_left=1)
    life.enqueue("hang_with_child", "interrupted parent", "sleep", timeout=LIMIT)
    life.enqueue("hang_with_child", "killed parent", "eat", timeout=LIMIT)
    life.enqueue("heed", "clean up", timeout=LIMIT)
    (life.folder / "slow_to_import.py").write_text("import time; time.sleep(60)")
    life.enqueue("-", "import", timeout=LIMIT, data=call_data("slow_to_import.job"))
    read = call_data("tests.fault.jobs.work", str(life.journal), "read", SlowToRead())
    life.enqueue("-", "read", timeout=LIMIT, data=read)
    life.enqueue("work", "behind")
    return [
        *HANGS, "interrupted twice", "killed twice", "interrupted parent", "killed parent",
        "clean up", "import", "read", "behind",
    ]  # fmt: skip


@pytest.fixture(scope="module", params=ISOLATIONS)
def scene(
    request: pytest.FixtureRequest, valkey_server: RunningServer, nursery: Nursery
) -> Iterator[Scene]:
    """All kinds at once, because each takes a second or two."""
    isolation: str = request.param
    with Life(valkey_server.socket, nursery, f"limits-{isolation}") as life:
        ids = enqueue_all(life)
        supervisor = life.start(
            6, isolation=isolation, burst=True, timeout_grace=GRACE, paths=[str(life.folder)]
        )
        code = supervisor.end_or_kill(25)
        children = life.children()
        yield Scene(
            isolation,
            code,
            life.audit(),
            {
                one: Told(
                    life.state(one),
                    [result.error or "" for result in life.results(one)],
                    life.starts(one),
                    life.begun()[one],
                    seconds_of(life, one),
                )
                for one in ids
            },
            supervisor.log,
            {name for name, pid in children.items() if is_running(pid)},
        )
        for pid in children.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_fault_59_what_waits_or_computes_is_interrupted_at_its_limit(scene: Scene) -> None:
    for how in INTERRUPTED:
        told = scene.jobs[how]
        assert told.state == "failed", how
        assert "JobTimeoutException: the job ran for 1 seconds" in told.errors[0], how
        assert told.seconds < LIMIT + SLACK, how


def test_fault_59_what_can_not_be_interrupted_is_killed_after_its_grace(scene: Scene) -> None:
    for how in KILLED:
        told = scene.jobs[how]
        assert told.state == "failed", how
        assert "killed: the job did not end within" in told.errors[0], how
        assert LIMIT + GRACE - 0.1 < told.seconds < LIMIT + GRACE + SLACK, how


def test_fault_59_imports_and_arguments_are_under_the_limit_too(scene: Scene) -> None:
    for how in ("import", "read"):
        assert scene.jobs[how].state == "failed"
        assert "its time limit" in scene.jobs[how].errors[0]


def test_fault_59_a_retry_applies_and_no_run_counts_as_lost(scene: Scene) -> None:
    for how in ("interrupted twice", "killed twice"):
        assert scene.jobs[how].begun == 2
        assert scene.jobs[how].state == "failed"
        assert len(scene.jobs[how].errors) == 2
    assert {how: told.starts for how, told in scene.jobs.items() if told.starts} == {}


def test_fault_59_what_a_job_started_is_killed_with_it(scene: Scene) -> None:
    """Inline the processes of all jobs are one group: it ends with the worker."""
    goes_on = {"interrupted parent"} if scene.isolation == "inline" else set[str]()
    assert scene.alive_children == goes_on


def test_fault_59_a_job_that_heeds_its_limit_may_end_well(scene: Scene) -> None:
    assert scene.jobs["clean up"].state == "finished"


def test_fault_59_nobody_else_is_harmed(scene: Scene) -> None:
    """In a fork no worker dies of it; inline one for each job that had to be killed."""
    assert (scene.code, scene.problems) == (0, [])
    assert scene.jobs["behind"].state == "finished"
    killed = len(KILLED) + 3 if scene.isolation == "inline" else 0
    assert scene.log.count("is gone: ") == killed


@both_isolations
def test_fault_59_a_worker_caps_the_limits_of_its_jobs(life: Life, isolation: str) -> None:
    life.enqueue("hang", "slept", "sleep", timeout=60)
    life.enqueue("hang", "ate", "eat", timeout=-1)
    life.drain(processes=2, isolation=isolation, max_job_timeout=LIMIT, timeout_grace=GRACE)
    assert [life.state(job) for job in ("slept", "ate")] == ["failed", "failed"]
    assert "the job ran for 1 seconds" in (life.results("slept")[0].error or "")
    assert "killed: the job did not end within" in (life.results("ate")[0].error or "")
    life.assert_clean()


# In a thread, where no signal arrives


def in_thread(target: Callable[[], object]) -> object:
    """Return what *target* returns in a thread of its own, or raise what it raises."""
    answers: list[object] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(target())
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    if errors:
        raise errors[0]
    return answers[0]


@pytest.mark.parametrize("way", ["worker", "here"])
def test_fault_59_a_job_in_a_thread_is_interrupted(client: Any, tmp_path: Path, way: str) -> None:
    queue = Queue("q", connection=client, is_async=way == "worker")
    spins = ("tests.fault.jobs.hang", str(tmp_path / "journal"), "job", "spin")

    def work() -> Job:
        job = queue.enqueue(*spins, job_timeout=LIMIT)
        if way == "worker":
            SimpleWorker([queue]).work(burst=True)
        return job

    began = time.monotonic()
    job = cast("Job", in_thread(work))
    assert time.monotonic() - began < LIMIT + SLACK
    assert job.get_status(refresh=True) == "failed"
    result = job.latest_result()
    assert result is not None
    assert "the job ran for 1 seconds, its time limit" in (result.exc_string or "")


def test_fault_59_what_waits_in_c_code_in_a_thread_is_interrupted_when_it_returns() -> None:
    slept: list[str] = []

    def sleep() -> None:
        with suppress(JobTimeoutException), interrupted_after(0.1):
            time.sleep(0.4)
            slept.append("went on")

    began = time.monotonic()
    in_thread(sleep)
    assert time.monotonic() - began >= 0.4
    assert slept == []


def test_fault_59_a_limit_in_a_thread_never_hits_what_comes_after_the_job() -> None:
    """Most jobs end at about their limit here; whatever is raised, is raised in their block.

    A job runs in a frame of its own, as here: a loop that begins where the block does is, for some
    Pythons, not quite in it.
    """

    def spin(until: float) -> None:
        while time.perf_counter() < until:
            pass

    def many() -> int:
        over = 0
        for number in range(150):
            limit = interrupted_after(0.001)
            # Five milliseconds later the thread of its timer may run: the interpreter's turns.
            until = time.perf_counter() + 0.006 + number % 7 * 0.0002
            try:
                with limit:
                    spin(until)
            except JobTimeoutException:
                over += 1
            for _ in range(300):
                pass
        return over

    assert 0 < cast("int", in_thread(many)) <= 150


def test_fault_59_a_timer_that_comes_late_finds_nothing_to_interrupt() -> None:
    def late() -> str:
        limit = interrupted_after(60)
        with limit:
            pass
        limit._interrupt()  # type: ignore[union-attr]  # noqa: SLF001 - as its timer would
        for _ in range(1000):
            pass
        return "not hit"

    assert in_thread(late) == "not hit"
