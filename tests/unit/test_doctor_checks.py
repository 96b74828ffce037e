"""What is judged to be wrong, of facts that no server of the tests has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from workhorse.store.doctor_checks import CHECKS, judge
from workhorse.store.doctor_facts import Facts
from workhorse.store.history import Series
from workhorse.store.overview import QueueRow
from workhorse.store.roster import WorkerRow

NOW = 1_800_000_000.0
FINE: dict[str, Any] = {
    "redis_version": "8.6.3", "role": "master", "aof_enabled": 1, "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok", "maxmemory": 1000, "used_memory": 100, "connected_clients": 1,
    "maxmemory_policy": "noeviction", "maxclients": 10000, "cluster_enabled": 0, "loading": 0,
}  # fmt: skip


def facts(**changed: Any) -> Facts:
    return replace(Facts(now=NOW, info=FINE, pings=(0.001,) * 20), **changed)


def info(**changed: Any) -> Facts:
    return facts(info={**FINE, **changed})


def found(about: Facts) -> list[tuple[str, str]]:
    return [(problem.check, problem.level) for problem in judge(about)]


def queue(**changed: Any) -> QueueRow:
    counts = dict.fromkeys(
        ("queued", "started", "scheduled", "deferred", "finished", "failed", "canceled", "broken",
         "workers"), 0,
    )  # fmt: skip
    row: dict[str, Any] = {
        "name": "q", "oldest": None, "paused_until": None, "totals": {}, **counts, **changed
    }  # fmt: skip
    return QueueRow(**row)


def worker(**changed: Any) -> WorkerRow:
    row: dict[str, Any] = {
        "name": "w", "state": "idle", "queues": ("q",), "hostname": "h", "address": "", "pid": 7,
        "version": "1", "python": "3.13", "born_at": None,
        "seen_at": datetime.fromtimestamp(NOW - 5, UTC), "succeeded": 0, "failed": 0,
        "working_time": None, "is_ours": True, "is_asked_to_end": False, "holds": 0, "held": (),
        **changed,
    }  # fmt: skip
    return WorkerRow(**row)


def test_a_server_in_order_has_no_problems() -> None:
    assert found(facts()) == []
    assert found(facts(info={})) == []  # it does not tell


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"redis_version": "6.0.16"}, [("version", "problem")] * 2),
        ({"redis_version": "6.2.19"}, [("version", "problem")]),
        ({"redis_version": "6.2.20"}, []),
        ({"redis_version": "7.0.15"}, [("version", "problem")]),
        ({"redis_version": "7.4.6"}, [("version", "advice")]),
        ({"redis_version": "8.6.2"}, [("version", "advice")]),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.3"}, [("version", "problem")]),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.0"}, []),
        ({"role": "slave"}, [("role", "problem")]),
        ({"cluster_enabled": 1}, [("role", "problem")]),
        ({"loading": 1}, [("role", "problem")]),
        ({"aof_enabled": 0}, [("persistence", "advice")]),
        ({"rdb_last_bgsave_status": "err"}, [("persistence", "problem")]),
        ({"aof_last_write_status": "err"}, [("persistence", "problem")]),
        ({"maxmemory_policy": "allkeys-lru"}, [("eviction", "problem")]),
        ({"maxmemory_policy": "volatile-ttl"}, [("eviction", "problem")]),
        ({"maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, []),
        ({"used_memory": 800}, [("memory", "advice")]),
        ({"used_memory": 950}, [("memory", "problem")]),
        ({"maxmemory": 0, "total_system_memory": 101}, [("memory", "problem")]),
        ({"connected_clients": 9999}, [("clients", "problem")]),
    ],
)
def test_what_a_server_says_of_itself_is_judged(
    told: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert found(info(**told)) == expected


def test_a_hole_that_client_eviction_opens_counts_where_clients_are_evicted() -> None:
    evicts = facts(info={**FINE, "redis_version": "8.2.2"}, settings={"maxmemory-clients": "5%"})
    (problem,) = judge(evicts)
    assert problem.level == "problem"
    assert "CVE-2026-23479" in problem.what
    assert "CONFIG SET maxmemory-clients 0" in problem.do


def test_no_snapshots_and_no_file_lose_everything() -> None:
    lossy = info(aof_enabled=0)
    assert found(replace(lossy, settings={"save": ""})) == [("persistence", "problem")]
    assert found(replace(lossy, settings={"save": "3600 1"})) == [("persistence", "advice")]
    (untold,) = judge(lossy)
    assert "does not tell" in untold.what


def test_slow_answers_and_clocks_apart_are_told() -> None:
    assert found(facts(pings=(0.02,) * 20)) == [("latency", "advice")]
    assert found(facts(pings=(0.2,) * 20)) == [("latency", "problem")]
    assert found(facts(pings=(*(0.001,) * 19, 3.0))) == []
    assert [one.what for one in judge(facts(skew=-90.0))] == [
        "the server's clock is 90 s behind this machine's"
    ]


def test_old_jobs_are_told_where_somebody_should_run_them() -> None:
    old = queue(queued=1, oldest=datetime.fromtimestamp(NOW - 7200, UTC))
    assert found(facts(queues=[old], workers=[worker()])) == [("old_backlog", "problem")]
    assert found(facts(queues=[old])) == [("no_worker", "problem")]
    paused = replace(old, paused_until=NOW + 60)
    assert found(facts(queues=[paused], workers=[worker()])) == [("paused", "problem")]


def test_a_silent_worker_serves_no_queue_and_rqs_may_be_silent_for_longer() -> None:
    ago = datetime.fromtimestamp(NOW - 100, UTC)
    silent = facts(queues=[queue(queued=1)], workers=[worker(seen_at=ago)])
    assert found(silent) == [("no_worker", "problem"), ("silent_worker", "problem")]
    theirs = worker(seen_at=ago, is_ours=False)
    assert found(replace(silent, workers=[theirs])) == []
    paused = facts(queues=[queue(paused_until=NOW + 60)], workers=[theirs])
    assert found(paused) == [("rq_workers", "problem")]


def series(*failed_a_minute: float | None) -> Series:
    """Return a series of minutes until now."""
    many = len(failed_a_minute)
    unknown: list[float | None] = [None] * many
    rates = [None if one is None else one / 60 for one in failed_a_minute]
    return Series(
        queue="", step=60, times=[NOW - 60 * (many - at) for at in range(many)], queued=unknown,
        oldest=unknown, enqueued=unknown, succeeded=unknown, failed=rates, retried=unknown,
        busy=unknown, workers=unknown, memory=unknown,
    )  # fmt: skip


def test_failures_that_rise_are_told() -> None:
    assert found(facts(recent=series(*[1] * 50, *[9] * 10))) == [("failures_rise", "problem")]
    assert found(facts(recent=series(*[9] * 60))) == []
    assert found(facts(recent=series(*[0] * 50, *[0.5] * 10))) == []
    assert found(facts(recent=series(*[None] * 50, *[9] * 10))) == [("failures_rise", "problem")]


def test_a_check_that_is_ignored_finds_nothing() -> None:
    bad = info(role="slave", maxmemory_policy="allkeys-lru")
    assert [one.check for one in judge(bad, ["role"])] == ["eviction"]
    assert judge(bad, list(CHECKS)) == []


def test_problems_come_before_advice() -> None:
    mixed = facts(info={**FINE, "used_memory": 800, "role": "slave"}, pings=(0.02,) * 3)
    assert [one.level for one in judge(mixed)] == ["problem", "advice", "advice"]
