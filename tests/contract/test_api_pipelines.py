"""Row 71: what is done inside a transaction of the user's, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import dump, nothing_sent, run
from workhorse import (
    Group,
    InvalidJobOperation,
    InvalidOptionError,
    Job,
    Queue,
    UnsupportedOptionError,
    cancel_job,
)
from workhorse.core.limits import RateLimit

SOON = datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)
Pipeline = Any


def made(queue: Queue) -> Job:
    return Job.create(calls.add, connection=queue.connection)


ENQUEUE: dict[str, Callable[[Queue, Pipeline], Any]] = {
    "enqueue": lambda q, p: q.enqueue(calls.add, pipeline=p),
    "enqueue_call": lambda q, p: q.enqueue_call(calls.add, pipeline=p),
    "enqueue_at": lambda q, p: q.enqueue_at(SOON, calls.add, pipeline=p),
    "enqueue_in": lambda q, p: q.enqueue_in(1000, calls.add, pipeline=p),
    "enqueue_many": lambda q, p: q.enqueue_many([q.prepare_data(calls.add)] * 3, pipeline=p),
    "enqueue_job": lambda q, p: q.enqueue_job(made(q), pipeline=p),
    "schedule_job": lambda q, p: q.schedule_job(made(q), SOON, pipeline=p),
    "Group.enqueue_many": lambda q, p: Group(q.connection, "g").enqueue_many(
        q, [q.prepare_data(calls.add)] * 3, pipeline=p
    ),
    "with a limit": lambda q, p: q.enqueue(
        calls.add, rate_limit=RateLimit("mail", concurrency=1), pipeline=p
    ),
    "unique": lambda q, p: q.enqueue(calls.add, job_id="one", unique=True, pipeline=p),
    "with a parent": lambda q, p: q.enqueue(calls.add, depends_on="waits", pipeline=p),
}
CHANGE: dict[str, Callable[[Queue, Pipeline], Any]] = {
    "cancel": lambda q, p: q.jobs[0].cancel(pipeline=p),
    "delete": lambda q, p: q.jobs[0].delete(pipeline=p),
    "Queue.remove": lambda q, p: q.remove("waits", pipeline=p),
    "Job.save": lambda q, p: Job.create(calls.add, id="new", connection=q.connection).save(p),
    "registry.remove": lambda q, p: q.failed_job_registry.remove("failed", pipeline=p),
    "registry.remove(delete_job)": lambda q, p: q.failed_job_registry.remove(
        "failed", p, delete_job=True
    ),
    "registry.requeue": lambda q, p: q.failed_job_registry.requeue("failed", pipeline=p),
    "schedule": lambda q, p: q.scheduled_job_registry.schedule(
        Job.fetch("later", q.connection), datetime(2034, 1, 1, tzinfo=UTC), pipeline=p
    ),
    "delete_job": lambda q, p: Group(q.connection, "old").delete_job("grouped", pipeline=p),
}
ALL = ENQUEUE | CHANGE


@pytest.fixture
def queue(every_client: redis.Redis) -> Queue:
    queue = Queue("q", connection=every_client)
    queue.enqueue(calls.fail, job_id="failed")
    run(queue)
    queue.enqueue(calls.add, job_id="waits")
    queue.enqueue_at(SOON, calls.add, job_id="later")
    queue.enqueue_at(SOON, calls.add, job_id="grouped", group_id="old")
    return queue


@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
@pytest.mark.parametrize("transaction", [True, False], ids=["transaction", "pipeline"])
def test_it_is_done_when_the_pipeline_is_executed(
    queue: Queue, act: Callable[[Queue, Pipeline], Any], *, transaction: bool
) -> None:
    client = queue.connection
    client.script_flush()  # a server that knows no script of ours yet
    with client.pipeline(transaction=transaction) as pipeline:
        with nothing_sent(client):
            pipeline.set("mine", 1)
            act(queue, pipeline)
            pipeline.set("mine too", 1)
        before = dump(client)
        replies = pipeline.execute()
    assert replies[0] is replies[-1] is True
    after = dump(client)
    assert {b"mine", b"mine too"} <= after.keys()
    assert {key: after[key] for key in after if not key.startswith(b"mine")} != before


@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
def test_a_transaction_that_is_given_up_does_nothing(
    queue: Queue, act: Callable[[Queue, Pipeline], Any]
) -> None:
    client = queue.connection
    pipeline = client.pipeline()
    with nothing_sent(client):
        act(queue, pipeline)
        pipeline.reset()
        assert pipeline.execute() == []


@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
def test_a_transaction_that_another_overtook_does_nothing(
    queue: Queue, act: Callable[[Queue, Pipeline], Any]
) -> None:
    client = queue.connection
    with client.pipeline() as pipeline:
        pipeline.watch("seen")
        pipeline.multi()
        act(queue, pipeline)
        client.set("seen", 1)
        with nothing_sent(client), pytest.raises(redis.WatchError):
            pipeline.execute()


@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
def test_a_transaction_with_an_error_of_the_users_does_nothing(
    queue: Queue, act: Callable[[Queue, Pipeline], Any]
) -> None:
    client = queue.connection
    with client.pipeline() as pipeline, nothing_sent(client):
        pipeline.execute_command("NO-SUCH-COMMAND")
        act(queue, pipeline)
        with pytest.raises(redis.ResponseError):
            pipeline.execute()


@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
def test_a_second_execute_does_nothing(
    queue: Queue, act: Callable[[Queue, Pipeline], Any]
) -> None:
    with queue.connection.pipeline() as pipeline:
        act(queue, pipeline)
        pipeline.execute()
        with nothing_sent(queue.connection):
            assert pipeline.execute() == []


@pytest.mark.parametrize("act", ENQUEUE.values(), ids=ENQUEUE)
def test_the_same_commands_sent_again_enqueue_once(
    queue: Queue, act: Callable[[Queue, Pipeline], Any]
) -> None:
    """What a client does whose connection breaks before the replies come."""
    client = queue.connection
    with client.pipeline() as pipeline:
        act(queue, pipeline)
        commands = [words for words, _ in pipeline.command_stack]
        pipeline.execute()
    before = {key: value for key, value in dump(client).items() if b"bell" not in key}
    with client.pipeline() as pipeline:
        for words in commands:
            pipeline.execute_command(*words)
        pipeline.execute()
    assert {key: value for key, value in dump(client).items() if b"bell" not in key} == before


def test_the_job_shows_what_it_is_expected_to_be(queue: Queue) -> None:
    with queue.connection.pipeline() as pipeline:
        states = [
            ENQUEUE[name](queue, pipeline).get_status(refresh=False)
            for name in ("enqueue", "enqueue_at", "with a limit", "with a parent")
        ]
        jobs = queue.enqueue_many([queue.prepare_data(calls.add)] * 2, pipeline=pipeline)
        pipeline.execute()
    assert states == ["queued", "scheduled", "rate_limited", "deferred"]
    assert {job.get_status() for job in jobs} == {"queued"}


def test_scripts_travel_once_and_jobs_run(queue: Queue) -> None:
    client = queue.connection
    with client.pipeline() as pipeline:
        for left in range(50):
            queue.enqueue(calls.add, left, pipeline=pipeline)
        queue.remove("waits", pipeline=pipeline)
        words = [command[0] for command, _ in pipeline.command_stack]
        assert words == ["EVAL", *["EVALSHA"] * 49, "EVAL"]
        pipeline.execute()
        queue.enqueue(calls.add, pipeline=pipeline)  # the pipeline is used again
        assert pipeline.command_stack[0][0][0] == "EVAL"
        pipeline.execute()
    run(queue)
    assert queue.finished_job_registry.count == 51


def test_a_thousand_jobs_are_one_transaction(queue: Queue) -> None:
    with queue.connection.pipeline() as pipeline:
        queue.enqueue_many([queue.prepare_data(calls.add)] * 1000, pipeline=pipeline)
        assert len(pipeline.command_stack) == 5
        pipeline.execute()
    assert queue.count == 1001


def test_what_could_not_be_told_is_among_the_replies(queue: Queue) -> None:
    with queue.connection.pipeline() as pipeline:
        queue.enqueue(calls.add, job_id="waits", unique=True, pipeline=pipeline)
        Job.fetch("failed", queue.connection).cancel(pipeline=pipeline)
        replies = pipeline.execute()
    assert replies[0][1:] == [b"queued"]
    assert replies[1] == [b"failed"]
    assert queue.count == 1


def test_a_transaction_that_watches_must_have_begun(queue: Queue) -> None:
    client = queue.connection
    with client.pipeline() as pipeline, nothing_sent(client):
        pipeline.watch("seen")
        with pytest.raises(InvalidOptionError, match="multi"):
            queue.enqueue(calls.add, pipeline=pipeline)


@pytest.mark.parametrize("pipeline", ["x", 7, object(), True], ids=repr)
@pytest.mark.parametrize("act", ALL.values(), ids=ALL)
def test_what_is_no_pipeline_is_refused(
    queue: Queue, act: Callable[[Queue, Pipeline], Any], pipeline: Any
) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError, match="pipeline"):
        act(queue, pipeline)


def test_a_client_is_no_pipeline(queue: Queue) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError, match=r"\.pipeline"):
        queue.enqueue(calls.add, pipeline=queue.connection)


def test_a_pipeline_for_asyncio_is_refused(queue: Queue) -> None:
    pipeline = redis.asyncio.Redis().pipeline()
    with pytest.raises(UnsupportedOptionError, match="asyncio"):
        queue.enqueue(calls.add, pipeline=pipeline)


@pytest.mark.parametrize(
    "name", ["enqueue", "enqueue_call", "enqueue_at", "enqueue_many", "enqueue_job"]
)
def test_a_queue_that_runs_its_jobs_at_once_takes_none(queue: Queue, name: str) -> None:
    here = Queue("q", queue.connection, is_async=False)
    with queue.connection.pipeline() as pipeline, nothing_sent(queue.connection):
        with pytest.raises(UnsupportedOptionError, match="is_async=False"):
            ENQUEUE[name](here, pipeline)
        assert len(pipeline) == 0


def test_a_bad_call_leaves_the_pipeline_as_it_was(queue: Queue) -> None:
    data = [queue.prepare_data(calls.add), queue.prepare_data("nodots")]
    with queue.connection.pipeline() as pipeline:
        with pytest.raises(ValueError, match="nodots"):
            queue.enqueue_many(data, pipeline=pipeline)
        assert len(pipeline) == 0


def test_a_job_is_canceled_by_its_id_as_before(queue: Queue) -> None:
    cancel_job("waits", queue.connection)
    with pytest.raises(InvalidJobOperation):
        cancel_job("waits", queue.connection)
