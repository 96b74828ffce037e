"""What of a job is written by hand; classes of the user's, and what they put in our place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent, outcome_of
from workhorse import (
    InvalidJobOperation,
    InvalidOptionError,
    Job,
    NoSuchJobError,
    Queue,
    SimpleWorker,
    Worker,
    get_current_job,
    job,
)
from workhorse.store import audit
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

SOON = datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)


class MyJob(Job):
    """A job of a class of the user's."""


class MyQueue(Queue):
    """A queue of a class of the user's."""


def class_of_current_job() -> str:
    return type(get_current_job()).__name__


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("q", connection=client)


def test_a_job_made_by_hand_is_stored_and_begun_later(every_client: redis.Redis) -> None:
    queue = Queue("q", every_client)
    made = Job.create(calls.add, args=(1, 2), connection=every_client, meta={"by": "ada"})
    with nothing_sent(every_client):
        assert made.get_status(refresh=False) == "created"
    made.save()
    assert Job.fetch(made.id, every_client).meta == {"by": "ada"}
    assert made.get_status() == "created"
    assert audit.audit(Store(every_client), Keys()) == []
    assert outcome_of(queue.enqueue_job(made), queue) == 3


def test_a_job_made_by_a_queue_is_not_stored(queue: Queue) -> None:
    with nothing_sent(queue.connection):
        made = queue.create_job(calls.add, args=(1, 2), timeout=7, job_id="j", group_id="g")
    assert (made.origin, made.timeout, made.id, made.group_id) == ("q", 7, "j", "g")
    assert made.get_status(refresh=False) == "queued"
    made.set_status("created")
    assert made.get_status(refresh=False) == "created"
    assert outcome_of(queue.enqueue_job(made), queue) == 3


def test_a_job_made_by_hand_is_scheduled(queue: Queue) -> None:
    made = queue.schedule_job(queue.create_job(calls.add), SOON)
    assert made.is_scheduled
    assert queue.scheduled_job_registry.get_scheduled_time(made) == SOON


def test_saving_a_deleted_job_does_not_bring_it_back(queue: Queue) -> None:
    """RQ's save writes every field, and so makes a job that is in no place."""
    made = queue.enqueue(calls.add)
    held = Job.fetch(made.id, queue.connection)
    made.delete()
    with nothing_sent(queue.connection):
        for each in (made, held):
            with pytest.raises(NoSuchJobError):
                each.save()
            each.save(include_meta=False)


def test_saving_a_stored_job_writes_its_meta_alone(queue: Queue) -> None:
    made = queue.enqueue(calls.add)
    held = Job.fetch(made.id, queue.connection)
    made.cancel()
    held.meta["seen"] = True
    held.save()
    assert Job.fetch(made.id, queue.connection).get_meta() == {"seen": True}
    assert made.is_canceled


def test_saving_does_not_overwrite_a_job_with_its_id(queue: Queue) -> None:
    queue.enqueue(calls.add, job_id="j")
    with nothing_sent(queue.connection):
        Job.create(calls.fail, connection=queue.connection, id="j").save()


def test_a_status_is_not_written_by_hand(queue: Queue) -> None:
    made = queue.enqueue(calls.add)
    with nothing_sent(queue.connection):
        with pytest.raises(InvalidJobOperation, match="requeue"):
            made.set_status("failed")
        with pytest.raises(InvalidOptionError):
            Job.create(calls.add).set_status("lost")


# Classes


@pytest.mark.parametrize("choice", [MyJob, f"{__name__}.MyJob"], ids=["class", "name"])
def test_a_class_of_jobs_is_kept_on_every_way(client: redis.Redis, choice: Any) -> None:
    queue = Queue("q", client, job_class=choice)
    jobs = [
        queue.enqueue(calls.add),
        queue.enqueue_at(SOON, calls.add),
        *queue.enqueue_many([queue.prepare_data(calls.add)]),
        queue.create_job(calls.add),
        queue.schedule_job(queue.create_job(calls.add), SOON),
        MyJob.fetch(queue.job_ids[0], client),
        *queue.scheduled_job_registry.get_jobs(),
        queue.jobs[0],
    ]
    assert {type(each) for each in jobs} == {MyJob}
    assert {each.job_class for each in Queue.all(client, job_class=choice)} == {MyJob}


