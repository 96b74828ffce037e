"""`workhorse doctor`, as an operator runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.e2e.test_reading_commands import register
from tests.support.commands import run_here
from tests.support.lives import Life
from tests.support.servers import RunningServer
from workhorse import Queue
from workhorse.api.cron import Cron
from workhorse.store.doctor_server_checks import SERVER_CHECKS

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
def test_what_audit_finds_is_mended_only_if_it_is_looked_for() -> None:
    done = run_here("doctor", "--mend")
    assert done.returncode == 2
    assert "--audit" in done.stderr


def examined(*words: str) -> dict[str, Any]:
    """Return what is wrong, by check. The server of the tests itself is not in question."""
    ignored = [f"--ignore={name}" for name in SERVER_CHECKS]
    done = run_here("doctor", "--json", *ignored, *words)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 1)
    return {found["check"]: found for found in told["findings"]}


def test_nothing_is_wrong_with_a_queue_that_is_served(life: Life) -> None:
    assert examined() == {}
    life.enqueue("a")
    register(life, "w", "q")
    assert examined() == {}
    done = run_here("doctor", *[f"--ignore={name}" for name in SERVER_CHECKS])
    assert (done.returncode, done.stdout) == (0, "Nothing is wrong.\n")


def test_jobs_that_nobody_takes_are_told_of(life: Life) -> None:
    life.enqueue("a")
    found = examined()["no_worker"]
    assert (found["level"], found["about"], found["do"]) == (
        "problem",
        ["q"],
        "workhorse worker q",
    )
    Queue("q", life.client).pause(60)
    assert examined()["paused"]["do"] == "workhorse queue resume q"
    life.client.set("rq:suspended", 1)
    assert examined()["suspended"]["level"] == "problem"
    assert "suspended" not in examined("--ignore", "suspended")


def test_what_nobody_does_in_time_is_told_of(life: Life) -> None:
    life.enqueue("held", "late")
    life.claim(1)
    Cron(life.client).add("nightly", "shop.close", cron="0 1 * * *")
    now = life.client.time()[0]
    (member,) = life.client.zrange("rq:wip:q", 0, -1)
    life.client.zadd("rq:wip:q", {member: now - 90})
    life.client.zadd("rq:scheduled:q", {"late": now - 120, "soon": now + 120})
    life.client.zadd("rq:cron_due", {"nightly": now - 3600})
    found = examined()
    assert found["stuck_leases"]["what"].startswith("1 job of q held by workers that are gone")
    assert found["overdue"]["what"].startswith("1 scheduled job of q overdue, the first for 2m")
    assert found["cron_overdue"]["about"] == ["nightly"]


def test_workers_that_are_silent_or_rqs_are_told_of(life: Life) -> None:
    register(life, "w", "q")
    life.client.hset("rq:worker:w", "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    life.client.hset("rq:worker:theirs", mapping={"queues": "q", "state": "idle"})
    life.client.sadd("rq:workers", "rq:worker:theirs")
    found = examined()
    assert found["rq_workers"]["about"] == ["q"]
    done = run_here("doctor").stdout
    assert "silent_worker: worker w on h gave no sign of life for" in done
    assert "worker theirs on an unknown host gave no sign of life for ever" in done


def test_what_can_not_be_handled_is_told_of_and_hostile_names_are_harmless(life: Life) -> None:
    hostile = "q\x1b[2J\u202e"
    life.client.sadd("rq:queues", f"rq:queue:{hostile}", "rq:queue:odd")
    life.client.rpush(f"rq:broken:{hostile}", "x")
    life.client.set("rq:queue:odd", "text")
    found = examined()
    assert found["set_aside"]["about"] == [hostile]
    assert found["wrong_type"]["about"] == ["odd"]
    for words in ((), ("--json",)):
        assert all(line.isprintable() for line in run_here("doctor", *words).stdout.splitlines())


def test_the_server_of_the_tests_writes_nothing_and_says_so(life: Life) -> None:
    before = life.dump()
    done = doctor()
    assert done.returncode == 1
    first, why, what = done.stdout.splitlines()[:3]
    assert first == "persistence: the server writes nothing to disk"
    assert why.strip().startswith("why it matters: every job is lost")
    assert what.strip().startswith("what to do:     CONFIG SET appendonly yes")
    assert life.dump() == before


def test_settings_that_lose_jobs_are_told_of(life: Life) -> None:
    client = life.client
    names = ("maxmemory", "maxmemory-policy", "appendonly")
    before = {name: client.config_get(name)[name] for name in names}
    limit = client.info("memory")["used_memory"] * 6 // 5
    try:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", limit)
        client.config_set("appendonly", "yes")
        found = json.loads(run_here("doctor", "--json").stdout)["findings"]
        told = {one["check"]: one["what"] for one in found}
        assert set(told) >= {"eviction", "memory"}
        assert "persistence" not in told
        assert "allkeys-lru" in told["eviction"]
    finally:
        for name, value in before.items():
            client.config_set(name, value)


def test_a_replica_is_told_of(life: Life) -> None:
    life.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        found = json.loads(run_here("doctor", "--json").stdout)["findings"]
        assert "this server is a replica" in [one["what"] for one in found]
    finally:
        life.client.execute_command("REPLICAOF", "NO", "ONE")


def test_a_server_that_is_away_is_a_finding(tmp_path: Path) -> None:
    done = run_here("doctor", "--json", "-u", f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["check"], found["level"]) == ("server", "problem")
    assert "none.sock" in found["what"]


def test_what_a_user_may_not_do_is_told(life: Life, valkey_server: RunningServer) -> None:
    """A user who may look at keys only, and one who may not run scripts."""
    url = valkey_server.url.replace("unix://", "unix://{}:x@")
    rights = ("on", ">x", "~*", "+ping", "+time", "+smembers", "+pttl", "+zrange", "+zcount")
    life.enqueue("a")
    for name in ("looks", "runs"):
        life.client.execute_command("ACL", "SETUSER", name, "reset", *rights)
    life.client.execute_command("ACL", "SETUSER", "runs", "+@all", "-@admin", "-info")
    try:
        found = json.loads(run_here("doctor", "--json", "-u", url.format("looks")).stdout)
        told = [one["what"] for one in found["findings"] if one["check"] == "rights"]
        assert told[0] == "this user may not do EVALSHA"
        assert told[1].startswith("this user may not do INFO, CONFIG GET save")
        found = json.loads(run_here("doctor", "--json", "-u", url.format("runs")).stdout)
        levels = [one["level"] for one in found["findings"] if one["check"] == "rights"]
        assert levels == ["advice"]
        done = run_here("queue", "list", "-u", url.format("looks"))
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert "the server's user may not do this" in done.stderr
    finally:
        life.client.execute_command("ACL", "DELUSER", "looks", "runs")
