"""Groups: jobs that are enqueued and looked at together, and leave when they are gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import CountingClient, nothing_sent, run
from tests.support.servers import RunningServer
from workhorse import Group, InvalidNameError, Job, NoSuchGroupError, Queue, job
from workhorse.core.states import State
from workhorse.store import audit
from workhorse.store.drivers import Store
from workhorse.store.findings import Kind
from workhorse.wire.keys import Keys
from workhorse.worker.duties.sweep import Sweep

SOON = datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)


class MyJob(Job):
    """A job of a class of the user's."""


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("q", connection=client)


@pytest.fixture
def group(client: redis.Redis) -> Group:
    return Group.create(client, "g")


def sweep(client: redis.Redis) -> Sweep:
    return Sweep(Store(client), Keys())


def test_jobs_are_enqueued_as_a_group(every_client: redis.Redis) -> None:
    queue = Queue("q", every_client)
    group = Group.create(every_client, "g")
    jobs = group.enqueue_many(queue, [Queue.prepare_data(calls.add) for _ in range(3)])
    assert {each.group_id for each in jobs} == {"g"}
    assert group.get_job_ids() == sorted(each.id for each in jobs)
    assert set(group.get_jobs()) == set(jobs)
    assert group.count == len(group) == 3
    assert every_client.smembers("rq:groups") == {b"g"}
    assert every_client.smembers("rq:group:g") == {each.id.encode() for each in jobs}
    assert queue.count == 3


def test_a_group_is_fetched_by_its_name(group: Group, queue: Queue, client: redis.Redis) -> None:
    with pytest.raises(NoSuchGroupError, match="'g'"):
        Group.fetch("g", client)
    group.enqueue_many(queue, [Queue.prepare_data(calls.add)])
    Group(client, "another").enqueue_many(queue, [Queue.prepare_data(calls.add)])
    assert Group.fetch("g", client) == group
    assert [each.name for each in Group.all(client)] == ["another", "g"]
    assert Group.get_key("g") == group.key == "rq:group:g"
    assert group
    assert repr(group) == "Group('g')"
    assert len({group, Group.fetch("g", client)}) == 1


def test_a_group_without_a_name_is_given_one(client: redis.Redis) -> None:
    assert len(Group(client).name) == len(Group.create(client).name) == 32
    assert Group(client) != Group(client)


def by_create(queue: Queue, name: str) -> Job:
    made = Job.create(calls.add, connection=queue.connection, group_id=name)
    return queue.enqueue_job(made)


def by_decorator(queue: Queue, name: str) -> Job:
    return job(queue, group_id=name)(calls.add).delay()


SURFACES: dict[str, Callable[[Queue, str], Job]] = {
    "enqueue": lambda q, name: q.enqueue(calls.add, group_id=name),
    "enqueue_call": lambda q, name: q.enqueue_call(calls.add, group_id=name),
    "enqueue_at": lambda q, name: q.enqueue_at(SOON, calls.add, group_id=name),
    "enqueue_in": lambda q, name: q.enqueue_in(1000, calls.add, group_id=name),
    "enqueue_many": lambda q, name: q.enqueue_many([q.prepare_data(calls.add)], group_id=name)[0],
    "prepare_data": lambda q, name: q.enqueue_many([q.prepare_data(calls.add, group_id=name)])[0],
    "Job.create": by_create,
    "create_job": lambda q, name: q.enqueue_job(q.create_job(calls.add, group_id=name)),
    "schedule_job": lambda q, name: q.schedule_job(q.create_job(calls.add, group_id=name), SOON),
    "job": by_decorator,
    "is_async=False": lambda q, name: Queue("q", q.connection, is_async=False).enqueue(
        calls.add, group_id=name
    ),
}


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_a_job_joins_a_group_on_each_surface(
    queue: Queue, surface: Callable[[Queue, str], Job]
) -> None:
    made = surface(queue, "g")
    group = Group.fetch("g", queue.connection)
    assert group.get_jobs() == [made]
    assert made.group_id == Job.fetch(made.id, queue.connection).group_id == "g"


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 256, 5, b"g"], ids=repr)
@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_what_can_not_name_a_group_is_refused(
    queue: Queue, surface: Callable[[Queue, Any], Job], name: Any
) -> None:
    with nothing_sent(queue.connection):
        with pytest.raises(InvalidNameError, match="not a group name"):
            surface(queue, name)
        with pytest.raises(InvalidNameError, match="not a group name"):
            Group(queue.connection, name)


@pytest.mark.parametrize("name", ["a:b", "{x}", "*", "ü g", "7:dependents"])
def test_a_group_may_have_any_visible_name(queue: Queue, name: str) -> None:
    made = queue.enqueue(calls.add, group_id=name)
    assert [each.name for each in Group.all(queue.connection)] == [name]
    assert Group.fetch(name, queue.connection).get_jobs() == [made]
    assert audit.audit(Store(queue.connection), Keys()) == []


def test_a_groups_jobs_are_counted_by_their_states(group: Group, queue: Queue) -> None:
    data = [Queue.prepare_data(calls.add), Queue.prepare_data(calls.fail)]
    group.enqueue_many(queue, [*data, Queue.prepare_data(calls.add)])
    run(queue)
    group.enqueue_many(queue, [Queue.prepare_data(calls.add, scheduled_for=SOON)])
    assert group.count_by_status() == {State.SCHEDULED: 1, State.FINISHED: 2, State.FAILED: 1}


