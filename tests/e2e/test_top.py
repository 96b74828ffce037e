"""`workhorse top` on a real terminal, with real workers."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.e2e.test_command_line import WORKHORSE, folder
from tests.support import calls
from tests.support.commands import run_here
from tests.support.terminals import Terminal, plain
from tests.support.waiting import wait_until
from workhorse import Queue

__all__ = ["folder"]  # a fixture

LEFT = "\x1b[?1049l"


@pytest.fixture
def shop(folder: Path, client: redis.Redis) -> Iterator[redis.Redis]:
    """Two workers on "low": one runs slow.wait, failed jobs, one queue that nobody serves."""
    (folder / "slow.py").write_text(
        "import time, pathlib\n\n\ndef wait():\n"
        "    while not pathlib.Path('go').exists():\n        time.sleep(0.01)\n"
    )
    low = Queue("low", client)
    for _ in range(3):
        low.enqueue("tasks.boom")
    low.enqueue("slow.wait")
    Queue("lonely", client).enqueue(calls.add)
    quiet = subprocess.DEVNULL
    words = [str(WORKHORSE), "worker", "low", "-n", "2", "-q"]
    with subprocess.Popen(words, stdout=quiet, stderr=quiet) as worker:
        wait_until(lambda: client.zcard("rq:wip:low") == 1 and client.zcard("rq:failed:low") == 3)
        wait_until(lambda: client.scard("rq:workers") == 2)
        yield client
        (folder / "go").touch()
        worker.terminate()


def screen_of(terminal: Terminal) -> str:
    """Return what was written since the last full frame, without controls."""
    return plain(terminal.read())


def test_it_shows_what_happens_and_heeds_keys(shop: redis.Redis) -> None:
    with Terminal([WORKHORSE, "top", "-i", "0.2"], columns=100, rows=30) as terminal:
        wait_until(lambda: "1 of 2 workers busy" in screen_of(terminal))
        for told in ("lonely", "no worker", "slow.wait", "tasks.boom", "ValueError", "q quit"):
            wait_until(lambda told=told: told in screen_of(terminal))  # type: ignore[misc]
        terminal.press("jj")
        wait_until(lambda: ">  low" in screen_of(terminal))
        terminal.press("p")
        wait_until(lambda: "Pause low? y/n" in screen_of(terminal))
        terminal.press("y")
        wait_until(lambda: shop.zscore("rq:paused", "low") is not None)
        wait_until(lambda: "Paused low." in screen_of(terminal))
        terminal.press("py")
        wait_until(lambda: shop.zscore("rq:paused", "low") is None)
        terminal.press("/lon\r")
        wait_until(lambda: "filter: lon " in screen_of(terminal))
        terminal.press("sq")
        assert terminal.end() == 0
        assert terminal.text.endswith(LEFT)
        assert terminal.is_as_before()


def test_it_fits_a_terminal_that_is_made_smaller(shop: redis.Redis) -> None:
    assert shop.ping()
    with Terminal([WORKHORSE, "top", "-i", "0.2"], columns=100, rows=30) as terminal:
        wait_until(lambda: "q quit" in screen_of(terminal))
        terminal.resize(50, 12)
        seen = len(terminal.text)
        foot = re.compile(r"\x1b\[12;1H(?:\x1b\[\d+m)*q quit")
        wait_until(lambda: foot.search(terminal.read()[seen:]))
        chunks = terminal.text[seen:].split("\x1b[?2026h")
        small = next(chunk for chunk in chunks if foot.search(chunk))
        widths = [len(plain(row)) for row in re.split(r"\x1b\[\d+;1H", small)]
        assert max(widths) <= 50
        assert "\x1b[13;1H" not in small
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_the_terminal_is_restored_however_it_ends(
    folder: Path, number: signal.Signals, code: int
) -> None:
    assert folder.is_dir()
    with Terminal([WORKHORSE, "top"]) as terminal:
        wait_until(lambda: "q quit" in screen_of(terminal))
        assert not terminal.is_as_before()
        terminal.process.send_signal(number)
        assert terminal.end() == code
        assert terminal.text.endswith(LEFT)
        assert terminal.is_as_before()


def test_one_frame_is_printed_for_programs(shop: redis.Redis) -> None:
    assert shop.ping()
    done = run_here("top", "--once", "-i", "0.2")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "1 of 2 workers busy" in done.stdout
    assert "slow.wait" in done.stdout
    assert "tasks.boom" in run_here("top", "--once", "-i", "0.2", "--filter", "boom").stdout


@pytest.mark.usefixtures("folder")
def test_without_a_terminal_it_says_so() -> None:
    done = run_here("top")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--once" in done.stderr
