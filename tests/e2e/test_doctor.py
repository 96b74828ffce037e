"""`workhorse doctor`, as an operator runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.support.lives import Life
from tests.support.servers import RunningServer

WORKHORSE = Path(sys.executable).parent / "workhorse"


@pytest.fixture
def life(
    valkey_server: RunningServer, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Life:
    """An empty server, which WORKHORSE_URL names."""
    monkeypatch.setenv("WORKHORSE_URL", valkey_server.url)
    return Life(client)


def doctor(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(WORKHORSE), "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_a_server_in_order_is_told_with_exit_code_0(life: Life) -> None:
    life.enqueue("a", "b")
    done = doctor("--audit")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Everything is in its place: unix://")


def test_each_finding_is_a_line_and_the_exit_code_is_1(life: Life) -> None:
    life.enqueue("a")
    life.client.delete("rq:queue:q")
    life.client.rpush("rq:queue:q", b"\x1b[2J\nforged")
    done = doctor("--audit")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "lost: rq:job:a: queued, and in no place",
        "orphan: rq:queue:q \\x1b[2J\\x0aforged: it has an entry here, and there is no such job",
    ]


def test_findings_for_machines_are_an_object_a_line(life: Life) -> None:
    life.enqueue("a")
    life.client.delete("rq:queue:q")
    done = doctor("--audit", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "kind": "lost", "key": "rq:job:a", "id": "a", "explanation": "queued, and in no place",
    }  # fmt: skip


@pytest.mark.usefixtures("life")
def test_without_a_question_it_says_what_can_be_asked() -> None:
    done = doctor()
    assert done.returncode == 2
    assert "--audit" in done.stderr
