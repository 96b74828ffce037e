"""Commands on queues from the shell: a call with each option, requeue, empty."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import redis

from tests.e2e.test_command_line import folder, run
from tests.support import calls
from workhorse import Queue, SimpleWorker

__all__ = ["folder"]  # a fixture

TAKEN = "tests.support.calls.note"


@pytest.fixture
def failed(folder: Path, client: redis.Redis) -> Queue:
    """A queue with two failed jobs, one that finished and one that waits."""
    assert folder.is_dir()
    queue = Queue("low", client)
    for job_id in ("a", "b"):
        queue.enqueue(calls.fail, job_id=job_id)
    queue.enqueue(calls.add, job_id="done")
    SimpleWorker([queue]).work(burst=True)
    queue.enqueue(calls.add, job_id="waits")
    return queue


@pytest.mark.usefixtures("folder")
def test_enqueue_takes_what_comes_before_a_job_and_after_it(client: redis.Redis) -> None:
    Queue("low", client).enqueue(calls.add, job_id="first")
    done = run(
        "enqueue", "tasks.add", "--job-id", "second", "--depends-on", "first",
        "--on-parent-failure", "cancel", "--repeat", "3", "--repeat-interval", "5",
        "--repeat-interval", "60", "--rate-limit", "mail=2", "--unique", "--group", "g",
        "--on-success", TAKEN, "--on-failure", TAKEN, "--on-stopped", TAKEN,
        "--webhook", "finished=https://example.com/a", "--meta", '{"by": "ada"}', "-S", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    fields = client.hgetall("rq:job:second")
    assert (fields[b"status"], fields[b"on_parent_failure"]) == (b"deferred", b"cancel")
    assert (fields[b"repeats_left"], fields[b"repeat_intervals"]) == (b"3", b"[5, 60]")
    assert (fields[b"rate_limit_key"], fields[b"rate_limit_concurrency"]) == (b"mail", b"2")
    for kind in ("success", "failure", "stopped"):
        assert fields[f"{kind}_callback_name".encode()] == TAKEN.encode()
    assert b"https://example.com/a" in fields[b"webhooks"]
    assert json.loads(fields[b"meta"]) == {"by": "ada"}
    assert client.smembers("rq:group:g") == {b"second"}


@pytest.mark.usefixtures("folder")
def test_enqueue_takes_a_moment_or_a_while(client: redis.Redis) -> None:
    now = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now + 3600))
    assert run("enqueue", "tasks.add", "--job-id", "at", "--schedule-at", moment).returncode == 0
    assert run("enqueue", "tasks.add", "--job-id", "in", "--schedule-in", "1h").returncode == 0
    for job_id in ("at", "in"):
        due = client.zscore("rq:scheduled:default", job_id)
        assert due is not None
        assert now + 3590 < due < now + 3630


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--on-parent-failure", "run"], "it waits for no job; give --depends-on"),
        (["--repeat-interval", "5"], "give --repeat"),
        (["--repeat", "0"], "0"),
        (["--rate-limit", "mail"], "give a key and a number"),
        (["--rate-limit", "mail=0"], "1 or more"),
        (["--webhook", "finished"], "give finished=URL"),
        (["--webhook", "started=https://example.com"], "give 'finished' or 'failed'"),
        (["--meta", "[1]"], "give a JSON object"),
        (["--meta", "{"], "--meta"),
        (["--schedule-at", "noon"], "give a moment, as"),
        (["--schedule-in", "soon"], "not a time span: 'soon'"),
        (["--schedule-in", "5", "--schedule-at", "2040-01-01T00:00:00"], "exclude each other"),
        (["--unique"], "unique=True needs a job_id"),
        (["--on-success", "note"], "not a dotted name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_that_makes_no_sense_is_refused(
    client: redis.Redis, words: list[str], told: str
) -> None:
    done = run("enqueue", "tasks.add", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert client.dbsize() == 0


def test_failed_jobs_are_requeued_by_their_ids(failed: Queue) -> None:
    done = run("requeue", "--queue", "low", "b")
    assert (done.returncode, done.stdout) == (0, "Requeued 1 job of low.\n")
    assert failed.job_ids == ["waits", "b"]


def test_all_failed_jobs_of_a_queue_are_requeued(failed: Queue) -> None:
    Queue("other", failed.connection).enqueue(calls.fail)
    assert run("requeue", "--queue", "low", "--all").stdout == "Requeued 2 jobs of low.\n"
    assert failed.job_ids == ["waits", "a", "b"]
    assert run("requeue", "--queue", "low", "--all").stdout == "Requeued 0 jobs of low.\n"


def test_what_has_not_failed_is_told_and_the_others_are_requeued(failed: Queue) -> None:
    done = run("requeue", "--queue", "low", "nobody", "done", "waits", "a")
    assert (done.returncode, done.stdout) == (1, "Requeued 1 job of low.\n")
    assert "job nobody: there is none in low" in done.stderr
    assert "job done has not failed: it is finished" in done.stderr
    assert "job waits has not failed: it is queued" in done.stderr
    assert failed.job_ids == ["waits", "a"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "words",
    [["requeue", "--queue", "low"], ["requeue", "--queue", "low", "a", "--all"], ["empty"]],
)
def test_it_must_be_said_which(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "or --all" in done.stderr


def test_a_queue_is_emptied(failed: Queue, client: redis.Redis) -> None:
    Queue("other", client).enqueue(calls.add)
    assert run("empty", "low").stdout == "1 job removed from low.\n"
    assert failed.job_ids == []
    assert client.exists("rq:job:a")
    assert run("empty", "--all").stdout == "0 jobs removed from low.\n1 job removed from other.\n"
