"""A job by the API: made, fetched, looked at, its meta, canceled, requeued, deleted."""

from __future__ import annotations

from datetime import UTC

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent, outcome_of, run
from workhorse import (
    DeserializationError,
    InvalidJobOperation,
    Job,
    JobStatus,
    JSONSerializer,
    NoSuchJobError,
    Queue,
    Retry,
    SerializationError,
    cancel_job,
    requeue_job,
)


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


@pytest.fixture
def job(queue: Queue) -> Job:
    return queue.enqueue(calls.add, 1, right=2)


# Made and fetched


def test_create_makes_a_job_and_stores_nothing(client: redis.Redis) -> None:
    with nothing_sent(client):
        job = Job.create(
            calls.add,
            args=(1,),
            kwargs={"right": 2},
            connection=client,
            result_ttl=60,
            ttl=70,
            status=JobStatus.DEFERRED,
            description="adds",
            timeout="1m",
            retry=Retry(2),
            id="sum-1",
            origin="low",
            meta={"by": "ada"},
            failure_ttl=80,
        )
    assert (job.id, job.args, job.kwargs) == ("sum-1", (1,), {"right": 2})
    assert (job.result_ttl, job.ttl, job.failure_ttl, job.timeout) == (60, 70, 80, 60)
    assert (job.description, job.origin, job.meta) == ("adds", "low", {"by": "ada"})
    assert job.retries_left == 2
    assert job.get_status(refresh=False) is JobStatus.DEFERRED
    assert Job.create(calls.add, connection=client).get_status(refresh=False) == "created"


def test_a_job_that_is_not_stored_has_no_status_there(client: redis.Redis) -> None:
    job = Job.create(calls.add, connection=client)
    with pytest.raises(InvalidJobOperation, match=job.id):
        job.get_status()


def test_fetch_returns_the_stored_job(job: Job, client: redis.Redis) -> None:
    found = Job.fetch(job.id, connection=client)
    assert found is not job
    assert found == job
    assert found.record == job.record
    assert found.func is calls.add
    assert found.get_call_string() == "tests.support.calls.add(1, right=2)"
    assert found.created_at is not None
    assert found.created_at.tzinfo is UTC


def test_fetching_what_is_not_there_names_it(client: redis.Redis) -> None:
    with pytest.raises(NoSuchJobError, match="'sum-1'") as caught:
        Job.fetch("sum-1", connection=client)
    assert caught.value.job_id == "sum-1"


def test_fetch_many_keeps_the_order_and_says_none(queue: Queue, client: redis.Redis) -> None:
    first, second = queue.enqueue(calls.add, 1), queue.enqueue(calls.add, 2)
    found = Job.fetch_many([second.id, "nobody", first.id], connection=client)
    assert found == [second, None, first]
    assert Job.fetch_many([], connection=client) == []


def test_exists_tells_whether_there_is_a_job(job: Job, client: redis.Redis) -> None:
    assert Job.exists(job.id, connection=client)
    assert not Job.exists("nobody", connection=client)


def test_equal_jobs_have_one_id(job: Job, client: redis.Redis) -> None:
    same = Job(job.id, connection=client)
    assert same == job
    assert hash(same) == hash(job)
    assert job != Job(connection=client)
    assert job != job.id
    assert repr(job).startswith(f"Job('{job.id}', enqueued_at=20")
    assert str(job) == f"<Job {job.id}: tests.support.calls.add(1, right=2)>"
    assert job.key == f"rq:job:{job.id}"
    assert job.connection is client


def test_a_job_class_of_the_users_own_is_used_everywhere(client: redis.Redis) -> None:
    class Report(Job):
        @property
        def title(self) -> str:
            return f"Report {self.id}"

    queue = Queue("low", client, job_class=Report)
    job = queue.enqueue(calls.add, 1, job_id="r1")
    fetched = queue.fetch_job("r1")
    for found in (job, fetched, *queue.jobs, Report.fetch("r1", client)):
        assert isinstance(found, Report)
        assert found.title == "Report r1"


def test_a_call_that_can_not_be_read_is_told_when_it_is_asked_for(
    job: Job, client: redis.Redis
) -> None:
    client.hset(job.key, "data", b"not a pickle")
    found = Job.fetch(job.id, connection=client)
    assert found.is_queued
    assert found.description == "tests.support.calls.add(1, right=2)"
    with pytest.raises(DeserializationError, match="PickleSerializer"):
        _ = found.args


def test_a_status_that_nobody_knows_is_told(job: Job, client: redis.Redis) -> None:
    client.hset(job.key, "status", "dreaming")
    with pytest.raises(DeserializationError, match="dreaming"):
        job.get_status()


# How it stands


def test_a_job_tells_its_state_by_asking(job: Job, queue: Queue) -> None:
    assert job.is_queued
    assert job.get_status() is JobStatus.QUEUED
    run(queue)
    assert job.get_status(refresh=False) == "queued"  # as it was last seen
    assert job.is_finished
    assert job.get_status(refresh=False) == "finished"
    others = ("queued", "failed", "started", "deferred", "canceled", "scheduled", "stopped")
    assert not any(getattr(job, f"is_{state}") for state in (*others, "ready_to_enqueue"))


def test_refresh_brings_what_happened_since(job: Job, queue: Queue) -> None:
    run(queue)
    assert job.ended_at is None
    job.refresh()
    assert job.started_at is not None
    assert job.ended_at is not None
    assert job.enqueued_at is not None
    assert job.started_at <= job.ended_at
    job.delete()
    with pytest.raises(NoSuchJobError):
        job.refresh()


