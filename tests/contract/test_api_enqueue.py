"""Enqueue by the API: every option, many at once, chosen ids, in one round trip."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import (
    CountingClient,
    bring_forward,
    nothing_sent,
    outcome_of,
    run,
    run_one,
    wait_of,
)
from workhorse import (
    DuplicateJobError,
    InvalidCallError,
    Job,
    JSONSerializer,
    Queue,
    Retry,
    SerializationError,
)


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def test_enqueue_returns_the_job_as_it_is_stored(queue: Queue, client: redis.Redis) -> None:
    job = queue.enqueue(calls.add, 1, right=2)
    stored = Job.fetch(job.id, connection=client)
    assert stored.record == job.record
    assert (job.args, job.kwargs) == ((1,), {"right": 2})
    assert job.func_name == "tests.support.calls.add"
    assert job.description == "tests.support.calls.add(1, right=2)"
    assert job.origin == "low"
    assert job.timeout == 180
    assert job.get_status() == "queued"
    assert job.enqueued_at is not None
    assert datetime.now(UTC) - job.enqueued_at < timedelta(minutes=1)


def test_each_option_of_enqueue_is_stored(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue(calls.add, 0)
    job = queue.enqueue(
        calls.add,
        1,
        2,
        job_timeout="1h30m",
        description="adds",
        result_ttl=60,
        ttl="1d",
        failure_ttl="2m",
        job_id="sum-1",
        at_front=True,
        meta={"by": "ada"},
        retry=Retry(max=3, interval=[10, 20], enqueue_at_front=True),
        on_lost="fail",
        max_starts=5,
    )
    stored = Job.fetch("sum-1", connection=client)
    assert stored == job
    assert stored.timeout == 5400
    assert stored.description == "adds"
    assert (stored.result_ttl, stored.ttl, stored.failure_ttl) == (60, 86_400, 120)
    assert stored.meta == {"by": "ada"}
    assert (stored.retries_left, stored.retry_intervals) == (3, (10, 20))
    assert (stored.on_lost, stored.max_starts) == ("fail", 5)
    assert stored.get_position() == 0
    assert 86_000 < client.ttl(stored.key) <= 86_400


def test_enqueue_call_has_the_same_options(queue: Queue) -> None:
    queue.enqueue(calls.add, 0)
    job = queue.enqueue_call(
        func=calls.add,
        args=[1],
        kwargs={"right": 2},
        timeout=30,
        result_ttl=60,
        ttl=70,
        failure_ttl=80,
        description="adds",
        job_id="sum-1",
        at_front=True,
        meta={"by": "ada"},
        retry=Retry(1),
        on_lost="requeue",
        max_starts=1,
    )
    assert (job.timeout, job.result_ttl, job.ttl, job.failure_ttl) == (30, 60, 70, 80)
    assert (job.description, job.id, job.meta) == ("adds", "sum-1", {"by": "ada"})
    assert (job.on_lost, job.max_starts) == ("requeue", 1)
    assert queue.job_ids[0] == "sum-1"
    assert outcome_of(job, queue) == 3


def test_args_and_kwargs_give_arguments_of_the_names_of_options(queue: Queue) -> None:
    job = queue.enqueue(calls.echo, args=(1, 2), kwargs={"ttl": 3, "job_id": "x"}, job_timeout=9)
    assert job.timeout == 9
    assert outcome_of(job, queue) == ((1, 2), {"ttl": 3, "job_id": "x"})


def test_a_function_may_have_arguments_of_the_names_of_newer_options(queue: Queue) -> None:
    job = queue.enqueue(calls.echo, kwargs={"on_lost": "sigh", "max_starts": 0})
    assert outcome_of(job, queue) == ((), {"on_lost": "sigh", "max_starts": 0})
    assert (job.on_lost, job.max_starts) == (None, None)


def test_a_function_gets_what_enqueue_does_not_know(queue: Queue) -> None:
    job = queue.enqueue(calls.echo, 1, timeout=5, name="x")
    assert outcome_of(job, queue) == ((1,), {"timeout": 5, "name": "x"})


@pytest.mark.parametrize(
    ("args", "kwargs"), [((1,), {"args": (2,)}), ((), {"args": (2,), "right": 3})]
)
def test_arguments_are_given_in_one_way_only(
    queue: Queue, client: redis.Redis, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with nothing_sent(client), pytest.raises(InvalidCallError, match="not both"):
        queue.enqueue(calls.add, *args, **kwargs)


@pytest.mark.parametrize(("given", "timeout"), [(None, 180), (8, 8), ("10m", 600), (-1, -1)])
def test_a_queue_has_a_time_limit_for_its_jobs(
    client: redis.Redis, given: int | str | None, timeout: int
) -> None:
    queue = Queue("low", connection=client, default_timeout=given)
    assert queue.enqueue(calls.add, 1).timeout == timeout
    assert queue.enqueue(calls.add, 1, job_timeout=3).timeout == 3


def test_an_enqueue_is_one_round_trip(server_socket: Path) -> None:
    client = CountingClient(unix_socket_path=str(server_socket))
    queue = Queue("low", connection=client)
    queue.enqueue(calls.add, 1)  # the first one also loads the script
    client.trips.clear()
    queue.enqueue(calls.add, 1, meta={"a": 1}, retry=Retry(2), ttl=5, at_front=True)
    assert client.trips == ["EVALSHA"]
    client.trips.clear()
    queue.enqueue(calls.add, 1, job_id="mine")
    assert client.trips == ["EVALSHA"]
    client.trips.clear()
    queue.enqueue_many([Queue.prepare_data(calls.add, [n]) for n in range(1000)])
    assert client.trips == ["pipeline"]
    client.close()


def test_a_queue_says_what_becomes_of_lost_runs_where_its_jobs_do_not(
    client: redis.Redis,
) -> None:
    queue = Queue("low", client, on_lost="fail", max_starts=5)
    plain = queue.enqueue(calls.add, 1)
    own = queue.enqueue(calls.add, 1, on_lost="requeue", max_starts=1)
    (many,) = queue.enqueue_many([Queue.prepare_data(calls.add, (1,), max_starts=2)])
    made = queue.enqueue_job(Job.create(calls.add, (1,), connection=client))
    own_made = Job.create(calls.add, (1,), connection=client, on_lost="requeue", max_starts=9)
    stored = [job.fetch(job.id, client) for job in (plain, own, many, made)]
    stored.append(Job.fetch(queue.enqueue_job(own_made).id, client))
    assert [(job.on_lost, job.max_starts) for job in stored] == [
        ("fail", 5), ("requeue", 1), ("fail", 2), ("fail", 5), ("requeue", 9),
    ]  # fmt: skip


# Many


def test_enqueue_many_keeps_the_order(queue: Queue) -> None:
    data = [Queue.prepare_data(calls.add, (n,), {"right": 1}) for n in range(1500)]
    jobs = queue.enqueue_many(data)
    assert [job.args for job in jobs] == [(n,) for n in range(1500)]
    assert queue.job_ids == [job.id for job in jobs]
    assert all(job.get_status(refresh=False) == "queued" for job in jobs)


def test_each_of_many_has_its_options(queue: Queue) -> None:
    queue.enqueue(calls.add, 0, job_id="waits")
    queue.enqueue_many(
        [
            Queue.prepare_data(calls.add, (1,), timeout=5, job_id="a", meta={"n": 1}),
            Queue.prepare_data("tests.support.calls.add", (1,), job_id="b", at_front=True),
            Queue.prepare_data(
                calls.add, (1,), job_id="c", retry=Retry(2), ttl=9, on_lost="fail", max_starts=2
            ),
        ]
    )
    assert queue.job_ids == ["b", "waits", "a", "c"]
    first, _, third = (queue.fetch_job(name) for name in "abc")
    assert first is not None
    assert third is not None
    assert (first.timeout, first.meta) == (5, {"n": 1})
    assert (third.retries_left, third.ttl) == (2, 9)
    assert (first.on_lost, first.max_starts) == (None, None)
    assert (third.on_lost, third.max_starts) == ("fail", 2)


def test_enqueue_many_of_nothing_sends_nothing(queue: Queue, client: redis.Redis) -> None:
    with nothing_sent(client):
        assert queue.enqueue_many([]) == []


def test_an_id_given_twice_is_refused_and_nothing_is_sent(
    queue: Queue, client: redis.Redis
) -> None:
    data = [Queue.prepare_data(calls.add, (1,), job_id=name) for name in ("a", "b", "a")]
    with nothing_sent(client), pytest.raises(DuplicateJobError, match="'a' is given twice"):
        queue.enqueue_many(data)
    with pytest.raises(ValueError, match="given twice"):  # as RQ's
        queue.enqueue_many(data)


def test_nothing_of_many_is_sent_when_one_is_bad(queue: Queue, client: redis.Redis) -> None:
    good = [Queue.prepare_data(calls.add, (n,)) for n in range(1200)]
    with nothing_sent(client):
        with pytest.raises(SerializationError):
            queue.enqueue_many([*good, Queue.prepare_data(calls.add, (calls.Unpicklable(),))])
        with pytest.raises(InvalidCallError):
            queue.enqueue_many([*good, Queue.prepare_data(lambda: None)])
        with pytest.raises(InvalidCallError, match="prepare_data"):
            queue.enqueue_many([*good, (calls.add, (1,))])  # type: ignore[list-item] # that is the test


# Ids chosen by the caller


def test_a_chosen_id_names_one_job_while_it_has_not_ended(
    queue: Queue, client: redis.Redis
) -> None:
    first = queue.enqueue(calls.add, 1, job_id="daily")
    with nothing_sent(client):
        second = queue.enqueue(calls.add, 2, job_id="daily")
    assert second == first
    assert second.args == (1,)  # the job that is there, as it is
    assert len(queue) == 1


def test_a_job_on_another_queue_keeps_its_id(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue(calls.add, 1, job_id="daily")
    other = Queue("high", connection=client)
    assert other.enqueue(calls.add, 2, job_id="daily").origin == "low"
    assert len(other) == 0


@pytest.mark.parametrize("end", ["finished", "failed", "canceled", "deleted"])
def test_a_chosen_id_begins_anew_once_its_job_ended(queue: Queue, end: str) -> None:
    job = queue.enqueue(calls.fail if end == "failed" else calls.add, 1, job_id="daily")
    if end == "canceled":
        job.cancel()
    elif end == "deleted":
        job.delete()
    else:
        run(queue)
        assert job.get_status() == end
    again = queue.enqueue(calls.add, 2, job_id="daily")
    assert again.args == (2,)
    assert again.results() == []
    assert outcome_of(again, queue) == 2


def test_only_one_of_many_threads_enqueues_a_chosen_id(server_socket: Path) -> None:
    with redis.Redis(unix_socket_path=str(server_socket)) as client:
        queue = Queue("low", connection=client)
        found: list[Job] = []
        threads = [
            threading.Thread(
                target=lambda: found.append(queue.enqueue(calls.add, 1, job_id="daily"))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert queue.job_ids == ["daily"]


def test_threads_share_a_queue(queue: Queue) -> None:
    def enqueue_some() -> None:
        for number in range(50):
            queue.enqueue(calls.add, number)

    threads = [threading.Thread(target=enqueue_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(queue) == 200
    assert len(set(queue.job_ids)) == 200


# A job made before


def test_enqueue_job_queues_a_job_made_before(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue(calls.add, 0)
    job = Job.create(calls.add, (1,), {"right": 2}, connection=client, timeout=7, meta={"a": 1})
    with nothing_sent(client):
        assert not Job.exists(job.id, connection=client)
    assert queue.enqueue_job(job, at_front=True) is job
    assert (job.origin, job.timeout, job.get_position()) == ("low", 7, 0)
    assert job.get_status() == "queued"
    assert job.enqueued_at is not None
    assert outcome_of(job, queue) == 3


def test_enqueue_job_gives_the_queues_time_limit(client: redis.Redis) -> None:
    queue = Queue("low", connection=client, default_timeout=8)
    job = queue.enqueue_job(Job.create(calls.add, connection=client))
    assert job.timeout == 8
    assert Job.fetch(job.id, connection=client).timeout == 8


def test_enqueue_job_stores_meta_as_it_is_by_then(queue: Queue, client: redis.Redis) -> None:
    job = Job.create(calls.add, connection=client, meta={"by": "ada"})
    job.meta["for"] = "bob"
    queue.enqueue_job(job)
    assert Job.fetch(job.id, client).meta == job.meta == {"by": "ada", "for": "bob"}


def test_enqueue_job_moves_a_job_to_another_queue(queue: Queue, client: redis.Redis) -> None:
    job = queue.enqueue(calls.add, 1)
    assert queue.remove(job)
    other = Queue("high", connection=client)
    other.enqueue_job(job)
    assert (queue.job_ids, other.job_ids) == ([], [job.id])
    assert outcome_of(job, other) == 1


def test_enqueue_job_keeps_the_jobs_own_serializer(queue: Queue, client: redis.Redis) -> None:
    made = Job.create(calls.add, (1, 2), connection=client, serializer="json")
    job = queue.enqueue_job(made)
    assert job.args == [1, 2]
    assert Job.fetch(job.id, client, JSONSerializer).func_name == "tests.support.calls.add"


# Retries, by RQ's rules


@pytest.mark.parametrize(
    ("most", "interval", "waits"),
    [
        (3, 0, [0, 0, 0]),
        (3, 60, [60, 60, 60]),
        (3, [10, 30, 60], [10, 30, 60]),
        (5, [10, 30, 60], [10, 10, 10, 30, 60]),
        (1, [10, 30, 60], [60]),
    ],
)
def test_retries_wait_as_long_as_rqs(
    client: redis.Redis, most: int, interval: int | list[int], waits: list[int]
) -> None:
    queue = Queue("low", connection=client)
    job = queue.enqueue(calls.fail, retry=Retry(most, interval))
    waited: list[int] = []
    for _ in range(most):
        run_one(queue)
        waited.append(round(wait_of(job)))
        bring_forward(job)
    run_one(queue)
    assert waited == waits
    assert job.get_status() == "failed"
    assert len(job.results()) == most + 1


def test_a_returned_retry_asks_for_another_run(queue: Queue) -> None:
    job = queue.enqueue(calls.ask_for_retries)
    run(queue)
    job.refresh()
    assert job.get_status() == "failed"
    assert job.number_of_retries == 2
    kinds = [result.type.name for result in job.results()]
    assert kinds == ["MAX_RETRIES_EXCEEDED", "RETRIED", "RETRIED"]
