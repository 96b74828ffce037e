"""Callbacks, webhooks and exception handlers, as users give them and see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import api, callbacks
from workhorse import (
    Callback,
    InvalidOptionError,
    Job,
    Queue,
    SimpleWorker,
    Webhook,
    Worker,
    WorkhorseError,
    job,
)
from workhorse.core.errors import InvalidCallError

GIVEN: dict[str, Any] = {
    "on_success": Callback(callbacks.succeeded),
    "on_failure": Callback(callbacks.failed, timeout="2m"),
    "on_stopped": callbacks.stopped,
    "webhooks": [Webhook("https://example.com/", "failed")],
}


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("q", connection=client)


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "journal")


def noted(journal: str) -> list[str]:
    path = Path(journal)
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if not line.startswith("ran in")]


def each_way(queue: Queue, journal: str) -> list[Job]:
    decorated = job(queue, **GIVEN)(callbacks.work)
    data = Queue.prepare_data(callbacks.work, args=(journal,), **GIVEN)
    return [
        queue.enqueue(callbacks.work, journal, **GIVEN),
        queue.enqueue_call(callbacks.work, args=(journal,), **GIVEN),
        queue.enqueue_many([data])[0],
        decorated.delay(journal),
        queue.enqueue_job(
            Job.create(callbacks.work, args=(journal,), connection=queue.connection, **GIVEN)
        ),
    ]


def test_callbacks_are_given_by_each_way_to_enqueue(queue: Queue, journal: str) -> None:
    jobs = each_way(queue, journal)
    for given in jobs:
        found = Job.fetch(given.id, connection=queue.connection)
        assert found.success_callback is callbacks.succeeded
        assert found.failure_callback is callbacks.failed
        assert found.stopped_callback is callbacks.stopped
        assert (found.success_callback_timeout, found.failure_callback_timeout) == (60, 120)
        assert found.webhooks == GIVEN["webhooks"]
        assert found.callback_error is None
    api.run(queue)
    assert [line.split(" in ")[0] for line in noted(journal)] == ["success done"] * len(jobs)


@pytest.mark.parametrize("worker_class", [Worker, SimpleWorker])
def test_workers_of_scripts_call_callbacks_and_handlers(
    queue: Queue, journal: str, worker_class: type[Worker]
) -> None:
    failed = queue.enqueue(callbacks.work, journal, "raise", **{**GIVEN, "webhooks": None})
    worker = worker_class([queue], exception_handlers=callbacks.handled)

    def alone(job: Any, *raised: Any) -> bool:  # which no pickle can hold
        return callbacks.handled_alone(job, *raised)

    worker.push_exc_handler(alone)
    worker.push_exc_handler(callbacks.handled)
    worker.work(burst=True)
    assert noted(journal) == [
        "failure ValueError: no such customer at work",
        "handled ValueError: no such customer",
        "handled alone",
    ]
    assert failed.get_status() == "failed"


def test_handlers_are_taken_off_again(queue: Queue, journal: str) -> None:
    worker = SimpleWorker([queue], exception_handlers=[callbacks.handled, "a.b"])
    assert worker.pop_exc_handler() == "a.b"
    assert worker.pop_exc_handler() is callbacks.handled
    with pytest.raises(IndexError):
        worker.pop_exc_handler()
    queue.enqueue(callbacks.work, journal, "raise")
    worker.work(burst=True)
    assert noted(journal) == []


@pytest.mark.parametrize("handler", [7, ["x"], [None], "no dots"])
def test_a_handler_that_can_not_be_called_is_refused(queue: Queue, handler: Any) -> None:
    with pytest.raises(WorkhorseError):
        SimpleWorker([queue], exception_handlers=handler)


def test_a_queue_that_runs_its_jobs_itself_calls_callbacks_and_raises_nothing(
    client: redis.Redis, journal: str
) -> None:
    queue = Queue("q", connection=client, is_async=False)
    queue.enqueue(callbacks.work, journal, on_success=callbacks.succeeded)
    queue.enqueue(callbacks.work, journal, "raise", on_failure=callbacks.failed)
    broken = queue.enqueue(callbacks.work, journal, on_success=callbacks.raises)
    assert [line.split(" in ")[0] for line in noted(journal)] == [
        "success done",
        "failure ValueError: no such customer at work",
        "raises",
    ]
    broken.refresh()
    assert broken.get_status() == "finished"
    assert "RuntimeError: the callback broke" in str(broken.callback_error)


def test_a_run_that_went_well_forgets_what_an_earlier_one_said(queue: Queue, journal: str) -> None:
    broken = queue.enqueue(callbacks.work, journal, on_success=callbacks.raises)
    api.run(queue)
    broken.refresh()
    assert broken.callback_error
    broken.requeue()
    queue.connection.hset(broken.key, "success_callback_name", "tests.support.callbacks.succeeded")
    api.run(queue)
    broken.refresh()
    assert not broken.callback_error


@pytest.mark.parametrize("bad", [7, lambda: None, [].append, Callback([].append)])
def test_what_no_worker_could_call_is_refused(queue: Queue, bad: Any) -> None:
    with pytest.raises((InvalidOptionError, InvalidCallError)):
        queue.enqueue(callbacks.work, on_success=bad)
    assert queue.is_empty()


def test_a_follow_up_is_shown_as_what_it_is(queue: Queue, journal: str) -> None:
    failing = queue.enqueue(callbacks.work, journal, "raise", webhooks=GIVEN["webhooks"])
    api.run_one(queue)
    (follower,) = queue.jobs
    assert follower.func_name == "workhorse.follow_up"
    assert follower.description == f"webhook 1 of job {failing.id}"
    assert (follower.args, follower.retries_left) == ([], 8)
