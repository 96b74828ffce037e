"""A clock that tests move: what is to come comes nearer, and what has happened keeps its date."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from tests.support import shop
from tests.support.waiting import wait_until
from workhorse import Job, Queue
from workhorse.api.cron import Cron
from workhorse.core.errors import InvalidOptionError
from workhorse.store import clock as store_clock
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.testing import ServerForTests, clock, drain
from workhorse.testing.time_travel import pass_time
from workhorse.wire.keys import Keys


@pytest.fixture(autouse=True)
def _begin_anew() -> None:
    shop.sent.clear()


@pytest.mark.usefixtures("on_server")
def test_a_scheduled_job_is_due_when_its_time_has_passed_and_not_before() -> None:
    job = shop.mail.enqueue_in(timedelta(hours=1), shop.send, 1)
    clock.advance(minutes=59, seconds=58)
    assert drain() == []
    clock.advance(timedelta(seconds=2))
    assert drain() == [job]


@pytest.mark.usefixtures("on_server")
def test_it_goes_to_the_next_and_says_how_far() -> None:
    later = shop.mail.enqueue_in(7200, shop.send, 2)
    sooner = shop.mail.enqueue_in(3600, shop.send, 1)
    moved = clock.advance_to_next()
    assert moved is not None
    assert timedelta(minutes=59) < moved <= timedelta(hours=1)
    assert clock.advance_to_next() == timedelta()  # it is due, and nobody ran it yet
    assert drain() == [sooner]
    assert later.is_scheduled
    assert drain(scheduled=True) == [later]
    assert clock.advance_to_next() is None


@pytest.mark.usefixtures("on_server")
def test_what_is_kept_for_a_while_is_gone_after_it() -> None:
    job = shop.mail.enqueue(shop.send, 1, result_ttl=60)
    drain()
    clock.advance(seconds=59)
    assert Job.exists(job.id)
    clock.advance(seconds=2)
    assert not Job.exists(job.id)


def test_what_is_kept_for_ever_stays(on_server: ServerForTests) -> None:
    job = shop.mail.enqueue(shop.send, 1, result_ttl=-1)
    drain()
    score = on_server.connection.zscore("rq:finished:mail", job.id)
    clock.advance(days=10_000)
    assert Job.exists(job.id)
    assert on_server.connection.zscore("rq:finished:mail", job.id) == score


@pytest.mark.usefixtures("on_server")
def test_a_job_that_may_wait_for_a_while_is_gone_after_it() -> None:
    job = shop.mail.enqueue(shop.send, 1, ttl=60)
    clock.advance(minutes=2)
    assert drain() == []
    assert not Job.exists(job.id)


@pytest.mark.usefixtures("on_server")
def test_what_has_happened_keeps_its_date() -> None:
    shop.place(1)
    (before,) = drain()
    clock.advance(seconds=100)
    after = Job.fetch(before.id)
    dates = ("created_at", "enqueued_at", "started_at", "ended_at")
    assert [getattr(after, name) for name in dates] == [getattr(before, name) for name in dates]


def test_keys_of_others_are_left_alone(on_server: ServerForTests) -> None:
    on_server.connection.set("session", 1, ex=60)
    clock.advance(hours=1)
    assert 0 < on_server.connection.ttl("session") <= 60


def test_a_lease_lapses(on_server: ServerForTests) -> None:
    client = on_server.connection
    now = client.time()[0]
    client.zadd("rq:wip:mail", {"j:e": now + 60})
    clock.advance(minutes=2)
    assert client.zscore("rq:wip:mail", "j:e") == now - 60


@pytest.mark.usefixtures("on_server")
def test_cron_entries_fire_each_time_that_their_moment_comes() -> None:
    Cron().add("hourly", shop.send, args=[1], interval=3600, queue="mail")
    Cron().add("nightly", shop.send, args=[2], cron="30 3 * * *", zone="UTC", queue="nights")
    drain()
    shop.sent.clear()
    clock.advance(days=2)
    assert (shop.mail.count, Queue("nights").count) == (48, 2)
    drain()
    clock.advance(minutes=59)
    assert drain("mail") == []
    clock.advance(minutes=1)
    assert len(drain("mail")) == 1
    assert shop.sent == [1] * 48 + [2] * 2 + [1]


def test_cron_entries_that_fire_too_often_on_the_way_are_told(on_server: ServerForTests) -> None:
    Cron().add("often", shop.send, args=[1], interval=1, overlap="skip")
    with pytest.raises(InvalidOptionError, match="cron entries would fire more than 5 times"):
        pass_time(on_server.store, 60, most_firings=5)


@pytest.mark.parametrize("by", [{}, {"hours": -1}, {"days": 100_000}])
def test_a_time_that_is_not_ahead_is_refused(by: dict[str, float]) -> None:
    with pytest.raises(InvalidOptionError, match="the clock can't be moved by"):
        clock.advance(**by)  # type: ignore[arg-type] # by its names


def test_sent_again_it_moves_nothing_twice(every_client: Any) -> None:
    store, keys = Store(every_client), Keys()
    every_client.zadd("rq:scheduled:q", {"j": 2_000_000_000.25})
    every_client.hset("rq:job:j", "scheduled_for", 2_000_000_000.25)
    every_client.set("rq:turn:x", 1, ex=1000)
    for _ in range(2):
        store.run(store_clock.advance(keys, 100, token="t" * 24))
        assert every_client.zscore("rq:scheduled:q", "j") == 1_999_999_900.25
        assert float(every_client.hget("rq:job:j", "scheduled_for")) == 1_999_999_900.25
        assert 800 < every_client.ttl("rq:turn:x") <= 900
    store.run(store_clock.advance(keys, 100, token="u" * 24))
    assert every_client.zscore("rq:scheduled:q", "j") == 1_999_999_800.25


def test_what_is_long_over_does_not_become_what_is_kept_for_ever(every_client: Any) -> None:
    every_client.zadd("rq:finished:q", {"j": 50, "k": -1, "l": "+inf"})
    Store(every_client).run(store_clock.advance(Keys(), 100, token="t" * 24))
    scores = every_client.zrange("rq:finished:q", 0, -1, withscores=True)
    assert scores == [(b"k", -1), (b"j", 0), (b"l", math.inf)]


def test_nothing_is_out_of_place_after_it(on_server: ServerForTests) -> None:
    shop.mail.enqueue_in(7200, shop.send, 1)
    shop.mail.enqueue(shop.send, 2, result_ttl=60)
    shop.mail.enqueue(shop.send, 3)
    drain()
    clock.advance(hours=1)
    assert on_server.connection.ttl("rq:advanced") > 0
    drain()
    assert audit(on_server.store, Keys()) == []


def test_keys_of_another_kind_than_they_should_be_are_passed_over(every_client: Any) -> None:
    every_client.set("rq:scheduled:q", "no set")
    every_client.hset("rq:wip:q", "no", "set")
    every_client.rpush("rq:job:j", "no hash")
    every_client.hset("rq:job:k", "scheduled_for", "some day")
    assert Store(every_client).run(store_clock.advance(Keys(), 1, token="t" * 24)) == 4


@pytest.mark.usefixtures("on_server")
def test_the_result_of_a_job_that_waits_can_be_waited_for_while_time_passes() -> None:
    job = shop.mail.enqueue_in(60, shop.send, 1)
    clock.advance(hours=2)
    drain()
    assert wait_until(lambda: job.is_finished)
