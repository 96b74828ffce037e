"""What the background duties do, and when."""

from __future__ import annotations

import math
import pkgutil
import time
from datetime import UTC, datetime
from itertools import count as count_up
from typing import Any

import pytest
import redis

from workhorse.core.states import Event, State
from workhorse.core.verdicts import Verdict
from workhorse.store import jobs, views, workers
from workhorse.store.drivers import Store
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, PickleSerializer, encode_call
from workhorse.wire.records import JobRecord
from workhorse.worker import duties
from workhorse.worker.duties.duty import Duty, Report, Timetable
from workhorse.worker.duties.forward import Forward
from workhorse.worker.duties.promote import Promote
from workhorse.worker.duties.reconcile import Reconcile
from workhorse.worker.duties.reconsider import Reconsider
from workhorse.worker.duties.recover import Recover
from workhorse.worker.duties.roster import roster
from workhorse.worker.duties.sweep import Sweep
from workhorse.worker.options import WorkerOptions

KEYS = Keys()
TOKENS = count_up()
DATA = encode_call(Call("tests.support.jobs.nothing", None, (), {}), PickleSerializer())


class Counted:
    """A duty of the test's own."""

    name = "count"

    def __init__(self, every: float) -> None:
        self.every = every
        self.ran_at: list[float] = []

    def run_once(self, now: float) -> Report:
        self.ran_at.append(now)
        return Report()


def run_due(timetable: Timetable, now: float) -> None:
    for duty in timetable.due(now):
        duty.run_once(now)


def test_a_duty_is_due_at_once_and_then_every_so_often() -> None:
    often, seldom = Counted(1), Counted(10)
    timetable = Timetable([often, seldom], now=100)
    for now in (100, 100.5, 101, 101.5, 102, 110):
        run_due(timetable, now)
    assert often.ran_at == [100, 101, 102, 110]
    assert seldom.ran_at == [100, 110]


def test_a_duty_that_was_postponed_waits() -> None:
    duty = Counted(1)
    timetable = Timetable([duty], now=100)
    run_due(timetable, 100)
    timetable.postpone(duty, 130)
    run_due(timetable, 129)
    run_due(timetable, 130)
    assert duty.ran_at == [100, 130]


class Awaiting(Counted):
    """A duty that has to run again at moments of its own."""

    def __init__(self, every: float, *waits: float | None) -> None:
        super().__init__(every)
        self._waits = iter(waits)

    def run_once(self, now: float) -> Report:
        super().run_once(now)
        return Report(again_in=next(self._waits))


def test_a_duty_that_names_its_moment_is_due_then() -> None:
    duty, other = Awaiting(10, 0.25, None), Counted(30)
    timetable = Timetable([duty, other], now=100)
    assert (timetable.next_in(100), timetable.awaited_in(100)) == (0, math.inf)
    timetable.run_due(100, kept_until=math.inf)
    assert (timetable.next_in(100.125), timetable.awaited_in(100.125)) == (0.125, 0.125)
    timetable.run_due(100.125, kept_until=math.inf)
    assert duty.ran_at == [100]
    timetable.run_due(100.25, kept_until=math.inf)
    assert (timetable.next_in(100.25), timetable.awaited_in(100.25)) == (10, math.inf)
    timetable.run_due(110.25, kept_until=0)  # it stood still: not now
    assert (duty.ran_at, other.ran_at) == ([100, 100.25], [100])


def test_a_process_without_a_scheduler_has_no_duty_of_one(client: redis.Redis) -> None:
    options = WorkerOptions(connect=lambda: client, scheduler=False)
    names = {duty.name for duty in roster(Store(client), options)}
    everybody = {
        duty.name for duty in roster(Store(client), WorkerOptions(connect=lambda: client))
    }
    assert everybody - names == {"forward", "promote", "cron"}


@pytest.fixture
def store(client: redis.Redis) -> Store:
    return Store(client)


def enqueue(store: Store, count: int, *, on_lost: str = "requeue", queue: str = "q") -> None:
    for first in range(0, count, jobs.MANY):
        records = [
            JobRecord(
                id=f"job{number}",
                data=DATA,
                origin=queue,
                created_at=datetime.now(UTC),
                on_lost="fail" if on_lost == "fail" else "requeue",
            )
            for number in range(first, min(count, first + jobs.MANY))
        ]
        store.run(jobs.enqueue(KEYS, records))


def claim(store: Store, count: int, *, lease: float, queue: str = "q") -> list[Claimed]:
    call = jobs.claim(
        KEYS, [queue], worker="gone", token=f"{next(TOKENS):024d}", count=count, lease=lease
    )
    return store.run(call).jobs


def settle(store: Store, claimed: list[Claimed], verdict: Verdict, *, ttl: int = 500) -> None:
    settlements = [jobs.settlement(job, verdict, result_ttl=ttl) for job in claimed]
    store.run(jobs.settle(KEYS, settlements, worker="gone", sent_at=time.monotonic()))


