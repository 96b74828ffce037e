"""``workhorse worker --exception-handler`` and ``-d``, and callbacks from the shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.support.servers import RunningServer

TASKS = """
from pathlib import Path


def boom():
    raise ValueError("no such order")


def report(job, kind, value, frames):
    with Path("log").open("a") as log:
        log.write(f"{kind.__name__}: {value}\\n")


def done(job, connection, *more):
    with Path("log").open("a") as log:
        log.write(f"called back {len(more)}\\n")
"""


@pytest.fixture(autouse=True)
def folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    valkey_server: RunningServer,
    server_socket: Path,
) -> Path:
    assert server_socket == valkey_server.socket
    (tmp_path / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKHORSE_URL", valkey_server.url)
    return tmp_path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workhorse.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_handlers_and_callbacks_are_given_on_the_command_line(
    client: redis.Redis, folder: Path, isolation: str
) -> None:
    told = run("enqueue", "tasks.boom", "--on-failure", "tasks.done")
    job_id = told.stdout.split("'")[-2]
    handlers = ("--exception-handler", "tasks.report", "--exception-handler", "tasks.report")
    done = run("worker", "--burst", "--isolation", isolation, *handlers, "-d")
    assert done.returncode == 0, done.stderr
    log = (folder / "log").read_text().splitlines()
    assert log == ["called back 3", *["ValueError: no such order"] * 2]
    assert client.hget(f"rq:job:{job_id}", "status") == b"failed"
    assert "ValueError: no such order" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_handler_without_a_module_is_refused() -> None:
    done = run("worker", "--burst", "--exception-handler", "report")
    assert done.returncode == 2
    assert "not a dotted name: 'report'" in done.stderr
