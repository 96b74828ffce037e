"""Dependencies by the API: every surface, whom a job waits for, what becomes of its children."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import redis

from tests.support import calls
from tests.support.api import bring_forward, nothing_sent, outcome_of, run, run_one
from workhorse import (
    Dependency,
    InvalidJobDependency,
    InvalidJobOperation,
    InvalidNameError,
    InvalidOptionError,
    Job,
    Queue,
    Retry,
    SimpleWorker,
    cancel_job,
    job,
)
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


@pytest.fixture
def parent(queue: Queue) -> Job:
    return queue.enqueue(calls.add, 1, 2, job_id="p")


def of_decorator(queue: Queue, **options: Any) -> Job:
    return job(queue)(calls.add).delay(**options)


def of_decorator_itself(queue: Queue, depends_on: Any) -> Job:
    return job(queue, depends_on=depends_on)(calls.add).delay()


def of_create(queue: Queue, **options: Any) -> Job:
    return queue.enqueue_job(Job.create(calls.add, connection=queue.connection, **options))


def of_create_job(queue: Queue, **options: Any) -> Job:
    return queue.enqueue_job(queue.create_job(calls.add, **options))


def of_many(queue: Queue, **options: Any) -> Job:
    return queue.enqueue_many([Queue.prepare_data(calls.add, **options)])[0]


SURFACES: dict[str, Callable[..., Job]] = {
    "enqueue": lambda queue, **options: queue.enqueue(calls.add, **options),
    "enqueue_call": lambda queue, **options: queue.enqueue_call(calls.add, **options),
    "args and kwargs": lambda queue, **options: queue.enqueue(calls.add, args=(), **options),
    "enqueue_many": of_many,
    "@job": of_decorator,
    "@job itself": of_decorator_itself,
    "Job.create": of_create,
    "create_job": of_create_job,
}


@pytest.mark.parametrize("enqueue", SURFACES.values(), ids=SURFACES)
def test_every_surface_takes_depends_on(
    queue: Queue, parent: Job, enqueue: Callable[..., Job]
) -> None:
    child = enqueue(queue, depends_on=parent)
    assert child.get_status(refresh=False) == "deferred"
    assert child.is_deferred
    assert child.enqueued_at is None
    assert run(queue)
    assert child.is_finished


def test_a_job_for_later_waits_for_its_parents_first(queue: Queue, parent: Job) -> None:
    at = queue.enqueue_at(datetime.now(UTC) + timedelta(hours=1), calls.add, depends_on=parent)
    soon = queue.enqueue_in(timedelta(hours=1), calls.add, depends_on=parent)
    assert (at.is_deferred, soon.is_deferred) == (True, True)
    run(queue)
    assert (at.is_scheduled, soon.is_scheduled) == (True, True)


def test_a_job_that_is_due_when_its_parent_finishes_is_queued(queue: Queue, parent: Job) -> None:
    child = queue.enqueue_in(0, calls.add, depends_on=parent)
    run(queue)
    assert child.is_finished


@pytest.mark.parametrize(
    "depends_on",
    [
        lambda one, two: [one, two],
        lambda one, two: (one.id, two),
        lambda one, two: [one.id, Dependency(two)],
        lambda one, two: Dependency([one, two.id]),
        lambda one, two: {one.id, two.id},
        lambda one, two: (each for each in [one, two]),
    ],
    ids=["jobs", "ids and jobs", "a Dependency among ids", "Dependency", "a set", "a generator"],
)
def test_parents_may_be_given_in_many_ways(queue: Queue, depends_on: Callable[..., Any]) -> None:
    one, two = queue.enqueue(calls.add), queue.enqueue(calls.add)
    child = queue.enqueue(calls.add, depends_on=depends_on(one, two))
    assert set(child.dependency_ids) == {one.id, two.id}
    assert child.is_deferred
    run(queue)
    assert child.is_finished


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_parents_are_no_parents(queue: Queue, nothing: Any) -> None:
    assert queue.enqueue(calls.add, depends_on=nothing).is_queued


WRONG: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "a number": (lambda: 7, InvalidNameError),
    "no id": (lambda: "no:id", InvalidNameError),
    "nothing": (lambda: [None], InvalidNameError),
    "no jobs": (lambda: Dependency([]), InvalidOptionError),
    "no rule": (lambda: Dependency("a", on_parent_failure=cast("Any", "x")), InvalidOptionError),
    "two rules in one": (
        lambda: Dependency("a", allow_failure=True, on_parent_failure="wait"),
        InvalidOptionError,
    ),
    "two rules": (
        lambda: [even_so("a"), Dependency("b", on_parent_failure="cancel")],
        InvalidOptionError,
    ),
    "no parameter": (lambda: Dependency("a", result_as="no name"), InvalidOptionError),
    "one parameter twice": (
        lambda: [Dependency("a", result_as="x"), Dependency("b", result_as="x")],
        InvalidOptionError,
    ),
}


def even_so(parent: str | Job) -> Dependency:
    return Dependency(parent, allow_failure=True)


@pytest.mark.parametrize(("depends_on", "error"), WRONG.values(), ids=WRONG)
def test_what_is_no_dependency_is_refused_before_anything_is_sent(
    queue: Queue, client: redis.Redis, depends_on: Callable[[], Any], error: type[Exception]
) -> None:
    with nothing_sent(client), pytest.raises(error):
        queue.enqueue(calls.add, depends_on=depends_on())


def test_a_job_can_t_wait_for_who_waits_for_it(queue: Queue, parent: Job) -> None:
    child = queue.enqueue(calls.add, depends_on=parent, job_id="c")
    parent.cancel()
    with pytest.raises(InvalidJobDependency, match="p can't wait for c: they wait for it"):
        queue.enqueue(calls.add, depends_on=child, job_id="p")
    with pytest.raises(InvalidJobDependency):
        queue.enqueue(calls.add, depends_on="itself", job_id="itself")


def test_many_keep_their_order_and_are_each_queued_once(queue: Queue, client: redis.Redis) -> None:
    """Window T8: RQ queues those again whose parent changes meanwhile."""
    parents = queue.enqueue_many([Queue.prepare_data(calls.add) for _ in range(3)])
    run(queue)
    many = queue.enqueue_many(
        [Queue.prepare_data(calls.add, depends_on=parents, job_id=f"c{n}") for n in range(450)]
    )
    assert [each.id for each in many] == [f"c{number}" for number in range(450)]
    assert queue.job_ids == [f"c{number}" for number in range(450)]
    assert client.keys("rq:job:*depend*") == []


def test_children_of_many_parents_are_sent_in_parts_of_bounded_work(queue: Queue) -> None:
    parents = [queue.enqueue(calls.add).id for _ in range(400)]
    many = queue.enqueue_many([Queue.prepare_data(calls.add, depends_on=parents)] * 5)
    assert [each.get_status() for each in many] == ["deferred"] * 5


def fail(queue: Queue) -> Job:
    return queue.enqueue(calls.fail, job_id="p")


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, "deferred"),
        ({"on_parent_failure": "wait"}, "deferred"),
        ({"allow_failure": True}, "finished"),
        ({"on_parent_failure": "run"}, "finished"),
        ({"on_parent_failure": "cancel"}, "canceled"),
    ],
)
def test_a_rule_says_what_a_failure_of_the_parent_means(
    queue: Queue, given: dict[str, Any], state: str
) -> None:
    child = queue.enqueue(calls.add, depends_on=Dependency(fail(queue), **given))
    assert child.allow_dependency_failures is (state == "finished")
    run(queue)
    assert child.get_status() == state


def test_a_requeue_of_the_parent_is_another_chance(queue: Queue) -> None:
    parent = queue.enqueue(calls.fail_once, job_id="p")
    child = queue.enqueue(calls.add, depends_on=parent)
    run(queue)
    assert child.is_deferred
    parent.requeue()
    run(queue)
    assert child.is_finished


def test_at_front_is_of_the_child(queue: Queue, parent: Job) -> None:
    other = queue.enqueue(calls.add)
    child = queue.enqueue(calls.add, depends_on=Dependency(parent, enqueue_at_front=True))
    late = queue.enqueue(calls.add, depends_on=parent, at_front=True)
    assert (child.enqueue_at_front, late.enqueue_at_front) == (True, True)
    run_one(queue)
    assert queue.job_ids[-1] == other.id
    assert {child.id, late.id} == set(queue.job_ids[:2])


def test_a_child_may_have_all_else_that_a_job_may_have(queue: Queue, parent: Job) -> None:
    child = queue.enqueue(
        calls.fail_once,
        depends_on=parent,
        retry=Retry(1),
        repeat=Repeat(1),
        rate_limit=RateLimit("slots", 1),
        job_id="c",
    )
    grandchild = queue.enqueue(calls.add, depends_on=child)
    run(queue)
    assert child.is_finished
    assert grandchild.is_finished


def test_a_job_is_run_at_once_where_nothing_is_to_be_waited_for(client: redis.Redis) -> None:
    now = Queue("now", connection=client, is_async=False)
    parent = now.enqueue(calls.add, 1)
    assert now.enqueue(calls.add, 2, depends_on=parent).return_value() == 2
    assert now.enqueue(calls.add, 3, depends_on="nobody").return_value() == 3


def test_a_job_that_must_wait_is_left_to_workers_also_where_others_run_at_once(
    client: redis.Redis, queue: Queue, parent: Job
) -> None:
    now = Queue("now", connection=client, is_async=False)
    child = now.enqueue(calls.add, 2, depends_on=parent)
    assert child.is_deferred
    run(queue)
    assert child.is_queued
    assert outcome_of(child, now) == 2


def test_a_job_that_runs_at_once_releases_its_children(client: redis.Redis, queue: Queue) -> None:
    now = Queue("now", connection=client, is_async=False)
    waits = queue.enqueue(calls.add, job_id="w")
    parent = Job.create(calls.add, id="p", connection=client, depends_on=waits)
    queue.enqueue_job(parent)
    child = queue.enqueue(calls.add, depends_on="p")
    waits.cancel()
    parent.cancel()
    assert child.is_deferred
    now.enqueue(calls.add, job_id="p")
    assert child.is_queued


# Whom it waits for


def test_a_job_knows_whom_it_depends_on(queue: Queue, client: redis.Redis) -> None:
    one, two = queue.enqueue(calls.add, job_id="1"), queue.enqueue(calls.add, job_id="2")
    child = queue.enqueue(calls.add, depends_on=[two, one])
    assert child.dependency_ids == ["2", "1"]
    assert child.dependency == two
    assert child.fetch_dependencies() == [two, one]
    assert one.dependent_ids == [child.id]
    assert (one.dependency_ids, one.dependency, child.dependent_ids) == ([], None, [])
    run(queue)
    one.delete()
    found = Job.fetch(child.id, connection=client)
    assert found.dependency_ids == ["2", "1"]
    assert found.fetch_dependencies() == [two]
    assert two.dependent_ids == []


def test_dependencies_are_met_once_all_have_finished(queue: Queue) -> None:
    one, two = queue.enqueue(calls.add, job_id="1"), queue.enqueue(calls.add, job_id="2")
    child = queue.enqueue(calls.add, depends_on=[one, two])
    assert not child.dependencies_are_met()
    run_one(queue)
    assert not child.dependencies_are_met()
    assert child.dependencies_are_met(exclude_job_id="2")
    run_one(queue)
    assert child.dependencies_are_met()


def test_a_transaction_may_watch_the_parents(queue: Queue, parent: Job, client: Any) -> None:
    child = queue.enqueue(calls.add, depends_on=parent)
    with client.pipeline() as pipeline:
        child.fetch_dependencies(watch=True, pipeline=pipeline)
        child.dependencies_are_met(pipeline=pipeline)
        run(queue)
        pipeline.multi()
        pipeline.set("k", "v")
        with pytest.raises(redis.WatchError):
            pipeline.execute()


def told(child: Job) -> list[str]:
    return [str(each) for each in child.waits_for()]


def test_a_person_sees_why_a_job_waits(queue: Queue) -> None:
    names = ["queued", "running", "failed", "canceled", "gone", "deferred"]
    queue.enqueue(calls.fail, job_id="failed")
    run(queue)
    for name in ("queued", "canceled", "gone"):
        queue.enqueue(calls.add, job_id=name)
    queue.enqueue(calls.add, job_id="deferred", depends_on="queued")
    queue.enqueue(calls.add, job_id="running")
    child = queue.enqueue(calls.add, depends_on=names, job_id="c")
    queue.connection.hset("rq:job:running", "status", "started")
    cancel_job("canceled", queue.connection)
    Job.fetch("gone", queue.connection).delete()
    assert told(child) == [
        "canceled, which was canceled",
        "deferred, which waits itself",
        "failed, which failed",
        "gone, which is gone",
        "queued, which is queued",
        "running, which is running",
    ]
    assert told(Job.fetch("queued", queue.connection)) == []


# What becomes of the children


@pytest.mark.parametrize("how", ["method", "function"])
def test_a_cancel_may_let_the_children_run(queue: Queue, parent: Job, how: str) -> None:
    child = queue.enqueue(calls.add, depends_on=parent)
    if how == "method":
        parent.cancel(enqueue_dependents=True)
    else:
        cancel_job("p", queue.connection, enqueue_dependents=True)
    assert parent.is_canceled
    assert child.is_queued


def test_a_cancel_leaves_the_children_waiting(queue: Queue, parent: Job) -> None:
    child = queue.enqueue(calls.add, depends_on=parent)
    parent.cancel()
    assert child.is_deferred
    with pytest.raises(InvalidJobOperation):
        parent.cancel(enqueue_dependents=True)


def test_a_canceled_child_leaves_its_parents(queue: Queue, parent: Job) -> None:
    child = queue.enqueue(calls.add, depends_on=parent)
    child.cancel(remove_from_dependencies=True)
    assert parent.dependent_ids == []
    run(queue)
    assert child.is_canceled


@pytest.mark.parametrize("transaction", [False, True])
def test_children_are_deleted_with_their_parent(
    queue: Queue, parent: Job, client: redis.Redis, *, transaction: bool
) -> None:
    many = [Queue.prepare_data(calls.add, depends_on=even_so("p")) for _ in range(250)]
    children = queue.enqueue_many(many)
    grandchild = queue.enqueue(calls.add, depends_on=even_so(children[0]))
    if transaction:
        with client.pipeline() as pipeline:
            parent.delete(pipeline, delete_dependents=True)
            assert Job.exists("p", client)
            pipeline.execute()
    else:
        parent.delete(delete_dependents=True)
    assert not Job.exists("p", client)
    assert Job.fetch_many([each.id for each in children], client) == [None] * 250
    assert queue.job_ids == [grandchild.id]


def test_children_are_deleted_and_their_parent_stays(queue: Queue, parent: Job) -> None:
    child = queue.enqueue(calls.add, depends_on=parent)
    queue.connection.sadd("rq:job:p:dependents", "nobody")
    parent.delete_dependents()
    assert not Job.exists(child.id, queue.connection)
    assert parent.dependent_ids == []
    assert parent.is_queued


def test_a_burst_runs_all_children_however_many_they_are(queue: Queue, parent: Job) -> None:
    queue.enqueue_many([Queue.prepare_data(calls.add, depends_on=parent) for _ in range(700)])
    worker = SimpleWorker([queue])
    worker.work(burst=True)
    assert (len(queue.finished_job_registry), len(queue.deferred_job_registry)) == (701, 0)


def test_a_rate_limited_child_of_a_scheduled_child(queue: Queue, parent: Job) -> None:
    first = queue.enqueue_in(60, calls.add, depends_on=parent)
    second = queue.enqueue(calls.add, depends_on=first, rate_limit=RateLimit("slots", 1))
    run(queue)
    assert second.is_deferred
    queue.connection.hdel(first.key, "scheduled_for")
    bring_forward(first)
    run(queue)
    assert second.is_finished
