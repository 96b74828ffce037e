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


def lose_all_places(life: Life) -> None:
    life.enqueue("a", "b")
    life.start("c", origin="q")
    life.client.delete("rq:queue:q", "rq:wip:q", "rq:queues")


def test_what_is_lost_is_mended_and_the_exit_code_is_0(life: Life) -> None:
    lose_all_places(life)
    done = doctor("--audit", "--mend", "--pause", "0")
    assert done.stdout.splitlines() == [
        "lost: rq:job:a: started, and in no place (mended)",
        "lost: rq:job:b: queued, and in no place (mended)",
        "lost: rq:job:c: queued, and in no place (mended)",
    ]
    assert done.returncode == 0
    assert done.stderr.startswith("3 findings, 3 mended: unix://")
    assert life.waiting() == ["b", "c"]
    assert doctor("--audit", "--pause", "0").returncode == 0


def test_a_queue_that_is_not_listed_is(life: Life) -> None:
    life.enqueue("a")
    life.client.delete("rq:queues")
    done = doctor("--audit", "--mend", "--pause", "0")
    told = "unlisted: rq:queue:q: holds jobs of a queue that is not listed (mended)"
    assert (done.returncode, done.stdout.splitlines()) == (0, [told])
    assert life.client.smembers("rq:queues") == {b"rq:queue:q"}


def test_what_can_not_be_mended_is_told_with_exit_code_1(life: Life) -> None:
    life.enqueue("a", "b")
    life.client.lrem("rq:queue:q", 0, "a")
    life.client.rpush("rq:queue:q", "nobody")
    done = doctor("--audit", "--mend", "--pause", "0", "--json")
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(found["kind"], found["id"], found["mended"]) for found in findings] == [
        ("lost", "a", True),
        ("orphan", "nobody", False),
    ]
    assert done.returncode == 1
    assert life.waiting() == ["a", "b", "nobody"]


@pytest.mark.usefixtures("life")
def test_without_a_question_it_says_what_can_be_asked() -> None:
    done = doctor()
    assert done.returncode == 2
    assert "--audit" in done.stderr
