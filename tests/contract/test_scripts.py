"""The scripts on every server: they load, tell the time, and work when memory is full."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tests.support import servers
from tests.support.lives import Life, execution_of, settlement
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import jobs, reconcile, registries, schedule, scripts, workers
from workhorse.store.faults import is_passing
from workhorse.store.jobs import Settled
from workhorse.store.server import server_binary

CLOCK = (Path(scripts.__file__).parent / "_clock.lua").read_text()
TELL = f"{CLOCK}\nreturn {{text(tonumber(ARGV[1])), score(tonumber(ARGV[1])), text(now)}}"
LAST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
FULL_MEMORY = ("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")


@pytest.mark.parametrize("name", scripts.names())
def test_every_script_loads_on_every_server(every_client: redis.Redis, name: str) -> None:
    client: Any = every_client
    loaded = scripts.load(name)
    assert client.script_load(loaded.source) == loaded.sha


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(micros=some.integers(min_value=0, max_value=LAST))
@example(micros=0)
@example(micros=999_999)
@example(micros=1_999_999_999_999_999)
@example(micros=951_782_400_000_000)  # the 29th of February 2000
@example(micros=LAST - 1)
def test_a_script_writes_dates_as_python_does(every_client: redis.Redis, micros: int) -> None:
    moment = micros / 1_000_000
    client: Any = every_client
    text, score, _ = client.eval(TELL, 0, repr(moment))
    day = datetime.fromtimestamp(micros // 1_000_000, tz=UTC).replace(
        microsecond=micros % 1_000_000
    )
    assert text.decode() == day.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert score.decode() == f"{micros // 1_000_000}.{micros % 1_000_000:06}"


def test_a_script_tells_the_servers_time(every_client: redis.Redis) -> None:
    client: Any = every_client
    before = client.time()
    text = client.eval(TELL, 0, "0")[2].decode()
    after = client.time()
    said = datetime.fromisoformat(text)
    edges = [datetime.fromtimestamp(s, tz=UTC).replace(microsecond=m) for s, m in (before, after)]
    assert edges[0] <= said <= edges[1]


@pytest.fixture(scope="module", params=["valkey", "redis62", "redis70"])
def small_server(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """Each server that we support, with little memory, which it does not free by itself."""
    binary = {
        "valkey": server_binary,
        "redis62": lambda: servers.REDIS62,
        "redis70": servers.find_redis7,
    }[request.param]()
    if binary is None:
        pytest.skip("no redis-server 7.x on PATH")
    with (
        servers.running(request.param, Path(binary), *FULL_MEMORY) as server,
        server.client() as client,
    ):
        yield client


@pytest.fixture
def full(small_server: redis.Redis) -> Iterator[Life]:
    """A server whose memory was filled while ten jobs waited and a job with a Retry was run."""
    client: Any = small_server
    client.config_set("maxmemory", 0)
    client.flushall()
    life = Life(client)
    life.in_state(State.SCHEDULED, "due")
    life.enqueue("run", at_front=["run"], retries_left=1)
    life.enqueue(*[f"j{number}" for number in range(10)])
    for name in scripts.names():
        client.script_load(scripts.load(name).source)
    life.client.set("filler", b"x" * 100_000)
    client.config_set("maxmemory", 100_000)
    yield life
    client.config_set("maxmemory", 0)


def test_out_of_memory_refuses_new_jobs_and_writes_nothing(full: Life) -> None:
    before = full.dump()
    for call in (full.enqueue, lambda job_id: full.enqueue(job_id, at_front=[job_id])):
        with pytest.raises(redis.ResponseError) as refused:
            call("new")
        assert is_passing(refused.value)
    assert full.dump() == before


def test_out_of_memory_the_queue_drains(full: Life) -> None:
    claim = full.claim(5)
    assert [job.job_id for job in claim.jobs][:2] == ["run", "j0"]
    first, second, third, *rest = claim.jobs
    assert full.extend(*claim.jobs) == []
    batch = [
        settlement(first, judge(Raised("boom"), first.policy)),
        settlement(second, judge(Returned(b"42"))),
        settlement(third, judge(Raised("boom"))),
    ]
    assert full.settle_many(batch) == [Settled.APPLIED] * 3
    assert full.release(*rest) == len(rest)
    assert full.state("run") is State.QUEUED
    drained = 0
    while found := full.claim(100).jobs:
        drained += len(found)
        answers = full.settle_many([settlement(job, judge(Returned(None)), 0) for job in found])
        assert set(answers) == {Settled.APPLIED}
    assert drained == 9
    assert full.waiting() == []


def test_out_of_memory_what_a_dead_worker_claimed_is_given_back(full: Life) -> None:
    claim = full.claim(2, token="c" * 24)
    left = full.store.run(jobs.claimed_before(full.keys, worker="w", token="c" * 24))
    assert left.jobs == claim.jobs
    assert full.release(*left.jobs) == 2


def test_out_of_memory_a_running_job_is_stopped(full: Life) -> None:
    job = full.claim_one()
    assert full.stop("run") is State.STARTED
    assert full.extended(job).stop == [(execution_of(job), 0)]


def test_out_of_memory_the_duties_work(full: Life) -> None:
    full.claim(2)
    for member in full.members("rq:wip:q"):
        full.client.execute_command("ZREM", "rq:wip:q", member)
    assert full.store.run(schedule.forward(full.keys, ["q"])).moved == {"q": 1}
    assert full.recover().seen == 0
    assert full.store.run(registries.sweep(full.keys, ["q"])) == [0]
    turn = reconcile.take_turn(full.keys, "reconcile", holder="me", seconds=10)
    assert full.store.run(turn)
    assert full.store.run(workers.sweep_workers(full.keys, ["q"])) == 0
    assert full.store.run(workers.register(full.keys, "w", ["q"], ["state", "idle"], ttl=60))
    full.store.run(workers.deregister(full.keys, "w", ["q"]))


def test_out_of_memory_a_lapsed_lease_is_recovered(full: Life) -> None:
    job = full.claim_one()
    full.extend(job, lease=-1)
    assert len(full.recover().verdicts) == 1
    assert full.state("run") is State.QUEUED


def test_out_of_memory_lost_jobs_are_put_back(full: Life) -> None:
    full.claim(2)
    for key in ("rq:queue:q", "rq:wip:q", "rq:scheduled:q"):
        for name in full.client.scan_iter(key):
            full.client.unlink(name)
    _, ids = full.store.run(reconcile.job_ids(full.keys, b"0"))
    seen = full.store.run(reconcile.mislaid(full.keys, ids)).sightings
    assert {one.status for one in seen} == {b"queued", b"started", b"scheduled"}
    replies = full.store.run(reconcile.reconcile(full.keys, seen))
    assert set(replies) == {reconcile.Reconciled.APPLIED}


def test_out_of_memory_people_can_clear_up(full: Life) -> None:
    assert full.cancel("j1") is State.QUEUED
    assert full.requeue("j1") is State.CANCELED
    assert full.delete("j1") == [State.QUEUED]