def test_every_duty_is_on_the_roster(store: Store, client: redis.Redis) -> None:
    modules = {found.name for found in pkgutil.iter_modules(duties.__path__)}
    on_it = roster(store, WorkerOptions(connect=lambda: client))
    assert {duty.name for duty in on_it} == modules - {"duty", "roster", "walk"}


@pytest.mark.parametrize("duty", [Forward, Promote, Recover, Sweep, Reconcile, Reconsider])
def test_a_duty_has_nothing_to_do_on_an_empty_server(store: Store, duty: type[Forward]) -> None:
    made: Duty = duty(store, KEYS)
    assert made.run_once(0) == Report(0)


def test_all_that_is_due_is_forwarded_however_much_it_is(
    store: Store, client: redis.Redis
) -> None:
    enqueue(store, 250)
    verdict = Verdict(Event.RETRY, State.SCHEDULED, due_in=-1, error="no")
    claimed = [*claim(store, 150, lease=60), *claim(store, 100, lease=60)]
    settle(store, claimed, verdict)
    later = Verdict(Event.RETRY, State.SCHEDULED, due_in=60, error="no")
    enqueue(store, 1, queue="other")
    assert client.zcard("rq:scheduled:q") == 250
    assert Forward(store, KEYS).run_once(0).done == 250
    assert store.run(views.queue_length(KEYS, "q")) == 250
    settle(store, claim(store, 1, lease=60), later)
    assert Forward(store, KEYS).run_once(0).done == 0


def test_lapsed_leases_of_every_queue_are_recovered_and_told(store: Store) -> None:
    enqueue(store, 250)
    claimed = [*claim(store, 150, lease=0), *claim(store, 100, lease=0)]
    assert len(claimed) == 250
    report = Recover(store, KEYS).run_once(0)
    assert report.done == 250
    assert "worker gone stopped renewing its lease" in report.lines[0]
    assert store.run(views.queue_length(KEYS, "q")) == 250
    assert Recover(store, KEYS).run_once(0).done == 0


def test_a_lease_that_holds_is_left_alone(store: Store) -> None:
    enqueue(store, 1)
    claim(store, 1, lease=60)
    assert Recover(store, KEYS).run_once(0) == Report(0)


def test_a_lapsed_job_that_must_not_be_repeated_has_failed(store: Store) -> None:
    enqueue(store, 1, on_lost="fail")
    claim(store, 1, lease=0)
    assert Recover(store, KEYS).run_once(0).done == 1
    record = store.run(views.job(KEYS, "job0"))
    assert record is not None
    assert record.status is State.FAILED


def test_expired_entries_are_swept(store: Store, client: redis.Redis) -> None:
    enqueue(store, 3)
    settle(store, claim(store, 3, lease=60), Verdict(Event.SUCCEED, State.FINISHED))
    client.zadd("rq:finished:q", {"job0": 1, "job1": 1})
    assert Sweep(store, KEYS).run_once(0).done == 2
    assert client.zrange("rq:finished:q", 0, -1) == [b"job2"]


def register(store: Store, name: str, *queues: str) -> None:
    store.run(workers.register(KEYS, name, queues, ["state", "idle"], ttl=60))


def names_of(client: redis.Redis, *queues: str) -> list[set[str]]:
    keys = ["rq:workers", *(f"rq:workers:{queue}" for queue in queues)]
    members: list[Any] = [client.smembers(key) for key in keys]
    return [{name.decode().removeprefix("rq:worker:") for name in found} for found in members]


def test_workers_that_are_gone_leave_every_list(store: Store, client: redis.Redis) -> None:
    client.sadd("rq:queues", "rq:queue:a")
    for name in ("dead1", "alive", "dead2"):
        register(store, name, "a", "b")
    client.delete("rq:worker:dead1", "rq:worker:dead2")  # expired
    sweep = Sweep(store, KEYS, ["b"])  # no job was ever enqueued on b
    assert sweep.run_once(0).done == 6
    assert names_of(client, "a", "b") == [{"alive"}] * 3
    assert sweep.run_once(0) == Report(0)


def test_however_many_are_gone_no_call_looks_at_all(store: Store, client: redis.Redis) -> None:
    dead = [f"rq:worker:dead{number}" for number in range(100)]
    client.sadd("rq:workers", *dead)
    register(store, "alive", "a")
    sweep = Sweep(store, KEYS, ["a"])
    runs = [sweep.run_once(0).done for _ in range(60)]
    assert max(runs) <= workers.SLICE
    assert sum(runs) == 100
    assert names_of(client, "a") == [{"alive"}] * 2


@pytest.mark.parametrize("duty", [Forward, Recover, Sweep])
def test_a_duty_raises_what_the_store_raises(
    store: Store, client: redis.Redis, duty: type[Forward]
) -> None:
    client.set("rq:queues", "not a set")
    with pytest.raises(redis.ResponseError):
        duty(store, KEYS).run_once(0)
