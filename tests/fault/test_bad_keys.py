"""Rows 49 and 61 of the fault matrix: what is found on a server may be anything, anywhere.

Five look at it: the worker that runs it, the duties, `workhorse info`, `workhorse doctor` and
`Job.fetch`. None of them stops, and the jobs beside it run.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tests.support import calls, lives
from tests.support.faults import FULL, Life
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import Job, Queue, RateLimit, Repeat, Retry, SimpleWorker, WorkhorseError
from workhorse.cli import main
from workhorse.cli.doctor import _line
from workhorse.core.outcomes import Returned
from workhorse.core.verdicts import judge
from workhorse.store import broken, jobs
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.wire.keys import Keys
from workhorse.wire.records import FIELDS
from workhorse.worker.duties.admit import Admit
from workhorse.worker.duties.forward import Forward
from workhorse.worker.duties.recover import Recover
from workhorse.worker.duties.sweep import Sweep

KEYS: Final = Keys()

NASTY: Final = (
    b"", b"\xff\xfe", b"-1", b"0", b"1e400", b"nan", b"inf", b"9" * 30, b"-" + b"9" * 30,
    b"9" * 400, b"9" * 5000, b"[" * 10_000, b"[1e999]", b"[-5, 1" + b"0" * 400 + b"]", b"{}",
    b"null", b"a\nb\x1b[2J", b"\x00" * 10, b"started", b"queued", b"2026-01-02T03:04:05Z",
    b"9999-99-99", b"x" * 10_000,
    b"0x7fffffff", b'{"jitter": 1e999, "on": 7, "give_up": [[]]}', b"q:other", b"\xed\xa0\x80",
)  # fmt: skip

BEGINNINGS: Final = ("queued", "scheduled", "lapsed", "failed", "finished", "limited")


class Scene:
    """A server on which one job, ``bad``, is damaged, and others, ``good``, are not."""

    def __init__(self, client: redis.Redis) -> None:
        self.client: Any = client
        self.client.flushall()
        self.store = Store(client)
        self.bad_queue = Queue("bad", connection=client)
        self.good_queue = Queue("good", connection=client)
        self.bad: Job | None = None
        broken.forget_told()

    def begin(self, state: str) -> None:
        """Bring the bad job into a state."""
        queue, options = self.bad_queue, {"job_id": "j"}
        if state == "queued":
            queue.enqueue(calls.add, 1, 2, **options)
        elif state in ("scheduled", "failed"):
            retry = Retry(3, 600) if state == "scheduled" else None
            queue.enqueue(calls.fail, retry=retry, **options)
            self.work()
            self.client.zadd("rq:scheduled:bad", {"j": 1}, xx=True)
        elif state == "limited":
            limit = RateLimit("mail", 1)
            queue.enqueue(calls.add, 1, 2, **options, rate_limit=limit, ttl=60, repeat=Repeat(1))
            queue.enqueue(calls.add, 1, 2, job_id="waits", rate_limit=limit)
        elif state == "finished":
            queue.enqueue(calls.add, 1, 2, **options)
            self.work()
        else:
            queue.enqueue(calls.add, 1, 2, **options)
            claim = jobs.claim(KEYS, ["bad"], worker="w", token="t" * 24, count=1, lease=60)
            self.store.run(claim)
            for member in self.client.zrange("rq:wip:bad", 0, -1):
                self.client.zadd("rq:wip:bad", {member: 1})

    def work(self) -> None:
        SimpleWorker(["bad", "good"], connection=self.client).work(burst=True)

    def tend(self) -> None:
        for duty in (Forward, Recover, Sweep, Admit):
            duty(self.store, KEYS).run_once(time.monotonic())

    def look(self, url: str) -> None:
        """Have the commands and the API look at everything."""
        assert main.run(["info", "--url", url]) == 0
        assert main.run(["info", "--url", url, "--by-queue", "--raw"]) == 0
        for finding in audit(self.store, KEYS):
            assert _line(finding).isprintable()
        Queue.all(self.client)
        with suppress(ServerError):  # the list of workers is of another kind
            SimpleWorker.all(self.client)
        fetch_all_of(lambda: Job.fetch("j", connection=self.client))

    def all_five(self, url: str) -> Job:
        """Do all that anybody does; return a job beside the bad one."""
        self.look(url)
        self.tend()
        good = self.good_queue.enqueue(calls.add, 20, 22)
        self.work()
        self.tend()
        self.work()
        self.look(url)
        return good


def fetch_all_of(fetch: Callable[[], Job]) -> None:
    """Read each attribute of a job; what can't be read says so by an error of ours."""
    try:
        job = fetch()
    except (WorkhorseError, ServerError):
        return
    names = [
        name
        for name, kind in inspect.getmembers(Job)
        if isinstance(kind, property)
        and name not in {"result", "exc_info", "status", "connection"}
    ]
    methods = [
        "results", "latest_result", "return_value", "get_meta", "get_status", "get_position",
        "get_call_string",
    ]  # fmt: skip
    for name in names + methods:
        try:
            value = getattr(job, name)
            if name in methods:
                value()
        except (WorkhorseError, ServerError):
            pass


