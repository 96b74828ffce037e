"""Runs that go on and runs that ended, by RQ's classes; and who works on what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent, run
from tests.support.lives import Life
from workhorse import (
    Execution,
    ExecutionRegistry,
    InvalidOptionError,
    Job,
    Queue,
    Result,
    Retry,
    Worker,
)
from workhorse.store import workers


class MyJob(Job):
    """A job of a class of the user's."""


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("q", connection=client)


def register(life: Life, name: str = "w") -> None:
    fields = workers.describe_worker(
        queues=["q"], pid=7, hostname="h", ip_address="::1", version="1", python_version="3",
        state="busy",
    )  # fmt: skip
    life.store.run(workers.register(life.keys, name, ["q"], fields, ttl=60))


def test_a_run_is_known_from_its_beginning(every_life: Life) -> None:
    claimed = every_life.start()
    job = Job.fetch("j", every_life.client)
    (execution,) = job.get_executions()
    assert (execution.id, execution.job_id) == (claimed.execution_id, "j")
    assert execution.worker_name == "w"
    assert execution.composite_key == f"j:{claimed.execution_id}"
    assert execution.created_at == execution.last_heartbeat == job.started_at
    assert execution.job == job
    assert job.execution_registry.get_execution_ids() == [claimed.execution_id]
    assert job.execution_registry.count == len(job.execution_registry) == 1


def test_a_run_that_goes_on_says_so(every_life: Life) -> None:
    claimed = every_life.start()
    every_life.extend(claimed)
    (execution,) = ExecutionRegistry("j", every_life.client).get_executions()
    assert every_life.client.exists(execution.key)
    assert execution.created_at is not None
    assert datetime.now(UTC) - execution.created_at < timedelta(seconds=30)
    assert execution.last_heartbeat is not None


def test_a_run_is_fetched_while_it_goes_on(life: Life) -> None:
    claimed = life.start()
    key = f"j:{claimed.execution_id}"
    fetched = Execution.fetch(claimed.execution_id, "j", life.client)
    made = Execution.from_composite_key(key, life.client)
    made.refresh()
    assert fetched == made
    assert len({fetched, made}) == 1
    assert fetched.worker_name == made.worker_name == "w"
    assert repr(made) == f"Execution({claimed.execution_id!r}, 'j')"
    life.release(claimed)
    with pytest.raises(InvalidOptionError, match="any more"):
        made.refresh()
    assert ExecutionRegistry("j", life.client).get_executions() == []


def test_a_run_of_rqs_is_known_by_its_index(life: Life) -> None:
    """As RQ's workers write it; several may be there at once."""
    life.enqueue("j")
    life.client.hset("rq:job:j", mapping={"status": "started", "worker_name": "theirs"})
    for name in ("e1", "e2", "gone"):
        life.client.zadd("rq:executions:j", {name: 2e9})
        life.client.sadd("rq:worker:theirs:executions", f"j:{name}")
    for name in ("e1", "e2"):
        fields = {"created_at": 1.5, "last_heartbeat": "x", "worker_name": "theirs"}
        life.client.hset(f"rq:execution:j:{name}", mapping=fields)
    found = Job.fetch("j", life.client).get_executions()
    assert [execution.id for execution in found] == ["e1", "e2"]
    assert found[0].created_at == datetime.fromtimestamp(1.5, UTC)
    assert found[0].last_heartbeat is None


def test_a_worker_tells_what_it_holds(every_life: Life) -> None:
    register(every_life)
    every_life.enqueue("a", "b", "c")
    (worker,) = Worker.all(every_life.client)
    assert worker.get_current_job() is None
    assert worker.get_current_job_id() is None
    every_life.claim(2)
    assert worker.get_current_job_id() == "a"
    assert worker.get_current_job() == Job("a", every_life.client)
    assert worker.current_execution_count == 2
    assert [each.job_id for each in worker.get_current_executions()] == ["a", "b"]
    held = {each.job_id: each.id for each in worker.get_current_executions()}
    assert every_life.field("execution_id", "b") == held["b"]
    with nothing_sent(every_life.client):
        worker.get_current_executions(refresh=True)


def test_a_worker_tells_of_jobs_of_the_class_that_was_chosen(life: Life) -> None:
    register(life)
    life.start("j", data=b'["f", null, [], {}]')
    chosen: dict[str, Any] = {"job_class": f"{__name__}.MyJob", "serializer": "json"}
    (worker,) = Worker.all(life.client, **chosen)
    same = Worker.find_by_key("rq:worker:w", life.client, **chosen)
    assert same is not None
    for each in (worker, same):
        job = each.get_current_job()
        assert type(job) is MyJob
        assert job.func_name == "f"
        assert {queue.job_class for queue in each.queues} == {MyJob}


def test_a_worker_does_not_tell_what_it_gave_up(life: Life) -> None:
    register(life)
    first, second = (life.enqueue("a", "b"), life.claim(2))[1].jobs
    life.extend(first, second)
    life.cancel("a")
    life.release(second)
    worker = Worker.find_by_key("rq:worker:w", life.client)
    assert worker is not None
    assert worker.key == "rq:worker:w"
    assert worker.get_current_executions() == []
    life.claim(1, worker="other", token="f" * 24)
    assert worker.current_execution_count == 0


def test_what_a_worker_left_in_its_claim_is_no_riddle(life: Life) -> None:
    register(life)
    (worker,) = Worker.all(life.client)
    for memo in ("", "x" * 24 + "{", "x" * 24 + "[[1, 2]]", b"\xff" * 40):
        life.client.set("rq:worker:w:claim", memo)
        assert worker.get_current_job_id() is None


# Results


def test_results_are_read_by_rqs_class(queue: Queue) -> None:
    job = queue.enqueue(calls.fail, "boom", retry=Retry(1))
    assert (Result.all(job), Result.count(job), Result.fetch_latest(job)) == ([], 0, None)
    run(queue)
    kinds = [result.type for result in Result.all(job)]
    assert kinds == [Result.Type.FAILED, Result.Type.RETRIED]
    assert Result.count(job) == 2
    assert Result.fetch_latest(job) == Result.all(job)[0] == job.latest_result()
    assert Result.get_key(job.id) == f"rq:results:{job.id}"
    Result.delete_all(job)
    assert Result.all(job) == []
    assert job.is_failed


def test_a_success_in_the_hash_counts_and_is_deleted(queue: Queue) -> None:
    job = queue.enqueue(calls.add, 1, 2)
    run(queue)
    assert Result.count(job) == 1
    assert [result.return_value for result in Result.all(job)] == [3]
    Result.delete_all(job)
    assert (Result.count(job), job.return_value()) == (0, None)
    assert job.is_finished


def test_results_are_read_by_the_serializer_that_is_given(queue: Queue) -> None:
    with_json = Queue("q", queue.connection, serializer="json")
    made = with_json.enqueue(calls.add, 1, 2)
    run(with_json)
    job = Job.fetch(made.id, queue.connection)
    result = Result.fetch_latest(job, serializer="json")
    assert result is not None
    assert result.return_value == 3


def test_the_end_of_a_job_can_be_waited_for(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    assert Result.fetch_latest(job, timeout=0.05) is None
