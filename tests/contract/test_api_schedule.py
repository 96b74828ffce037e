# ruff: noqa: DTZ001, DTZ901 - what moments without a zone mean
"""``enqueue_at``, ``enqueue_in`` and their kin: what a moment means, what becomes of the job."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent
from tests.support.waiting import wait_until
from workhorse import DuplicateJobError, InvalidOptionError, Job, Queue, Worker

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


@pytest.fixture
def every_queue(every_client: redis.Redis) -> Queue:
    return Queue("low", connection=every_client)


@pytest.fixture
def in_berlin(environment_of_its_own: pytest.MonkeyPatch) -> Iterator[None]:
    before = os.environ.get("TZ")
    environment_of_its_own.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    if before is None:
        environment_of_its_own.delenv("TZ")
    else:
        environment_of_its_own.setenv("TZ", before)
    time.tzset()


def due(job: Job) -> datetime:
    """Return when a job is due, as the server has it."""
    moment = job.connection.zscore(f"rq:scheduled:{job.origin}", job.id)
    return datetime.fromtimestamp(moment, UTC)


AT: dict[str, Callable[[Queue, datetime], Job]] = {
    "enqueue_at": lambda queue, at: queue.enqueue_at(at, calls.add, 1, right=2),
    "enqueue_many": lambda queue, at: queue.enqueue_many(
        [Queue.prepare_data(calls.add, (1,), {"right": 2}, scheduled_for=at)]
    )[0],
    "schedule_job": lambda queue, at: queue.schedule_job(
        Job.create(calls.add, (1,), {"right": 2}, connection=queue.connection), at
    ),
}


@pytest.mark.parametrize("surface", AT)
def test_a_moment_is_kept_to_the_microsecond(every_queue: Queue, surface: str) -> None:
    moment = datetime.now(UTC).replace(microsecond=123_456) + timedelta(hours=1)
    job = AT[surface](every_queue, moment)
    assert job.get_status() == "scheduled"
    assert job.is_scheduled
    assert due(job) == job.scheduled_for == moment
    assert Job.fetch(job.id, every_queue.connection).scheduled_for == moment
    assert (job.enqueued_at, len(every_queue)) == (None, 0)


IN: dict[str, Callable[[Queue, Any], Job]] = {
    "enqueue_in": lambda queue, span: queue.enqueue_in(span, calls.add),
    "enqueue_many": lambda queue, span: queue.enqueue_many(
        [Queue.prepare_data(calls.add, due_in=span)]
    )[0],
}


@pytest.mark.parametrize("surface", IN)
@pytest.mark.parametrize("span", [timedelta(hours=1), 3600, 3600.25])
def test_a_while_is_a_timedelta_or_seconds(queue: Queue, surface: str, span: Any) -> None:
    before = datetime.now(UTC)
    job = IN[surface](queue, span)
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    assert before + timedelta(seconds=seconds) <= due(job) + timedelta(microseconds=1)
    assert due(job) <= datetime.now(UTC) + timedelta(seconds=seconds)
    assert job.scheduled_for is not None
    assert abs(job.scheduled_for - due(job)) <= timedelta(microseconds=1)


@pytest.mark.parametrize(
    "past", [timedelta(0), timedelta(seconds=-1), -5, timedelta(days=-99_999)], ids=str
)
def test_what_is_due_already_is_queued(queue: Queue, past: Any) -> None:
    assert queue.enqueue_in(past, calls.add).get_status() == "queued"


@pytest.mark.parametrize(
    "moment",
    [datetime.min, datetime.min.replace(tzinfo=UTC), datetime(1970, 1, 1)],
    ids=str,
)  # fmt: skip
def test_a_moment_that_is_past_is_now_or_is_refused(queue: Queue, moment: datetime) -> None:
    try:
        job = queue.enqueue_at(moment, calls.add)
    except InvalidOptionError:
        assert moment == datetime.min  # which no local clock has shown
    else:
        assert job.get_status() == "queued"


@pytest.mark.parametrize(
    "span", [float("nan"), float("inf"), timedelta.max, True, "10s", None], ids=str
)
def test_what_is_no_while_is_refused(queue: Queue, span: Any) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError, match="time_delta"):
        queue.enqueue_in(span, calls.add)


@pytest.mark.parametrize("moment", [3600, "2026-12-01", None, datetime.now(UTC).date()], ids=str)
def test_what_is_no_moment_is_refused(queue: Queue, moment: Any) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError, match="datetime"):
        queue.enqueue_at(moment, calls.add)


def test_a_moment_and_a_while_are_refused(queue: Queue) -> None:
    both = Queue.prepare_data(calls.add, scheduled_for=datetime.now(UTC), due_in=5)
    with pytest.raises(InvalidOptionError, match="one of them"):
        queue.enqueue_many([both])


# Zones

SUMMER, WINTER = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
LOCAL = {
    "an ordinary day": (datetime(2030, 7, 1, 12), datetime(2030, 7, 1, 12, tzinfo=SUMMER)),
    "shown twice: the first": (
        datetime(2030, 10, 27, 2, 30),
        datetime(2030, 10, 27, 2, 30, tzinfo=SUMMER),
    ),
    "shown twice: the second": (
        datetime(2030, 10, 27, 2, 30, fold=1),
        datetime(2030, 10, 27, 2, 30, tzinfo=WINTER),
    ),
    "left out: so much later": (
        datetime(2030, 3, 31, 2, 30),
        datetime(2030, 3, 31, 3, 30, tzinfo=SUMMER),
    ),
    "left out: so much earlier": (
        datetime(2030, 3, 31, 2, 30, fold=1),
        datetime(2030, 3, 31, 1, 30, tzinfo=WINTER),
    ),
}
"""What a clock in Berlin shows, and the moment that is meant."""


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(("shown", "meant"), LOCAL.values(), ids=LOCAL)
@pytest.mark.parametrize("zone", [None, BERLIN], ids=["naive", "aware"])
def test_fault_40_a_local_time_means_one_moment(
    queue: Queue, shown: datetime, meant: datetime, zone: ZoneInfo | None
) -> None:
    job = queue.enqueue_at(shown.replace(tzinfo=zone), calls.add)
    assert due(job) == job.scheduled_for == meant


@pytest.mark.usefixtures("in_berlin")
def test_fault_40_a_while_is_as_long_whatever_the_clocks_are_moved(queue: Queue) -> None:
    before = time.time()
    job = queue.enqueue_in(timedelta(days=365), calls.add)
    assert due(job).timestamp() - before == pytest.approx(365 * 86_400, abs=5)


# With other options


def test_what_enqueue_can_say_holds_for_later_too(queue: Queue) -> None:
    job = queue.enqueue_in(
        3600, calls.add, 1, 2, job_id="sum", job_timeout=7, ttl=7200, meta={"by": "ada"},
        at_front=True,
    )  # fmt: skip
    stored = Job.fetch("sum", queue.connection)
    assert (stored.args, stored.timeout, stored.meta) == ((1, 2), 7, {"by": "ada"})
    assert stored.record.enqueue_at_front
    assert 7100 < queue.connection.ttl(job.key) <= 7200


def test_a_unique_job_is_scheduled_once(queue: Queue) -> None:
    job = queue.enqueue_in(3600, calls.add, job_id="sum", unique=True)
    with pytest.raises(DuplicateJobError):
        queue.enqueue_in(60, calls.add, job_id="sum", unique=True)
    made = Job.create(calls.add, id="sum", connection=queue.connection)
    with pytest.raises(DuplicateJobError):
        queue.schedule_job(made, datetime.now(UTC), unique=True)
    assert due(job) == job.scheduled_for


def test_a_job_for_later_waits_for_others_first(queue: Queue) -> None:
    parent = queue.enqueue(calls.add)
    child = queue.enqueue_in(0.2, calls.add, depends_on=parent)
    assert child.get_status() == "deferred"
    Worker([queue], connection=queue.connection).work(burst=True, max_jobs=1)
    assert child.get_status() in {"scheduled", "queued"}


def test_a_queue_that_runs_its_jobs_itself_schedules_what_is_for_later(
    client: redis.Redis,
) -> None:
    here = Queue("here", connection=client, is_async=False)
    assert here.enqueue(calls.add).get_status() == "finished"
    job = here.enqueue_in(3600, calls.add)
    assert job.get_status() == "scheduled"
    later = Queue.prepare_data(calls.add, due_in=60)
    states = [j.get_status() for j in here.enqueue_many([later, Queue.prepare_data(calls.add)])]
    assert states == ["scheduled", "finished"]


def test_a_job_that_is_made_now_is_not_held_up_by_an_earlier_moment(queue: Queue) -> None:
    job = queue.enqueue_in(3600, calls.add)
    job.cancel()
    job.refresh()
    assert queue.enqueue_job(job).get_status() == "queued"


def test_a_scheduled_job_that_was_requeued_runs_at_once(queue: Queue) -> None:
    job = queue.enqueue_in(3600, calls.add)
    job.cancel()
    assert job.requeue().get_status() == "queued"


# In time


def has_finished(job: Job) -> bool:
    return job.get_status() == "finished"


def test_an_idle_worker_runs_jobs_when_they_are_due(queue: Queue) -> None:
    worker = Worker([queue], connection=queue.connection)
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        wait_until(lambda: Worker.count(queue.connection) == 1)
        jobs = [queue.enqueue_in(seconds, calls.add) for seconds in (0.05, 0.3, 0.55, 1.3)]
        for job in jobs:
            wait_until(partial(has_finished, job))
            job.refresh()
            assert job.enqueued_at is not None
            assert job.scheduled_for is not None
            assert job.enqueued_at >= job.scheduled_for
    finally:
        worker.request_stop()
        thread.join()


def test_an_idle_worker_moves_what_is_due_within_a_tenth_of_a_second(queue: Queue) -> None:
    """The best of several: a machine under load may be late for its own reasons."""
    worker = Worker([queue], connection=queue.connection)
    thread = threading.Thread(target=worker.work)
    thread.start()
    late: list[float] = []
    try:
        wait_until(lambda: Worker.count(queue.connection) == 1)
        for number in range(6):
            job = queue.enqueue_in(0.15 + 0.037 * number, calls.add)
            wait_until(partial(has_finished, job))
            job.refresh()
            assert job.enqueued_at is not None
            assert job.scheduled_for is not None
            late.append((job.enqueued_at - job.scheduled_for).total_seconds())
    finally:
        worker.request_stop()
        thread.join()
    assert sorted(late)[2] < 0.1
