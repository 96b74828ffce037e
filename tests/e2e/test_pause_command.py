"""``workhorse suspend``, ``resume`` and ``queue``, as a person runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.support import calls
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import Queue

WORKHORSE = Path(sys.executable).parent / "workhorse"


@pytest.fixture
def queue(
    valkey_server: RunningServer,
    client: redis.Redis,
    environment_of_its_own: pytest.MonkeyPatch,
) -> Queue:
    environment_of_its_own.setenv("WORKHORSE_URL", valkey_server.url)
    return Queue("low", connection=client)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(WORKHORSE), *words], capture_output=True, text=True, check=False, timeout=30
    )


def said(*words: str) -> str:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_work_is_suspended_and_resumed(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    assert said("suspend") == "Suspended: no worker takes a job until `workhorse resume`.\n"
    assert "Work is suspended" in said("info")
    said("worker", "low", "--burst", "--quiet")
    assert job.get_status() == "queued"
    assert said("resume") == "Resumed: workers take jobs again.\n"
    assert said("resume") == "Work was not suspended.\n"
    said("worker", "low", "--burst", "--quiet")
    assert job.get_status() == "finished"


def test_work_is_suspended_for_a_while(queue: Queue) -> None:
    assert "until 600 seconds have passed" in said("suspend", "--duration", "10m")
    assert 590 < queue.connection.ttl("rq:suspended") <= 600


def test_a_queue_is_paused_and_resumed(queue: Queue) -> None:
    queue.enqueue(calls.add)
    assert said("queue", "pause", "low") == (
        "Paused low: no worker takes a job from it until it is resumed.\n"
    )
    assert "0 scheduled, paused" in said("info")
    assert queue.is_paused
    assert said("queue", "resume", "low") == "Resumed low.\n"
    assert said("queue", "resume", "low") == "low was not paused.\n"
    assert "paused" not in said("info")
    assert "until 1.5 seconds" in said("queue", "pause", "low", "--duration", "1.5")


@pytest.mark.parametrize(
    "words",
    [
        ("suspend", "--duration", "0"),
        ("suspend", "--duration", "soon"),
        ("queue", "pause", "low", "--duration", "-5"),
        ("queue", "pause", ""),
        ("queue", "pause"),
        ("queue", "halt", "low"),
    ],
    ids=" ".join,
)
def test_what_is_asked_wrongly_is_a_usage_error(queue: Queue, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("workhorse: ")
    assert not queue.is_paused


def test_a_supervised_worker_is_shown_as_suspended(queue: Queue) -> None:
    queue.pause()
    job = queue.enqueue(calls.add)
    worker = subprocess.Popen([str(WORKHORSE), "worker", "low", "--name", "w", "--quiet"])
    try:
        wait_until(lambda: "): suspended low." in said("info"))
        assert job.get_status() == "queued"
        queue.resume()
        wait_until(lambda: job.get_status() == "finished")
        wait_until(lambda: "): idle low." in said("info"))
    finally:
        worker.terminate()
        worker.wait(20)


def test_a_worker_takes_rqs_flags(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    told = said(
        "worker", "low", "other", "--burst", "-s", "--logging_level", "debug",
        "-ds", "round_robin",
        "--log-format", "LOG %(levelname)s %(message)s", "--maintenance-interval", "600",
        "--job-monitoring-interval", "30", "--worker-ttl", "420", "--results-ttl", "500",
        "--max-jobs", "5", "--max-idle-time", "5", "--disable-job-desc-logging", "--no-scheduler",
    )  # fmt: skip
    assert job.get_status() == "finished"
    assert "LOG INFO low: Job OK" in told
    wrong = run("worker", "low", "--burst", "--log-format", "nothing")
    assert wrong.returncode == 2
    assert "%(message)s" in wrong.stderr