@pytest.mark.timeout(1200 if FULL else 60)
@settings(
    max_examples=2000 if FULL else 40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    field=some.sampled_from(sorted(FIELDS)),
    value=some.sampled_from(NASTY) | some.binary(max_size=40) | some.none(),
    state=some.sampled_from(BEGINNINGS),
)
@example(field="timeout", value=b"9" * 400, state="queued")
@example(field="timeout", value=b"nan", state="lapsed")
@example(field="waiters", value=b"9" * 30, state="queued")
@example(field="retry_intervals", value=b"[1e999]", state="queued")
@example(field="retry_intervals", value=b"[" * 10_000, state="queued")
@example(field="result_ttl", value=b"9" * 30, state="queued")
@example(field="status", value=b"\xff", state="scheduled")
@example(field="created_at", value=b"\xff", state="failed")
def test_fault_49_any_field_of_a_job_may_hold_anything(
    valkey_server: RunningServer,
    client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    field: str,
    value: bytes | None,
    state: str,
) -> None:
    scene = Scene(client)
    scene.begin(state)
    if value is None:
        scene.client.hdel("rq:job:j", field)
    else:
        scene.client.hset("rq:job:j", field, value)
    good = scene.all_five(valkey_server.url)
    assert good.return_value() == 42
    assert scene.client.zcard("rq:wip:bad") == 0
    assert "Traceback" not in capsys.readouterr().err


WRONG: Final[dict[str, Callable[[Any, str], object]]] = {
    "string": lambda client, key: client.set(key, "no such thing"),
    "list": lambda client, key: client.rpush(key, "no", "such"),
    "hash": lambda client, key: client.hset(key, "no", "such"),
    "set": lambda client, key: client.sadd(key, "no"),
    "zset": lambda client, key: client.zadd(key, {"no": 1}),
}

PLACES: Final = {
    "queue": "rq:queue:bad",
    "bell": "rq:bell:bad",
    "job": "rq:job:j",
    "results": "rq:results:j",
    "ended": "rq:ended:j",
    "tombstone": "rq:gone:j",
    "lease": "rq:wip:bad",
    "executions": "rq:executions:j",
    "dependents": "rq:job:j:dependents",
    "finished": "rq:finished:bad",
    "failed": "rq:failed:bad",
    "scheduled": "rq:scheduled:bad",
    "canceled": "rq:canceled:bad",
    "workers": "rq:workers",
    "workers_of": "rq:workers:bad",
    "worker": "rq:worker:w",
    "broken": "rq:broken:bad",
    "limits": "rq:rl-keys",
    "limit": "rq:rl:mail",
    "allowed": "rq:rl:mail:allowed",
    "limited": "rq:rl:mail:rate_limited",
    "place": "rq:place:j",
}


EVERY_PLACE: Final = [(place, state) for place in PLACES for state in BEGINNINGS]


