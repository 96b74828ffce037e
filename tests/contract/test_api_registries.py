"""The registries by the API: read without a trace, and what may be done to their jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import CountingClient, nothing_sent, run, run_one
from tests.support.lives import Life
from tests.support.servers import RunningServer
from workhorse import (
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    InvalidJobOperation,
    InvalidOptionError,
    Job,
    NoSuchJobError,
    Queue,
    ReadyJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
    UnsupportedOptionError,
)
from workhorse.api.registries import clean_registries
from workhorse.api.registry import JobRegistry
from workhorse.core.states import State
from workhorse.store import registries

KINDS: dict[State, type[JobRegistry]] = {
    State.STARTED: StartedJobRegistry,
    State.FINISHED: FinishedJobRegistry,
    State.FAILED: FailedJobRegistry,
    State.STOPPED: FailedJobRegistry,
    State.DEFERRED: DeferredJobRegistry,
    State.READY_TO_ENQUEUE: ReadyJobRegistry,
    State.SCHEDULED: ScheduledJobRegistry,
    State.CANCELED: CanceledJobRegistry,
}
SOON = datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)


class MyJob(Job):
    """A job of a class of the user's."""


class MyQueue(Queue):
    """A queue of a class of the user's."""


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("q", connection=client)


@pytest.mark.parametrize(("state", "kind"), KINDS.items())
def test_a_registry_lists_the_jobs_in_its_states(
    every_life: Life, state: State, kind: type[JobRegistry]
) -> None:
    every_life.in_state(state)
    every_life.enqueue("other")
    registry = kind("q", every_life.client)
    before = every_life.dump()
    assert registry.count == len(registry) == registry.get_job_count(cleanup=False) == 1
    assert registry.get_job_ids() == ["j"]
    assert [job.id for job in registry.get_jobs()] == ["j"]
    assert "j" in registry
    assert Job("j", every_life.client) in registry
    assert "other" not in registry
    assert 7 not in registry
    assert every_life.dump() == before


def test_each_registry_is_a_property_of_its_queue(queue: Queue) -> None:
    found = [
        queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry,
        queue.deferred_job_registry, queue.ready_job_registry, queue.scheduled_job_registry,
        queue.canceled_job_registry,
    ]  # fmt: skip
    assert [registry.key for registry in found] == [
        "rq:wip:q", "rq:finished:q", "rq:failed:q", "rq:deferred:q", "rq:ready:q",
        "rq:scheduled:q", "rq:canceled:q",
    ]  # fmt: skip
    assert {registry.get_queue() for registry in found} == {queue}
    assert all(registry and not len(registry) for registry in found)


