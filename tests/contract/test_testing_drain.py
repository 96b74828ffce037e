"""What ``drain`` runs, in which order, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from tests.support import jobs, shop
from workhorse import Job, Queue, Retry
from workhorse.core.repeat import Repeat
from workhorse.testing import EndlessDrainError, JobFailedError, ServerForTests, clock, drain


@pytest.fixture(autouse=True)
def _begin_anew() -> None:
    shop.sent.clear()
    shop.tries.clear()


@pytest.mark.usefixtures("on_server")
def test_what_waits_in_all_queues_is_run() -> None:
    made = [shop.mail.enqueue(shop.send, 1), shop.decorated.delay(2)]
    assert set(drain()) == set(made)
    assert [job.return_value() for job in made] == ["receipt 1", 3]
    assert drain() == []


@pytest.mark.usefixtures("on_server")
def test_what_is_returned_is_as_it_is_afterwards() -> None:
    shop.place(1)
    (job,) = drain()
    assert (job.get_status(refresh=False), job.worker_name) == ("finished", "testing")


@pytest.mark.usefixtures("on_server")
def test_only_the_queues_that_are_named_are_run_the_most_urgent_first() -> None:
    low = Queue("low").enqueue(shop.send, 1)
    high = Queue("high").enqueue(shop.send, 2)
    other = Queue("other").enqueue(shop.send, 3)
    assert drain("high", Queue("low")) == [high, low]
    assert other.is_queued


@pytest.mark.usefixtures("on_server")
def test_jobs_that_jobs_enqueue_are_run_on_queues_with_another_serializer_too() -> None:
    shop.mail.enqueue(shop.place_many, 3)
    assert [job.origin for job in drain()] == ["mail", "reports", "reports", "reports"]
    assert shop.sent == [0, 1, 2]


@pytest.mark.usefixtures("on_server")
def test_a_retry_that_need_not_wait_is_followed() -> None:
    job = shop.mail.enqueue(shop.fail_once, "x", retry=Retry(3))
    assert drain() == [job]
    assert (shop.tries, job.return_value()) == (["x", "x"], "x")


@pytest.mark.usefixtures("on_server")
def test_a_retry_that_a_job_asks_for_is_followed() -> None:
    job = shop.mail.enqueue(shop.ask_again)
    drain()
    assert (shop.tries, job.return_value()) == (["asked", "asked"], "done")


@pytest.mark.usefixtures("on_server")
def test_a_retry_that_waits_is_run_when_its_time_has_come() -> None:
    job = shop.mail.enqueue(shop.fail_once, "x", retry=Retry(3, interval=60))
    assert drain() == [job]
    assert job.is_scheduled
    clock.advance(seconds=59)
    assert drain() == []
    clock.advance(seconds=2)
    assert drain() == [job]
    assert job.is_finished


@pytest.mark.usefixtures("on_server")
def test_with_what_is_scheduled_the_clock_is_moved_to_each() -> None:
    second = shop.mail.enqueue_in(7200, shop.send, 2)
    first = Queue("other").enqueue_in(3600, shop.send, 1)
    again = shop.mail.enqueue(shop.fail_once, "x", retry=Retry(1, interval=86_400))
    assert drain(scheduled=True) == [again, first, second]
    assert shop.sent == [1, 2]
    assert again.is_finished


@pytest.mark.usefixtures("on_server")
def test_those_that_wait_for_others_are_run_after_them() -> None:
    first = shop.mail.enqueue(shop.send, 1)
    second = Queue("a").enqueue(shop.send, 2, depends_on=first)
    third = shop.mail.enqueue(shop.send, 3, depends_on=[first, second])
    assert drain() == [first, second, third]
    assert shop.sent == [1, 2, 3]


@pytest.mark.usefixtures("on_server")
def test_repeats_are_run() -> None:
    job = shop.mail.enqueue(shop.send, 1, repeat=Repeat(2, interval=60))
    drain(scheduled=True)
    assert shop.sent == [1, 1, 1]
    assert job.is_finished


@pytest.mark.usefixtures("on_server")
def test_a_failure_is_raised_with_its_traceback_and_the_rest_waits() -> None:
    failing = shop.mail.enqueue(shop.fail, "no such order")
    behind = shop.mail.enqueue(shop.send, 1)
    with pytest.raises(JobFailedError) as caught:
        drain()
    told = "tests.support.shop.fail('no such order') has failed: LookupError: no such order"
    assert str(caught.value) == f"{told} (job {failing.id})"
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.exc_string.startswith("Traceback (most recent call last):")
    assert caught.value.job_id == failing.id
    assert (failing.get_status(), behind.get_status()) == ("failed", "queued")
    assert drain() == [behind]


@pytest.mark.usefixtures("on_server")
def test_a_failure_without_an_exception_shows_what_is_known() -> None:
    Queue("mail").enqueue("shop.no_such_function")
    with pytest.raises(JobFailedError, match=r"DeserializationError.*no_such_function"):
        drain()


@pytest.mark.parametrize("raise_errors", [True, False], ids=["raise", "keep"])
@pytest.mark.usefixtures("on_server")
def test_ctrl_c_in_a_job_ends_the_tests(raise_errors: bool) -> None:  # noqa: FBT001
    shop.mail.enqueue(jobs.press_ctrl_c, retry=Retry(3))
    behind = shop.mail.enqueue(shop.send, 1)
    with pytest.raises(KeyboardInterrupt):
        drain(raise_errors=raise_errors)
    assert behind.is_queued


@pytest.mark.usefixtures("on_server")
def test_jobs_are_of_the_class_that_their_queue_makes() -> None:
    Queue("own", job_class=shop.OwnJob).enqueue(shop.send, 1)
    (job,) = drain()
    assert type(job) is shop.OwnJob


@pytest.mark.usefixtures("on_server")
def test_callbacks_are_called() -> None:
    shop.mail.enqueue(shop.send, 1, on_success=shop.note_success)
    shop.mail.enqueue(shop.fail, "x", on_failure=shop.note_failure)
    drain(raise_errors=False)
    assert shop.sent == [1, "success: receipt 1"]
    assert shop.tries == ["x", "failure: x"]


@pytest.mark.usefixtures("on_server")
def test_a_failure_after_which_there_is_a_retry_is_not_raised() -> None:
    shop.mail.enqueue(shop.fail, "x", retry=Retry(1))
    with pytest.raises(JobFailedError):
        drain()
    assert shop.tries == ["x", "x"]


@pytest.mark.usefixtures("on_server")
def test_failures_need_not_be_raised() -> None:
    made = [shop.mail.enqueue(shop.fail, "x"), shop.mail.enqueue(shop.send, 1)]
    assert drain(raise_errors=False) == made
    assert [job.get_status() for job in made] == ["failed", "finished"]


@pytest.mark.usefixtures("on_server")
def test_jobs_without_end_are_stopped() -> None:
    shop.mail.enqueue(shop.place_the_next, 0)
    with pytest.raises(EndlessDrainError, match=r"^5 jobs ran.*place_the_next\(5\)\. Does each"):
        drain(limit=5)
    assert shop.mail.count == 1


@pytest.mark.usefixtures("on_server")
def test_as_many_jobs_as_the_limit_are_no_endless_loop() -> None:
    for order in range(5):
        shop.place(order)
    assert len(drain(limit=5)) == 5


@pytest.mark.usefixtures("on_server")
def test_a_job_that_leaves_nothing_is_returned_too() -> None:
    job = shop.mail.enqueue(shop.send, 1, result_ttl=0)
    assert drain() == [job]
    assert not Job.exists(job.id)
    assert drain() == []


@pytest.mark.usefixtures("on_server")
def test_a_job_whose_worker_died_is_run_when_its_lease_has_lapsed(
    on_server: ServerForTests,
) -> None:
    shop.place(1)
    on_server.connection.lpop("rq:queue:mail")
    (job,) = shop.mail.connection.keys("rq:job:*")
    on_server.connection.hset(job, mapping={"status": "started", "execution_id": "e"})
    lapses = on_server.connection.time()[0] + 60
    on_server.connection.zadd("rq:wip:mail", {f"{job.decode().removeprefix('rq:job:')}:e": lapses})
    assert drain() == []
    clock.advance(minutes=2)
    assert len(drain()) == 1
    assert shop.sent == [1]


@pytest.mark.usefixtures("on_server")
def test_jobs_that_are_coroutines_are_run_where_an_event_loop_runs() -> None:
    async def view() -> list[Job]:
        shop.mail.enqueue(shop.send_later, 1)
        await asyncio.sleep(0)
        return drain()

    (job,) = asyncio.run(view())
    assert job.return_value() == "later 1"


@pytest.mark.usefixtures("on_server")
def test_a_failure_is_raised_where_an_event_loop_runs() -> None:
    async def view() -> None:
        shop.mail.enqueue(shop.fail, "x")
        drain()

    with pytest.raises(JobFailedError, match="LookupError: x"):
        asyncio.run(view())


def test_a_queue_of_ones_own_is_drained_without_a_server_for_tests(client: object) -> None:
    queue = Queue("q", connection=client)  # type: ignore[arg-type] # any client
    job = queue.enqueue(shop.send, 1)
    assert drain(queue) == [job]
