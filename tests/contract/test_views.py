"""What people see: read only, and readable whatever was written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lives import Life
from workhorse.core.outcomes import Returned
from workhorse.core.states import State
from workhorse.store import jobs, saving, views, waiting, workers
from workhorse.store.calls import Operation

QUEUES = ["q", "low"]


def look(life: Life, operation: Operation[Any]) -> Any:
    before = life.dump()
    found = life.store.run(operation)
    assert life.dump() == before  # no view changes anything
    return found


def test_a_job_is_seen_as_it_is(every_life: Life) -> None:
    every_life.settle(every_life.start(description="d"), Returned(b"42"))
    job = look(every_life, views.job(every_life.keys, "j"))
    assert (job.id, job.status, job.description, job.result) == ("j", State.FINISHED, "d", b"42")
    assert job.created_at is None
    assert job.started_at <= job.ended_at


@pytest.mark.parametrize("fields", [{}, {"last_heartbeat": "x"}], ids=["none", "without data"])
def test_what_is_no_job_is_none(every_life: Life, fields: dict[str, str]) -> None:
    if fields:
        every_life.client.hset("rq:job:j", mapping=fields)
    assert look(every_life, views.job(every_life.keys, "j")) is None


def test_one_field_is_seen(every_life: Life) -> None:
    every_life.enqueue("j")
    assert look(every_life, views.job_field(every_life.keys, "j", "status")) == b"queued"
    assert look(every_life, views.job_field(every_life.keys, "j", "meta")) is None


def test_a_queue_is_seen_in_the_order_in_which_it_is_worked(every_life: Life) -> None:
    every_life.enqueue(*"abcd")
    keys = every_life.keys
    assert look(every_life, views.queue_length(keys, "q")) == 4
    assert look(every_life, views.queue_ids(keys, "q")) == list("abcd")
    assert look(every_life, views.queue_ids(keys, "q", offset=1, length=2)) == ["b", "c"]
    assert look(every_life, views.queue_ids(keys, "q", length=0)) == []
    assert look(every_life, views.queue_position(keys, "q", "c")) == 2
    assert look(every_life, views.queue_position(keys, "q", "none")) is None


def test_registries_are_counted(every_life: Life) -> None:
    every_life.in_state(State.FINISHED, "a")
    every_life.in_state(State.FAILED, "b")
    every_life.in_state(State.STARTED, "c")
    keys = every_life.keys
    counts = {
        name: look(every_life, views.registry_count(keys, name, "q")) for name in views.REGISTRIES
    }
    assert counts == {"finished": 1, "failed": 1, "scheduled": 0, "deferred": 0, "canceled": 0}
    assert look(every_life, views.started_count(keys, "q")) == 1


def test_queues_are_listed(every_life: Life) -> None:
    every_life.enqueue("a", origin="b:c")
    every_life.enqueue("b")
    assert look(every_life, views.queue_names(every_life.keys)) == ["b:c", "q"]


def describe(state: str = "idle") -> list[Any]:
    return workers.describe_worker(
        queues=QUEUES, pid=7, hostname="h", ip_address="::1", version="1", python_version="3",
        state=state,
    )  # fmt: skip


def test_a_registered_worker_is_seen(every_life: Life) -> None:
    keys = every_life.keys
    register = workers.register(keys, "w", QUEUES, describe(), ttl=60)
    assert every_life.store.run(register) is True
    assert every_life.store.run(register) is False
    seen = look(every_life, views.worker(keys, "w"))
    assert (seen.name, seen.state, seen.queues, seen.pid) == ("w", "idle", ("q", "low"), 7)
    assert seen.birth <= seen.last_heartbeat
    assert (seen.death, seen.successful_job_count, seen.total_working_time) == (None, 0, 0.0)
    for queue in (None, *QUEUES):
        assert look(every_life, views.worker_names(keys, queue)) == ["w"]
    assert look(every_life, views.worker_names(keys, "other")) == []
    assert 0 < every_life.client.ttl("rq:worker:w") <= 60


def test_a_worker_is_seen_again_after_the_data_was_lost(every_life: Life) -> None:
    register = workers.register(every_life.keys, "w", QUEUES, describe(), ttl=60)
    every_life.store.run(register)
    every_life.client.flushall()
    assert every_life.store.run(register) is True
    assert look(every_life, views.worker_names(every_life.keys)) == ["w"]


def test_a_worker_that_ended_is_on_no_list_and_its_counters_stay_for_a_minute(
    every_life: Life,
) -> None:
    keys = every_life.keys
    every_life.store.run(workers.register(keys, "w", QUEUES, describe(), ttl=600))
    every_life.settle(every_life.start(), Returned(None))
    deregister = workers.deregister(keys, "w", QUEUES)
    every_life.store.run(deregister)
    every_life.store.run(deregister)
    assert look(every_life, views.worker_names(keys)) == []
    assert look(every_life, views.worker_names(keys, "q")) == []
    seen = look(every_life, views.worker(keys, "w"))
    assert seen.death is not None
    assert (seen.successful_job_count, seen.total_working_time) == (1, 1.0)
    assert 0 < every_life.client.ttl("rq:worker:w") <= 60
    assert not every_life.client.exists("rq:worker:w:claim")


def test_a_worker_that_never_registered_leaves_nothing_when_it_ends(every_life: Life) -> None:
    every_life.store.run(workers.deregister(every_life.keys, "w", QUEUES))
    assert every_life.dump() == {}


def test_a_worker_says_what_it_does(every_life: Life) -> None:
    keys = every_life.keys
    every_life.store.run(workers.register(keys, "w", QUEUES, describe(), ttl=60))
    busy = ["state", "busy"]
    every_life.store.run(workers.register(keys, "w", QUEUES, busy, ttl=60))
    assert look(every_life, views.worker(keys, "w")).state == "busy"


def test_the_bell_wakes_one_who_waits(every_life: Life) -> None:
    keys = every_life.keys
    every_life.enqueue("j", origin="low")
    assert every_life.store.run(workers.await_bell(keys, QUEUES, seconds=5)) is True
    assert every_life.store.run(workers.await_bell(keys, QUEUES, seconds=0.01)) is False


def test_who_waits_for_an_end_is_woken_by_it(every_life: Life) -> None:
    keys = every_life.keys
    job = every_life.start()
    every_life.store.run(waiting.wait(keys, "j"))
    assert every_life.store.run(workers.await_end(keys, "j", seconds=0.01)) is False
    every_life.settle(job, Returned(None))
    assert every_life.store.run(workers.await_end(keys, "j", seconds=5)) is True


def test_meta_is_replaced_while_the_job_is_there(every_life: Life) -> None:
    every_life.enqueue("j")
    assert every_life.store.run(saving.set_meta(every_life.keys, "j", b"m")) is True
    assert every_life.field("meta") == "m"
    every_life.delete()
    assert every_life.store.run(saving.set_meta(every_life.keys, "j", b"m")) is False
    assert every_life.state() is None
    assert not every_life.client.exists("rq:job:j")


@pytest.mark.parametrize("keep", [False, True], ids=["deleted", "kept"])
def test_an_emptied_queue_holds_nothing(every_life: Life, *, keep: bool) -> None:
    every_life.enqueue(*[f"j{number}" for number in range(250)])
    every_life.client.rpush("rq:queue:q", "stale")
    running = every_life.claim_one()
    every_life.client.rpush("rq:queue:q", running.job_id)  # twice, as RQ's client can do
    empty = jobs.empty(every_life.keys, "q", keep_jobs=keep, forget=False)
    assert every_life.store.run(empty) == 251
    assert every_life.waiting() == []
    assert every_life.state(running.job_id) is State.STARTED
    assert every_life.state("j7") is (State.CANCELED if keep else None)
    assert len(every_life.members("rq:canceled:q")) == (249 if keep else 0)


def test_a_forgotten_queue_is_off_the_list(every_life: Life) -> None:
    every_life.enqueue("j")
    every_life.store.run(jobs.empty(every_life.keys, "q", keep_jobs=False, forget=True))
    every_life.client.delete("rq:gone:j")
    assert every_life.dump() == {}
