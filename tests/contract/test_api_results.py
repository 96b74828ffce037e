"""What a job returned, how it failed, and waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import dump, run
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import (
    DeserializationError,
    Job,
    JobWaitTimeoutError,
    NoSuchJobError,
    Queue,
    Result,
    Retry,
)


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


@pytest.fixture(params=[False, True], ids=["in the hash", "in the stream"])
def any_queue(client: redis.Redis, request: pytest.FixtureRequest) -> Queue:
    """A queue for each place where results are kept."""
    return Queue("low", connection=client, results_in_stream=request.param)


def test_a_result_tells_how_the_run_ended(any_queue: Queue) -> None:
    job = any_queue.enqueue(calls.add, 1, 2)
    assert job.latest_result() is None
    assert job.return_value() is None
    assert job.results() == []
    run(any_queue)
    result = job.latest_result()
    assert result is not None
    assert result == job.results()[0]
    assert result.type is Result.Type.SUCCESSFUL
    assert (result.return_value, result.exc_string, result.job_id) == (3, None, job.id)
    job.refresh()
    assert result.worker_name == job.worker_name
    assert result.execution_id is not None
    started, ended = result.execution_started_at, result.execution_ended_at
    assert started is not None
    assert ended is not None
    assert started <= ended
    assert job.return_value() == job.return_value(refresh=True) == 3


@pytest.mark.parametrize(
    "value",
    [None, 0, "", b"", [], {"a": [1, "ü"]}, "x" * 100_000],
    ids=lambda value: repr(value)[:9],
)
def test_a_value_comes_back_as_it_was(any_queue: Queue, value: Any) -> None:
    job = any_queue.enqueue(calls.echo, value)
    run(any_queue)
    assert job.return_value() == ((value,), {})


def test_a_result_of_none_is_a_success(any_queue: Queue) -> None:
    job = any_queue.enqueue(calls.note)
    run(any_queue)
    result = job.latest_result()
    assert result is not None
    assert result.type is Result.Type.SUCCESSFUL
    assert result.return_value is None


def test_a_failure_tells_its_traceback(any_queue: Queue) -> None:
    job = any_queue.enqueue(calls.fail, "no such customer")
    run(any_queue)
    result = job.latest_result()
    assert result is not None
    assert result.type is Result.Type.FAILED
    assert result.return_value is None
    assert result.exc_string is not None
    assert result.exc_string.rstrip().endswith("ValueError: no such customer")
    assert job.return_value() is None


def test_results_are_the_last_ten_runs_newest_first(any_queue: Queue) -> None:
    job = any_queue.enqueue(calls.fail, retry=Retry(14))
    run(any_queue)
    kinds = [result.type.name for result in job.results()]
    assert kinds == ["FAILED", *["RETRIED"] * 9]
    stamps = [result.created_at for result in job.results()]
    assert stamps == sorted(stamps, reverse=True)


def test_a_result_that_can_not_be_read_is_told(any_queue: Queue) -> None:
    job = any_queue.enqueue(calls.return_unreadable)
    run(any_queue)
    assert job.is_finished
    with pytest.raises(DeserializationError, match=f"result of job {job.id}"):
        job.return_value()


def test_a_result_is_not_kept_when_its_ttl_is_zero(any_queue: Queue, client: redis.Redis) -> None:
    job = any_queue.enqueue(calls.add, 1, 2, result_ttl=0)
    run(any_queue)
    assert not Job.exists(job.id, client)
    assert job.latest_result() is None


def test_rqs_old_names_work_and_warn(queue: Queue) -> None:
    done, failed = queue.enqueue(calls.add, 1, 2), queue.enqueue(calls.fail)
    run(queue)
    with pytest.warns(DeprecationWarning, match="return_value"):
        assert done.result == 3
    with pytest.warns(DeprecationWarning, match="exc_string"):
        assert "ValueError" in str(failed.exc_info)
    with pytest.warns(DeprecationWarning, match="exc_string"):
        assert queue.enqueue(calls.add).exc_info is None


# Waiting


def later(action: Callable[[], object], job: Job, waiters: int = 1) -> threading.Thread:
    """Start a thread that acts as soon as so many wait for *job*."""

    def act() -> None:
        wait_until(lambda: int(job.connection.hget(job.key, "waiters") or 0) >= waiters)
        action()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_wait_returns_the_state_of_a_job_that_has_ended(queue: Queue, client: redis.Redis) -> None:
    done, failed, off = (queue.enqueue(calls.add), queue.enqueue(calls.fail), None)
    run(queue)
    off = queue.enqueue(calls.add)
    off.cancel()
    before = dump(client)
    assert [job.wait(0) for job in (done, failed, off)] == ["finished", "failed", "canceled"]
    assert done.wait() == "finished"
    assert dump(client) == before


@pytest.mark.parametrize(
    ("end", "state"),
    [("run", "finished"), ("cancel", "canceled"), ("fail", "failed")],
)
def test_wait_returns_when_the_job_ends(queue: Queue, end: str, state: str) -> None:
    job = queue.enqueue(calls.fail if end == "fail" else calls.add)
    act = job.cancel if end == "cancel" else lambda: run(queue)
    thread = later(act, job)
    assert job.wait(30) == state
    thread.join()


@pytest.mark.parametrize("end", ["delete", "empty", "unkept"])
def test_waiting_for_a_job_that_goes_away_is_an_error(queue: Queue, end: str) -> None:
    job = queue.enqueue(calls.add, result_ttl=0)
    actions: dict[str, Callable[[], object]] = {
        "delete": job.delete,
        "empty": queue.empty,
        "unkept": lambda: run(queue),
    }
    thread = later(actions[end], job)
    with pytest.raises(NoSuchJobError):
        job.wait(30)
    thread.join()
    with pytest.raises(NoSuchJobError):
        job.wait(30)


def test_a_wait_that_is_over_says_so_and_the_job_goes_on(queue: Queue) -> None:
    job = queue.enqueue(calls.add, 1, 2)
    with pytest.raises(JobWaitTimeoutError, match=r"has not ended after 0\.05 seconds"):
        job.wait(0.05)
    with pytest.raises(TimeoutError):
        job.wait(0)
    assert job.latest_result(timeout=0.05) is None
    run(queue)
    assert job.wait(0) == "finished"


def test_a_wait_goes_on_over_the_tries_of_a_job(queue: Queue) -> None:
    job = queue.enqueue(calls.fail, retry=Retry(2))
    thread = later(lambda: run(queue), job)
    assert job.wait(30) == "failed"
    thread.join()
    assert len(job.results()) == 3


def test_a_job_can_be_waited_for_again_after_a_requeue(queue: Queue) -> None:
    job = queue.enqueue(calls.fail)
    with pytest.raises(JobWaitTimeoutError):
        job.wait(0.01)  # leaves a request behind, to be answered for nobody
    run(queue)
    assert job.wait(5) == "failed"
    job.requeue()
    with pytest.raises(JobWaitTimeoutError):
        job.wait(0.01)
    thread = later(lambda: run(queue), job)
    assert job.wait(30) == "failed"
    thread.join()


def test_several_wait_for_one_job(queue: Queue, valkey_server: RunningServer) -> None:
    job = queue.enqueue(calls.add, 1, 2)

    def wait() -> Any:
        with valkey_server.client() as own:
            same = Job.fetch(job.id, connection=own)
            return same.wait(30), same.return_value()

    with ThreadPoolExecutor(5) as pool:
        waits: list[Future[Any]] = [pool.submit(wait) for _ in range(5)]
        thread = later(lambda: run(queue), job, waiters=5)
        assert [wait.result() for wait in waits] == [("finished", 3)] * 5
    thread.join()


def test_threads_that_share_a_job_wait_for_it(queue: Queue) -> None:
    job = queue.enqueue(calls.add, 1, 2)
    with ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(job.latest_result, 30) for _ in range(3)]
        thread = later(lambda: run(queue), job, waiters=3)
        values = [getattr(wait.result(), "return_value", None) for wait in waits]
    thread.join()
    assert values == [3, 3, 3]


def test_an_end_that_nobody_told_is_seen(queue: Queue, client: redis.Redis) -> None:
    """As RQ's worker ends a job: it sets the status, and knows of no waiters."""
    job = queue.enqueue(calls.add, 1, 2)
    thread = later(lambda: client.hset(job.key, "status", "finished"), job)
    assert job.wait(30) == "finished"
    thread.join()


def test_latest_result_waits_for_the_end(queue: Queue) -> None:
    job = queue.enqueue(calls.add, 1, 2)
    thread = later(lambda: run(queue), job)
    result = job.latest_result(timeout=30)
    thread.join()
    assert result is not None
    assert result.return_value == 3


def test_latest_result_of_a_job_that_went_away_is_none(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    thread = later(job.delete, job)
    assert job.latest_result(timeout=30) is None
    thread.join()


def test_a_client_that_is_impatient_can_wait(valkey_server: RunningServer, queue: Queue) -> None:
    job = queue.enqueue(calls.add, 1, 2)
    settings = {"unix_socket_path": str(valkey_server.socket), "socket_timeout": 0.2}
    with redis.Redis(**settings) as impatient:  # type: ignore[arg-type] # one of each kind
        same = Job.fetch(job.id, connection=impatient)
        with pytest.raises(JobWaitTimeoutError):
            same.wait(0.5)
        thread = later(lambda: run(queue), job, waiters=2)
        assert same.wait(30) == "finished"
        thread.join()
