"""What RQ dropped before 3.0 and old documents show: it works, and says what is said today."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent, run
from tests.support.servers import RunningServer
from workhorse import (
    Connection,
    ConnectionChoiceError,
    FailedQueue,
    InvalidJobOperation,
    InvalidOptionError,
    Job,
    NoSuchJobError,
    Queue,
    SimpleWorker,
    UnsupportedOptionError,
    Worker,
    cancel_job,
    get_current_connection,
    get_failed_queue,
    pop_connection,
    push_connection,
    use_connection,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")


@pytest.fixture
def other(redis62: RunningServer) -> Iterator[redis.Redis]:
    """A second server, empty."""
    with redis62.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def failed(client: redis.Redis) -> FailedQueue:
    """Of two queues, two failed jobs and one."""
    for name, job_id in (("high", "a"), ("high", "b"), ("low", "c")):
        Queue(name, client).enqueue(calls.fail, job_id=job_id)
    SimpleWorker(["high", "low"], connection=client).work(burst=True)
    return get_failed_queue(client)


# A connection that is not given


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (lambda: Connection(None).__enter__(), r"with Connection\(...\).*give connection="),
        (lambda: push_connection("redis://nowhere"), "push_connection.*give connection="),
        (get_current_connection, "get_current_connection.*give connection="),
        (get_failed_queue, r"queue\.failed_job_registry"),
    ],
)
def test_an_old_word_says_where_it_is_used_what_is_said_today(word: Any, told: str) -> None:
    with pytest.warns(DeprecationWarning, match=told) as warned:
        copy_context().run(word)
    assert warned[0].filename == __file__


def test_all_that_is_made_takes_the_connection_around_it(
    client: redis.Redis, other: redis.Redis
) -> None:
    Queue("low", other).enqueue(calls.add, job_id="there")
    with Connection(client):
        queue = Queue("low")
        made = queue.enqueue(calls.add, 1, 2, job_id="here")
        assert Job.exists("here")
        assert not Job.exists("there")
        assert Job.fetch("here") == made
        assert Job.create(calls.add).connection is client
        assert Queue.all() == [queue]
        assert Worker.all() == []
        assert SimpleWorker(["low"]).connection is client
        assert Worker("low", connection=other).connection is other  # what is given counts
        cancel_job("here")
    assert made.is_canceled
    assert queue.connection is client  # for good


def test_a_connection_may_be_a_url(valkey_server: RunningServer, client: redis.Redis) -> None:
    with Connection(valkey_server.url):
        Queue("low").enqueue(calls.add)
    assert client.llen("rq:queue:low") == 1


def test_an_error_inside_gives_the_connection_back(
    client: redis.Redis, other: redis.Redis
) -> None:
    def push_and_fail() -> None:
        with Connection(other):
            push_connection(other)  # and not popped
            raise ValueError("oh")

    with Connection(client):
        with pytest.raises(ValueError, match="oh"):
            push_and_fail()
        assert get_current_connection() is client
    assert get_current_connection() is None


def test_a_connection_holds_for_its_own_thread_only(
    client: redis.Redis, other: redis.Redis
) -> None:
    seen: list[Any] = []

    def look() -> None:
        seen.append(get_current_connection())
        with Connection(other):
            inside.set()
            go_on.wait(10)
            seen.append(get_current_connection())

    inside, go_on = threading.Event(), threading.Event()
    with Connection(client):
        thread = threading.Thread(target=look)
        thread.start()
        assert inside.wait(10)
        assert get_current_connection() is client
        go_on.set()
        thread.join()
    assert seen == [None, other]


def test_a_connection_holds_for_its_own_task_only(client: redis.Redis, other: redis.Redis) -> None:
    async def look(connection: redis.Redis) -> Any:
        with Connection(connection):
            await asyncio.sleep(0)
            return get_current_connection()

    async def both() -> list[Any]:
        return list(await asyncio.gather(look(client), look(other)))

    assert asyncio.run(both()) == [client, other]


def test_a_connection_of_the_process_holds_in_each_thread(client: redis.Redis) -> None:
    seen: list[Any] = []
    use_connection(client)
    try:
        thread = threading.Thread(target=lambda: seen.append(Queue("low").connection))
        thread.start()
        thread.join()
        with pytest.raises(ConnectionChoiceError, match="not inside"), Connection(client):
            use_connection(client)
    finally:
        use_connection(None)
    assert seen == [client]
    assert get_current_connection() is None


def test_nothing_can_be_popped_that_was_not_pushed() -> None:
    with pytest.raises(ConnectionChoiceError, match="no connection was pushed"):
        pop_connection()


def test_a_connection_that_can_not_be_used_is_refused_where_it_is_taken() -> None:
    with Connection(redis.Redis(decode_responses=True)), pytest.raises(ConnectionChoiceError):
        Queue("low")


# Queue(async=...)


def test_async_is_a_keyword_of_python_and_of_old_queues(client: redis.Redis) -> None:
    old: dict[str, Any] = {"async": False}
    assert not Queue("low", client, **old).is_async
    assert Queue("low", client, **{**old, "async": True}).is_async
    unknown: dict[str, Any] = {"failed_ttl": 86400}
    with pytest.raises(UnsupportedOptionError, match="no option 'failed_ttl'"):
        Queue("low", client, **unknown)


# A job's old names


def test_a_new_job_gets_an_id_by_its_old_word(client: redis.Redis) -> None:
    job = Job.create(calls.add, connection=client)
    job.set_id("mine")
    assert job.get_id() == job.id == "mine"
    Queue("low", client).enqueue_job(job)
    with pytest.raises(InvalidJobOperation, match="can't be changed"):
        job.set_id("yours")


def test_fields_that_are_set_before_a_job_is_queued_are_stored(client: redis.Redis) -> None:
    job = Job.create(calls.add, connection=client)
    job.description, job.timeout, job.result_ttl = "sum", "1m", 60
    job.failure_ttl, job.ttl = 600, 300
    Queue("low", client).enqueue_job(job)
    stored = client.hgetall(job.key)
    fields = ("description", "timeout", "result_ttl", "failure_ttl", "ttl")
    assert [stored[name.encode()] for name in fields] == [b"sum", b"60", b"60", b"600", b"300"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("origin", ""), ("timeout", 0), ("result_ttl", "soon"), ("failure_ttl", 10**18), ("ttl", -1)],
)
def test_a_field_is_not_set_to_what_makes_no_sense(
    client: redis.Redis, field: str, value: Any
) -> None:
    job = Job.create(calls.add, connection=client)
    with pytest.raises(ValueError, match=r"give|not a queue name|span|years"):
        setattr(job, field, value)


# The failed queue


def test_the_failed_queue_has_those_of_all_queues(failed: FailedQueue) -> None:
    assert failed.job_ids == ["a", "b", "c"]
    assert (failed.count, len(failed), failed.is_empty()) == (3, 3, False)
    assert failed.get_job_ids(1, 1) == ["b"]
    assert [job.origin for job in failed.jobs] == ["high", "high", "low"]
    assert [job.id for job in failed.get_jobs(2)] == ["c"]


def test_looking_at_the_failed_queue_changes_nothing(
    failed: FailedQueue, client: redis.Redis
) -> None:
    with nothing_sent(client):
        assert failed.jobs
        assert failed.fetch_job("a")
        assert failed.fetch_job("d") is None


def test_a_failed_job_is_requeued_to_its_own_queue(
    failed: FailedQueue, client: redis.Redis
) -> None:
    assert failed.requeue("c").is_queued
    assert failed.job_ids == ["a", "b"]
    assert Queue("low", client).job_ids == ["c"]


def test_what_has_not_failed_is_not_requeued(failed: FailedQueue, client: redis.Redis) -> None:
    queue = Queue("low", client)
    waits, done = (
        queue.enqueue(calls.add, job_id="waits"),
        Queue("done", client).enqueue(calls.add),
    )
    run(Queue("done", client))
    with nothing_sent(client):
        for job in (waits, done):
            with pytest.raises(InvalidJobOperation, match="has not failed: it is"):
                failed.requeue(job.id)
            assert failed.fetch_job(job.id) is None
        with pytest.raises(NoSuchJobError):
            failed.requeue("nobody")


def test_the_failed_queue_is_emptied_and_its_jobs_are_gone(
    failed: FailedQueue, client: redis.Redis
) -> None:
    kept = Queue("low", client).enqueue(calls.add)
    failed.remove("a")
    failed.remove(kept)  # it has not failed
    assert failed.empty() == 2
    assert failed.is_empty()
    assert not Job.exists("b", client)
    assert kept.is_queued


@pytest.mark.parametrize("told", ["text", "exception", "exc_info", "nothing"])
def test_a_quarantined_job_tells_why_it_failed(client: redis.Redis, told: str) -> None:
    job = Job.create(calls.add, origin="fake", connection=client)
    error = ValueError("a fake error")
    several = (ValueError, error, None)
    why = {"text": "a fake error", "exception": error, "exc_info": several}.get(told)
    assert get_failed_queue(client).quarantine(job, why) is job
    result = job.latest_result()
    assert result is not None
    assert job.is_failed
    assert ("a fake error" in str(result.exc_string)) == (told != "nothing")
    assert client.zcard("rq:wip:fake") == 0


def test_a_quarantined_job_runs_when_it_is_requeued(client: redis.Redis) -> None:
    job = Job.create(calls.add, (1, 2), origin="fake", connection=client)
    fq = get_failed_queue(client)
    fq.quarantine(job)
    fq.requeue(job.id)
    run(Queue("fake", client))
    assert job.return_value() == 3


def test_only_a_job_on_no_queue_is_quarantined(failed: FailedQueue, client: redis.Redis) -> None:
    waits = Queue("low", client).enqueue(calls.add)
    with nothing_sent(client):
        with pytest.raises(InvalidJobOperation, match="can't be quarantined: it is queued"):
            failed.quarantine(waits)
        with pytest.raises(InvalidOptionError, match=r"set job\.origin"):
            failed.quarantine(Job.create(calls.add, connection=client))
        a = Job.fetch("a", client)
        assert failed.quarantine(a, "again") is a  # it failed, and keeps how
