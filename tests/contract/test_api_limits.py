"""Rate limits and ``unique`` by the API: on every surface, and what is to be seen of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import bring_forward, dump, nothing_sent, run
from tests.support.lives import Life
from workhorse import (
    DuplicateJobError,
    InvalidOptionError,
    Job,
    Queue,
    RateLimit,
    RateLimitRegistry,
    Retry,
    job,
)
from workhorse.store.drivers import Store
from workhorse.store.schedule import forward
from workhorse.wire.keys import Keys

MAIL = RateLimit("mail", concurrency=1)


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def decorated(queue: Queue, **options: Any) -> Job:
    named = {name: options.pop(name) for name in ("job_id",) if name in options}

    add = job(queue, **options)(calls.add_by_decorator)
    return add.delay(**named)


def created(queue: Queue, **options: Any) -> Job:
    unique = options.pop("unique", False)
    limit = options.pop("rate_limit", None)
    options["id"] = options.pop("job_id", None)
    made = Job.create(calls.add, connection=queue.connection, **options)
    if limit:
        made.record.rate_limit_key = limit.key
        made.record.rate_limit_concurrency = limit.concurrency
    return queue.enqueue_job(made, unique=unique)


SURFACES: dict[str, Callable[..., Job]] = {
    "enqueue": lambda queue, **options: queue.enqueue(calls.add, **options),
    "enqueue_call": lambda queue, **options: queue.enqueue_call(calls.add, **options),
    "enqueue_many": lambda queue, **options: queue.enqueue_many(
        [Queue.prepare_data(calls.add, **options)]
    )[0],
    "enqueue_in": lambda queue, **options: due(
        queue.enqueue_in(timedelta(seconds=60), calls.add, **options)
    ),
    "enqueue_at": lambda queue, **options: due(
        queue.enqueue_at(datetime.now(UTC) + timedelta(seconds=60), calls.add, **options)
    ),
    "@job": decorated,
    "enqueue_job": created,
}
surfaces = pytest.mark.parametrize("surface", SURFACES)


def due(scheduled: Job) -> Job:
    """Make a job due that was scheduled for later."""
    scheduled.connection.hset(f"rq:job:{scheduled.id}", "scheduled_for", 1)
    bring_forward(scheduled)
    Store(scheduled.connection).run(forward(Keys(), [scheduled.origin]))
    return scheduled


@surfaces
def test_a_limit_holds_on_every_surface(queue: Queue, surface: str) -> None:
    first, second = (SURFACES[surface](queue, rate_limit=MAIL) for _ in range(2))
    assert (first.get_status(), second.get_status()) == ("queued", "rate_limited")
    second.refresh()
    assert second.is_rate_limited
    assert second.has_rate_limit
    assert (second.rate_limit_key, second.rate_limit_concurrency) == ("mail", 1)
    run(queue)
    assert {first.get_status(), second.get_status()} == {"finished"}


def test_a_job_without_a_limit_says_so(queue: Queue) -> None:
    plain = Job.fetch(queue.enqueue(calls.add).id, queue.connection)
    assert not plain.has_rate_limit
    assert not plain.is_rate_limited
    assert (plain.rate_limit_key, plain.rate_limit_concurrency) == (None, None)


def test_a_job_that_waits_for_a_place_is_told_as_such(queue: Queue) -> None:
    first = queue.enqueue(calls.add, rate_limit=MAIL)
    second = queue.enqueue(calls.add, rate_limit=MAIL)
    assert [each.get_status(refresh=False) for each in (first, second)] == [
        "queued", "rate_limited",
    ]  # fmt: skip
    assert first.enqueued_at is not None
    assert second.enqueued_at is None
    run(queue)
    second.refresh()
    assert second.enqueued_at is not None


def test_many_jobs_of_many_queues_share_a_limit(client: redis.Redis) -> None:
    queues = [Queue(name, client) for name in "ab"]
    for _ in range(3):
        for each in queues:
            each.enqueue_many([Queue.prepare_data(calls.add, rate_limit=MAIL)] * 2)
    registry = RateLimitRegistry("mail", client)
    assert registry.get_allowed_job_count() == 1
    assert registry.get_rate_limited_job_count() == 11
    run(*queues)
    assert RateLimitRegistry.all(client) == []


def test_a_limit_goes_with_all_that_rq_refuses_or_drops(queue: Queue) -> None:
    parent = queue.enqueue(calls.add)
    both = queue.enqueue(
        calls.fail, rate_limit=MAIL, unique=True, job_id="one", depends_on=parent, at_front=True,
        retry=Retry(1), ttl=60,
    )  # fmt: skip
    assert both.get_status() == "deferred"
    with pytest.raises(DuplicateJobError):
        queue.enqueue(calls.add, rate_limit=MAIL, unique=True, job_id="one")
    run(queue)
    assert both.get_status() == "failed"
    assert queue.connection.keys("rq:rl*") == []


@pytest.mark.parametrize(
    ("key", "concurrency"),
    [
        ("", 1), (None, 1), (7, 1), (b"mail", 1), ("x" * 256, 1), ("\ud800", 1),
        ("mail", 0), ("mail", -1), ("mail", 1.5), ("mail", "2"), ("mail", True), ("mail", 10**10),
        ("mail", None),
    ],
)  # fmt: skip
def test_a_limit_that_makes_no_sense_is_refused(key: Any, concurrency: Any) -> None:
    with pytest.raises(InvalidOptionError, match="RateLimit") as told:
        RateLimit(key, concurrency)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("limit", ["mail", 3, ("mail", 3), {"key": "mail"}], ids=repr)
def test_what_is_no_limit_is_refused(queue: Queue, limit: Any) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError, match="RateLimit"):
        queue.enqueue(calls.add, rate_limit=limit)


def test_a_queue_that_runs_its_jobs_itself_refuses_a_limit(client: redis.Redis) -> None:
    queue = Queue(connection=client, is_async=False)
    with nothing_sent(client), pytest.raises(InvalidOptionError, match="is_async"):
        queue.enqueue(calls.add, rate_limit=MAIL)


# What is to be seen


def test_a_registry_says_who_has_a_place_and_who_waits(queue: Queue) -> None:
    limit = RateLimit("é:allowed", 2)
    made = [queue.enqueue(calls.add, rate_limit=limit).id for _ in range(4)]
    registry = RateLimitRegistry("é:allowed", queue.connection)
    before = dump(queue.connection)
    assert registry.concurrency == 2
    assert registry.get_allowed_job_ids() == made[:2]
    assert registry.get_rate_limited_job_ids() == made[2:]
    assert registry.get_allowed_job_count() == 2
    assert registry.get_rate_limited_job_count() == 2
    assert [each.key for each in RateLimitRegistry.all(queue.connection)] == ["é:allowed"]
    fetched = Job.fetch(made[0], queue.connection)
    assert RateLimitRegistry.from_job(fetched).get_allowed_job_count() == 2
    assert queue.connection.exists(registry.config_key, registry.allowed_key) == 2
    assert queue.connection.exists(registry.rate_limited_key) == 1
    assert dump(queue.connection) == before


def test_a_limit_that_is_not_in_use_is_empty(client: redis.Redis) -> None:
    registry = RateLimitRegistry("mail", client)
    assert registry.concurrency == 0
    assert registry.get_allowed_job_ids() == registry.get_rate_limited_job_ids() == []
    assert (registry.cleanup(), RateLimitRegistry.all(client)) == (0, [])


def test_a_job_without_a_limit_has_no_registry(queue: Queue) -> None:
    with pytest.raises(InvalidOptionError, match="no rate limit"):
        RateLimitRegistry.from_job(queue.enqueue(calls.add))


def test_the_concurrency_can_be_changed_while_jobs_wait(queue: Queue) -> None:
    for _ in range(5):
        queue.enqueue(calls.add, rate_limit=MAIL)
    registry = RateLimitRegistry("mail", queue.connection)
    registry.register(3)
    assert (registry.concurrency, registry.get_allowed_job_count()) == (3, 3)
    registry.register(1)
    assert (registry.concurrency, registry.get_allowed_job_count()) == (1, 3)
    with pytest.raises(InvalidOptionError):
        registry.register(0)


def test_a_concurrency_without_jobs_leaves_nothing(client: redis.Redis) -> None:
    RateLimitRegistry("mail", client).register(3)
    assert dump(client) == {}


def test_cleanup_frees_what_nobody_needs(queue: Queue) -> None:
    first, second = (queue.enqueue(calls.add, rate_limit=MAIL) for _ in range(2))
    queue.connection.delete(f"rq:job:{first.id}")
    assert RateLimitRegistry("mail", queue.connection).cleanup() == 1
    assert second.is_queued


# unique


@surfaces
def test_a_unique_job_is_refused_while_any_job_has_its_id(queue: Queue, surface: str) -> None:
    enqueue = SURFACES[surface]
    first = enqueue(queue, job_id="report", unique=True)
    for _ in range(2):  # queued, and then finished
        before = dump(queue.connection)
        with pytest.raises(
            DuplicateJobError, match=r"report is there already \((queued|finished)"
        ):
            enqueue(queue, job_id="report", unique=True)
        assert dump(queue.connection) == before
        run(queue)
    first.delete()
    queue.connection.delete("rq:gone:report")  # as its minute does
    assert enqueue(queue, job_id="report", unique=True).is_queued


def test_a_unique_job_may_follow_a_deleted_one_at_once(queue: Queue) -> None:
    queue.enqueue(calls.add, job_id="report", unique=True).delete()
    assert queue.enqueue(calls.add, job_id="report", unique=True).is_queued


def test_without_it_a_live_job_is_returned_and_an_ended_one_begins_anew(queue: Queue) -> None:
    first = queue.enqueue(calls.add, 1, job_id="report")
    assert queue.enqueue(calls.add, 2, job_id="report").args == first.args == (1,)
    run(queue)
    assert queue.enqueue(calls.add, 2, job_id="report").args == (2,)


def test_unique_needs_an_id(queue: Queue) -> None:
    with nothing_sent(queue.connection), pytest.raises(InvalidOptionError, match="job_id"):
        queue.enqueue(calls.add, unique=True)


def test_of_many_jobs_the_unique_ones_that_are_there_are_told(queue: Queue) -> None:
    queue.enqueue(calls.add, job_id="b")
    many = [Queue.prepare_data(calls.add, job_id=name, unique=True) for name in "abc"]
    with pytest.raises(DuplicateJobError, match="job b is there already"):
        queue.enqueue_many(many)


def test_a_queue_that_runs_its_jobs_itself_heeds_unique(client: redis.Redis) -> None:
    queue = Queue(connection=client, is_async=False)
    assert queue.enqueue(calls.add, 1, job_id="report", unique=True).is_finished
    with pytest.raises(DuplicateJobError):
        queue.enqueue(calls.add, 2, job_id="report", unique=True)
    assert queue.enqueue(calls.add, 3, job_id="report").args == (3,)


def test_a_unique_call_that_is_sent_again_is_no_duplicate_of_itself(life: Life) -> None:
    """RQ's window T1: the client library resends what it has no reply for."""
    told = [life.enqueue("a", token="t", unique=True) for _ in range(2)]
    assert [each.refused for each in told] == [[""], [""]]
    limited = [
        life.enqueue("b", token="t", unique=True, rate_limit_key="m", rate_limit_concurrency=1)
        for _ in range(2)
    ]
    assert [each.states for each in limited] == [["queued"], ["queued"]]
    assert life.waiting() == ["a", "b"]
    assert life.enqueue("a", token="other", unique=True).refused == ["queued"]
