"""What people and programs read from the shell: info, queue list, workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.e2e.test_command_line import WORKHORSE, folder
from tests.support import calls
from tests.support.commands import run_here as run
from tests.support.lives import Life
from tests.support.terminals import Terminal, plain
from workhorse import Queue, SimpleWorker
from workhorse.store import workers
from workhorse.wire.keys import Keys

__all__ = ["folder"]  # a fixture

HOSTILE = "a\x1b[2J\u202eb"


@pytest.fixture
def life(folder: Path, client: redis.Redis) -> Life:
    """A queue "low" with two failed jobs, one that the worker "w" runs, and one that waits."""
    assert folder.is_dir()
    queue = Queue("low", client)
    for job_id in ("a", "b"):
        queue.enqueue(calls.fail, job_id=job_id)
    SimpleWorker([queue]).work(burst=True)
    for job_id in ("runs", "waits"):
        queue.enqueue(calls.add, job_id=job_id)
    life = Life(client)
    register(life, "w", "low")
    life.claim(1, "low")
    return life


def register(life: Life, name: str, *queues: str) -> None:
    fields = workers.describe_worker(
        queues=queues, pid=7, hostname="h", ip_address="::1", version="1",
        python_version="3.13", state="busy",
    )  # fmt: skip
    life.store.run(workers.register(Keys(), name, queues, fields, ttl=60))


def told(*words: str) -> Any:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.usefixtures("life")
def test_info_tells_programs_all_that_it_tells_people() -> None:
    document = told("info", "--json")
    (queue,) = document["queues"]
    assert (queue["name"], queue["queued"], queue["started"], queue["failed"]) == ("low", 1, 1, 2)
    assert queue["oldest_seconds"] >= 0
    assert document["suspended"] is False
    (worker,) = document["workers"]
    assert (worker["name"], worker["is_rq"], worker["silent"]) == ("w", False, False)
    assert worker["job"]["id"] == "runs"
    assert worker["job"]["function"] == "tests.support.calls.add"
    assert worker["heartbeat_at"].endswith("Z")
    assert set(told("info", "--json", "-Q")) == set(document) - {"workers"}
    assert told("info", "--json", "none")["workers"] == []


@pytest.mark.usefixtures("life")
def test_queues_are_listed_and_what_is_wrong_with_one_is_said(client: redis.Redis) -> None:
    Queue("lonely", client).enqueue(calls.add)
    Queue("still", client).pause()
    lines = run("queue", "list").stdout.splitlines()
    assert lines[0].split()[:4] == ["queue", "queued", "started", "scheduled"]
    assert [line.split()[0] for line in lines[1:4]] == ["lonely", "low", "still"]
    assert lines[1].endswith("no worker")
    assert lines[3].endswith("paused")
    assert lines[4] == "3 queues, 2 jobs waiting"
    listed = told("queue", "list", "--json", "still", "low")["queues"]
    assert [(one["name"], one["paused"]) for one in listed] == [("still", True), ("low", False)]


def test_workers_are_shown_with_what_they_run_and_rqs_too(life: Life) -> None:
    life.client.hset("rq:worker:theirs", mapping={"state": "idle", "queues": "other"})
    life.client.sadd("rq:workers", "rq:worker:theirs")
    head, theirs, ours, total = run("workers").stdout.splitlines()
    assert head.split()[:3] == ["worker", "state", "runs"]
    assert ours.split()[:3] == ["w", "busy", "tests.support.calls.add"]
    assert "never" in theirs
    assert theirs.split()[-1] == "rq"
    assert total == "2 workers, 1 busy"
    (shown,) = told("workers", "low", "--json")["workers"]
    assert (shown["name"], shown["holds"], shown["job"]["queue"]) == ("w", 1, "low")


@pytest.mark.parametrize("words", [["info"], ["queue", "list"], ["workers"]])
def test_names_can_do_nothing_to_a_terminal(life: Life, words: list[str]) -> None:
    life.client.sadd("rq:queues", f"rq:queue:{HOSTILE}")
    life.client.hset(f"rq:worker:{HOSTILE}", mapping={"state": HOSTILE, "queues": HOSTILE})
    life.client.sadd("rq:workers", f"rq:worker:{HOSTILE}")
    for option in ([], ["--json"]):
        done = run(*words, *option)
        assert done.returncode == 0
        assert all(line.isprintable() for line in done.stdout.splitlines())


def shown(*words: str, columns: int = 80, **environment: str) -> str:
    """Return what a command writes on a terminal."""
    with Terminal([WORKHORSE, *words], columns=columns, environment=environment) as terminal:
        assert terminal.end() == 0
        return terminal.text


@pytest.mark.usefixtures("life")
def test_colours_are_shown_where_they_are_wanted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("queue", "list")
    assert "\x1b[" in shown(*words)
    assert "\x1b[" not in shown(*words, "--no-color")
    assert "\x1b[" not in shown(*words, NO_COLOR="1")
    assert "\x1b[" not in run(*words).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run(*words).stdout


@pytest.mark.usefixtures("life")
def test_a_table_is_as_wide_as_the_terminal() -> None:
    for words in (["queue", "list"], ["workers"]):
        lines = plain(shown(*words, columns=40)).splitlines()
        assert len(lines) == 3
        assert max(map(len, lines)) <= 40


@pytest.mark.usefixtures("life")
def test_what_a_program_reads_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert "tests.support.calls.add" in run("workers").stdout


def test_a_queue_is_emptied_by_one_who_means_it(life: Life) -> None:
    refused = run("queue", "empty", "low")
    assert (refused.returncode, life.waiting("low")) == (2, ["waits"])
    assert "--yes" in refused.stderr
    done = run("queue", "empty", "low", "--yes")
    assert (done.returncode, done.stdout) == (0, "1 job removed from low.\n")
    assert (life.waiting("low"), life.state("runs")) == ([], "started")


def test_jobs_of_a_queue_are_moved_by_one_who_means_it(life: Life) -> None:
    assert run("queue", "move", "low", "high").returncode == 2
    assert run("queue", "move", "low", "low", "--yes").returncode == 2
    life.enqueue(*(f"j{number}" for number in range(250)), origin="low")
    done = run("queue", "move", "low", "high", "--yes")
    assert (done.returncode, done.stdout) == (0, "251 jobs moved from low to high.\n")
    assert life.waiting("high") == ["waits", *(f"j{number}" for number in range(250))]
    assert (life.waiting("low"), life.state("runs")) == ([], "started")


@pytest.mark.parametrize("words", [["info"], ["queue", "list"], ["workers"], ["doctor"]])
def test_looking_costs_the_same_however_many_there_are(life: Life, words: list[str]) -> None:
    def scripts() -> int:
        before: Any = life.client.info("commandstats")["cmdstat_evalsha"]
        run(*words)
        after: Any = life.client.info("commandstats")["cmdstat_evalsha"]
        return int(after["calls"] - before["calls"])

    run(*words)  # a server that does not know a script is asked again
    few = scripts()
    life.client.rpush("rq:queue:low", *range(10_000))
    for number in range(60):
        register(life, f"w{number}", f"q{number}")
        life.client.sadd("rq:queues", f"rq:queue:q{number}")
    assert scripts() == few


@pytest.mark.usefixtures("folder")
def test_a_server_without_anything_has_empty_lists() -> None:
    assert "No queues yet" in run("queue", "list").stdout
    assert "No workers" in run("workers").stdout
    assert told("workers", "--json")["workers"] == []
    assert told("info", "--json")["queues"] == []


@pytest.mark.usefixtures("life")
def test_rqs_worker_pool_runs_jobs_with_rqs_options() -> None:
    words = ["worker-pool", "low", "-b", "-n", "2", "-q", "-w", "rq.worker.SimpleWorker"]
    done = run(*words, "-j", "rq.job.Job", "--connection-class", "redis.Redis")
    assert done.returncode == 0, done.stderr
    assert told("queue", "list", "--json")["queues"][0]["queued"] == 0
    for refused in (["-w", "mine.Worker"], ["-j", "mine.Job"], ["--queue-class", "rq.Job2"]):
        assert run("worker-pool", "-b", *refused).returncode == 2