@pytest.mark.parametrize(("place", "state"), EVERY_PLACE if FULL else EVERY_PLACE[::4])
def test_fault_49_any_key_may_be_of_another_kind(
    every_server: RunningServer,
    every_client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    place: str,
    state: str,
) -> None:
    scene = Scene(every_client)
    kinds = WRONG if FULL else {"string": WRONG["string"]}
    for spoil in kinds.values():
        scene.client.flushall()
        scene.begin(state)
        scene.client.sadd("rq:workers", "rq:worker:w")
        scene.client.delete(PLACES[place])
        spoil(scene.client, PLACES[place])
        good = scene.all_five(every_server.url)
        assert good.return_value() == 42
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["limits", "limit", "allowed", "limited", "place"])
def test_fault_49_a_limit_whose_keys_are_no_such_lets_its_jobs_end(
    every_client: redis.Redis, place: str
) -> None:
    scene = Scene(every_client)
    scene.begin("limited")
    scene.client.delete(PLACES[place])
    scene.client.set(PLACES[place], "no such thing")
    other = RateLimit("other", 1)
    good = [scene.good_queue.enqueue(calls.add, 1, 2, rate_limit=other) for _ in range(2)]
    scene.tend()
    scene.work()
    assert Job.fetch("j", connection=scene.client).get_status() == "finished"
    assert [job.return_value() for job in good] == [3, 3]
    assert scene.client.exists("rq:broken:bad", "rq:broken:good") == 0
    scene.client.delete(PLACES[place])


def test_fault_49_what_is_no_job_is_set_aside_whoever_meets_it(every_client: redis.Redis) -> None:
    for state in ("queued", "scheduled", "lapsed"):
        scene = Scene(every_client)
        scene.begin(state)
        scene.client.set("rq:job:j", "no hash")
        scene.tend()
        scene.work()
        assert scene.client.lrange("rq:broken:bad", 0, -1) == [b"j"], state
        assert scene.client.exists("rq:queue:bad", "rq:scheduled:bad", "rq:wip:bad") == 0, state