def test_a_job_knows_the_registries_of_its_queue(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    run(queue)
    assert job in job.finished_job_registry
    assert job not in job.failed_job_registry
    assert job not in job.started_job_registry


def test_a_lapsed_lease_is_read_and_left_to_the_duty(life: Life) -> None:
    """P1: in RQ counting fails the job, and runs its callbacks in the process that counts."""
    job = life.start()
    life.extend(job, lease=-1)
    registry = StartedJobRegistry("q", life.client)
    before = life.dump()
    assert registry.count == 1
    assert registry.get_job_ids() == registry.get_expired_job_ids() == ["j"]
    assert registry.get_job_and_execution_ids() == [("j", job.execution_id)]
    assert life.dump() == before
    registry.cleanup()
    assert (life.state(), registry.count) == (State.QUEUED, 0)


def test_the_entries_of_a_registry_are_read_by_rank(life: Life) -> None:
    life.client.zadd("rq:failed:q", {f"{n:04}": 2e9 + n for n in range(2500)})
    registry = FailedJobRegistry("q", life.client)
    ids = [f"{n:04}" for n in range(2500)]
    assert registry.get_job_ids() == ids
    assert registry.get_job_ids(desc=True) == ids[::-1]
    assert registry.get_job_ids(10, 19) == ids[10:20]
    assert registry.get_job_ids(-5) == ids[-5:]
    assert registry.get_job_ids(0, -2400) == ids[:101]
    assert registry.get_job_ids(2, 1) == registry.get_job_ids(5000) == []


def test_no_command_reads_more_than_a_page(
    valkey_server: RunningServer, client: redis.Redis
) -> None:
    """Row 70: entries are of another's making here, as many as a busy site has."""
    many = 200_000
    for start in range(0, many, 50_000):
        client.zadd("rq:finished:q", {f"j{n}": 2e9 + n for n in range(start, start + 50_000)})
    counting = CountingClient(unix_socket_path=str(valkey_server.socket))
    registry = FinishedJobRegistry("q", counting)
    assert registry.count == many
    assert counting.trips == ["ZCARD"]
    assert "j7" in registry
    assert counting.trips == ["ZCARD", "ZSCORE"]
    assert len(registry.get_job_ids(100_000, 100_049)) == 50
    assert counting.trips == ["ZCARD", "ZSCORE", "ZRANGE"]
    counting.trips.clear()
    assert len(registry.get_job_ids()) == many
    assert counting.trips == ["ZCARD", *["ZRANGE"] * 200]
    counting.trips.clear()
    assert registry.get_jobs(0, 9) == []
    assert counting.trips == ["ZRANGE", "pipeline"]
    counting.close()


def test_a_job_is_found_among_many_that_run(life: Life, valkey_server: RunningServer) -> None:
    job = life.start()
    life.client.zadd("rq:wip:q", {f"x{n}:e": 2e9 for n in range(5000)})
    counting = CountingClient(unix_socket_path=str(valkey_server.socket))
    registry = StartedJobRegistry("q", counting)
    assert job.job_id in registry
    assert counting.trips == ["HGET", "ZRANGE", "ZSCORE"]
    assert "x7" not in registry  # of no job
    counting.close()


# Times


def test_when_an_entry_expires_is_told(queue: Queue) -> None:
    job = queue.enqueue(calls.add, result_ttl=500)
    forever = queue.enqueue(calls.add, result_ttl=-1)
    run(queue)
    registry = queue.finished_job_registry
    left = registry.get_expiration_time(job) - datetime.now(UTC)
    assert timedelta(seconds=490) < left <= timedelta(seconds=500)
    assert registry.get_expiration_time(forever).year == 9999
    with pytest.raises(NoSuchJobError):
        registry.get_expiration_time("none")
    with pytest.raises(UnsupportedOptionError, match="get_executions"):
        queue.started_job_registry.get_expiration_time(job)


def test_when_a_job_is_due_is_told_and_changed(every_client: redis.Redis) -> None:
    queue = Queue("q", connection=every_client)
    job = queue.enqueue_at(SOON, calls.add)
    registry = queue.scheduled_job_registry
    assert registry.get_scheduled_time(job) == registry.get_scheduled_time(job.id) == SOON
    registry.schedule(job, SOON + timedelta(hours=1))
    assert registry.get_scheduled_time(job) == SOON + timedelta(hours=1)
    registry.schedule(job, datetime(2001, 1, 1, tzinfo=UTC))
    assert registry.get_jobs_to_enqueue() == registry.get_jobs_to_schedule() == [job.id]
    run(queue)
    assert job.is_finished


def test_only_what_waits_for_its_time_gets_another(queue: Queue) -> None:
    job = queue.enqueue(calls.add)
    with pytest.raises(InvalidJobOperation, match="it is queued"):
        queue.scheduled_job_registry.schedule(job, SOON)
    job.delete()
    with pytest.raises(NoSuchJobError):
        queue.scheduled_job_registry.schedule(job, SOON)
    elsewhere = Queue("other", queue.connection).enqueue_at(SOON, calls.add)
    with pytest.raises(InvalidJobOperation, match="in queue 'q'"):
        queue.scheduled_job_registry.schedule(elsewhere, SOON)
    with pytest.raises(InvalidOptionError):
        queue.scheduled_job_registry.schedule(job, 7)  # type: ignore[arg-type] # as users do


# Requeue


def test_a_failed_job_is_requeued(every_client: redis.Redis) -> None:
    queue = Queue("q", connection=every_client)
    job = queue.enqueue(calls.fail)
    run(queue)
    other = queue.enqueue(calls.add)
    requeued = queue.failed_job_registry.requeue(job.id, at_front=True)
    assert requeued == job
    assert requeued.get_status(refresh=False) == "queued"
    assert queue.job_ids == [job.id, other.id]
    assert len(queue.failed_job_registry) == 0
    assert every_client.ttl(job.key) == -1  # L6: in RQ it keeps its failure's ttl


def test_a_stopped_job_is_requeued_from_where_rq_has_it(life: Life) -> None:
    life.in_state(State.STOPPED)
    FailedJobRegistry("q", life.client).requeue("j")
    assert life.state() is State.QUEUED


@pytest.mark.parametrize("state", [State.FINISHED, State.QUEUED, State.STARTED, State.CANCELED])
def test_what_is_not_in_the_registry_is_not_requeued(life: Life, state: State) -> None:
    life.in_state(state)
    with nothing_sent(life.client), pytest.raises(InvalidJobOperation, match=f"it is {state}"):
        FailedJobRegistry("q", life.client).requeue("j")


def test_a_job_of_another_queue_is_not_requeued(life: Life) -> None:
    life.in_state(State.FAILED)
    with nothing_sent(life.client):
        with pytest.raises(InvalidJobOperation, match="of another queue"):
            FailedJobRegistry("other", life.client).requeue("j")
        with pytest.raises(NoSuchJobError):
            FailedJobRegistry("q", life.client).requeue("none")


def test_a_waiting_job_is_not_requeued(queue: Queue) -> None:
    job = queue.enqueue_at(SOON, calls.add)
    with pytest.raises(InvalidJobOperation):
        queue.started_job_registry.requeue(job)


# Remove


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.CANCELED])
def test_an_ended_job_that_is_taken_off_still_expires(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    registry = KINDS[state]("q", every_life.client)
    assert registry.remove("j") is True
    assert registry.remove("j") is False
    assert every_life.state() is state
    assert 0 < every_life.client.ttl("rq:job:j") <= 31_536_000


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.CANCELED])
def test_a_removal_that_is_sent_again_gets_its_first_answer(life: Life, state: State) -> None:
    life.in_state(state)
    kind = KINDS[state].kind
    again, other = (
        registries.unlist(life.keys, kind, "q", "j", longest=60, token=token * 24)
        for token in "ab"
    )
    assert life.store.run(again) is True
    before = life.dump()
    assert life.store.run(again) is True
    assert life.store.run(other) is False
    assert life.dump() == before


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEFERRED, State.READY_TO_ENQUEUE])
def test_a_waiting_job_that_is_taken_off_is_canceled(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    registry = KINDS[state]("q", every_life.client)
    assert registry.remove("j") is True
    assert every_life.state() is State.CANCELED
    assert every_life.members("rq:canceled:q") == ["j"]
    with nothing_sent(every_life.client):
        assert registry.remove("j") is False
        assert registry.remove("none") is False


def test_a_job_that_went_on_meanwhile_is_left_alone(life: Life) -> None:
    life.start()
    with nothing_sent(life.client):
        assert ScheduledJobRegistry("q", life.client).remove("j") is False


def test_a_job_can_be_deleted_with_its_entry(queue: Queue) -> None:
    job = queue.enqueue(calls.fail)
    run(queue)
    assert queue.failed_job_registry.remove("none", delete_job=True) is False
    assert queue.failed_job_registry.remove(job, delete_job=True) is True
    assert not Job.exists(job.id, queue.connection)
    assert len(queue.failed_job_registry) == 0


def test_a_running_job_is_not_taken_off(life: Life) -> None:
    life.start()
    with nothing_sent(life.client), pytest.raises(InvalidJobOperation, match=r"job\.stop"):
        StartedJobRegistry("q", life.client).remove("j")


@pytest.mark.parametrize("kind", set(KINDS.values()), ids=lambda kind: kind.__name__)
def test_nothing_is_written_into_a_registry_by_hand(queue: Queue, kind: type[JobRegistry]) -> None:
    job = queue.enqueue(calls.add)
    registry: Any = kind(queue=queue)
    with nothing_sent(queue.connection):
        with pytest.raises(AttributeError, match=re.escape(kind.hint)):
            registry.add(job, ttl=5)
        with pytest.raises(AttributeError, match=r"has no attribute 'colour'$"):
            registry.colour  # noqa: B018


# Clean up


def test_what_expired_is_swept_from_one_registry_or_all(life: Life) -> None:
    stale = {f"j{n}": 1 for n in range(2500)} | {"kept": 2_000_000_000, "for-ever": -1}
    life.client.zadd("rq:finished:q", stale)
    life.client.zadd("rq:failed:q", stale)
    queue = Queue("q", life.client)
    assert len(queue.finished_job_registry.get_expired_job_ids()) == 2500
    queue.finished_job_registry.cleanup()
    assert queue.finished_job_registry.get_job_ids() == ["for-ever", "kept"]
    assert queue.failed_job_registry.count == 2502
    clean_registries(queue)
    assert queue.failed_job_registry.get_job_ids() == ["for-ever", "kept"]
    before = life.dump()
    queue.canceled_job_registry.cleanup()
    assert life.dump() == before


# Classes and queues


def test_a_registry_returns_jobs_of_the_class_that_was_chosen(client: redis.Redis) -> None:
    queue = MyQueue("q", client, job_class=f"{__name__}.MyJob", serializer="json")
    queue.enqueue(calls.fail, "x")
    run_one(queue)
    (job,) = queue.failed_job_registry.get_jobs()
    assert type(job) is MyJob
    assert job.args == ["x"]
    assert type(queue.failed_job_registry.requeue(job.id)) is MyJob
    assert type(queue.fetch_job(job.id)) is type(queue.jobs[0]) is MyJob
    assert type(FailedJobRegistry("q", client).get_queue()) is Queue


@pytest.mark.parametrize("choice", ["nowhere.Job", "x", "workhorse.Queue", 7, dict])
def test_what_is_no_class_of_jobs_is_refused(client: redis.Redis, choice: Any) -> None:
    ways: list[Callable[[], object]] = [
        lambda: Queue("q", client, job_class=choice),
        lambda: FailedJobRegistry("q", client, job_class=choice),
    ]
    for way in ways:
        with pytest.raises(InvalidOptionError, match="job_class"):
            way()


def test_registries_of_one_queue_are_equal(queue: Queue) -> None:
    registry = queue.failed_job_registry
    assert registry == FailedJobRegistry("q", queue.connection)
    assert len({registry, FailedJobRegistry("q", queue.connection)}) == 1
    assert registry != queue.finished_job_registry
    assert registry.parse_job_id(b"j") == "j"
    assert queue.started_job_registry.parse_job_id("j:e") == "j"
    assert repr(registry) == "FailedJobRegistry('q')"


def test_a_queue_is_found_by_its_key(client: redis.Redis) -> None:
    queue = MyQueue.from_queue_key("rq:queue:a:b", client)
    assert (queue.name, type(queue)) == ("a:b", MyQueue)
    with pytest.raises(InvalidOptionError, match="not the key of a queue"):
        Queue.from_queue_key("rq:other:a", client)


def test_what_would_lose_jobs_is_not_to_be_had(queue: Queue) -> None:
    held: Any = queue
    with nothing_sent(queue.connection):
        queue.compact()
        for name, instead in {"push_job_id": "enqueue_job", "pop_job_id": "SimpleWorker"}.items():
            with pytest.raises(AttributeError, match=instead):
                getattr(held, name)
        with pytest.raises(AttributeError, match=r"has no attribute 'colour'$"):
            held.colour  # noqa: B018
    assert queue.intermediate_queue_key == "rq:queue:q:intermediate"