def test_the_state_of_a_job_that_is_gone_is_an_error(job: Job) -> None:
    job.delete()
    with pytest.raises(InvalidJobOperation, match="gone"):
        _ = job.is_finished


# Its notes


def test_meta_is_saved_when_it_is_told_to(job: Job, client: redis.Redis) -> None:
    assert job.meta == {}
    job.meta["percent"] = 40
    assert Job.fetch(job.id, client).meta == {}
    job.save_meta()
    other = Job.fetch(job.id, client)
    assert other.meta == {"percent": 40}
    other.meta["percent"] = 80
    other.save_meta()
    assert job.meta == {"percent": 40}
    assert job.get_meta(refresh=False) == {"percent": 40}
    assert job.get_meta() == {"percent": 80}
    assert job.meta == {"percent": 80}
    job.meta = {}
    job.save_meta()
    assert Job.fetch(job.id, client).meta == {}


def test_meta_of_a_deleted_job_stays_gone(job: Job, client: redis.Redis) -> None:
    Job.fetch(job.id, client).delete()
    job.meta["percent"] = 40
    with nothing_sent(client), pytest.raises(NoSuchJobError):
        job.save_meta()


def test_meta_that_can_not_be_stored_changes_nothing(job: Job, client: redis.Redis) -> None:
    job.meta["file"] = calls.Unpicklable()
    with nothing_sent(client), pytest.raises(SerializationError, match="meta"):
        job.save_meta()


def test_meta_that_can_not_be_read_is_told(job: Job, client: redis.Redis) -> None:
    client.hset(job.key, "meta", b"?")
    with pytest.raises(DeserializationError, match="meta"):
        _ = Job.fetch(job.id, client).meta


# Cancel, requeue, delete


def test_a_canceled_job_does_not_run(job: Job, queue: Queue) -> None:
    job.cancel()
    assert job.get_status(refresh=False) == "canceled"
    assert job.is_canceled
    assert queue.job_ids == []
    assert not run(queue)
    with pytest.raises(InvalidJobOperation, match="it is canceled"):
        job.cancel()


def test_an_ended_job_can_not_be_canceled(job: Job, queue: Queue) -> None:
    run(queue)
    with pytest.raises(InvalidJobOperation, match="it is finished"):
        job.cancel()


def test_a_failed_job_is_requeued_and_keeps_its_failure(queue: Queue) -> None:
    first = queue.enqueue(calls.fail)
    run(queue)
    second = queue.enqueue(calls.add, 1)
    assert first.requeue(at_front=True) is first
    assert queue.jobs == [first, second]
    assert first.get_status(refresh=False) == "queued"
    run(queue)
    assert [result.type.name for result in first.results()] == ["FAILED", "FAILED"]


@pytest.mark.parametrize("state", ["finished", "canceled"])
def test_other_ended_jobs_are_requeued_too(job: Job, queue: Queue, state: str) -> None:
    run(queue) if state == "finished" else job.cancel()
    job.requeue()
    assert job.is_queued
    assert job.return_value() is None
    assert outcome_of(job, queue) == 3


def test_a_job_that_waits_can_not_be_requeued(job: Job) -> None:
    with pytest.raises(InvalidJobOperation, match="it is queued"):
        job.requeue()


def test_what_is_gone_can_not_be_moved(job: Job, client: redis.Redis) -> None:
    job.delete()
    job.delete()  # deleting twice is deleting
    for move in (job.cancel, job.requeue, job.save_meta):
        with pytest.raises(NoSuchJobError):
            move()
    with nothing_sent(client), pytest.raises(NoSuchJobError):
        cancel_job("nobody", connection=client)
    with pytest.raises(NoSuchJobError):
        requeue_job("nobody", connection=client)


def test_delete_leaves_nothing_of_a_job(queue: Queue, client: redis.Redis) -> None:
    job = queue.enqueue(calls.fail)
    run(queue)
    assert job.results()
    job.delete()
    assert job.results() == []
    left = {key for key in client.scan_iter() if job.id.encode() in key}
    assert left == {f"rq:gone:{job.id}".encode()}  # for a minute, against late resends


def test_jobs_are_canceled_and_requeued_by_id(job: Job, queue: Queue, client: redis.Redis) -> None:
    cancel_job(job.id, connection=client)
    assert job.is_canceled
    assert requeue_job(job.id, connection=client) == job
    assert queue.jobs == [job]


# Serializers


def test_a_json_queue_stores_no_pickle(client: redis.Redis) -> None:
    queue = Queue("low", client, serializer=JSONSerializer)
    job = queue.enqueue(calls.echo_as_json, 1, name="x", meta={"by": "ada"})
    assert client.hget(job.key, "data") == (
        b'["tests.support.calls.echo_as_json", null, [1], {"name": "x"}]'
    )
    assert client.hget(job.key, "meta") == b'{"by": "ada"}'
    assert outcome_of(job, queue) == [[1], {"name": "x"}]
    fetched = Job.fetch(job.id, client, serializer="json")
    assert fetched.return_value() == [[1], {"name": "x"}]
    assert fetched.meta == {"by": "ada"}


def test_a_serializer_may_be_the_users_own(client: redis.Redis) -> None:
    queue = Queue("low", client, serializer=calls.Reversing())
    job = queue.enqueue(calls.echo_as_json, "x" * 1000)
    assert outcome_of(job, queue) == [["x" * 1000], {}]


def test_a_job_of_another_serializer_fails_and_says_so(client: redis.Redis) -> None:
    Queue("low", client).enqueue(calls.add, 1, job_id="sum-1")
    run(Queue("low", client, serializer="json"))
    job = Job.fetch("sum-1", client)
    assert job.is_failed
    assert "JSONSerializer" in str(job.results()[0].exc_string)
