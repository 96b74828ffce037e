"""The decorator ``@job``: a function as before, and ``delay``."""

from __future__ import annotations

import logging

import pytest
import redis

from tests.support import calls
from tests.support.api import dump, outcome_of, run
from tests.support.servers import RunningServer
from workhorse import InvalidCallError, Job, Queue, Retry, SerializationError, job


def add(left: int, right: int = 0) -> int:
    """Return the sum."""
    return left + right


def test_the_function_stays_as_it_is(client: redis.Redis) -> None:
    decorated = job("low", connection=client)(add)
    assert decorated is add
    assert decorated(1, right=2) == 3
    assert decorated.__name__ == "add"  # type: ignore[attr-defined] # a function
    assert decorated.__doc__ == "Return the sum."
    assert decorated.delay.__name__ == "add"
    assert decorated.delay.__doc__ == "Return the sum."


@pytest.mark.parametrize("name", ["delay", "enqueue"])
def test_delay_queues_a_call(client: redis.Redis, name: str) -> None:
    decorated = job("low", connection=client)(calls.add)
    queued = getattr(decorated, name)(1, right=2)
    assert isinstance(queued, Job)
    assert queued.func_name == "tests.support.calls.add"
    assert outcome_of(queued, Queue("low", client)) == 3


def test_a_decorated_function_can_be_enqueued_as_any_other(client: redis.Redis) -> None:
    decorated = job("low", connection=client)(calls.add)
    queue = Queue("high", client)
    assert outcome_of(queue.enqueue(decorated, 1, 2), queue) == 3


def test_the_queue_may_be_a_queue(client: redis.Redis) -> None:
    queue = Queue("low", client, default_timeout=7, serializer="json")
    queued = job(queue)(calls.add).delay(1, 2)
    assert (queued.origin, queued.timeout, queued.args) == ("low", 7, [1, 2])


def test_the_queue_may_be_of_a_class_of_the_users_own(client: redis.Redis) -> None:
    class Loud(Queue):
        DEFAULT_TIMEOUT = 11

    queued = job("low", connection=client, queue_class=Loud)(calls.add).delay(1)
    assert queued.timeout == 11


def test_options_count_for_every_call(client: redis.Redis) -> None:
    decorated = job(
        "low",
        connection=client,
        timeout=5,
        result_ttl=60,
        ttl=70,
        at_front=True,
        meta={"by": "ada"},
        description="adds",
        failure_ttl=80,
        retry=Retry(2),
        on_lost="fail",
        max_starts=5,
    )(calls.add)
    first, second = decorated.delay(1), decorated.delay(2)
    for queued in (first, second):
        assert (queued.timeout, queued.result_ttl, queued.ttl) == (5, 60, 70)
        assert (queued.meta, queued.description) == ({"by": "ada"}, "adds")
        assert (queued.failure_ttl, queued.retries_left) == (80, 2)
        assert (queued.on_lost, queued.max_starts) == ("fail", 5)
    assert Queue("low", client).jobs == [second, first]


def test_id_and_place_are_of_one_call(client: redis.Redis) -> None:
    decorated = job("low", connection=client)(calls.echo)
    decorated.delay(1)
    queued = decorated.delay(2, job_id="mine", at_front=True)
    queue = Queue("low", client)
    assert queue.job_ids[0] == "mine"
    assert decorated.delay(3, job_id="mine") == queued
    run(queue)
    assert queued.return_value() == ((2,), {})


def test_a_method_can_be_decorated(client: redis.Redis) -> None:
    assert calls.Counter(5).plus(1) == 6
    queue = Queue("low", client)
    job(queue)(calls.Counter.plus)
    assert outcome_of(calls.Counter.plus.delay(calls.Counter(5), 1), queue) == 6  # type: ignore[attr-defined] # as of now


def test_a_decorator_reaches_for_no_server(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Modules with decorated functions are imported where there is no server, by builds say."""
    monkeypatch.setenv("WORKHORSE_URL", "redis://localhost:1")
    before = dump(client)
    with caplog.at_level(logging.INFO, logger="workhorse"):
        decorated = job("low")(calls.add)
        Queue("low")
        Job.create(calls.add)
    assert decorated(1, 2) == 3
    assert "using" not in caplog.text
    assert dump(client) == before


def test_a_decorator_finds_its_server_by_a_url(
    valkey_server: RunningServer, client: redis.Redis
) -> None:
    queued = job("low", connection=valkey_server.url)(calls.add).delay(1, 2)
    assert Job.exists(queued.id, client)


def test_what_can_not_be_queued_is_told_by_delay(client: redis.Redis) -> None:

    @job("low", connection=client)
    def nested() -> int:
        return 1

    assert nested() == 1
    with pytest.raises(InvalidCallError, match="move it to the top of its module"):
        nested.delay()
    with pytest.raises(SerializationError):
        job("low", connection=client)(calls.add).delay(calls.Unpicklable())
