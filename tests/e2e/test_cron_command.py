"""``workhorse cron``, as a person runs it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.e2e.test_command_line import WORKHORSE, run
from tests.e2e.test_command_line import folder as folder  # noqa: PLC0414 - a fixture
from tests.support.waiting import wait_until
from workhorse.cron import Cron, CronScheduler

pytestmark = pytest.mark.usefixtures("folder")

CONFIG = """
from rq import cron
from tasks import add

cron.register(add, 'q', args=(1, 2), interval=3600)
cron.register(add, 'q', cron='0 9 * * *', name='morning')
"""


@pytest.fixture
def started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    (folder / "schedules.py").write_text(CONFIG)
    process = subprocess.Popen(
        [str(WORKHORSE), "cron", "schedules.py", "--name", "one"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ok(*words: str) -> str:
    done = run("cron", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_configuration_is_fired_until_it_is_stopped(
    started: subprocess.Popen[str], client: redis.Redis
) -> None:
    wait_until(lambda: client.llen("rq:queue:q") == 1, within=20)
    assert {entry.name for entry in Cron(client).all()} == {"tasks.add", "morning"}
    wait_until(lambda: [found.name for found in CronScheduler.all(client)] == ["one"])
    started.send_signal(signal.SIGTERM)
    assert started.wait(10) == 0
    assert CronScheduler.all(client) == []
    assert client.llen("rq:queue:q") == 1


def test_a_supervisor_fires_too(client: redis.Redis) -> None:
    ok("add", "often", "tasks.add", ":1", "--every", "3600")
    worker = subprocess.Popen([str(WORKHORSE), "worker"], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: client.zcard("rq:finished:default") == 1, within=20)
    finally:
        worker.terminate()
        worker.wait(20)


def test_an_entry_through_its_life(client: redis.Redis) -> None:
    assert ok("list") == "No cron entries.\n"
    when = ("--cron", "30 16 * * *", "--zone", "Europe/London", "--overlap", "skip")
    line = ok("add", "tea", "tasks.add", ":1", "b:=2", *when, "-q", "kitchen", "--retry-max", "2")
    assert line.startswith("tea  At 16:30 every day (Europe/London)  tasks.add on kitchen  next: ")
    (entry,) = json.loads(ok("list", "--json"))
    assert (entry["cron"], entry["zone"], entry["overlap"]) == (
        "30 16 * * *", "Europe/London", "skip",
    )  # fmt: skip
    shown: dict[str, Any] = json.loads(ok("show", "tea", "--json", "--runs", "3"))
    assert [run_at[11:16] for run_at in shown["next_runs"]] == ["16:30"] * 3
    assert "16:30" in ok("show", "tea")
    assert "at 16:45" in ok("edit", "tea", "--cron", "45 16 * * *").lower()
    assert Cron(client).get("tea").args == (1,)
    assert "paused" in ok("pause", "tea")
    assert "16:45" in ok("resume", "tea")
    job_id = ok("run", "tea").split("'")[-2]
    assert client.lrange("rq:queue:kitchen", 0, -1) == [job_id.encode()]
    assert json.loads(ok("history", "tea", "--json"))[0]["job"] == job_id
    assert job_id in ok("history", "tea")
    assert client.hget(f"rq:job:{job_id}", "retries_left") == b"2"
    assert ok("delete", "tea") == "Deleted: 1\n"
    assert json.loads(ok("list", "--json")) == []


def test_its_jobs_have_what_enqueue_can_say(client: redis.Redis) -> None:
    ok("add", "e", "tasks.add", ":1", "--every", "60", "--timeout", "9", "--repeat", "2",
       "--on-success", "tasks.add", "--webhook", "finished=https://example.com/", "--meta",
       '{"a": 1}', "--rate-limit", "k=1", "--group", "g", "--at-front")  # fmt: skip
    ok("edit", "e", "--result-ttl", "77")
    job_id = ok("run", "e").split("'")[-2]
    fields = client.hgetall(f"rq:job:{job_id}")
    assert (fields[b"timeout"], fields[b"result_ttl"], fields[b"repeats_left"]) == (
        b"9", b"77", b"2",
    )  # fmt: skip
    assert fields[b"success_callback_name"] == b"tasks.add"
    assert b"example.com" in fields[b"webhooks"]
    assert (fields[b"rate_limit_key"], fields[b"group_id"]) == (b"k", b"g")
    assert b"meta" in fields


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "e", "tasks.add"), "give either cron or interval"),
        (("add", "e", "tasks.add", "--cron", "61 * * * *"), "Bad minute"),
        (("add", "e", "tasks.add", "--cron", "* * * * *", "--zone", "Mars"), "no such time zone"),
        (("add", "e", "tasks.add", "--every", "0"), "interval is 0"),
        (("add", "e", "nodots", "--every", "5"), "dotted name"),
        (("add", "e", "tasks.add", "--every", "5", "--start", "soon"), "give a date"),
        (("add", "e", "tasks.add", "--every", "5", "--retry-jitter", "0.5"), "--retry-max"),
        (("edit", "e"), "say what to change"),
        (("no_such_config",), "can't load the cron configuration"),
        (("add",), "Missing argument"),
        (("show", "e", "--bad"), "No such option"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(words: tuple[str, ...], told: str) -> None:
    done = run("cron", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["show", "pause", "resume", "run", "delete", "history"])
def test_an_entry_that_is_not_there_is_told(command: str) -> None:
    done = run("cron", command, "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such cron entry: 'nobody'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_is_help() -> None:
    assert "CONFIG_PATH" in run("cron", "--help").stdout
    assert "Europe/Berlin" in run("cron", "add", "--help").stdout
