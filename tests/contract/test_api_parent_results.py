"""What a job's parents returned, as arguments of its function."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent, outcome_of, run
from workhorse import (
    Dependency,
    InvalidOptionError,
    Job,
    JSONSerializer,
    Queue,
    Retry,
    SimpleWorker,
    Worker,
)
from workhorse.core.repeat import Repeat


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def result_of(*parents: Any, **options: Any) -> Dependency:
    """Return a dependency whose result is the parameter ``total``."""
    jobs = parents[0] if len(parents) == 1 else list(parents)
    return Dependency(jobs, result_as="total", **options)


@pytest.mark.parametrize("worker", [SimpleWorker, Worker])
def test_a_function_gets_what_a_parent_returned(
    queue: Queue, worker: type[Worker], tmp_path: Any
) -> None:
    del tmp_path
    parent = queue.enqueue(calls.add, 20, 1)
    child = queue.enqueue(calls.double, depends_on=result_of(parent))
    worker([queue]).work(burst=True)
    assert child.return_value() == 42


def test_a_list_of_parents_gives_a_list_in_its_order(queue: Queue) -> None:
    parents = [queue.enqueue(calls.add, number) for number in range(5)]
    child = queue.enqueue(calls.show, more=1, depends_on=result_of(*reversed(parents)))
    assert outcome_of(child, queue) == {"more": 1, "total": [4, 3, 2, 1, 0]}


def test_several_parents_may_give_several_parameters(queue: Queue) -> None:
    one, two = queue.enqueue(calls.add, 1), queue.enqueue(calls.add, 2)
    other = queue.enqueue(calls.add, 3)
    told = [Dependency(one, result_as="a"), Dependency([two], result_as="b"), other]
    child = queue.enqueue(calls.show, depends_on=told)
    assert outcome_of(child, queue) == {"a": 1, "b": [2]}


def test_a_chain_hands_its_value_on(queue: Queue) -> None:
    last = queue.enqueue(calls.add, 1)
    for _ in range(5):
        last = queue.enqueue(calls.double, depends_on=result_of(last))
    assert outcome_of(last, queue) == 32


def test_a_parent_that_returned_nothing_gives_none(queue: Queue) -> None:
    parent = queue.enqueue(calls.note)
    child = queue.enqueue(calls.show, depends_on=result_of(parent))
    assert outcome_of(child, queue) == {"total": None}


def test_a_parent_that_failed_gives_none(queue: Queue) -> None:
    parents = [queue.enqueue(calls.fail), queue.enqueue(calls.add, 1)]
    child = queue.enqueue(calls.show, depends_on=result_of(*parents, allow_failure=True))
    assert outcome_of(child, queue) == {"total": [None, 1]}


def test_a_parent_that_is_gone_gives_none_to_who_runs_anyway(queue: Queue) -> None:
    parent = queue.enqueue(calls.add, 1)
    child = queue.enqueue(calls.show, depends_on=result_of(parent, allow_failure=True))
    parent.delete()
    assert outcome_of(child, queue) == {"total": None}


def test_a_child_that_goes_on_without_its_canceled_parent_gets_none(queue: Queue) -> None:
    parent = queue.enqueue(calls.add, 1)
    child = queue.enqueue(calls.show, depends_on=result_of(parent))
    parent.cancel(enqueue_dependents=True)
    assert outcome_of(child, queue) == {"total": None}


@pytest.mark.parametrize("result_ttl", [0, 500])
def test_a_result_that_is_gone_is_an_error_that_says_so(queue: Queue, result_ttl: int) -> None:
    parent = queue.enqueue(calls.add, 1, job_id="p", result_ttl=result_ttl)
    child = queue.enqueue(calls.double, depends_on=result_of(parent), job_id="c")
    SimpleWorker([queue]).work(burst=True, max_jobs=1)
    queue.connection.delete(parent.key)
    run(queue)
    result = child.latest_result()
    assert result is not None
    assert "'total' of job c is to get what job p returned, which is gone" in str(
        result.exc_string
    )
    assert "longer result_ttl" in str(result.exc_string)
    assert child.is_failed


def test_a_retry_gets_the_results_again(queue: Queue) -> None:
    parent = queue.enqueue(calls.add, 1)
    child = queue.enqueue(calls.fail_once_with, depends_on=result_of(parent), retry=Retry(1))
    assert outcome_of(child, queue) == 1


def test_a_parent_that_repeats_gives_its_newest_success(queue: Queue) -> None:
    parent = queue.enqueue(calls.add, 1, repeat=Repeat(2))
    child = queue.enqueue(calls.double, depends_on=result_of(parent))
    assert outcome_of(child, queue) == 2


def test_results_kept_in_the_stream_are_found(client: redis.Redis) -> None:
    queue = Queue("low", connection=client, results_in_stream=True)
    child = queue.enqueue(calls.double, depends_on=result_of(queue.enqueue(calls.add, 1)))
    assert outcome_of(child, queue) == 2


def test_results_are_read_as_they_were_written(client: redis.Redis) -> None:
    queue = Queue("low", connection=client, serializer=JSONSerializer())
    child = queue.enqueue(calls.double, depends_on=result_of(queue.enqueue(calls.add, 1)))
    SimpleWorker([queue], serializer=JSONSerializer()).work(burst=True)
    assert child.return_value() == 2


def test_a_parameter_that_has_a_value_is_refused(queue: Queue, client: redis.Redis) -> None:
    parent = queue.enqueue(calls.add, 1)
    with nothing_sent(client), pytest.raises(InvalidOptionError, match="result_as='total'"):
        queue.enqueue(calls.double, total=1, depends_on=result_of(parent))


def test_a_job_tells_which_results_it_gets(queue: Queue, client: redis.Redis) -> None:
    parent = queue.enqueue(calls.add, 1, job_id="p")
    child = queue.enqueue(calls.double, depends_on=result_of(parent))
    assert Job.fetch(child.id, client).record.parents.results == {"total": "p"}
