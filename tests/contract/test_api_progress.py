"""Progress of a job: told by its code wherever that runs, read by others."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import telling
from tests.support.api import run, working
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import (
    InvalidJobOperation,
    InvalidOptionError,
    Job,
    LogLine,
    NoSuchJobError,
    Progress,
    Queue,
    Retry,
    SimpleWorker,
    Worker,
    report_progress,
)

WORKERS = [Worker, SimpleWorker]


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def told_by(job: Job) -> tuple[Any, Any, str] | None:
    found = job.get_progress()
    return (found.done, found.total, found.note) if found else None


@pytest.mark.parametrize("worker_class", WORKERS)
def test_the_last_progress_is_there_when_a_job_has_ended(
    queue: Queue, worker_class: type[Worker]
) -> None:
    job = queue.enqueue(telling.count_to, 2000)
    worker_class([queue]).work(burst=True)
    assert job.get_status() == "finished"
    assert told_by(job) == (2000, 2000, "step 2000")


@pytest.mark.parametrize("worker_class", WORKERS)
def test_the_last_progress_of_a_job_that_raised_is_there(
    queue: Queue, worker_class: type[Worker]
) -> None:
    job = queue.enqueue(telling.count_and_fail, 3)
    worker_class([queue]).work(burst=True)
    assert job.get_status() == "failed"
    assert told_by(job) == (3, 3, "step 3")


def test_a_job_that_is_run_at_once_tells_too(client: redis.Redis) -> None:
    queue = Queue("low", connection=client, is_async=False)
    assert told_by(queue.enqueue(telling.count_to, 3)) == (3, 3, "step 3")


def test_a_job_is_told_of_without_being_named(queue: Queue) -> None:
    job = queue.enqueue(telling.report, 1.5, None, "  two\nlines ")
    run(queue)
    assert told_by(job) == (1.5, None, "two lines")


def test_outside_of_a_job_nothing_is_told_but_what_is_wrong() -> None:
    report_progress(1, 2)
    with pytest.raises(InvalidOptionError, match="done is 'x': give a number"):
        report_progress("x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - what is tested


def test_only_the_job_itself_tells_of_its_progress(queue: Queue) -> None:
    job = queue.enqueue(telling.count_to, 1)
    with pytest.raises(InvalidJobOperation, match="does not run here"):
        job.progress(1, 2)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"done": "5"}, "done is '5': give a number"),
        ({"done": float("nan")}, "done is nan: give a number"),
        ({"done": 1, "total": float("inf")}, "total is inf: give a number"),
        ({"done": 10**30}, "give a number"),
        ({"done": 1, "note": 7}, "note is 7: give a text"),
    ],
)
def test_what_is_no_progress_is_refused(queue: Queue, told: dict[str, Any], why: str) -> None:
    job = queue.enqueue(telling.progress_with, **told)
    run(queue)
    result = job.latest_result()
    assert result
    assert result.exc_string
    assert why in result.exc_string


def test_a_plain_job_tells_nothing_and_no_thread_is_left(queue: Queue) -> None:
    before = threading.active_count()
    plain = queue.enqueue(max, 1, 2)
    job = queue.enqueue(telling.count_to, 1)
    run(queue)
    assert plain.get_progress() is None
    assert told_by(job) == (1, 1, "step 1")
    assert threading.active_count() == before


def test_threads_of_a_job_tell_of_it(queue: Queue) -> None:
    job = queue.enqueue(telling.print_in_threads)
    run(queue)
    assert told_by(job) == (3, 4, "")


@pytest.mark.parametrize("worker_class", WORKERS)
def test_progress_is_seen_while_the_job_runs(
    queue: Queue, worker_class: type[Worker], valkey_server: RunningServer, tmp_path: Path
) -> None:
    job = queue.enqueue(telling.tell_and_wait_for, str(tmp_path / "go"))
    with working(worker_class([queue.name], connection=valkey_server.url)):
        wait_until(lambda: told_by(job) == (1, 2, "waiting"))
        (tmp_path / "go").touch()
        job.wait(10)


def test_a_run_that_is_tried_again_begins_anew(queue: Queue) -> None:
    job = queue.enqueue(telling.count_and_fail, 3, retry=Retry(max=1, interval=60))
    run(queue)
    assert job.get_status() == "scheduled"
    assert job.get_progress() is None


def test_a_callback_tells_nothing_of_its_job(queue: Queue) -> None:
    job = queue.enqueue(telling.count_to, 2, on_success=telling.in_a_callback)
    run(queue)
    job.refresh()
    assert told_by(job) == (2, 2, "step 2")
    assert job.callback_error is None


def test_a_fork_of_a_job_tells_nothing(queue: Queue) -> None:
    job = queue.enqueue(telling.print_in_a_fork)
    Worker([queue], capture_logs=True).work(burst=True)
    assert job.get_status() == "finished"
    assert job.get_progress() is None
    assert [line.text for line in job.log_lines()] == ["of the job"]


def test_a_job_within_a_job_tells_of_itself(queue: Queue, valkey_server: RunningServer) -> None:
    outer = queue.enqueue(telling.enqueue_within, valkey_server.url)
    SimpleWorker([queue], capture_logs=True).work(burst=True)
    inner = Job.fetch("inner", connection=queue.connection)
    assert (told_by(inner), told_by(outer)) == ((2, 2, "step 2"), (1, None, ""))
    assert [line.text for line in outer.log_lines()] == ["before", "after"]
    assert inner.log_lines() == []


def test_a_server_that_does_not_answer_keeps_no_job_waiting_for_long(
    queue: Queue, valkey_server: RunningServer
) -> None:
    job = queue.enqueue(telling.cut_the_cable, valkey_server.url)
    began = time.monotonic()
    SimpleWorker([queue], capture_logs=True).work(burst=True)
    assert time.monotonic() - began < 20
    assert job.get_status() == "finished"
    assert told_by(job) == (999, None, "")
    assert len(job.log_lines()) == 998


# Followed by others


def test_the_events_of_a_job_end_with_it(queue: Queue) -> None:
    job = queue.enqueue(telling.count_and_fail, 3)
    SimpleWorker([queue], capture_logs=True).work(burst=True)
    events = list(job.events())
    lines = [event.text for event in events if isinstance(event, LogLine)]
    assert (events[-1], lines) == ("failed", ["about to fail", "no end of line"])
    (progress,) = [event for event in events if isinstance(event, Progress)]
    assert (progress.done, progress.total) == (3, 3)


def test_events_come_while_a_job_runs_to_any_number_of_readers(
    queue: Queue, valkey_server: RunningServer, tmp_path: Path
) -> None:
    job = queue.enqueue(telling.tell_and_wait_for, str(tmp_path / "go"))
    seen: list[list[str]] = [[], []]

    def follow(told: list[str]) -> None:
        events = Job.fetch(job.id, connection=valkey_server.url).events(timeout=20)
        told.extend(event.text if isinstance(event, LogLine) else str(event) for event in events)

    threads = [threading.Thread(target=follow, args=(told,)) for told in seen]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(seen))
    with working(SimpleWorker([queue.name], connection=valkey_server.url, capture_logs=True)):
        wait_until(lambda: all("1 of 2 (50 %) waiting" in told for told in seen))
        (tmp_path / "go").touch()
        for thread in threads:
            thread.join(20)
    expected = ["queued", "started", "waiting", "1 of 2 (50 %) waiting", "goes on", "finished"]
    for told in seen:
        assert [each for each in expected if each in told] == expected
        assert (told[0], told[-1]) == ("queued", "finished")


def test_a_job_that_does_not_end_in_time_is_told_so(queue: Queue) -> None:
    job = queue.enqueue(max, 1, 2)
    with pytest.raises(TimeoutError, match="has not ended after"):
        list(job.events(timeout=0.2))


def test_events_of_a_job_whose_success_is_not_kept_end(queue: Queue) -> None:
    job = queue.enqueue(max, 1, 2, result_ttl=0)
    events = job.events(timeout=20)
    assert next(events) == "queued"
    run(queue)
    assert list(events) == []
    with pytest.raises(NoSuchJobError):
        next(job.events())


def test_a_tight_loop_of_progress_costs_microseconds(queue: Queue) -> None:
    job = queue.enqueue(telling.count_to, 100_000)
    began = time.monotonic()
    run(queue)
    assert told_by(job) == (100_000, 100_000, "step 100000")
    assert time.monotonic() - began < 10
