"""``workhorse job tail``, and workers that keep what their jobs log and print."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.e2e.test_command_line import WORKHORSE, folder
from tests.e2e.test_command_line import run as run_apart
from tests.support import calls, telling
from tests.support.commands import run_here as run
from tests.support.servers import ROOT
from tests.support.waiting import wait_until
from workhorse import Queue, SimpleWorker

__all__ = ["folder"]  # a fixture

HOSTILE = "\x1b[2J\x1b]0;owned\x07<script>\u202eevil\r\n"


@pytest.fixture
def queue(folder: Path, client: redis.Redis) -> Queue:
    assert folder.is_dir()
    return Queue("low", client)


def work(queue: Queue) -> None:
    SimpleWorker([queue], capture_logs=True).work(burst=True)


def test_a_job_that_failed_is_shown_with_its_log_and_its_error(queue: Queue) -> None:
    queue.enqueue(telling.count_and_fail, 3, job_id="j")
    work(queue)
    done = run("job", "tail", "j")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert [line[9:] for line in lines[:2]] == [
        "out      about to fail",
        "out      no end of line",
    ]
    assert lines[2:] == ["progress: 3 of 3 (100 %) step 3", "failed", "ValueError: no more"]


def test_as_many_lines_are_shown_as_are_wanted(queue: Queue) -> None:
    queue.enqueue(telling.print_lines, 9, job_id="j")
    work(queue)
    some = run("job", "tail", "j", "-n", "2", "--no-follow").stdout.splitlines()
    none = run("job", "tail", "j", "-n", "0").stdout.splitlines()
    assert ([line.split()[-1] for line in some], none) == (["7", "8", "finished"], ["finished"])


def test_programs_get_one_object_a_line(queue: Queue) -> None:
    queue.enqueue(telling.count_and_fail, 2, job_id="j")
    work(queue)
    done = run("job", "tail", "j", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["event"] for one in told] == ["line", "line", "progress", "state"]
    assert (told[0]["source"], told[0]["text"], told[-1]["state"]) == (
        "out",
        "about to fail",
        "failed",
    )
    assert (told[2]["done"], told[2]["total"], told[2]["note"]) == (2, 2, "step 2")


def test_the_exit_code_tells_how_a_job_ended(queue: Queue) -> None:
    queue.enqueue(calls.add, job_id="good")
    queue.enqueue(calls.fail, job_id="bad")
    work(queue)
    queue.enqueue(calls.add, job_id="off").cancel()
    queue.enqueue(calls.add, job_id="waits")
    codes = {job_id: run("job", "tail", job_id).returncode for job_id in ("good", "bad", "off")}
    assert codes == {"good": 0, "bad": 1, "off": 3}
    assert run("job", "tail", "waits", "--no-follow").returncode == 0
    late = run("job", "tail", "waits", "--timeout", "0.1s")
    assert (late.returncode, late.stdout) == (1, "queued\n")
    assert "has not ended after 0.1 seconds" in late.stderr
    missing = run("job", "tail", "missing")
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)


def test_what_a_job_wrote_reaches_no_terminal_as_it_is(queue: Queue) -> None:
    queue.enqueue(telling.tell_all, HOSTILE, job_id="j")
    work(queue)
    for words in ((), ("--json",)):
        shown = run("job", "tail", "j", *words).stdout
        assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
        assert "evil" in shown


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_a_worker_keeps_what_its_jobs_print_and_prints_it(queue: Queue, isolation: str) -> None:
    job = queue.enqueue(telling.count_and_fail, 3)
    quiet = queue.enqueue(telling.count_and_fail, 3, capture_logs=False)
    done = run_apart(
        "worker", "low", "--burst", "--isolation", isolation, "--capture-logs", "--path", str(ROOT)
    )
    assert done.stdout.count("about to fail") == 2
    assert [line.text for line in job.log_lines()] == ["about to fail", "no end of line"]
    assert quiet.log_lines() == []
    for one in (job, quiet):
        progress = one.get_progress()
        assert progress
        assert (progress.done, progress.note) == (3, "step 3")


def followed(job_id: str, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start to follow a job on a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(WORKHORSE), "job", "tail", job_id, *words], stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    return process, ours


def heard(terminal: int, so_far: list[bytes]) -> str:
    """Return all that was shown there."""
    with suppress(OSError):  # nothing new, or its other end is closed
        so_far.append(os.read(terminal, 1 << 16))
    return b"".join(so_far).decode()


def test_a_job_is_followed_live_on_a_terminal(queue: Queue, tmp_path: Path) -> None:
    go = tmp_path / "go"
    queue.enqueue(telling.tell_and_wait_for, str(go), job_id="j")
    process, terminal = followed("j")
    worker = subprocess.Popen(
        [str(WORKHORSE), "worker", "low", "--burst", "--capture-logs", "--path", str(ROOT)],
        stdout=subprocess.DEVNULL,
    )
    shown: list[bytes] = []
    wait_until(lambda: "1 of 2 (50 %) waiting" in heard(terminal, shown), within=20)
    assert "░" in heard(terminal, shown)
    go.touch()
    assert (process.wait(20), worker.wait(20)) == (0, 0)
    wait_until(lambda: "finished" in heard(terminal, shown))
    assert "goes on" in heard(terminal, shown)
    os.close(terminal)


def test_ctrl_c_ends_following_and_not_the_job(queue: Queue) -> None:
    queue.enqueue(calls.add, job_id="j")
    process, terminal = followed("j")
    shown: list[bytes] = []
    wait_until(lambda: "queued" in heard(terminal, shown), within=20)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    os.close(terminal)
    client: Any = queue.connection
    assert client.hget("rq:job:j", "status") == b"queued"
