"""Tags, by which jobs are found, and giving jobs to other queues: as users do it."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent, run
from workhorse import Cron, Job, Queue
from workhorse.core.errors import InvalidJobOperation, InvalidOptionError, NoSuchJobError
from workhorse.core.queries import parse
from workhorse.store import pages, search
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.sweep import Sweep

KEYS = Keys()


def tagged(client: redis.Redis, tag: str) -> list[str]:
    return [row.id for row in Store(client).run(pages.page(KEYS, "tag", tag)).rows]


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("q", client)


def takes_tags(tags: Any = None) -> Any:
    """Return its own argument of that name."""
    return tags


def test_jobs_are_found_by_their_tags(queue: Queue) -> None:
    client = queue.connection
    first = queue.enqueue(calls.add, 1, 2, job_id="a", job_tags=["eu", "nightly", "eu"])
    data = Queue.prepare_data(calls.add, (1, 2), job_id="b", tags=("eu",))
    queue.enqueue_many([data])
    queue.enqueue(calls.add, 1, 2, job_id="c", job_tags=["ü", "a:b"], depends_on=first)
    assert first.tags == Job.fetch("a", client).tags == ("eu", "nightly")
    assert [tagged(client, tag) for tag in ("eu", "nightly", "ü", "a:b", "none")] == [
        ["b", "a"], ["a"], ["c"], ["c"], [],
    ]  # fmt: skip
    found = Store(client).run(search.search(KEYS, parse("tag:eu tag:nightly status:queued")))
    assert sorted(row.id for row in found.rows) == ["a", "b"]
    assert client.smembers("rq:tags") == {b"eu", b"nightly", "ü".encode(), b"a:b"}
    assert audit(Store(client), KEYS) == []


def test_a_job_keeps_its_tags_through_its_life(queue: Queue) -> None:
    job = queue.enqueue(calls.fail, job_tags=["eu"])
    run(queue)
    job.requeue()
    assert Job.fetch(job.id, queue.connection).tags == ("eu",)
    assert tagged(queue.connection, "eu") == [job.id]


def test_jobs_of_cron_and_those_that_run_at_once_have_tags(client: redis.Redis) -> None:
    cron = Cron(client)
    cron.add("n", calls.add, args=(1, 2), interval=60, queue="q", job_tags=["nightly"])
    fired = cron.run("n")
    here = Queue("q", client, is_async=False).enqueue(calls.add, 1, 2, job_tags=["nightly"])
    assert sorted(tagged(client, "nightly")) == sorted([fired.id, here.id])
    assert here.tags == ("nightly",)


@pytest.mark.parametrize("function", [takes_tags, f"{__name__}.takes_tags"])
def test_a_functions_own_argument_called_tags_is_left_alone(queue: Queue, function: Any) -> None:
    plain = queue.enqueue(function, tags=["x"])
    both = queue.enqueue(function, tags=["x"], job_tags=["eu"])
    apart = queue.enqueue_call(function, kwargs={"tags": ["x"]}, tags=["eu"])
    assert [job.tags for job in (plain, both, apart)] == [(), ("eu",), ("eu",)]
    assert [job.kwargs for job in (plain, both, apart)] == [{"tags": ["x"]}] * 3


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ("eu", "give a list of texts"),
        (7, "give a list of texts"),
        ([7], "not a tag: 7"),
        ([""], "not a tag: ''"),
        (["a\nb"], "not a tag: 'a"),
        (["\u202e"], "not a tag"),
        (["x" * 101], "use 1 to 100 visible characters"),
        ([f"{n}" for n in range(21)], "21 tags of"),
        (["x" * 99, "y" * 99, "z" * 99, "a" * 99, "b" * 99], "5 tags of 510 bytes"),
    ],
)
def test_what_is_no_tag_is_refused(queue: Queue, tags: Any, told: str) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError, match=told):
        queue.enqueue(calls.add, 1, 2, job_tags=tags)


def test_as_many_tags_as_a_job_may_have_are_seen_in_lists(queue: Queue) -> None:
    tags = [f"{number:02}{'ü' * 9}" for number in range(20)]
    queue.enqueue(calls.add, 1, 2, job_tags=tags)
    (row,) = Store(queue.connection).run(pages.page(KEYS, "queued", "q")).rows
    assert row.tags == tuple(tags)


def test_jobs_that_are_gone_leave_their_tags(every_client: redis.Redis) -> None:
    client, queue = every_client, Queue("q", every_client)
    first, second, third, fourth = (
        queue.enqueue(calls.add, 1, 2, job_id=f"{number}", job_tags=["eu"]) for number in range(4)
    )
    first.delete()
    client.delete(second.key)  # as it expires
    third.delete()
    queue.enqueue(calls.add, 1, 2, job_id="2", job_tags=["us"])
    client.zadd("rq:tag:eu", {"2": 1})
    assert tagged(client, "eu") == ["3"]
    assert Sweep(Store(client), KEYS).run_once(0).done == 2
    assert client.zrange("rq:tag:eu", 0, -1) == [b"3"]
    fourth.delete()
    Sweep(Store(client), KEYS).run_once(0)
    assert client.smembers("rq:tags") == {b"us"}


def test_keys_of_another_kind_keep_no_job_from_its_queue(every_client: redis.Redis) -> None:
    client, queue = every_client, Queue("q", every_client)
    client.set("rq:tags", "damaged")
    client.set("rq:tag:eu", "damaged")
    job = queue.enqueue(calls.add, 1, 2, job_tags=["eu"])
    assert tagged(client, "eu") == [job.id]
    client.set("rq:tag:eu", "damaged")
    client.hset(job.key, "tags", "nonsense")
    assert Job.fetch(job.id, client).tags == ()
    Sweep(Store(client), KEYS).run_once(0)
    job.delete()
    assert client.exists("rq:tag:eu", job.key) == 0


def test_a_job_is_given_to_another_queue(queue: Queue) -> None:
    low = Queue("low", queue.connection)
    queued, failed = queue.enqueue(calls.add, 1, 2), queue.enqueue(calls.fail)
    assert queued.move(low).origin == "low"
    assert low.job_ids == [queued.id]
    run(queue)
    assert failed.move("low").is_failed
    assert failed.id in low.failed_job_registry
    assert failed.move("low").origin == "low"
    assert failed.requeue(at_front=True).get_position() == 0
    queued.delete()
    with pytest.raises(NoSuchJobError):
        queued.move("q")


def test_a_job_that_runs_is_not_given_to_another_queue(queue: Queue) -> None:
    job = queue.enqueue(calls.add, 1, 2)
    queue.connection.hset(job.key, "status", "started")
    with pytest.raises(InvalidJobOperation, match="can't be moved to 'low': it is started"):
        job.move("low")


def test_a_queue_gives_all_its_jobs_to_another_one(queue: Queue) -> None:
    low = Queue("low", queue.connection)
    jobs = [queue.enqueue(calls.add, 1, 2) for _ in range(3)]
    old = low.enqueue(calls.add, 1, 2)
    assert queue.move_jobs(low) == 3
    assert low.job_ids == [old.id, *(job.id for job in jobs)]
    assert (queue.count, queue.move_jobs("low")) == (0, 0)