def test_fault_49_a_queue_whose_leases_are_no_such_keeps_its_jobs(
    every_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(every_client)
    scene.begin("queued")
    scene.client.set("rq:wip:bad", "no such thing")
    scene.work()
    scene.work()
    assert scene.client.lrange("rq:queue:bad", 0, -1) == [b"j"]
    told = [line for line in caplog.messages if "of another kind" in line]
    assert len(told) == 1  # though it is met again and again
    scene.client.delete("rq:wip:bad")
    scene.work()
    assert Job.fetch("j", connection=scene.client).return_value() == 3


def test_fault_49_scheduled_jobs_of_a_queue_that_is_no_list_wait(
    every_client: redis.Redis,
) -> None:
    scene = Scene(every_client)
    scene.begin("scheduled")
    scene.client.set("rq:queue:bad", "no such thing")
    scene.tend()
    assert scene.client.zrange("rq:scheduled:bad", 0, -1) == [b"j"]
    scene.client.delete("rq:queue:bad")
    scene.tend()
    assert scene.client.lrange("rq:queue:bad", 0, -1) == [b"j"]


def test_fault_49_a_job_that_ended_is_told_although_its_registry_is_no_such(
    every_client: redis.Redis,
) -> None:
    scene = Scene(every_client)
    scene.client.set("rq:finished:bad", "no such thing")
    job = scene.bad_queue.enqueue(calls.add, 1, 2)
    scene.work()
    assert job.return_value() == 3
    assert 0 < scene.client.ttl(job.key) <= 500
    assert scene.client.lrange("rq:broken:bad", 0, -1) == [job.id.encode()]


def test_fault_49_a_job_that_is_none_any_more_when_it_ends_keeps_back_no_other(
    every_client: redis.Redis,
) -> None:
    life = lives.Life(every_client)
    life.enqueue(*"abcd")
    claimed = life.claim(4).jobs
    life.client.set("rq:job:b", "no hash")
    verdict = judge(Returned(None))
    settled = life.settle_many([lives.settlement(job, verdict) for job in claimed[:3]])
    assert [str(answer) for answer in settled] == ["applied", "broken", "applied"]
    assert life.members("rq:wip:q") == [f"d:{claimed[3].execution_id}"]
    assert life.client.lrange("rq:broken:q", 0, -1) == [b"b"]
    life.client.set("rq:job:d", "no hash")
    assert life.release(claimed[3]) == 0
    assert life.client.lrange("rq:broken:q", 0, -1) == [b"d", b"b"]
    assert life.members("rq:wip:q") == []


@pytest.mark.parametrize("key", ["rq:executions:j", "rq:worker:w:executions"])
def test_fault_49_a_lease_is_extended_whatever_its_index_is(
    every_client: redis.Redis, key: str
) -> None:
    life = lives.Life(every_client)
    job = life.start()
    life.client.set(key, "no such thing")
    before = life.client.zscore("rq:wip:q", f"j:{job.execution_id}")
    for _ in range(2):
        assert life.extend(job, lease=600) == []
    assert life.client.zscore("rq:wip:q", f"j:{job.execution_id}") > before + 500
    assert life.client.exists(key)
    assert life.settle(job, Returned(None)) == "applied"


def test_fault_49_nothing_of_a_job_is_stored_where_its_queue_is_no_list(
    every_client: redis.Redis,
) -> None:
    scene = Scene(every_client)
    scene.client.set("rq:queue:bad", "no such thing")
    with pytest.raises(redis.RedisError, match="WRONGTYPE"):
        scene.bad_queue.enqueue(calls.add, 1, 2, job_id="j")
    assert not scene.client.exists("rq:job:j")


def test_fault_49_a_bell_that_is_no_list_puts_nobody_to_sleep(life: Life) -> None:
    supervisor = life.start()
    wait_until(lambda: "BLPOP" in life.proxy.names())
    bell = life.keys.bell("q")
    life.client.delete(bell)
    life.client.set(bell, "no such thing")
    wait_until(lambda: not life.client.exists(bell))
    life.enqueue("work", "j")
    life.wait_for("j", state="finished", within=5)
    assert supervisor.stop() == 0


def test_fault_49_the_jobs_set_aside_are_not_more_than_a_thousand(
    every_client: redis.Redis,
) -> None:
    scene = Scene(every_client)
    scene.client.rpush("rq:queue:bad", *(b"\xff%d" % number for number in range(1100)))
    scene.work()
    assert scene.client.llen("rq:broken:bad") == 1000
    assert scene.client.lindex("rq:broken:bad", 0) == b"\xff1099"


def test_fault_49_61_commands_show_what_is_set_aside(
    valkey_server: RunningServer, client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(client)
    scene.client.sadd("rq:queues", "rq:queue:bad")
    scene.client.rpush("rq:queue:bad", b"\xff\n\x1b[2J")
    scene.work()
    assert main.run(["info", "--url", valkey_server.url, "bad"]) == 0
    assert "1 set aside" in capsys.readouterr().out
    assert main.run(["doctor", "--audit", "--url", valkey_server.url]) == 1
    said = capsys.readouterr().out
    assert said == "broken: rq:broken:bad: jobs that could not be handled are set aside here\n"


HOSTILE_QUEUES: Final = (
    b"", b"\xff\xfe", b"a\nq: forged", b"\x1b[2J\x1b]0;title\x07", b"x" * 10_000, b"../../etc",
    b"\xe2\x80\xaeevil", b"a:b", b"{a}", b"*", b"\xed\xa0\x80",
)  # fmt: skip


def test_fault_61_hostile_queue_names_that_are_found_are_shown_harmlessly(
    valkey_server: RunningServer, client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(client)
    for name in HOSTILE_QUEUES:
        scene.client.sadd("rq:queues", b"rq:queue:" + name)
        scene.client.rpush(b"rq:queue:" + name, "stale")
        scene.client.zadd(b"rq:wip:" + name, {b"\xff:\xfe": 1})
        scene.client.zadd(b"rq:scheduled:" + name, {b"\xff": 1})
    scene.client.sadd("rq:queues", "no queue's key", "rq:job:x", b"\xff")
    scene.client.sadd("rq:workers", b"rq:worker:\xff", "rq:worker:\x1b[2J", "no worker's")
    scene.client.hset("rq:worker:\x1b[2J", mapping={
        "queues": "a\nb,\xff", "hostname": "\x1b[2J", "pid": "x", "birth": b"\xff", "state": "\n",
    })  # fmt: skip
    good = scene.all_five(valkey_server.url)
    assert good.return_value() == 42
    assert main.run(["doctor", "--audit", "--url", valkey_server.url]) == 1
    assert main.run(["doctor", "--audit", "--json", "--url", valkey_server.url]) == 1
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if line and not line.isprintable()] == []
    assert "forged" not in [line.split(":")[0] for line in said.out.splitlines()]
    assert "Not the key of a queue: no queue's key" in said.out
