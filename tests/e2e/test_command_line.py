"""The commands, as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.support.servers import RunningServer
from tests.support.waiting import wait_until

WORKHORSE = Path(sys.executable).parent / "workhorse"
TASKS = "def add(a, b=0):\n    return a + b\n\n\ndef boom():\n    raise ValueError('no')\n"


@pytest.fixture
def folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    valkey_server: RunningServer,
    server_socket: Path,
) -> Path:
    """A folder with `tasks.py`, to be in; WORKHORSE_URL names an empty server."""
    assert server_socket == valkey_server.socket
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WORKHORSE_URL", valkey_server.url)
    return folder


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [str(WORKHORSE), *words], capture_output=True, text=True, check=False, timeout=30
    )


def enqueued(*words: str) -> str:
    """Enqueue, and return the job's id."""
    done = run("enqueue", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("'")[-2]


@pytest.mark.usefixtures("folder")
def test_a_call_from_the_shell_is_run_by_a_burst(client: redis.Redis) -> None:
    job_id = enqueued("tasks.add", ":1", "b:=2")

    done = run("worker", "--burst", "-n", "2")

    assert done.returncode == 0, done.stderr
    assert client.hget(f"rq:job:{job_id}", "status") == b"finished"
    assert f"Job OK ({job_id})" in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_burst_also_runs_what_is_retried_at_once(client: redis.Redis) -> None:
    client.script_flush()  # as after a restart: the first calls of every script are sent in full
    job_id = enqueued("tasks.boom", "--retry-max", "2")

    run("worker", "--burst", "-n", "2")

    assert client.hget(f"rq:job:{job_id}", "status") == b"failed"


@pytest.mark.usefixtures("folder")
def test_enqueue_takes_every_option_of_a_job(client: redis.Redis) -> None:
    job_id = enqueued(
        "tasks.add", ":1", "-q", "low", "--timeout", "1m", "--result-ttl", "60", "--ttl", "300",
        "--failure-ttl", "600", "--description", "sum", "--job-id", "sum-1", "--at-front",
        "--retry-max", "3", "--retry-interval", "10", "--retry-interval", "60", "-S", "json",
        "--on-lost", "fail", "--max-starts", "5",
    )  # fmt: skip

    assert job_id == "sum-1"
    fields = client.hgetall("rq:job:sum-1")
    assert fields[b"timeout"] == b"60"
    assert fields[b"retry_intervals"] == b"[10, 60]"
    assert (fields[b"on_lost"], fields[b"max_starts"]) == (b"fail", b"5")
    assert fields[b"data"] == b'["tasks.add", null, [1], {}]'
    assert 0 < client.ttl("rq:job:sum-1") <= 300


@pytest.mark.usefixtures("folder")
def test_enqueue_takes_every_option_of_a_retry(client: redis.Redis) -> None:
    job_id = enqueued(
        "tasks.add", ":1", "--retry-max", "4", "--retry-interval", "10", "--retry-backoff", "3",
        "--retry-max-interval", "60", "--retry-jitter", "0.5", "--retry-on", "OSError",
        "--retry-on", "shop.Busy", "--give-up-on", "FileNotFoundError",
    )  # fmt: skip
    fields = client.hgetall(f"rq:job:{job_id}")
    assert (fields[b"retries_left"], fields[b"retry_intervals"]) == (b"4", b"[10, 30, 60, 60]")
    assert json.loads(fields[b"retry_rules"]) == {
        "jitter": 0.5,
        "on": ["builtins.OSError", "shop.Busy"],
        "give_up": ["builtins.FileNotFoundError"],
    }


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["worker", "--on-lost", "drop"], "drop"),
        (["worker", "--max-starts", "0"], "0"),
        (["enqueue", "tasks.add", "--on-lost", "drop"], "drop"),
        (["enqueue", "tasks.add", "--max-starts", "0"], "0"),
        (["enqueue", "tasks.add", "--retry-jitter", "0.5"], "--retry-max"),
        (["enqueue", "tasks.add", "--retry-max", "2", "--retry-jitter", "2"], "0<=x<=1"),
        (["enqueue", "tasks.add", "--retry-max", "2", "--retry-backoff", "2"], "first wait"),
        (["enqueue", "tasks.add", "--retry-max", "2", "--retry-on", "Busy"], "Busy"),
        (["worker", "-n", "0"], "0"),
        (["worker", "-n", "mine"], "mine"),
        (["worker", "a\nb"], "a\\nb"),
        (["worker", "--lease", "0"], "0"),
        (["worker", "-v", "-q"], "exclude"),
        (["worker", "--isolation", "threads"], "threads"),
        (["worker", "-u", "http://x"], "http://x"),
        (["enqueue"], "FUNCTION"),
        (["enqueue", "add"], "add"),
        (["enqueue", "tasks.add", "a=1", "a=2"], "twice"),
        (["enqueue", "tasks.add", ":{"], "JSON"),
        (["enqueue", "tasks.add", "%x"], "literal"),
        (["enqueue", "tasks.add", "@nowhere"], "nowhere"),
        (["enqueue", "tasks.add", "--timeout", "soon"], "soon"),
        (["enqueue", "tasks.add", "--timeout", "0"], "0"),
        (["enqueue", "tasks.add", "--ttl", "-5"], "-5"),
        (["enqueue", "tasks.add", "--job-id", "a:b"], "a:b"),
        (["enqueue", "tasks.add", "-q", ""], "queue name"),
        (["info", "--interval", "0"], "0"),
        (["info", "a\x1b[2Jb"], "\\x1b"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: list[str], told: str) -> None:
    done = run(*words)

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr


