"""Queues that run their jobs at once, without a change of the application."""

from __future__ import annotations

import asyncio

import pytest

from tests.support import shop
from workhorse import Job, Queue, Retry
from workhorse.testing import (
    EndlessDrainError,
    JobFailedError,
    ServerForTests,
    all_enqueued,
    clock,
    drain,
    inline,
)


@pytest.fixture(autouse=True)
def _begin_anew() -> None:
    shop.sent.clear()
    shop.tries.clear()


@pytest.mark.usefixtures("on_server")
def test_a_job_has_ended_when_enqueue_returns() -> None:
    with inline():
        job = shop.mail.enqueue(shop.send, 1)
        assert (shop.sent, job.return_value()) == ([1], "receipt 1")
        assert shop.decorated.delay(1).return_value() == 2


@pytest.mark.usefixtures("on_server")
def test_every_way_to_enqueue_is_one() -> None:
    with inline():
        shop.reports.enqueue_call(shop.send, (1,))
        shop.mail.enqueue_many([Queue.prepare_data(shop.send, (2,))])
        shop.mail.enqueue_job(Job.create(shop.send, (3,)))
        shop.mail.enqueue_in(0, shop.send, 4)
        shop.decorated.enqueue(5)
    assert shop.sent == [1, 2, 3, 4]
    assert drain() == []


@pytest.mark.usefixtures("on_server")
def test_after_it_jobs_wait_again() -> None:
    with inline():
        shop.place(1)
    shop.place(2)
    assert (shop.sent, shop.mail.count) == ([1], 1)


@pytest.mark.usefixtures("on_server")
def test_a_job_that_a_job_enqueues_is_run_before_that_one_goes_on() -> None:
    with inline():
        job = shop.mail.enqueue(shop.place_many, 2)
        assert (shop.sent, job.return_value()) == ([0, 1], 2)


@pytest.mark.usefixtures("on_server")
def test_retries_and_dependents_have_run() -> None:
    with inline():
        job = shop.mail.enqueue(shop.fail_once, "x", retry=Retry(1))
        shop.mail.enqueue(shop.send, 1, depends_on=job)
    assert (shop.tries, shop.sent) == (["x", "x"], [1])


@pytest.mark.usefixtures("on_server")
def test_what_has_a_time_of_its_own_waits_for_it() -> None:
    with inline():
        job = shop.mail.enqueue_in(3600, shop.send, 1)
        assert job.is_scheduled
        clock.advance(hours=1)
        assert drain() == [job]


@pytest.mark.usefixtures("on_server")
def test_a_failure_is_raised_by_enqueue() -> None:
    with inline(), pytest.raises(JobFailedError, match="LookupError: x"):
        shop.mail.enqueue(shop.fail, "x")


@pytest.mark.usefixtures("on_server")
def test_a_failure_is_only_stored_where_it_is_not_to_be_raised() -> None:
    with inline(raise_errors=False):
        job = shop.mail.enqueue(shop.fail, "x")
    assert job.is_failed


@pytest.mark.usefixtures("on_server")
def test_jobs_that_enqueue_one_another_without_end_are_stopped() -> None:
    with inline(), pytest.raises((EndlessDrainError, JobFailedError), match="20 jobs run within"):
        shop.mail.enqueue(shop.place_the_next, 0)


@pytest.mark.usefixtures("on_server")
def test_a_queue_that_is_synchronous_by_itself_runs_its_jobs_once() -> None:
    with inline():
        job = Queue("sync", is_async=False).enqueue(shop.send, 1)
    assert (shop.sent, job.worker_name) == ([1], "sync")
    assert all_enqueued() == [job]


@pytest.mark.usefixtures("on_server")
def test_an_id_that_is_there_is_run_once() -> None:
    with inline():
        first = shop.mail.enqueue_in(60, shop.send, 1, job_id="order-1")
        assert shop.mail.enqueue(shop.send, 1, job_id="order-1") == first
    assert (shop.sent, all_enqueued()) == ([], [first])


def test_it_brings_a_server_where_there_is_none() -> None:
    with inline() as server:
        assert isinstance(server, ServerForTests)
        assert shop.mail.enqueue(shop.send, 1).is_finished


@pytest.mark.usefixtures("on_server")
def test_a_coroutine_is_run_where_an_event_loop_runs() -> None:
    async def view() -> object:
        with inline():
            return shop.mail.enqueue(shop.send_later, 1).return_value()

    assert asyncio.run(view()) == "later 1"
