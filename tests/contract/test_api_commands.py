"""RQ's commands to a worker, by the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support import jobs as slow
from tests.support.api import working
from tests.support.waiting import wait_until
from workhorse import (
    InvalidJobOperation,
    InvalidOptionError,
    Job,
    NoSuchWorkerError,
    Queue,
    RandomWorker,
    RoundRobinWorker,
    SimpleWorker,
    Worker,
    send_command,
    send_kill_horse_command,
    send_stop_execution_command,
)
from workhorse.worker.turns import Strategy, Turns


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def running(queue: Queue, folder: Path, **options: Any) -> Job:
    """Queue a job that waits for a file."""
    words = (str(folder / "journal"), "begun", str(folder / "go"))
    return queue.enqueue(slow.note_and_wait_for, *words, **options)


def begun(job: Job) -> str | None:
    """Return the run that holds a job, once there is one."""
    job.refresh()
    return job.record.execution_id if job.get_status() == "started" else None


def kill_until(is_so: Callable[[], bool], worker: Worker) -> None:
    """Have the job killed that *worker* runs; again, while its process has not begun."""
    while not is_so():
        send_kill_horse_command(worker.connection, worker.name)
        with suppress(AssertionError):
            wait_until(is_so, within=1)


def test_a_killed_horse_is_a_lost_run_and_its_job_runs_again(queue: Queue, tmp_path: Path) -> None:
    job = running(queue, tmp_path)
    worker = Worker([queue], connection=queue.connection)
    with working(worker):
        wait_until(lambda: begun(job))
        kill_until(lambda: begun(job) is not None and job.starts == 1, worker)
        assert job.starts == 1
        (tmp_path / "go").touch()
        wait_until(lambda: job.get_status() == "finished")


def test_a_killed_horse_fails_a_job_that_must_not_run_twice(queue: Queue, tmp_path: Path) -> None:
    job = running(queue, tmp_path, on_lost="fail")
    worker = Worker([queue], connection=queue.connection)
    with working(worker):
        wait_until(lambda: begun(job))
        kill_until(lambda: job.get_status() == "failed", worker)
    result = job.latest_result()
    assert result is not None
    assert "on_lost is 'fail'" in (result.exc_string or "")


def test_a_worker_without_a_job_heeds_no_kill(queue: Queue) -> None:
    worker = Worker([queue], connection=queue.connection)
    with working(worker):
        wait_until(lambda: Worker.count(queue.connection) == 1)
        send_kill_horse_command(queue.connection, worker.name)
        job = queue.enqueue(calls.add)
        wait_until(lambda: job.get_status() == "finished")


def test_one_run_is_stopped_by_its_name(queue: Queue, tmp_path: Path) -> None:
    job = running(queue, tmp_path)
    worker = Worker([queue], connection=queue.connection)
    with working(worker):
        execution = wait_until(lambda: begun(job)) or ""
        with pytest.raises(InvalidJobOperation, match="does not run"):
            send_stop_execution_command(queue.connection, job.id, "another")
        assert job.get_status() == "started"
        send_stop_execution_command(queue.connection, job.id, execution)
        wait_until(lambda: job.get_status() == "stopped")
    with pytest.raises(InvalidJobOperation):
        send_stop_execution_command(queue.connection, job.id, execution)


def test_a_run_of_rqs_worker_is_told_over_its_channel(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    client = queue.connection
    client.hset(f"rq:execution:{job.id}:e1", mapping={"worker_name": "theirs", "job_id": job.id})
    with client.pubsub() as heard:
        heard.subscribe("rq:pubsub:theirs")
        wait_until(lambda: heard.get_message(timeout=1))
        send_stop_execution_command(client, job.id, "e1")
        told = wait_until(lambda: heard.get_message(timeout=1))
    assert told["data"] == (
        b'{"command": "stop-execution", "job_id": "%s", "execution_id": "e1"}' % job.id.encode()
    )


def test_a_command_reaches_a_worker_as_it_is_given(queue: Queue) -> None:
    worker = Worker([queue], connection=queue.connection)
    with working(worker):
        wait_until(lambda: Worker.count(queue.connection) == 1)
        send_command(queue.connection, worker.name, "dance", steps=3)
        with pytest.raises(InvalidOptionError, match="JSON"):
            send_command(queue.connection, worker.name, "dance", steps=object())
        send_command(queue.connection, worker.name, "shutdown")
        wait_until(lambda: Worker.count(queue.connection) == 0)


@pytest.mark.parametrize("send", [send_kill_horse_command, lambda c, w: send_command(c, w, "x")])
def test_nobody_is_told_where_there_is_no_such_worker(queue: Queue, send: Any) -> None:
    with pytest.raises(NoSuchWorkerError):
        send(queue.connection, "nobody")


# From which queue jobs are taken first


def ended(queues: list[Queue]) -> list[str]:
    """Return the queues of the jobs that ended, in their order."""
    client = queues[0].connection
    ids = [job for queue in queues for job in client.zrange(f"rq:finished:{queue.name}", 0, -1)]
    jobs = Job.fetch_many([job.decode() for job in ids], client)
    return [job.origin for job in sorted(filter(None, jobs), key=lambda job: str(job.ended_at))]


class Taking(SimpleWorker):
    """A worker of this process that gives its queues turns."""

    dequeue_strategy = RoundRobinWorker.dequeue_strategy


ORDERS: dict[str, tuple[type[Worker], dict[str, Any], str]] = {
    "default": (SimpleWorker, {}, "aaabbb"),
    "round robin": (SimpleWorker, {"dequeue_strategy": "round_robin"}, "ababab"),
    "RoundRobinWorker": (Taking, {}, "ababab"),
    "a class that is overruled": (Taking, {"dequeue_strategy": "default"}, "aaabbb"),
}


@pytest.mark.parametrize(("kind", "options", "order"), ORDERS.values(), ids=ORDERS)
def test_queues_have_their_turns(
    client: redis.Redis, kind: type[Worker], options: dict[str, Any], order: str
) -> None:
    queues = [Queue(name, connection=client) for name in "ab"]
    for queue in queues:
        queue.enqueue_many([Queue.prepare_data(calls.add) for _ in range(3)])
    kind(queues).work(burst=True, **options)
    assert "".join(ended(queues)) == order


def test_a_strategy_that_there_is_not_is_refused(queue: Queue) -> None:
    with pytest.raises(InvalidOptionError, match="round_robin"):
        SimpleWorker([queue]).work(dequeue_strategy="fair")  # type: ignore[arg-type] # on purpose
    assert RandomWorker.dequeue_strategy == "random"


@pytest.mark.parametrize("strategy", ["default", "round_robin", "random"])
def test_each_queue_is_asked_each_time(strategy: Strategy) -> None:
    turns = Turns(("a", "b", "c"), strategy, lambda queues, _: [*reversed(queues)])
    orders = []
    for taken in "abc":
        orders.append("".join(turns.next()))
        turns.took_from(taken)
    assert (
        orders
        == {
            "default": ["abc", "abc", "abc"],
            "round_robin": ["abc", "bca", "cab"],
            "random": ["cba", "cba", "cba"],
        }[strategy]
    )
