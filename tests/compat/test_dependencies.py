"""Parents and children of both kinds of producer, run by both kinds of worker."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import RQSide, our_worker, running, work_off
from workhorse import Dependency, Job, Queue
from workhorse.core.dependencies import OnParentFailure
from workhorse.store import dependents
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ

SIDES = ["ours", "RQ's"]


def work(rq: RQSide, side: str) -> None:
    if side == "ours":
        work_off("simple", rq.url)
    else:
        rq("work")


def enqueue(rq: RQSide, client: redis.Redis, side: str, call: str, **options: Any) -> Job:
    """Queue a job by one of the clients; a list of parents is of their ids."""
    if side == "ours":
        return Queue(connection=client).enqueue(getattr(jobs, call), 1, **options)
    return Job.fetch(rq("enqueue", call=call, args=[1], **options), client)


@pytest.mark.parametrize("worker", SIDES)
@pytest.mark.parametrize("of_child", SIDES)
@pytest.mark.parametrize("of_parents", SIDES)
def test_a_child_runs_after_its_parents_whoever_made_and_runs_them(
    rq: RQSide, client: redis.Redis, of_parents: str, of_child: str, worker: str
) -> None:
    parents = [enqueue(rq, client, of_parents, "add") for _ in range(2)]
    ids = [parent.id for parent in parents]
    child = enqueue(rq, client, of_child, "add", depends_on=ids)
    assert child.is_deferred
    assert rq.facts(child.id)["registries"] == ["deferred"]
    work(rq, worker)
    assert child.get_status() == "finished"
    assert client.zcard("rq:deferred:default") == 0
    assert client.zcard("rq:ready:default") == 0


@pytest.mark.parametrize("last", SIDES)
def test_parents_of_one_child_may_be_run_by_both(
    rq: RQSide, client: redis.Redis, last: str
) -> None:
    first = SIDES[last == "ours"]
    one = enqueue(rq, client, "ours", "add")
    two = Queue("other", connection=client).enqueue(jobs.add, 1)
    child = enqueue(rq, client, "RQ's", "add", depends_on=[one.id, two.id])
    for side, queue in [(first, "default"), (last, "other")]:
        if side == "ours":
            work_off("simple", rq.url, queue)
        else:
            rq("work", queues=[queue])
    assert child.is_queued
    work(rq, "ours")
    assert child.is_finished


@pytest.mark.parametrize("side", SIDES)
def test_failures_that_are_allowed_are_so_for_both(
    rq: RQSide, client: redis.Redis, side: str
) -> None:
    queue = Queue(connection=client)
    parent = queue.enqueue(jobs.fail)
    child = queue.enqueue(jobs.add, 1, depends_on=Dependency(parent, allow_failure=True))
    waits = queue.enqueue(jobs.add, 1, depends_on=parent)
    work(rq, side)
    assert (child.get_status(), waits.get_status()) == ("finished", "deferred")


@pytest.mark.parametrize(("rule", "state"), [("cancel", "canceled"), ("run", "finished")])
def test_children_of_a_job_that_rq_canceled_are_not_forgotten(
    rq: RQSide, client: redis.Redis, rule: OnParentFailure, state: str
) -> None:
    queue = Queue(connection=client)
    parent = queue.enqueue(jobs.add, 1)
    child = queue.enqueue(jobs.add, 1, depends_on=Dependency(parent, on_parent_failure=rule))
    rq("cancel", job_id=parent.id)
    assert child.is_deferred
    with running(our_worker(rq.url, "--quiet")):
        assert child.wait(20) == state


def test_rq_sees_whom_our_child_waits_for_and_whom_it_waited_for(
    rq: RQSide, client: redis.Redis
) -> None:
    parent = enqueue(rq, client, "ours", "add")
    child = enqueue(rq, client, "ours", "add", depends_on=[parent.id])
    assert rq("dependencies", job_id=child.id) == [[parent.id], [parent.id]]
    work(rq, "ours")
    assert rq("dependencies", job_id=child.id) == [[], [parent.id]]


@pytest.mark.parametrize("last", SIDES)
def test_nothing_is_left_of_edges_once_all_is_done(
    rq: RQSide, client: redis.Redis, last: str
) -> None:
    parent = enqueue(rq, client, "ours", "add")
    for side in SIDES:
        enqueue(rq, client, side, "add", depends_on=[parent.id])
    work(rq, last)
    store, keys = Store(client), Keys()
    assert store.run(dependents.children(keys, parent.id)) == []
    assert [one for one in audit(store, keys) if "depend" in one.key] == []
