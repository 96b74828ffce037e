"""Fakeredis runs our scripts: the protocol there is what it is on a server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import shop
from tests.support.lives import Life
from workhorse import Queue, SimpleWorker, Worker
from workhorse.core.limits import RateLimit
from workhorse.core.outcomes import Returned
from workhorse.store import jobs, scripts
from workhorse.testing import ServerForTests, drain


@pytest.fixture
def fake(fake_for_tests: ServerForTests) -> Any:
    """A client of an empty fakeredis, as users have it."""
    fake_for_tests.empty()
    return fake_for_tests.connection


@pytest.fixture
def own() -> Any:
    """A client of a fakeredis that users made themselves."""
    fakeredis: Any = pytest.importorskip("fakeredis")
    return fakeredis.FakeStrictRedis()


def test_a_synchronous_queue_runs_on_it(own: Any) -> None:
    queue = Queue(is_async=False, connection=own)
    assert queue.enqueue(shop.send, 1).is_finished


def test_a_simple_worker_runs_on_it(own: Any) -> None:
    queue = Queue(connection=own)
    job = queue.enqueue(shop.know_thyself)
    worker = SimpleWorker([queue], connection=queue.connection)
    assert worker.work(burst=True)
    job.refresh()
    assert job.meta == {"seen": True}


def test_a_worker_that_forks_runs_on_it(own: Any) -> None:
    queue = Queue(connection=own)
    job = queue.enqueue(shop.send, 1)
    assert Worker([queue]).work(burst=True)
    assert job.return_value() == "receipt 1"


def test_a_queue_on_it_is_drained(own: Any) -> None:
    queue = Queue(connection=own)
    job = queue.enqueue(shop.send, 1)
    assert drain(queue) == [job]


@pytest.mark.parametrize("name", scripts.names())
def test_each_script_is_read(fake: Any, name: str) -> None:
    sha = fake.execute_command("SCRIPT", "LOAD", scripts.load(name).source)
    assert sha in {scripts.load(name).sha, scripts.load(name).sha.encode()}


def test_a_script_that_it_does_not_know_is_sent_in_full(fake: Any) -> None:
    fake.script_flush()
    assert Queue("q", connection=fake).enqueue(shop.send, 1).is_queued


def test_a_claim_sent_again_returns_the_same_jobs(fake: Any) -> None:
    life = Life(fake)
    life.enqueue("a", "b")
    first = life.claim(token="t" * 24)
    assert life.claim(token="t" * 24) == first
    assert fake.llen("rq:queue:q") == 1


def test_an_end_is_written_once_and_by_its_holder_alone(fake: Any) -> None:
    life = Life(fake)
    job = life.start("j")
    assert life.settle(job, Returned(b"1")) is jobs.Settled.APPLIED
    assert life.settle(job, Returned(b"1")) is jobs.Settled.ALREADY


def test_a_lease_that_lapsed_is_recovered_and_its_late_end_refused(fake: Any) -> None:
    life = Life(fake)
    job = life.start("j")
    assert life.extend(job, lease=-1) == []
    life.recover()
    assert fake.hget("rq:job:j", "status") == b"queued"
    assert life.settle(job, Returned(b"1")) is jobs.Settled.REFUSED


def test_a_place_of_a_rate_limit_is_given_on(fake: Any) -> None:
    queue = Queue("q", connection=fake)
    limit = RateLimit("slots", 1)
    made = [queue.enqueue(shop.send, order, rate_limit=limit) for order in (1, 2)]
    assert [job.get_status() for job in made] == ["queued", "rate_limited"]
    assert drain(queue) == made


def test_a_job_is_canceled_requeued_and_deleted(fake: Any) -> None:
    job = Queue("q", connection=fake).enqueue(shop.send, 1)
    job.cancel()
    assert job.is_canceled
    job.requeue()
    assert job.is_queued
    job.delete()
    assert fake.keys("rq:job:*") == []
