"""Rows 40 and 66, windows S9 and T10: each slot of a cron entry makes one job, come what may."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.fault.cron_storm import MovedClock
from tests.fault.troubles import KEEPING, Restartable
from tests.support.faults import Life
from tests.support.proxy import Fault, Rule
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import Queue
from workhorse.cron import Cron, CronScheduler
from workhorse.store import cron as store
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.cron import Cron as Duty

ROOT = Path(__file__).parents[2]
FUNCTION = "tests.support.jobs.nothing"
MINUTE = 60.0


def plan(client: Any, name: str, begin: float, **options: Any) -> None:
    """Add an entry whose first slot is not before *begin*."""
    start = datetime.fromtimestamp(begin, UTC)
    Cron(client).add(name, FUNCTION, queue="q", start=start, **options)


def slots_of(client: Any, name: str) -> Counter[float]:
    """Return how many jobs each slot of an entry made, as the jobs say."""
    found: Counter[float] = Counter()
    for job_id in Queue("q", client).job_ids:
        entry, slot = client.hmget(f"rq:job:{job_id}", "cron", "slot")
        if entry == name.encode():
            found[float(slot)] += 1
    return found


def next_hour(client: Any) -> float:
    return 3600.0 * (int(Store(client).run(store.now(Keys()))) // 3600 + 1)


@dataclass
class Moved:
    """A server whose clock is in the hands of the test."""

    server: RunningServer
    client: Any
    path: Path

    def set(self, moment: float) -> None:
        """Move it, and see that it has moved: where memory is shared late, it takes a while."""
        MovedClock(self.path).set(moment)
        wait_until(lambda: abs(Store(self.client).run(store.now(Keys())) - moment) < 5)


@pytest.fixture
def moved(
    tmp_path: Path, own_server: Restartable, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Moved]:
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the server's clock is moved by a library that is compiled here")
    library, path = tmp_path / "clock.so", tmp_path / "ahead"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    path.write_bytes(bytes(8))
    with monkeypatch.context() as environment:
        environment.setenv("LD_PRELOAD", str(library))
        environment.setenv("CLOCK_AHEAD", str(path))
        server = own_server.start()
    with server.client() as client:
        yield Moved(server, client, path)


def test_fault_66_what_is_due_is_due_by_the_servers_clock(moved: Moved) -> None:
    begin = next_hour(moved.client)
    plan(moved.client, "e", begin, cron="*/10 * * * *")
    duty = Duty(Store(moved.client), Keys())
    made: list[int] = []
    for number in range(12):
        moved.set(begin - 299 + 300 * number)
        made.append(duty.run_once(0.0).done)
    assert made == [0, 1] * 6
    assert set(slots_of(moved.client, "e").values()) == {1}
    moved.set(begin)  # the clock is put back: nothing fires again
    assert duty.run_once(0.0).done == 0


@pytest.mark.timeout(240)
def test_fault_66_ten_minutes_of_schedulers_that_are_killed_fire_each_slot_once(
    moved: Moved,
) -> None:
    client = moved.client
    begin = next_hour(client)
    rules: dict[str, Any] = {"misfire": "all", "catch_up": 1000}
    plan(client, "seconds", begin, cron="*/5 * * * * *", **rules)
    plan(client, "minutes", begin, cron="* * * * *", zone="Europe/Berlin", **rules)
    plan(client, "interval", begin, interval=7, **rules)
    plan(client, "jitter", begin, cron="* * * * *", jitter=20, **rules)
    words = [str(moved.server.socket), str(moved.path), str(begin - 1), "630", "1"]
    told = subprocess.run(
        [sys.executable, "-m", "tests.fault.cron_storm", *words],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(told.stdout) > 100
    moved.set(begin + 631)
    Duty(Store(client), Keys()).run_once(0.0)  # what nobody was left to do
    for name, every in (("seconds", 5), ("minutes", 60), ("interval", 7), ("jitter", 60)):
        found = slots_of(client, name)
        slots = [begin + number * every for number in range(600 // every)]
        assert {slot: found[slot] for slot in slots} == dict.fromkeys(slots, 1)
        assert set(found.values()) == {1}


@pytest.mark.parametrize(
    "fault", [Fault.LOSE_REQUEST, Fault.CUT_REQUEST, Fault.LOSE_REPLY, Fault.REPEAT]
)
def test_fault_66_a_message_that_is_lost_or_repeated_fires_each_slot_once(
    life: Life, queue: Queue, fault: Fault
) -> None:
    cron = Cron(queue.connection)
    for number in range(3):
        cron.add(f"e{number}", FUNCTION, queue="q", cron="* * * * *", zone="UTC")
    first = cron.get("e0").record.slot
    assert first is not None
    rule = life.proxy.add(Rule(fault, name="fire", times=2))
    for number in range(4):
        for _ in range(3):
            with suppress(redis.ConnectionError):
                Duty(Store(queue.connection), life.keys).run_once(0, at=first + number * MINUTE)
    assert rule.hits
    jobs = Queue("q", queue.connection).job_ids
    assert len(jobs) == len(set(jobs)) == 12


def test_fault_66_a_configuration_that_changed_fires_no_slot_twice(client: redis.Redis) -> None:
    begin = next_hour(client)
    plan(client, "e", begin, cron="* * * * *", misfire="all", catch_up=100)
    duty = Duty(Store(client), Keys())
    for number in range(20):
        duty.run_once(0.0, at=begin + number * MINUTE)
        Cron(client).edit("e", cron=f"*/{number % 2 + 1} * * * *")
        Cron(client).edit("e", jitter=number % 3)
    assert set(slots_of(client, "e").values()) == {1}
    assert len(slots_of(client, "e")) > 5


def test_fault_66_three_hours_without_a_scheduler_are_caught_up_as_it_was_said(
    client: redis.Redis,
) -> None:
    begin = next_hour(client)
    for misfire in ("skip", "once", "all"):
        plan(client, misfire, begin, cron="*/10 * * * *", misfire=misfire, catch_up=4)
    for _ in range(2):
        Duty(Store(client), Keys()).run_once(0.0, at=begin + 3 * 3600 + 120)
    last = begin + 3 * 3600
    assert slots_of(client, "skip") == {}
    assert slots_of(client, "once") == {last: 1}
    assert slots_of(client, "all") == {last - 600 * number: 1 for number in range(4)}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ((2027, 10, 31), {"01:30": 1, "02:30": 1, "03:00": 1, "hourly": 25}),
        ((2027, 3, 28), {"01:30": 1, "02:30": 1, "03:00": 1, "hourly": 23}),
        ((2027, 6, 1), {"01:30": 1, "02:30": 1, "03:00": 1, "hourly": 24}),
    ],
    ids=["autumn", "spring", "summer"],
)
def test_fault_40_on_a_day_of_changing_clocks_each_time_fires_once(
    client: redis.Redis, day: tuple[int, int, int], expected: dict[str, int]
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(*day, tzinfo=zone).timestamp()
    end = (datetime(*day, tzinfo=zone) + timedelta(days=1)).timestamp()
    for name in expected:
        minute, hour = (0, "*") if name == "hourly" else (int(name[3:]), int(name[:2]))
        plan(client, name, begin, cron=f"{minute} {hour} * * *", zone=zone.key)
        plan(client, f"{name} s", begin, cron=f"0 {minute} {hour} * * *", zone=zone.key)
    duty = Duty(Store(client), Keys())
    at = begin
    while at < end:
        duty.run_once(0.0, at=at)
        at += 10 * MINUTE
    for name, count in expected.items():
        for entry in (name, f"{name} s"):
            found = slots_of(client, entry)
            assert set(found.values()) == {1}
            assert len(found) == count


@pytest.fixture
def running() -> Iterator[list[tuple[CronScheduler, threading.Thread]]]:
    started: list[tuple[CronScheduler, threading.Thread]] = []
    yield started
    for scheduler, thread in started:
        scheduler.shutdown.request()
        thread.join(20)


def start(client: Any, running: list[tuple[CronScheduler, threading.Thread]]) -> CronScheduler:
    scheduler = CronScheduler(client)
    scheduler.register(FUNCTION, "q", interval=1, name="e", misfire="all", catch_up=1000)
    thread = threading.Thread(target=scheduler.start)
    running.append((scheduler, thread))
    thread.start()
    return scheduler


def test_window_s9_a_scheduler_outlives_the_servers_death(
    own_server: Restartable,
    running: list[tuple[CronScheduler, threading.Thread]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = str(own_server.start(*KEEPING).socket)
    with redis.Redis(unix_socket_path=path, retry=ClientRetry(NoBackoff(), 0)) as client:
        start(client, running)
        wait_until(lambda: len(slots_of(client, "e")) >= 2)
        own_server.kill()
        wait_until(lambda: "the server does not answer" in caplog.text, within=30)
        own_server.start(*KEEPING)
        before = set(slots_of(client, "e"))
        wait_until(lambda: len(set(slots_of(client, "e")) - before) >= 2, within=30)
        ((scheduler, thread),) = running
        scheduler.shutdown.request()
        thread.join(20)
        found = slots_of(client, "e")
        assert set(found.values()) == {1}
        first = min(found)
        assert [round(slot - first, 3) for slot in sorted(found)] == list(range(len(found)))


def test_window_t10_two_schedulers_fire_each_slot_once(
    client: redis.Redis, running: list[tuple[CronScheduler, threading.Thread]]
) -> None:
    for _ in range(3):
        start(client, running)
    wait_until(lambda: len(slots_of(client, "e")) >= 4, within=30)
    assert set(slots_of(client, "e").values()) == {1}
