"""Health checks of a supervisor: asked by web and by the command, while all goes well and not."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support import servers
from tests.support.fleet import children
from tests.support.servers import ROOT, RunningServer
from tests.support.waiting import wait_until
from workhorse.core.health import STANDS_STILL, Pulse, why_dead, why_not_ready
from workhorse.store.server import server_binary
from workhorse.worker.health_server import AT_ONCE, LONGEST_HEAD

WELL = Pulse(100.0, wanted=2, running=2, busy=1, is_heard=True, is_shown=True)


# What follows from what


def test_a_loop_that_stands_still_is_dead_and_not_ready() -> None:
    late = 101 + STANDS_STILL
    assert why_dead(WELL, 100 + STANDS_STILL) == why_not_ready(WELL, 101) == []
    assert why_dead(WELL, late) == why_not_ready(WELL, late) != []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"is_stopping": True}, "stopping"),
        ({"is_heard": False}, "server"),
        ({"is_shown": False}, "registered"),
        ({"running": 0}, "none of its 2 workers"),
    ],
)
def test_what_can_not_run_jobs_is_not_ready_but_lives(change: dict[str, Any], word: str) -> None:
    pulse = WELL._replace(**change)
    (reason,) = why_not_ready(pulse, 100)
    assert word in reason
    assert why_dead(pulse, 100) == []


def test_one_worker_that_is_being_replaced_is_no_reason() -> None:
    assert why_not_ready(WELL._replace(running=1), 100) == []


# A supervisor


@dataclass
class Supervisor:
    """A worker command that answers health checks."""

    process: subprocess.Popen[str]
    log: Path
    address: str

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {text}" for name, text in headers.items()),
        ]
        with self.raw() as client:
            client.sendall("\r\n".join([*lines, "", ""]).encode())
            response = http.client.HTTPResponse(client, method=method)
            response.begin()
            return response.status, response.read().decode()

    def told(self, path: str) -> tuple[int, dict[str, Any]]:
        status, body = self.ask(path)
        return status, json.loads(body)

    def raw(self) -> socket.socket:
        if path := self.address.removeprefix("unix:") if "unix:" in self.address else "":
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.settimeout(20)
            client.connect(path)
            return client
        host, _, port = self.address.removeprefix("http://").rpartition(":")
        return socket.create_connection((host, int(port)), timeout=20)


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workhorse.cli", *words]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True,
        timeout=50, check=False,
    )  # fmt: skip


@contextmanager
def supervisor(
    server: RunningServer, folder: Path, *options: str, queue: str = "q"
) -> Iterator[Supervisor]:
    log = folder / "log"
    command = [
        sys.executable,
        "-m",
        "workhorse.cli",
        "worker",
        queue,
        "--url",
        server.url,
        *options,
    ]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stderr=file, stdout=file, text=True)
    try:
        wait_until(lambda: "health checks:" in log.read_text() or process.poll() is not None)
        address = re.search(r"health checks: (\S+)", log.read_text())
        assert address, log.read_text()
        yield Supervisor(process, log, address[1])
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def well(
    valkey_server: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervisor]:
    folder = tmp_path_factory.mktemp("health")
    with supervisor(valkey_server, folder, "--health-port", "0", queue="idle") as found:
        wait_until(lambda: found.told("/readyz")[0] == 200)
        yield found


def test_a_supervisor_that_is_well_says_so(well: Supervisor) -> None:
    assert well.told("/healthz") == (
        200, {"status": "ok", "reasons": [], "workers": 1, "wanted": 1, "busy": 0},
    )  # fmt: skip
    assert well.ask("/readyz?x=1")[0] == 200
    assert well.ask("/healthz", "HEAD") == (200, "")
    port = well.address.rpartition(":")[2]
    for words in (["--port", port], ["--url", well.address, "--live"]):
        done = run("health", *words)
        assert (done.returncode, done.stdout) == (0, "1 of 1 workers, 0 busy\n")
    assert run("health", "-q", WORKHORSE_HEALTH_PORT=port).stdout == ""


@pytest.mark.skipif(find_spec("prometheus_client") is None, reason="an extra")
def test_it_tells_metrics(well: Supervisor) -> None:
    status, body = well.ask("/metrics")
    assert status == 200
    assert 'workhorse_workers{state="idle"} 1.0' in body


def test_other_addresses_and_methods_are_refused(well: Supervisor) -> None:
    assert well.told("/")[0] == 404
    assert well.told("/healthz/../etc")[0] == 404
    assert well.ask("/healthz", "POST")[0] == 405
    assert well.ask("/metrics", Host="evil.example")[0] == 403  # a name made to lead here
    assert well.ask("/healthz", Host="localhost:1")[0] == 200


def test_clients_that_are_slow_or_send_nonsense_hold_up_nobody(well: Supervisor) -> None:
    with ExitStack() as slow:
        for _ in range(3 * AT_ONCE):
            client = slow.enter_context(well.raw())
            client.sendall(b"GET /healthz HTTP/1.1\r\n")
        wait_until(lambda: _is_answered(well), within=20)  # those before it were dropped
    for nonsense in (b"\xff" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"x" * (LONGEST_HEAD + 9000)):
        with well.raw() as client:
            try:
                client.sendall(nonsense)
                assert client.recv(100) == b""
            except ConnectionError:
                pass
    assert _is_answered(well)


def _is_answered(found: Supervisor) -> bool:
    try:
        return found.ask("/readyz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_who_answers_does_so_though_the_supervisor_stands_still(well: Supervisor) -> None:
    os.kill(well.process.pid, signal.SIGSTOP)
    try:
        assert well.told("/healthz")[0] == 200  # half a minute later it is told as dead
    finally:
        os.kill(well.process.pid, signal.SIGCONT)


def test_who_answers_is_started_again_and_ends_with_the_supervisor(
    valkey_server: RunningServer, tmp_path: Path
) -> None:
    with supervisor(valkey_server, tmp_path, "--health-port", "0") as found:
        wait_until(lambda: _is_answered(found))
        pids = children(found.process.pid)
        (answering,) = [pid for pid in pids if _title(pid) == "workhorse: heal"]
        os.kill(answering, signal.SIGKILL)
        wait_until(lambda: _is_answered(found))
        os.kill(found.process.pid, signal.SIGKILL)
        wait_until(lambda: not _is_answered(found))


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_the_address_of_a_supervisor_that_has_ended_is_free(
    valkey_server: RunningServer, tmp_path: Path
) -> None:
    path = tmp_path / "health.sock"
    with supervisor(valkey_server, tmp_path, "--health-socket", str(path)) as found:
        wait_until(lambda: _is_answered(found))
        assert run("health", "--socket", str(path)).returncode == 0
        os.kill(found.process.pid, signal.SIGKILL)
        found.process.wait()
    assert path.is_socket()  # left behind
    with supervisor(valkey_server, tmp_path, "--health-socket", str(path)) as found:
        wait_until(lambda: _is_answered(found))
        taken = run("worker", "--url", valkey_server.url, "--health-socket", str(path))
        assert taken.returncode == 2
        assert "can't answer health checks at" in taken.stderr
    assert not path.exists()


def test_a_supervisor_without_its_server_is_not_ready_but_lives(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(servers.running("valkey", server_binary()))
        options = ("--health-port", "0", "--grace", "0.1")
        found = stack.enter_context(supervisor(server, tmp_path, *options))
        wait_until(lambda: found.told("/readyz")[0] == 200)
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: found.told("/readyz")[0] == 503)
        assert found.told("/readyz")[1]["reasons"] == ["the server does not answer"]
        assert found.told("/healthz")[0] == 200
        done = run("health", "--url", found.address)
        assert done.returncode == 1
        assert done.stderr == "workhorse: not well: the server does not answer\n"


def test_a_supervisor_that_stops_is_not_ready(
    valkey_server: RunningServer, tmp_path: Path
) -> None:
    enqueued = run("enqueue", "--url", valkey_server.url, "--queue", "q", "time.sleep", ":20")
    assert enqueued.returncode == 0, enqueued.stderr
    with supervisor(valkey_server, tmp_path, "--health-port", "0", "--grace", "1") as found:
        wait_until(lambda: found.told("/readyz")[1]["busy"] == 1)
        found.process.terminate()
        wait_until(lambda: found.told("/readyz")[1]["reasons"] == ["it is stopping"])


# The command


def test_where_nobody_answers_the_command_says_so_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = str(mute.getsockname()[1])
        began = time.monotonic()
        done = run("health", "--port", port, "--timeout", "0.3")
        assert time.monotonic() - began < 30
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    done = run("health", "--port", port)
    assert done.returncode == 1
    assert done.stderr.startswith("workhorse: nobody answers health checks: ")


@pytest.mark.parametrize(
    "words", [[], ["--url", "localhost:1"], ["--url", "http://x:99999"], ["--port", "x"]]
)
def test_a_wrong_question_is_refused(words: list[str]) -> None:
    done = run("health", *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
