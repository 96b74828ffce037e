"""rq-scheduler's API, on scheduled jobs and cron entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests.support.jobs import add, nothing
from workhorse import InvalidOptionError, Job, Queue
from workhorse.cron import Cron
from workhorse.scheduler import PeriodicJob, Scheduler


@pytest.fixture
def scheduler(client: redis.Redis) -> Scheduler:
    return Scheduler("q", connection=client)


def soon(**span: float) -> datetime:
    return datetime.now(UTC) + timedelta(**span)


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def test_a_call_is_enqueued_at_a_moment_and_in_a_while(scheduler: Scheduler) -> None:
    at = scheduler.enqueue_at(
        naive(soon(hours=1)), add, 1, b=2, job_id="at", timeout=9, job_result_ttl=8,
        job_ttl=7000, job_description="d", meta={"a": 1},
    )  # fmt: skip
    late = scheduler.enqueue_in(timedelta(hours=2), nothing, queue_name="other")
    assert (at.id, at.args, at.kwargs, at.timeout, at.result_ttl, at.description, at.meta) == (
        "at", (1,), {"b": 2}, 9, 8, "d", {"a": 1},
    )  # fmt: skip
    assert [job.id for job in scheduler.get_jobs()] == ["at", late.id]
    assert [job.id for job in scheduler.get_jobs(until=timedelta(minutes=90))] == ["at"]
    assert (scheduler.count(), scheduler.count(soon(minutes=90))) == (2, 1)
    assert at in scheduler
    assert "at" in scheduler
    assert "nobody" not in scheduler


def test_times_are_utc(scheduler: Scheduler) -> None:
    moment = naive(soon(hours=1)).replace(microsecond=0)
    scheduler.enqueue_at(moment, nothing)
    ((_, shown),) = scheduler.get_jobs(with_times=True)
    assert shown == moment


def test_what_is_due_is_moved(scheduler: Scheduler, client: redis.Redis) -> None:
    job = scheduler.enqueue_in(timedelta(0), nothing)
    later = scheduler.schedule(soon(hours=1), nothing)
    assert isinstance(later, Job)
    scheduler.run(burst=True)
    assert Queue("q", client).job_ids == [job.id]


def test_an_interval_is_a_cron_entry_that_repeats(
    scheduler: Scheduler, client: redis.Redis
) -> None:
    job = scheduler.schedule(
        soon(seconds=-1), add, args=[1], kwargs={"b": 2}, interval=60, repeat=1, id="often",
        description="d", meta={"a": 1}, timeout=9,
    )  # fmt: skip
    assert isinstance(job, PeriodicJob)
    assert (job.id, job.origin, job.args, job.kwargs, job.description, job.meta) == (
        "often", "q", (1,), {"b": 2}, "d", {"a": 1},
    )  # fmt: skip
    record = Cron(client).get("often").record
    assert (record.times_left, record.job.timeout, record.job.result_ttl) == (2, 9, -1)
    assert job in scheduler
    assert [found.id for found in scheduler.get_jobs()] == ["often"]


def test_an_interval_begins_at_its_moment(scheduler: Scheduler, client: redis.Redis) -> None:
    start = soon(hours=1).replace(microsecond=0)
    scheduler.schedule(start, nothing, interval=60, id="often")
    ((_, due),) = scheduler.get_jobs(with_times=True)
    assert due == naive(start)
    assert scheduler.enqueue_jobs() == 0
    assert Queue("q", client).job_ids == []


def test_cron_is_of_utc_unless_it_is_told(scheduler: Scheduler, client: redis.Redis) -> None:
    job = scheduler.cron("30 4 * * *", nothing, id="early", queue_name="other", repeat=0)
    entry = Cron(client).get(job.id)
    assert (entry.zone, entry.queue_name, entry.record.times_left) == ("UTC", "other", 1)
    assert entry.next_run_at is not None
    assert entry.next_run_at.strftime("%H:%M") == "04:30"
    with pytest.raises(InvalidOptionError, match="cron is"):
        scheduler.cron("nonsense", nothing)


def test_what_was_canceled_is_off_the_schedule(scheduler: Scheduler) -> None:
    job = scheduler.enqueue_in(timedelta(hours=1), nothing)
    entries: list[Any] = [
        scheduler.schedule(soon(hours=1), nothing, interval=60),
        scheduler.cron("* * * * *", nothing),
    ]
    for each in (job, entries[0], entries[1].id):
        scheduler.cancel(each)
        assert each not in scheduler
    scheduler.cancel("nobody")
    assert list(scheduler.get_jobs()) == []
    assert job.get_status() == "canceled"


def test_a_time_can_be_changed(scheduler: Scheduler, client: redis.Redis) -> None:
    job = scheduler.enqueue_in(timedelta(hours=1), nothing)
    entry = scheduler.schedule(soon(hours=1), nothing, interval=60, id="often")
    moment = soon(hours=5).replace(microsecond=0)
    scheduler.change_execution_time(job, moment)
    scheduler.change_execution_time(entry, naive(moment))
    assert {due for _, due in scheduler.get_jobs(with_times=True)} == {naive(moment)}
    scheduler.change_execution_time(job, soon(seconds=-1))
    assert scheduler.enqueue_jobs() == 1
    assert Queue("q", client).job_ids == [job.id]
    for gone in (job, entry):
        scheduler.cancel(gone)
        with pytest.raises(ValueError, match="not on the schedule"):
            scheduler.change_execution_time(gone, moment)


def test_a_slice_needs_both_its_ends(scheduler: Scheduler) -> None:
    ids = [scheduler.enqueue_in(timedelta(hours=n), nothing).id for n in range(1, 5)]
    assert [job.id for job in scheduler.get_jobs(offset=1, length=2)] == ids[1:3]
    with pytest.raises(ValueError, match="both"):
        list(scheduler.get_jobs(offset=1))


def test_a_queue_of_ones_own_is_used(client: redis.Redis) -> None:
    queue = Queue("mine", client, default_timeout=7)
    job = Scheduler(queue=queue).enqueue_in(timedelta(hours=1), nothing)
    assert (job.origin, job.timeout) == ("mine", 7)


def test_repeat_needs_an_interval(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="interval"):
        scheduler.schedule(soon(hours=1), nothing, repeat=3)