@pytest.mark.parametrize("words", [["enqueue", "tasks.add"], ["info"]])
def test_a_server_that_is_not_there_is_one_line_and_exit_code_1(
    words: list[str], tmp_path: Path
) -> None:
    done = run(*words, "-u", f"unix://{tmp_path}/none.sock")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "none.sock" in done.stderr


@pytest.mark.usefixtures("folder")
def test_info_shows_queues_and_workers_and_changes_nothing(client: redis.Redis) -> None:
    enqueued("tasks.add", ":1", "-q", "low")
    enqueued("tasks.add", ":1", "-q", "low")
    before = {key: client.dump(key) for key in client.scan_iter()}

    shown = run("info")

    assert "low          |██ 2, 0 executing" in shown.stdout
    assert "1 queue, 2 jobs waiting" in shown.stdout
    assert "workhorse worker" in shown.stdout  # what to do about it
    assert {key: client.dump(key) for key in client.scan_iter()} == before


@pytest.mark.usefixtures("folder")
def test_info_has_plain_lines_for_scripts() -> None:
    enqueued("tasks.add", ":1")

    shown = run("info", "--raw", "-Q")

    assert shown.stdout == ("queue default 1, 0 executing, 0 finished, 0 failed, 0 scheduled\n")


def test_a_worker_registers_logs_json_and_ends_in_order_on_sigterm(
    folder: Path, client: redis.Redis
) -> None:
    pid_file = folder / "worker.pid"
    command = [
        str(WORKHORSE),
        "worker",
        "--name",
        "w",
        "--log-format",
        "json",
        "--pid",
        str(pid_file),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        wait_until(lambda: client.sismember("rq:workers", "rq:worker:w"))
        assert int(pid_file.read_text()) == worker.pid
        assert "w (" in run("info", "-W").stdout
        os.kill(worker.pid, signal.SIGTERM)
        output, _ = worker.communicate(timeout=20)

    assert worker.returncode == 0
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert events[0] == "connect"
    assert events[-1] == "exit"
    assert "stop" in events
    assert not client.exists("rq:workers")
    assert not pid_file.exists()


def test_a_worker_whose_server_is_away_says_so_and_waits_for_it(
    folder: Path, tmp_path: Path
) -> None:
    url = f"unix://{tmp_path}/none.sock"
    command = [str(WORKHORSE), "worker", "-u", url, "--grace", "0"]
    log = folder / "log"
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as worker:
        wait_until(lambda: "the server does not answer" in log.read_text())
        os.kill(worker.pid, signal.SIGTERM)
        os.kill(worker.pid, signal.SIGTERM)
        worker.wait(timeout=30)

    assert "Traceback" not in log.read_text()


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("workhorse, version ")


@pytest.mark.parametrize("words", [[], ["worker"], ["enqueue"], ["info"], ["server"]])
def test_every_command_has_help(words: list[str]) -> None:
    done = run(*words, "--help")

    assert done.returncode == 0
    assert "Usage: workhorse" in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_worker_is_shown_as_busy_and_as_idle_again(folder: Path, client: redis.Redis) -> None:
    (folder / "slow.py").write_text(
        "import time, pathlib\n\n\ndef wait():\n"
        "    while not pathlib.Path('go').exists():\n        time.sleep(0.01)\n"
    )
    enqueued("slow.wait")
    with subprocess.Popen([str(WORKHORSE), "worker", "--name", "w", "-q"]) as worker:
        wait_until(lambda: client.hget("rq:worker:w", "state") == b"busy")
        (folder / "go").touch()
        wait_until(lambda: client.hget("rq:worker:w", "state") == b"idle")
        assert client.hget("rq:worker:w", "successful_job_count") == b"1"
        worker.terminate()


@pytest.mark.usefixtures("folder")
def test_a_burst_that_is_over_at_once_is_counted_in_full(client: redis.Redis) -> None:
    ids = [enqueued("tasks.add", ":1") for _ in range(3)]

    run("worker", "--burst", "--name", "w")

    assert client.hget("rq:worker:w", "successful_job_count") == str(len(ids)).encode()
