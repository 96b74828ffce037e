"""A queue by the API: looking into it, taking jobs off it, running jobs here and now."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.support import calls
from tests.support.api import CountingClient, dump, nothing_sent, run
from workhorse import InvalidJobOperation, Job, JSONSerializer, NoSuchJobError, Queue, Retry


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def waiting(queue: Queue, count: int) -> list[Job]:
    return queue.enqueue_many([Queue.prepare_data(calls.add, (n,)) for n in range(count)])


def test_a_queue_is_its_name(client: redis.Redis) -> None:
    low, high = Queue("low", client), Queue("high", client)
    assert low == Queue("low", client)
    assert low != high
    assert low != "low"
    assert len({low, high, Queue("low", client)}) == 2
    assert sorted([low, high]) == [high, low]
    assert repr(low) == "Queue('low')"
    assert low.key == "rq:queue:low"
    assert low.connection is client
    assert low  # an empty queue, too
    assert Queue(connection=client).name == "default"


def test_a_name_may_be_any_text_that_prints(client: redis.Redis) -> None:
    queue = Queue("mails: für Ada, täglich", client)
    job = queue.enqueue(calls.add, 1)
    assert Queue.all(client) == [queue]
    assert job.origin == queue.name
    run(queue)
    assert job.return_value() == 1


def test_all_lists_each_queue_that_was_used(client: redis.Redis) -> None:
    assert Queue.all(connection=client) == []
    for name in ("low", "high"):
        Queue(name, client).enqueue(calls.add, 1)
    found = Queue.all(connection=client, serializer="json")
    assert [queue.name for queue in found] == ["high", "low"]
    assert isinstance(found[0].serializer, JSONSerializer)


def test_a_queue_lists_what_waits_in_order(queue: Queue) -> None:
    assert queue.is_empty()
    jobs = waiting(queue, 5)
    ids = [job.id for job in jobs]
    assert len(queue) == queue.count == 5
    assert not queue.is_empty()
    assert queue.job_ids == queue.get_job_ids() == ids
    assert queue.jobs == queue.get_jobs() == jobs
    assert queue.get_job_ids(1, 2) == ids[1:3]
    assert queue.get_jobs(3) == jobs[3:]
    assert [job.args for job in queue.get_jobs(1, 2)] == [(1,), (2,)]


def test_a_list_of_jobs_is_two_round_trips(server_socket: Path) -> None:
    client = CountingClient(unix_socket_path=str(server_socket))
    queue = Queue("low", connection=client)
    waiting(queue, 300)
    client.trips.clear()
    assert len(queue.jobs) == 300
    assert client.trips == ["LRANGE", "pipeline"]
    client.close()


def test_ids_without_a_job_or_of_a_form_of_old_are_no_jobs(
    queue: Queue, client: redis.Redis
) -> None:
    (job,) = waiting(queue, 1)
    client.rpush(queue.key, "gone", "report:2015:7")
    assert queue.job_ids == [job.id, "gone", "report:2015:7"]
    assert queue.jobs == [job]


def test_positions_count_from_the_front(queue: Queue) -> None:
    first, second = waiting(queue, 2)
    assert queue.get_job_position(second) == 1
    assert queue.get_job_position(first.id) == 0
    assert second.get_position() == 1
    assert queue.get_job_position("nobody") is None


def test_fetch_job_finds_the_jobs_of_this_queue(queue: Queue, client: redis.Redis) -> None:
    (job,) = waiting(queue, 1)
    assert queue.fetch_job(job.id) == job
    assert queue.fetch_job("nobody") is None
    assert Queue("high", client).fetch_job(job.id) is None
    run(queue)
    found = queue.fetch_job(job.id)
    assert found is not None
    assert found.is_finished


def test_empty_deletes_what_waits_and_nothing_else(queue: Queue, client: redis.Redis) -> None:
    done = queue.enqueue(calls.add, 1)
    run(queue)
    failing = queue.enqueue(calls.fail, retry=Retry(1, 100))
    run(queue)
    jobs = waiting(queue, 450)
    assert queue.empty() == 450
    assert len(queue) == 0
    assert not any(Job.exists(job.id, client) for job in jobs)
    assert done.is_finished
    assert failing.is_scheduled
    assert Queue.all(client) == [queue]
    assert queue.empty() == 0


def test_delete_forgets_the_queue_and_its_jobs(queue: Queue, client: redis.Redis) -> None:
    (job,) = waiting(queue, 1)
    queue.delete()
    assert Queue.all(client) == []
    with pytest.raises(NoSuchJobError):
        Job.fetch(job.id, client)


def test_delete_may_keep_the_jobs_canceled(queue: Queue, client: redis.Redis) -> None:
    (job,) = waiting(queue, 1)
    queue.delete(delete_jobs=False)
    assert Queue.all(client) == []
    assert job.is_canceled
    job.requeue()
    assert Queue.all(client) == [queue]
    run(queue)
    assert job.return_value() == 0


@pytest.mark.parametrize("by", ["job", "id"])
def test_remove_takes_a_job_off_the_queue(queue: Queue, by: str) -> None:
    first, second = waiting(queue, 2)
    assert queue.remove(first if by == "job" else first.id)
    assert queue.jobs == [second]
    assert first.is_canceled
    assert not queue.remove(first)
    first.requeue()
    assert queue.jobs == [second, first]


def test_remove_leaves_alone_what_does_not_wait_here(queue: Queue, client: redis.Redis) -> None:
    started, waits = waiting(queue, 2)
    client.lpop(queue.key)
    client.hset(started.key, "status", "started")  # as a worker that claimed it
    with nothing_sent(client):
        assert not queue.remove(started)
        assert not Queue("high", client).remove(waits)
        assert not queue.remove("nobody")


# Jobs that run here and now


@pytest.fixture
def here(client: redis.Redis) -> Queue:
    return Queue("low", is_async=False, connection=client)


def test_a_queue_can_run_its_jobs_at_once(here: Queue, client: redis.Redis) -> None:
    job = here.enqueue(calls.add, 2, 3, meta={"by": "ada"})
    assert job.get_status(refresh=False) == "finished"
    assert job.is_finished
    assert job.return_value() == 5
    assert job.meta == {"by": "ada"}
    assert job.worker_name == "sync"
    assert job.started_at is not None
    assert job.ended_at is not None
    assert len(here) == 0
    assert Job.fetch(job.id, client).return_value() == 5


def test_a_failure_of_a_job_that_runs_here_is_its_own(here: Queue) -> None:
    job = here.enqueue(calls.fail, "no such customer", retry=Retry(3))
    assert job.is_failed
    result = job.latest_result()
    assert result is not None
    assert result.exc_string is not None
    assert "ValueError: no such customer" in result.exc_string
    assert len(here) == 0


def test_a_time_limit_ends_a_job_that_runs_here(here: Queue) -> None:
    job = here.enqueue(calls.sleep, 60, job_timeout=1)
    assert job.is_failed
    assert "JobTimeoutException" in str(job.results()[0].exc_string)


def test_a_result_that_is_not_kept_leaves_no_job(here: Queue, client: redis.Redis) -> None:
    job = here.enqueue(calls.note, "ran", result_ttl=0)
    assert (("ran",), {}) in calls.WAS_CALLED
    assert not Job.exists(job.id, client)
    assert job.return_value() is None
    with pytest.raises(InvalidJobOperation, match="gone"):
        job.get_status()


def test_a_failure_that_is_not_kept_leaves_no_job(here: Queue, client: redis.Redis) -> None:
    job = here.enqueue(calls.fail, failure_ttl=0)
    assert not Job.exists(job.id, client)


def test_a_job_that_runs_here_is_the_current_one_and_the_outer_one_again(here: Queue) -> None:
    job = here.enqueue(calls.run_another_here)
    before, inside, after = job.return_value()
    assert before == after == job.id
    assert inside not in {None, job.id}
    assert calls.current_job_id() is None


def test_many_and_made_jobs_run_here_too(here: Queue, client: redis.Redis) -> None:
    many = here.enqueue_many([Queue.prepare_data(calls.add, (n,)) for n in range(3)])
    assert [job.return_value() for job in many] == [0, 1, 2]
    made = here.enqueue_job(Job.create(calls.add, (7,), connection=client))
    assert made.return_value() == 7
    assert made.get_status(refresh=False) == "finished"


def test_a_chosen_id_that_waits_elsewhere_does_not_run_here(
    here: Queue, queue: Queue, client: redis.Redis
) -> None:
    waits = queue.enqueue(calls.add, 1, job_id="daily")
    before = dump(client)
    job = here.enqueue(calls.add, 2, job_id="daily")
    assert job == waits
    assert job.args == (1,)
    assert job.is_queued
    assert dump(client) == before


def test_an_async_function_runs_here(here: Queue) -> None:
    assert here.enqueue(calls.add_later, 1, 2).return_value() == 3
