"""What nobody takes for a while: any job, or those of one queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent, run
from tests.support.lives import Life
from tests.support.waiting import wait_until
from workhorse import (
    InvalidOptionError,
    Queue,
    SimpleWorker,
    Worker,
    is_suspended,
    resume,
    suspend,
)
from workhorse.store import pauses, schedule
from workhorse.store.audit import audit


@pytest.fixture
def queue(every_client: redis.Redis) -> Queue:
    return Queue("low", connection=every_client)


@contextmanager
def working(*queues: Queue) -> Iterator[Worker]:
    """Have a worker work in a thread within the block."""
    worker = Worker(queues, connection=queues[0].connection)
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        wait_until(lambda: worker.name in names_of(queues[0]))
        yield worker
    finally:
        worker.request_stop()
        thread.join()


def names_of(queue: Queue) -> list[str]:
    return [worker.name for worker in Worker.all(queue.connection)]


def state_of(queue: Queue) -> str:
    (worker,) = Worker.all(queue.connection)
    return worker.get_state()


# All work


def test_nothing_is_taken_while_work_is_suspended(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    assert not is_suspended(queue.connection)
    suspend(queue.connection)
    assert is_suspended(queue.connection)
    assert not run(queue)
    assert job.get_status() == "queued"
    assert resume(queue.connection) is True
    assert resume(queue.connection) is False
    assert run(queue)
    assert job.get_status() == "finished"


def test_a_suspension_ends_by_itself(queue: Queue) -> None:
    suspend(queue.connection, ttl=0.2)
    assert 0 < queue.connection.pttl("rq:suspended") <= 200
    wait_until(lambda: not is_suspended(queue.connection))
    suspend(queue.connection, 60)
    assert queue.connection.ttl("rq:suspended") == 60
    suspend(queue.connection, 0)
    assert not is_suspended(queue.connection)


@pytest.mark.parametrize("ttl", [-1, "10m", True, float("nan"), 1e30], ids=str)
def test_what_is_no_time_is_refused(queue: Queue, ttl: Any) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError):
        suspend(queue.connection, ttl)
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError):
        queue.pause(ttl)


def test_a_worker_says_that_it_is_suspended_and_goes_on_when_work_is_resumed(
    client: redis.Redis,
) -> None:
    queue = Queue("low", connection=client)
    suspend(client)
    job = queue.enqueue(calls.add)
    with working(queue):
        wait_until(lambda: state_of(queue) == "suspended")
        assert job.get_status() == "queued"
        resume(client)
        wait_until(lambda: job.get_status() == "finished")
        wait_until(lambda: state_of(queue) == "idle")


def test_jobs_become_due_while_work_is_suspended(every_life: Life) -> None:
    every_life.store.run(pauses.suspend(every_life.keys))
    every_life.enqueue("j", due_in=0.01)
    while not every_life.store.run(schedule.forward(every_life.keys)).moved:
        pass
    assert every_life.waiting() == ["j"]
    assert every_life.claim().suspended
    assert every_life.waiting() == ["j"]


# One queue


def test_a_paused_queue_keeps_its_jobs_and_others_go_on(queue: Queue) -> None:
    other = Queue("other", connection=queue.connection)
    job, others = queue.enqueue(calls.add), other.enqueue(calls.add)
    assert queue.pause() is True
    assert queue.pause() is False
    assert (queue.is_paused, other.is_paused) == (True, False)
    assert run(queue, other)
    assert (job.get_status(), others.get_status()) == ("queued", "finished")
    assert queue.enqueue(calls.add).get_status() == "queued"
    assert queue.resume() is True
    assert queue.resume() is False
    assert not queue.is_paused
    run(queue, other)
    assert job.get_status() == "finished"


@pytest.mark.parametrize("duration", [0.2, timedelta(milliseconds=200)], ids=str)
def test_a_pause_ends_by_itself(queue: Queue, duration: Any) -> None:
    queue.enqueue(calls.add)
    queue.pause(duration)
    assert queue.is_paused
    wait_until(lambda: not queue.is_paused)
    assert run(queue)
    assert queue.resume() is False


def test_a_pause_that_goes_on_is_as_long_as_said_last(queue: Queue) -> None:
    queue.pause(0.05)
    queue.pause(60)
    moment = queue.connection.zscore("rq:paused", "low")
    assert moment - queue.connection.time()[0] > 50
    queue.pause()
    assert queue.connection.zscore("rq:paused", "low") == float("inf")


def test_pauses_that_are_over_are_forgotten(queue: Queue) -> None:
    queue.connection.zadd("rq:paused", {"old": 1})
    assert Queue("old", connection=queue.connection).is_paused is False
    queue.pause()
    assert queue.connection.zrange("rq:paused", 0, -1) == [b"low"]


def test_a_queue_that_is_resumed_is_worked_at_once(client: redis.Redis) -> None:
    queue, other = Queue("low", connection=client), Queue("other", connection=client)
    queue.pause()
    job = queue.enqueue(calls.add)
    client.delete("rq:bell:low")
    queue.resume()
    assert client.llen("rq:bell:low") == 1
    queue.pause()
    with working(queue, other):
        assert job.get_status() == "queued"
        queue.resume()
        wait_until(lambda: job.get_status() == "finished")


def test_a_worker_all_of_whose_queues_are_paused_says_so(client: redis.Redis) -> None:
    queue, other = Queue("low", connection=client), Queue("other", connection=client)
    queue.pause()
    with working(queue, other):
        other.enqueue(calls.add)
        wait_until(lambda: len(other) == 0)
        assert state_of(queue) in {"idle", "busy", "started"}
        other.pause()
        wait_until(lambda: state_of(queue) == "suspended")


def test_a_burst_ends_where_every_queue_is_paused(queue: Queue) -> None:
    queue.enqueue(calls.add)
    queue.pause()
    assert SimpleWorker([queue]).work(burst=True) is False
    assert len(queue) == 1


def test_a_running_job_of_a_paused_queue_ends_in_order(every_life: Life) -> None:
    job = every_life.start()
    every_life.store.run(pauses.pause(every_life.keys, "q"))
    assert every_life.extend(job) == []
    assert every_life.release(job) == 1
    assert every_life.waiting() == ["j"]
    assert every_life.claim().jobs == []


def test_the_auditor_knows_what_a_pause_is(every_life: Life) -> None:
    every_life.enqueue("j")
    every_life.store.run(pauses.pause(every_life.keys, "q", seconds=60))
    every_life.store.run(pauses.suspend(every_life.keys))
    assert audit(every_life.store, every_life.keys) == []


def test_what_is_no_such_key_pauses_nothing(every_life: Life) -> None:
    every_life.client.set("rq:paused", "odd")
    every_life.enqueue("j")
    assert [job.job_id for job in every_life.claim().jobs] == ["j"]


def test_a_claim_costs_no_command_more_while_nothing_is_paused(life: Life) -> None:
    def calls_of(name: str) -> int:
        told = life.client.info("commandstats").get(f"cmdstat_{name}", {"calls": 0})
        return int(told["calls"])

    life.claim()
    life.client.config_resetstat()
    life.claim()
    assert (calls_of("exists"), calls_of("zrangebyscore")) == (1, 0)
