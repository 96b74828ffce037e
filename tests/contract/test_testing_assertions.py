"""Assertions on what was enqueued, and what their failures say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

import pytest

from tests.support import shop
from workhorse import Queue
from workhorse.core.errors import InvalidOptionError
from workhorse.testing import (
    all_enqueued,
    assert_enqueued,
    assert_not_enqueued,
    clock,
    drain,
    enqueued,
)

pytestmark = pytest.mark.usefixtures("on_server")


def test_a_call_that_was_enqueued_is_found_by_each_of_its_parts() -> None:
    job = shop.mail.enqueue(shop.send, 17, copy=True)
    assert assert_enqueued(shop.send) == job
    assert assert_enqueued("tests.support.shop.send", args=[17], kwargs={"copy": True}) == job
    assert assert_enqueued(shop.send, args=(17,), queue=shop.mail, times=1) == job
    assert assert_enqueued(shop.send, kwargs={"copy": ANY}, queue="mail") == job


def test_the_time_that_a_job_was_to_wait_for_is_compared() -> None:
    week = timedelta(days=7)
    job = shop.mail.enqueue_in(week, shop.send, 1)
    shop.mail.enqueue_at(datetime.now(UTC) + timedelta(hours=1), shop.send, 2)
    shop.mail.enqueue(shop.send, 3)
    clock.advance(days=8)
    drain()
    job.refresh()
    assert assert_enqueued(shop.send, due_in=week, times=1) == job
    assert assert_enqueued(shop.send, due_in=3600).args == (2,)
    assert assert_enqueued(shop.send, due_in=0).args == (3,)
    assert_not_enqueued(shop.send, args=[1], due_in=0)
    with pytest.raises(AssertionError) as caught:
        assert_enqueued(shop.send, args=[1], due_in=timedelta(days=6))
    first, nearest, *_ = str(caught.value).splitlines()
    assert first.startswith("tests.support.shop.send(1, ...) in 6 days, 0:00:00 was not enqueued")
    assert nearest.endswith("send(1) on queue 'mail' in 7 days, 0:00:00  <- differs in time")


def test_what_was_enqueued_is_as_it_was_then() -> None:
    job = shop.mail.enqueue(shop.send, 1)
    drain()
    job.refresh()
    assert [told.get_status(refresh=False) for told in all_enqueued()] == ["queued"]


def test_a_decorated_function_is_found() -> None:
    shop.decorated.delay(1)
    assert_enqueued(shop.decorated, args=[1], queue="decorated")


def test_what_ran_since_was_enqueued_all_the_same() -> None:
    shop.mail.enqueue(shop.place_many, 1, result_ttl=0)
    drain()
    assert_enqueued(shop.place_many, times=1)
    assert_enqueued(shop.send, args=[0], queue="reports")


def test_an_id_that_was_there_already_was_not_enqueued_again() -> None:
    for _ in range(2):
        shop.mail.enqueue(shop.send, 1, job_id="order-1")
    assert_enqueued(shop.send, times=1)


def test_what_is_enqueued_is_listed_in_its_order_and_by_queue_and_function() -> None:
    jobs = [
        shop.mail.enqueue(shop.send, 1),
        shop.mail.enqueue(shop.fail, "x"),
        Queue("other").enqueue(shop.send, 2),
    ]
    assert all_enqueued() == jobs
    assert enqueued() == jobs
    assert enqueued("mail") == jobs[:2]
    assert enqueued(shop.mail, shop.fail) == [jobs[1]]
    assert enqueued(func=shop.send) == [jobs[0], jobs[2]]


def test_what_was_not_enqueued_is_told_where_there_was_nothing() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_enqueued(shop.send, args=[1])
    told = "tests.support.shop.send(1, ...) was not enqueued: nothing was enqueued"
    assert str(caught.value) == told


def test_what_there_was_instead_is_told_the_nearest_first() -> None:
    Queue("other").enqueue(shop.fail, "x")
    shop.mail.enqueue(shop.send, 18)
    Queue("other").enqueue(shop.send, 17)
    with pytest.raises(AssertionError) as caught:
        assert_enqueued(shop.send, args=[17], kwargs={"copy": True}, queue="mail")
    first, *others = str(caught.value).splitlines()
    assert first.startswith("tests.support.shop.send(17, copy=True) on queue 'mail' was not")
    assert first.endswith(" enqueued; 3 jobs were enqueued:")
    assert others == [
        "  tests.support.shop.send(18) on queue 'mail'  <- differs in args and kwargs",
        "  tests.support.shop.send(17) on queue 'other'  <- differs in queue and kwargs",
        "  tests.support.shop.fail('x') on queue 'other'",
    ]


def test_how_often_it_was_is_told() -> None:
    for order in (1, 1, 2):
        shop.mail.enqueue(shop.send, order)
    with pytest.raises(AssertionError) as caught:
        assert_enqueued(shop.send, args=[1], times=3)
    first, *others = str(caught.value).splitlines()
    assert "send(1, ...) was enqueued twice, and should have been 3 times; 3 jobs" in first
    assert others == [
        "  tests.support.shop.send(1) on queue 'mail'  <- this",
        "  tests.support.shop.send(1) on queue 'mail'  <- this",
        "  tests.support.shop.send(2) on queue 'mail'  <- differs in args",
    ]


def test_what_should_not_have_been_enqueued_is_told() -> None:
    assert_not_enqueued(shop.send)
    shop.mail.enqueue(shop.send, 1)
    assert_not_enqueued(shop.send, args=[2])
    assert_not_enqueued(shop.send, queue="other")
    with pytest.raises(AssertionError, match="was enqueued once, and should not have been"):
        assert_not_enqueued(shop.send)


def test_of_many_the_nearest_are_shown() -> None:
    for order in range(12):
        shop.mail.enqueue(shop.send, "x" * 500 + str(order))
    with pytest.raises(AssertionError) as caught:
        assert_enqueued(shop.send, args=["y" * 500])
    first, *lines = str(caught.value).splitlines()
    assert len(first) < 400
    assert len(lines) == 11
    assert lines[-1] == "  ... and 2 more"


def test_a_call_that_can_not_be_read_here_is_shown_by_its_description() -> None:
    job = shop.mail.enqueue(shop.send, 1, description="a receipt")
    job.record.data = b"nonsense"
    with pytest.raises(AssertionError, match=r"a receipt \(which can't be read here\) on queue"):
        assert_enqueued(shop.send)


@pytest.mark.parametrize("wrong", [{"times": 0}, {"args": "17"}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidOptionError):
        assert_enqueued(shop.send, **wrong)  # type: ignore[arg-type] # wrong on purpose
