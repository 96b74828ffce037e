"""Registries and groups that both libraries read, and change, on one server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import RQSide, work_off
from workhorse import Group, Queue
from workhorse.store import audit, failures, pages
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.sweep import Sweep

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ

SOON = datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)
NAMES = ("started", "finished", "failed", "deferred", "scheduled", "canceled")


def ours(queue: Queue) -> dict[str, list[str]]:
    return {name: getattr(queue, f"{name}_job_registry").get_job_ids() for name in NAMES}


def theirs(rq: RQSide) -> dict[str, list[str]]:
    return {name: rq("registry_ids", name=name) for name in NAMES}


@pytest.mark.parametrize("worker", ["ours", "theirs"])
def test_both_see_the_same_in_every_registry(client: redis.Redis, rq: RQSide, worker: str) -> None:
    queue = Queue(connection=client)
    for _ in range(2):
        queue.enqueue(jobs.add, 1)
        queue.enqueue(jobs.fail)
        queue.enqueue_at(SOON, jobs.add, 1)
        rq("enqueue", call="add", args=[1])
        rq("enqueue", call="fail")
    parent = rq("enqueue", call="fail")
    rq("enqueue", call="add", args=[1], depends_on=parent)
    queue.enqueue(jobs.add, 1, depends_on=parent)
    queue.enqueue(jobs.add, 1).cancel()
    if worker == "ours":
        work_off("simple", rq.url)
    else:
        rq("work")
    seen = ours(queue)
    assert {name: len(ids) for name, ids in seen.items()} == {
        "started": 0, "finished": 4, "failed": 5, "deferred": 2, "scheduled": 2, "canceled": 1,
    }  # fmt: skip
    assert seen == theirs(rq)


def test_what_rq_failed_is_requeued_by_us_and_the_other_way_round(
    client: redis.Redis, rq: RQSide
) -> None:
    queue = Queue(connection=client)
    by_rq, by_us = rq("enqueue", call="fail"), queue.enqueue(jobs.fail).id
    rq("work")
    queue.failed_job_registry.requeue(by_rq)
    rq("requeue_failed", job_id=by_us)
    assert queue.job_ids == [by_rq, by_us]
    assert queue.failed_job_registry.count == 0
    work_off("simple", rq.url)
    assert sorted(rq("registry_ids", name="failed")) == sorted([by_rq, by_us])


def test_a_job_that_rq_requeued_or_deleted_is_off_its_cause(
    client: redis.Redis, rq: RQSide
) -> None:
    store, keys = Store(client), Keys()
    first, second, third = (Queue(connection=client).enqueue(jobs.fail) for _ in range(3))
    work_off("simple", rq.url)
    (cause,) = store.run(failures.causes(keys)).rows
    rq("requeue_failed", job_id=first.id)
    rq("delete", job_id=second.id)
    of_cause = store.run(pages.page(keys, "failed_of", cause.id))
    assert (cause.count, [row.id for row in of_cause.rows]) == (3, [third.id])
    Sweep(store, keys).run_once(0)
    assert store.run(failures.causes(keys)).rows[0].count == 1


def test_rq_sees_and_works_jobs_that_were_moved(client: redis.Redis, rq: RQSide) -> None:
    queue, other = Queue(connection=client), Queue("other", client)
    parent = other.enqueue(jobs.add, 1)
    child = other.enqueue(jobs.add, 2, depends_on=parent)
    later = other.enqueue_at(SOON, jobs.add, 3)
    canceled = other.enqueue(jobs.add, 4)
    canceled.cancel()
    for job in (parent, child, later, canceled):
        job.move(queue)
    assert ours(queue) == theirs(rq)
    assert (queue.job_ids, queue.deferred_job_registry.get_job_ids()) == ([parent.id], [child.id])
    rq("work")
    assert set(queue.finished_job_registry.get_job_ids()) == {parent.id, child.id}
    assert theirs(rq)["scheduled"] == [later.id]
    assert audit.audit(Store(client), Keys()) == []


def test_a_group_of_ours_is_one_of_rqs(client: redis.Redis, rq: RQSide) -> None:
    queue = Queue(connection=client)
    data = [Queue.prepare_data(jobs.add, (number,)) for number in range(3)]
    made = Group(client, "ours").enqueue_many(queue, data)
    assert rq("groups") == {"ours": sorted(job.id for job in made)}
    rq("work")
    assert Group.fetch("ours", client).count_by_status() == {"finished": 3}
    made[0].delete()
    assert rq("groups") == {"ours": sorted(job.id for job in made[1:])}


def test_a_group_of_rqs_is_one_of_ours(client: redis.Redis, rq: RQSide) -> None:
    made = rq("enqueue_group", name="theirs", call="add", args=[[1], [2], [3]])
    (group,) = Group.all(client)
    assert [job.id for job in group.get_jobs()] == sorted(made)
    assert {job.group_id for job in group.get_jobs()} == {"theirs"}
    work_off("simple", rq.url)
    assert group.count_by_status() == {"finished": 3}
    assert rq("groups") == {"theirs": sorted(made)}
    rq("delete", job_id=made[0])
    Sweep(Store(client), Keys()).run_once(0)
    assert group.get_job_ids() == sorted(made[1:])
    assert audit.audit(Store(client), Keys()) == []


def test_either_cleans_up_the_groups_of_the_other(client: redis.Redis, rq: RQSide) -> None:
    (made,) = Group(client, "ours").enqueue_many(
        Queue(connection=client), [Queue.prepare_data(jobs.add, (1,))]
    )
    (other,) = rq("enqueue_group", name="theirs", call="add", args=[[1]])
    made.delete()
    rq("clean_groups")
    assert [group.name for group in Group.all(client)] == ["theirs"]
    rq("delete", job_id=other)
    Group.clean_registries(client)
    assert rq("groups") == {}
    assert not client.exists("rq:groups")


def test_rq_sees_a_job_that_we_saved(client: redis.Redis, rq: RQSide) -> None:
    made = Queue(connection=client).create_job(jobs.add, args=(1,))
    made.save()
    assert rq.facts(made.id)["status"] == "created"
    assert Group.all(client) == []
