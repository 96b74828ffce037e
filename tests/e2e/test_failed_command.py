"""What jobs failed of, from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.e2e.test_command_line import folder
from tests.support import calls
from tests.support.commands import run_here as run
from workhorse import Queue, SimpleWorker

__all__ = ["folder"]  # a fixture


@pytest.fixture
def failed(folder: Path, client: redis.Redis) -> redis.Redis:
    """Two jobs of "low" and one of "high" that failed of one cause, one that waits."""
    assert folder.is_dir()
    low, high = Queue("low", client), Queue("high", client)
    for job_id in ("a", "b"):
        low.enqueue(calls.fail, job_id=job_id)
    high.enqueue(calls.fail, job_id="c")
    SimpleWorker([low, high]).work(burst=True)
    low.enqueue(calls.add, job_id="waits")
    return client


def causes(*words: str) -> list[dict[str, Any]]:
    done = run("failed", "--json", *words)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["causes"]
    return found


@pytest.mark.usefixtures("failed")
def test_failures_are_grouped_by_function_and_error() -> None:
    (cause,) = causes()
    assert (cause["function"], cause["error"], cause["count"]) == (
        "tests.support.calls.fail", "ValueError", 3,
    )  # fmt: skip
    assert cause["queues"] == ["high", "low"]
    lines = run("failed").stdout.splitlines()
    assert lines[1].split()[:3] == ["3", "tests.support.calls.fail", "ValueError"]
    assert cause["id"] in lines[1]
    assert causes("--queue", "none") == []


@pytest.mark.usefixtures("failed")
def test_the_jobs_of_a_cause_are_listed() -> None:
    cause = causes()[0]["id"]
    lines = run("failed", "--cause", cause).stdout.splitlines()
    assert sorted(line.split()[0] for line in lines[1:4]) == ["a", "b", "c"]
    assert lines[4] == "3 jobs of 3"
    told = json.loads(run("failed", "--cause", cause, "--json", "--queue", "high").stdout)
    assert [job["id"] for job in told["jobs"]] == ["c"]
    assert told["jobs"][0]["ended_at"].endswith("Z")


def test_all_jobs_of_a_cause_are_retried_or_deleted_by_one_who_means_it(
    failed: redis.Redis,
) -> None:
    cause = causes()[0]["id"]
    assert run("failed", "--cause", cause, "--retry").returncode == 2
    assert run("failed", "--cause", cause, "--retry", "--delete").returncode == 2
    assert run("failed", "--retry", "--yes").returncode == 2
    done = run("failed", "--cause", cause, "--retry", "--yes", "--queue", "high")
    assert (done.returncode, done.stdout) == (0, "1 job queued again.\n")
    assert failed.lrange("rq:queue:high", 0, -1) == [b"c"]
    done = run("failed", "--cause", cause, "--delete", "--yes", "--json")
    assert json.loads(done.stdout)["deleted"] == 2
    assert not failed.exists("rq:job:a", "rq:job:b")
    assert failed.lrange("rq:queue:low", 0, -1) == [b"waits"]
    assert run("failed", "--cause", cause).returncode == 1


def test_many_jobs_of_a_cause_are_retried_in_slices(folder: Path, client: redis.Redis) -> None:
    assert folder.is_dir()
    queue, other = Queue("low", client), Queue("other", client)
    ids = [f"j{number}" for number in range(450)]
    queue.enqueue_many([queue.prepare_data(calls.fail, job_id=job_id) for job_id in ids])
    other.enqueue_many([other.prepare_data(calls.fail, job_id=f"o{job_id}") for job_id in ids])
    SimpleWorker([other, queue]).work(burst=True)
    client.delete("rq:job:j7", "rq:job:oj9")  # as if they had expired
    cause = causes()[0]["id"]
    done = run("failed", "--cause", cause, "--retry", "--yes", "--queue", "low")
    assert (done.returncode, done.stdout) == (0, "449 jobs queued again.\n")
    assert client.llen("rq:queue:low") == 449


@pytest.mark.usefixtures("folder")
def test_nothing_failed_is_good_news() -> None:
    assert run("failed").stdout == "No failed jobs.\n"
    assert causes() == []
    unknown = run("failed", "--cause", "f00")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "f00" in unknown.stderr