@pytest.mark.parametrize("kind", [SimpleWorker, Worker])
def test_a_jobs_code_sees_its_workers_class(client: redis.Redis, kind: type[Worker]) -> None:
    queue = Queue("q", client)
    mine = queue.enqueue(class_of_current_job)
    kind(["q"], connection=client, job_class=f"{__name__}.MyJob").work(burst=True)
    ours = queue.enqueue(class_of_current_job)
    kind(["q"], connection=client).work(burst=True)
    assert (mine.return_value(), ours.return_value()) == ("MyJob", "Job")


def test_a_job_that_runs_at_once_sees_its_queues_class(client: redis.Redis) -> None:
    here = Queue("q", client, is_async=False, job_class=MyJob)
    assert here.enqueue(class_of_current_job).return_value() == "MyJob"
    plain = Queue("q", client, is_async=False)
    assert plain.enqueue(class_of_current_job).return_value() == "Job"


def test_a_class_of_queues_is_given_by_its_name(client: redis.Redis) -> None:
    worker = SimpleWorker(["q"], connection=client, queue_class=f"{__name__}.MyQueue")
    assert {type(each) for each in worker.queues} == {MyQueue}
    delayed = job("q", client, queue_class=f"{__name__}.MyQueue")(calls.add).delay(1)
    assert delayed.origin == "q"
    with pytest.raises(InvalidOptionError, match="queue_class"):
        SimpleWorker(["q"], connection=client, queue_class="workhorse.Job")


# What others put in our place


class Watched(Queue):
    """What libraries that watch put around RQ's queues: every enqueue passes here."""

    def enqueue_job(self, job: Job, *args: Any, **kwargs: Any) -> Job:
        job.meta["trace"] = "t1"
        return super().enqueue_job(job, *args, **kwargs)


class Committed(Queue):
    """What django-rq does: a call waits for the transaction's end."""

    kept: list[Any]

    def enqueue_call(self, *args: Any, **kwargs: Any) -> Any:
        self.kept.append((args, kwargs))
        return super().enqueue_call(*args, **kwargs)


def test_every_enqueue_passes_through_enqueue_job(client: redis.Redis) -> None:
    queue = Watched("q", client)
    made = [
        queue.enqueue(calls.add, 1, 2, meta={"by": "ada"}, job_id="j", at_front=True),
        queue.enqueue_call(calls.add, (1, 2)),
    ]
    assert [each.meta["trace"] for each in made] == ["t1", "t1"]
    assert Job.fetch("j", client).meta == {"by": "ada", "trace": "t1"}
    assert outcome_of(made[0], queue) == 3


def test_a_patched_enqueue_job_is_passed_through(client: redis.Redis) -> None:
    """As sentry-sdk does it: on the class, at run time."""
    own, seen = MyQueue.enqueue_job, []

    def patched(self: Queue, job: Job, **kwargs: Any) -> Job:
        seen.append(job.id)
        return own(self, job, **kwargs)

    MyQueue.enqueue_job = patched  # type: ignore[assignment, method-assign] # theirs does
    try:
        made = MyQueue("q", client).enqueue(calls.add, job_id="j", unique=True)
    finally:
        del MyQueue.enqueue_job
    assert seen == [made.id] == ["j"]


def test_enqueue_passes_through_a_subclasss_enqueue_call(client: redis.Redis) -> None:
    queue = Committed("q", client)
    queue.kept = []
    made = queue.enqueue(calls.add, 1, right=2, job_timeout=7)
    ((args, kwargs),) = queue.kept
    assert args == ()
    assert (kwargs["func"], kwargs["args"], kwargs["kwargs"]) == (calls.add, (1,), {"right": 2})
    assert kwargs["timeout"] == 7
    assert outcome_of(made, queue) == 3


def test_a_plain_enqueue_is_one_script_as_before(queue: Queue) -> None:
    queue.enqueue(calls.add)
    before = queue.connection.info("commandstats")["cmdstat_evalsha"]["calls"]
    queue.enqueue(calls.add)
    after = queue.connection.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert after - before == 1
