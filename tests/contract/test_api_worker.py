"""Workers by the API: run in a script, and seen by those who look."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import InvalidOptionError, Job, Queue, SimpleWorker, Worker
from workhorse.api.registered import RegisteredWorker


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def some(queue: Queue, count: int) -> list[Job]:
    return queue.enqueue_many([Queue.prepare_data(calls.add, (n,)) for n in range(count)])


@pytest.mark.parametrize("worker_class", [Worker, SimpleWorker])
def test_a_burst_runs_what_waits_and_says_whether_it_did(
    queue: Queue, worker_class: type[Worker]
) -> None:
    jobs = some(queue, 3)
    worker = worker_class([queue], connection=queue.connection)
    assert worker.work(burst=True) is True
    assert [job.return_value() for job in jobs] == [0, 1, 2]
    assert worker.work(burst=True) is False


def test_jobs_of_a_simple_worker_run_in_this_process(queue: Queue) -> None:
    calls.WAS_CALLED.clear()
    queue.enqueue(calls.note, 1)
    Worker([queue]).work(burst=True)
    assert calls.WAS_CALLED == []
    queue.enqueue(calls.note, 2)
    SimpleWorker([queue]).work(burst=True)
    assert calls.WAS_CALLED == [((2,), {})]


@pytest.mark.parametrize("worker_class", [Worker, SimpleWorker])
def test_a_worker_stops_after_so_many_jobs(queue: Queue, worker_class: type[Worker]) -> None:
    some(queue, 5)
    assert worker_class([queue]).work(max_jobs=2)
    assert len(queue) == 3


def test_a_worker_stops_when_it_was_idle_long_enough(queue: Queue) -> None:
    some(queue, 1)
    assert SimpleWorker([queue]).work(max_idle_time=0.1)
    assert len(queue) == 0


@pytest.mark.parametrize("form", ["names", "queues", "both", "one name", "one queue", "a tuple"])
def test_queues_are_given_by_name_or_object(client: redis.Redis, form: str) -> None:
    high, low = Queue("high", client), Queue("low", client)
    forms: dict[str, Any] = {
        "names": ["high", "low"],
        "queues": [high, low],
        "both": ["high", low],
        "one name": "high",
        "one queue": high,
        "a tuple": (high, "low"),
    }
    worker = SimpleWorker(forms[form], connection=client)
    expected = ["high"] if form.startswith("one") else ["high", "low"]
    assert worker.queue_names() == expected
    assert worker.queues == [Queue(name, client) for name in expected]
    assert worker.connection is client
    high.enqueue(calls.add, 1)
    assert worker.work(burst=True)


def test_the_most_urgent_queue_comes_first(client: redis.Redis) -> None:
    calls.WAS_CALLED.clear()
    high, low = Queue("high", client), Queue("low", client)
    for number in range(3):
        low.enqueue(calls.note, "low", number)
        high.enqueue(calls.note, "high", number)
    SimpleWorker([high, low]).work(burst=True)
    order = [args for args, _ in calls.WAS_CALLED]
    assert order == [(name, n) for name in ("high", "low") for n in range(3)]


def test_a_worker_reads_what_its_queue_writes(client: redis.Redis) -> None:
    queue = Queue("low", client, serializer="json")
    job = queue.enqueue(calls.add, 1, 2)
    SimpleWorker([queue]).work(burst=True)
    assert job.return_value() == 3


def test_the_default_of_result_ttl_is_the_workers(queue: Queue, client: redis.Redis) -> None:
    job, kept = queue.enqueue(calls.add), queue.enqueue(calls.add, result_ttl=-1)
    SimpleWorker([queue], default_result_ttl=77).work(burst=True)
    assert 70 < int(client.ttl(job.key)) <= 77
    assert client.ttl(kept.key) == -1


def test_a_worker_works_in_another_thread(queue: Queue) -> None:
    jobs = some(queue, 3)
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(SimpleWorker([queue]).work(burst=True)))
    thread.start()
    thread.join()
    assert said == [True]
    assert [job.return_value() for job in jobs] == [0, 1, 2]


def test_a_worker_in_a_thread_is_asked_to_stop(queue: Queue, valkey_server: RunningServer) -> None:
    with valkey_server.client() as own:
        worker = SimpleWorker([queue], name="w1", connection=own)
        thread = threading.Thread(target=worker.work)
        thread.start()
        job = queue.enqueue(calls.add, 1, 2)
        assert job.wait(30) == "finished"
        worker.request_stop()
        thread.join(30)
    assert not thread.is_alive()
    assert Worker.count(queue.connection) == 0


def test_what_a_worker_is_called(queue: Queue) -> None:
    worker = SimpleWorker([queue], name="w1")
    assert worker.name == "w1"
    assert worker.key == "rq:worker:w1"
    assert repr(worker) == "SimpleWorker(['low'], name='w1')"
    names = {SimpleWorker([queue]).name for _ in range(10)}
    assert len(names) == 10


def test_an_unknown_logging_level_is_refused(queue: Queue) -> None:
    some(queue, 1)
    with pytest.raises(InvalidOptionError, match="LOUD"):
        SimpleWorker([queue]).work(burst=True, logging_level="LOUD")
    assert len(queue) == 1


# Seen by those who look


@contextmanager
def at_work(*queues: Queue | str, name: str) -> Iterator[None]:
    """Have a worker in a thread of this process."""
    worker = SimpleWorker(queues, name=name)
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        wait_until(lambda: Worker.count(worker.connection) == 1)
        yield
    finally:
        worker.request_stop()
        thread.join()


def test_a_live_worker_tells_of_itself(queue: Queue, client: redis.Redis) -> None:
    with at_work(queue, "other", name="w1"):
        (seen,) = Worker.all(connection=client)
        assert seen.name == "w1"
        assert seen.queue_names() == ["low", "other"]
        assert seen.get_state() in {"started", "busy", "idle"}
        assert all([seen.pid, seen.hostname, seen.version, seen.python_version])
        assert seen.death_date is None
        for moment in (seen.birth_date, seen.last_heartbeat):
            assert moment is not None
            assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
        assert repr(seen).startswith("RegisteredWorker('w1'")


def anew(worker: RegisteredWorker) -> RegisteredWorker:
    worker.refresh()
    return worker


def test_a_live_worker_is_asked_what_it_does(queue: Queue, client: redis.Redis) -> None:
    with at_work(queue, "other", name="w1"):
        assert Worker.all_keys(client) == ["rq:worker:w1"]
        assert Worker.all_keys(queue=Queue("third", client)) == []
        (seen,) = Worker.all(connection=client)
        assert seen.queues == [queue, Queue("other", client)]
        assert seen.queue_keys() == ["rq:queue:low", "rq:queue:other"]
        assert seen.connection is client
        assert (seen.executions, seen.execution) == ([], None)
        job = queue.enqueue(calls.sleep, 1)
        wait_until(lambda: seen.execution is not None)
        assert [run.job_id for run in seen.executions] == [job.id]
        wait_until(lambda: anew(seen).get_state() == "busy")
        with pytest.warns(DeprecationWarning, match="get_state"):
            assert seen.state == "busy"
        job.wait(30)
        wait_until(lambda: anew(seen).successful_job_count == 1)
    seen.refresh()
    assert seen.name == "w1"  # as it was last


def test_a_worker_of_ones_own_has_keys(queue: Queue) -> None:
    assert Worker([queue, "other"]).queue_keys() == ["rq:queue:low", "rq:queue:other"]


def test_a_worker_counts_its_jobs(queue: Queue, client: redis.Redis) -> None:
    with at_work(queue, name="w1"):
        queue.enqueue(calls.add).wait(30)
        queue.enqueue(calls.fail).wait(30)
        (seen,) = Worker.all(connection=client)
        assert (seen.successful_job_count, seen.failed_job_count) == (1, 1)
        assert seen.total_working_time > 0


def test_live_workers_are_listed_and_found(queue: Queue, client: redis.Redis) -> None:
    assert Worker.all(connection=client) == []
    with at_work(queue, "other", name="w1"):
        assert [worker.name for worker in Worker.all(queue=queue)] == ["w1"]
        assert Worker.count(queue=Queue("other", client)) == 1
        assert Worker.all(queue=Queue("third", client)) == []
        found = Worker.find_by_key("rq:worker:w1", connection=client)
        assert found is not None
        assert found.name == "w1"
    assert Worker.all(connection=client) == []


def test_a_worker_that_is_not_there_is_none(client: redis.Redis) -> None:
    assert Worker.find_by_key("rq:worker:nobody", connection=client) is None
    with pytest.raises(InvalidOptionError, match="expected rq:worker:<name>"):
        Worker.find_by_key("nobody", connection=client)


def test_a_dead_worker_of_rqs_is_not_listed(client: redis.Redis) -> None:
    """RQ keeps the hash of a worker that ended for a minute."""
    client.sadd("rq:workers", "rq:worker:old", "rq:worker:gone")
    client.hset("rq:worker:old", mapping={"state": "idle", "death": "2026-01-02T03:04:05.000000Z"})
    assert Worker.all(client) == []
    found = Worker.find_by_key("rq:worker:old", client)
    assert found is not None
    assert found.death_date == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
