"""Transactions of the caller's that enqueue, and what somebody reads of many jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.support.api import CountingClient, dump, nothing_sent
from tests.support.servers import RunningServer
from workhorse import Dependency, FinishedJobRegistry, Group, Job, Queue, UnsupportedOptionError

CALL = "tests.fault.jobs.work"


def give_up(client: Any, act: Callable[[Any], object]) -> None:
    pipeline = client.pipeline()
    act(pipeline)
    pipeline.reset()
    assert pipeline.execute() == []


def be_overtaken(client: Any, act: Callable[[Any], object]) -> None:
    with client.pipeline() as pipeline:
        pipeline.watch("seen")
        pipeline.multi()
        act(pipeline)
        client.set("seen", 1)
        with nothing_sent(client), pytest.raises(redis.WatchError):
            pipeline.execute()
    client.delete("seen")


def be_refused(client: Any, act: Callable[[Any], object]) -> None:
    with client.pipeline() as pipeline:
        act(pipeline)
        pipeline.execute_command("NO-SUCH-COMMAND")
        with pytest.raises(redis.ResponseError):
            pipeline.execute()


ENDS: dict[str, Callable[[redis.Redis, Callable[[Any], object]], None]] = {
    "given up": give_up,
    "overtaken": be_overtaken,
    "refused": be_refused,
}
ACTS: dict[str, Callable[[Queue, Any], object]] = {
    "enqueue": lambda q, p: q.enqueue(CALL, pipeline=p),
    "unique": lambda q, p: q.enqueue(CALL, job_id="j", unique=True, pipeline=p),
    "dependency": lambda q, p: q.enqueue(CALL, depends_on=Dependency(["w"]), pipeline=p),
    "many": lambda q, p: Group(q.connection, "g").enqueue_many(
        q, [q.prepare_data(CALL)] * 500, pipeline=p
    ),
    "cancel": lambda q, p: Job.fetch("w", q.connection).cancel(pipeline=p),
    "delete": lambda q, p: Job.fetch("w", q.connection).delete(pipeline=p),
}


@pytest.fixture
def queue(every_client: redis.Redis) -> Queue:
    queue = Queue("q", connection=every_client)
    queue.enqueue(CALL, job_id="w")
    return queue


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_fault_71_a_transaction_that_does_not_happen_changes_nothing(
    queue: Queue,
    act: Callable[[Queue, Any], object],
    end: Callable[[redis.Redis, Callable[[Any], object]], None],
) -> None:
    with nothing_sent(queue.connection):
        end(queue.connection, lambda pipeline: act(queue, pipeline))


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_fault_71_a_transaction_happens_whole_where_no_script_is_known(
    queue: Queue, act: Callable[[Queue, Any], object]
) -> None:
    client = queue.connection
    client.script_flush()
    with client.pipeline() as pipeline:
        pipeline.set("theirs", 1)
        act(queue, pipeline)
        act(queue, pipeline)
        client.script_flush()
        before = dump(client)
        pipeline.execute()
    after = dump(client)
    assert after.pop(b"theirs")
    assert after != before


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_fault_71_a_transaction_that_is_sent_twice_enqueues_once(
    queue: Queue, act: Callable[[Queue, Any], object]
) -> None:
    client = queue.connection
    with client.pipeline() as pipeline:
        act(queue, pipeline)
        commands = [words for words, _ in pipeline.command_stack]
        pipeline.execute()
        with nothing_sent(client):
            assert pipeline.execute() == []
    before = dump(client)
    with client.pipeline() as pipeline:
        for words in commands:
            pipeline.execute_command(*words)
        pipeline.execute()
    after = dump(client)
    jobs = [key for key in before if key.startswith((b"rq:job", b"rq:queue", b"rq:group"))]
    assert {key: after.get(key) for key in jobs} == {key: before[key] for key in jobs}


def test_fault_71_a_queue_that_runs_its_jobs_at_once_runs_none(queue: Queue) -> None:
    here = Queue("q", queue.connection, is_async=False)
    with queue.connection.pipeline() as pipeline, nothing_sent(queue.connection):
        with pytest.raises(UnsupportedOptionError, match="before the pipeline is executed"):
            here.enqueue(CALL, pipeline=pipeline)
        assert pipeline.execute() == []


def test_fault_70_no_command_of_a_reader_takes_more_than_a_page(
    client: redis.Redis, valkey_server: RunningServer
) -> None:
    many = 50_000
    client.zadd("rq:finished:q", {f"j{n}": 2e9 + n for n in range(many)})
    client.sadd("rq:group:g", *(f"j{n}" for n in range(many)))
    reader = CountingClient(unix_socket_path=str(valkey_server.socket))
    assert len(FinishedJobRegistry("q", reader).get_job_ids()) == many
    assert len(reader.trips) >= many / 1000
    reader.trips.clear()
    assert len(Group(reader, "g").get_job_ids()) == many
    assert len(reader.trips) >= many / 1000
    reader.close()
