"""``workhorse dashboard``, as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import redis

from tests.support.servers import ROOT, RunningServer
from tests.support.waiting import wait_until
from workhorse import Queue

EMPTY: Mapping[str, str] = {}


def command(*words: str, without: str = "") -> list[str]:
    """Return the command; as on a machine that lacks a module *without* which it can't be."""
    hidden = f"sys.modules[{without!r}] = None; " if without else ""
    code = f"import sys; {hidden}from workhorse.cli.main import main; main(sys.argv[1:])"
    return [sys.executable, "-c", code, "dashboard", *words]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), **more}


def run(*words: str, without: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words, without=without),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=environment(),
    )


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(
    server: RunningServer, *words: str, more: Mapping[str, str] = EMPTY
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    process = subprocess.Popen(
        command("--url", server.url, "--port", str(port), *words),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(url), within=30)
        yield process, url
    finally:
        process.kill()
        process.communicate()


def answers(url: str) -> bool:
    with suppress(URLError, ConnectionError), urlopen(f"{url}/static/icon.svg", timeout=5):  # noqa: S310 - ours
        return True
    return False


def ask(url: str, **headers: str) -> object:
    with urlopen(Request(url, headers=headers), timeout=10) as answer:  # noqa: S310 - ours
        return json.load(answer)


@pytest.fixture(autouse=True)
def _needs_the_extra() -> None:
    pytest.importorskip("starlette", reason="the extra 'dashboard' is not installed")


def test_it_shows_the_jobs_and_ends_though_a_browser_listens(
    valkey_server: RunningServer, client: redis.Redis
) -> None:
    Queue("mail", connection=client).enqueue("os.getcwd")
    with ExitStack() as stack:
        process, url = stack.enter_context(running(valkey_server))
        told = ask(f"{url}/queues?format=json")
        assert isinstance(told, dict)
        assert told["queues"][0]["name"] == "mail"
        stream = stack.enter_context(urlopen(f"{url}/live", timeout=10))  # noqa: S310 - ours
        while not stream.readline().startswith(b"event: state"):
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) in {0, -signal.SIGTERM}
        said = process.stderr.read() if process.stderr else ""
        assert "Traceback" not in said
        assert f"): {url}\n" in said


def test_a_token_is_made_and_lets_in(valkey_server: RunningServer, tmp_path: Path) -> None:
    made = run("token", "ann", "viewer")
    token, line = made.stdout.split("\n")[:2]
    assert line.startswith("ann viewer sha256:")
    assert token not in line
    bearer = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    file = tmp_path / "tokens"
    file.write_text(made.stdout.split("\n", 1)[1])
    with running(valkey_server, "--token-file", str(file)) as (_, url):
        assert ask(f"{url}/queues", **bearer)
        with pytest.raises(URLError, match="401"):
            ask(f"{url}/queues", Accept="application/json")


@pytest.mark.parametrize(
    "words", [("--host", ".".join("0000")), ("--host", "::"), ("--socket", "x")]
)
def test_it_lets_nobody_else_reach_it_without_tokens(words: tuple[str, ...]) -> None:
    refused = run(*words)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "workhorse dashboard token NAME admin" in refused.stderr


def test_a_port_that_is_taken_is_told_in_a_line(valkey_server: RunningServer) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused = run("--url", valkey_server.url, "--port", port)
    assert refused.returncode == 1
    assert "address already in use" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("module", "words"),
    [("uvicorn", ()), ("jinja2", ()), ("starlette", ("token", "ann", "admin"))],
)
def test_without_the_extra_it_says_what_to_install(module: str, words: tuple[str, ...]) -> None:
    refused = run(*words, without=module)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "pip install 'workhorse[dashboard]'" in refused.stderr