def test_a_groups_jobs_are_of_the_class_that_was_chosen(queue: Queue) -> None:
    queue = Queue("q", queue.connection, serializer="json")
    queue.enqueue(calls.add, 1, group_id="g")
    group = Group(queue.connection, "g", job_class=f"{__name__}.MyJob", serializer="json")
    (made,) = group.get_jobs()
    assert type(made) is MyJob
    assert made.args == [1]


def test_a_large_group_is_read_in_pages(valkey_server: RunningServer, client: redis.Redis) -> None:
    client.sadd("rq:group:g", *(f"j{n}" for n in range(20_000)))
    counting = CountingClient(unix_socket_path=str(valkey_server.socket))
    group = Group(counting, "g")
    assert group.count == 20_000
    assert counting.trips == ["SCARD"]
    assert len(group.get_job_ids()) == 20_000
    assert 20 <= len(counting.trips) <= 100
    counting.close()


# Leaving


def test_a_job_leaves_its_group_and_goes_on(group: Group, queue: Queue) -> None:
    first, second = group.enqueue_many(queue, [Queue.prepare_data(calls.add)] * 2)
    group.delete_job(first.id)
    assert group.get_jobs() == [second]
    first.refresh()
    assert first.group_id is None
    assert queue.count == 2
    group.delete_job(second.id)
    group.delete_job(second.id)
    assert Group.all(queue.connection) == []


def test_a_job_that_is_gone_is_not_shown_and_swept(every_client: redis.Redis) -> None:
    queue = Queue("q", every_client)
    group = Group(every_client, "g")
    gone, kept = group.enqueue_many(queue, [Queue.prepare_data(calls.add)] * 2)
    gone.delete()
    assert group.get_jobs() == [kept]
    assert group.count_by_status() == {State.QUEUED: 1}
    assert audit.audit(Store(every_client), Keys()) == []
    sweep(every_client).run_once(0)
    assert group.get_job_ids() == [kept.id]
    kept.delete()
    sweep(every_client).run_once(0)
    assert Group.all(every_client) == []
    assert not every_client.exists("rq:group:g", "rq:groups")


def test_an_id_that_is_used_again_is_in_its_new_group(queue: Queue) -> None:
    made = queue.enqueue(calls.add, job_id="j", group_id="old")
    made.cancel()
    queue.enqueue(calls.add, job_id="j", group_id="new")
    assert Group(queue.connection, "old").get_jobs() == []
    sweep(queue.connection).run_once(0)
    assert [each.name for each in Group.all(queue.connection)] == ["new"]


def test_a_sweep_goes_on_where_the_last_one_ended(client: redis.Redis) -> None:
    """A page at a time: a sweep's run takes no longer for a million members."""
    for name in "abc":
        client.sadd("rq:groups", name)
        client.sadd(f"rq:group:{name}", *(f"j{n}" for n in range(20_000)))
    duty = sweep(client)
    runs = 0
    while client.exists("rq:groups"):
        runs += 1
        assert duty.run_once(0).done < 20_000
        assert runs < 100
    assert runs > 3
    assert not client.keys("rq:group*")


def test_a_group_that_begins_while_it_is_swept_stays(queue: Queue) -> None:
    duty = sweep(queue.connection)
    for _ in range(3):
        duty.run_once(0)
    made = queue.enqueue(calls.add, group_id="g")
    for _ in range(3):
        duty.run_once(0)
    assert Group(queue.connection, "g").get_jobs() == [made]


def test_a_person_can_clean_up_at_once(group: Group, queue: Queue) -> None:
    (made,) = group.enqueue_many(queue, [Queue.prepare_data(calls.add)])
    queue.enqueue(calls.add, group_id="other")
    made.delete()
    group.cleanup()
    assert [each.name for each in Group.all(queue.connection)] == ["other"]
    queue.empty()
    Group.clean_registries(queue.connection)
    assert Group.all(queue.connection) == []


def test_the_auditor_sees_a_group_that_nobody_sweeps(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue(calls.add, group_id="g")
    client.srem("rq:groups", "g")
    (finding,) = audit.audit(Store(client), Keys())
    assert (finding.kind, finding.key) == (Kind.UNLISTED, "rq:group:g")
    client.delete("rq:group:g")
    client.set("rq:groups", "x")
    (finding,) = audit.audit(Store(client), Keys())
    assert (finding.kind, finding.key) == (Kind.MISSHAPEN, "rq:groups")


def test_a_group_key_of_another_kind_stops_nobody(queue: Queue, client: redis.Redis) -> None:
    other = queue.enqueue(calls.add, group_id="other")
    client.set("rq:group:g", "x")
    client.sadd("rq:groups", "g")
    with nothing_sent(client), pytest.raises(redis.ResponseError):
        queue.enqueue(calls.add, group_id="g")
    other.delete()
    sweep(client).run_once(0)
    assert not client.exists("rq:group:other")


def test_an_enqueue_that_is_sent_again_joins_once(queue: Queue) -> None:
    many = [Queue.prepare_data(calls.add, job_id=f"j{n}") for n in range(450)]
    Group(queue.connection, "g").enqueue_many(queue, many)
    Group(queue.connection, "g").enqueue_many(queue, many)
    assert Group(queue.connection, "g").count == queue.count == 450
