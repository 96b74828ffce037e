"""What can't be done is refused before anything is sent, by an error that says what to do."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.support import calls
from tests.support.api import nothing_sent
from tests.support.surfaces import BY_CODE, Option, Way, has_room, plain
from workhorse import (
    ConnectionChoiceError,
    InvalidCallError,
    InvalidNameError,
    InvalidOptionError,
    Job,
    JSONSerializer,
    Queue,
    Retry,
    SerializationError,
    TimeoutFormatError,
    UnsupportedOptionError,
    Worker,
    WorkhorseError,
    cancel_job,
    job,
    requeue_job,
)
from workhorse.core.dependencies import Dependency


def of_main(value: int) -> int:
    """Pretend to be defined in the program that was started."""
    return value


of_main.__module__ = "__main__"


def nested() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    queue = Queue("low", connection=client)
    queue.enqueue(calls.add, 1, job_id="waits")
    return queue


def refused(
    client: redis.Redis, error: type[Exception], message: str, action: Callable[[], object]
) -> None:
    """Check that *action* is refused, as ours and as RQ's callers expect, and sends nothing."""
    with nothing_sent(client), pytest.raises(WorkhorseError, match=message) as caught:
        action()
    assert isinstance(caught.value, error)


CALLS: dict[str, tuple[Any, str]] = {
    "a lambda": (lambda: None, "a lambda has no name; define a function in a module"),
    "a nested function": (nested(), "move it to the top of its module"),
    "a function of __main__": (of_main, "a worker can't import __main__; move it into a module"),
    "a name without a module": ("add", r"not a dotted name: 'add' \(give 'package"),
    "a path": ("tests/support/calls.py", "not a dotted name"),
    "a call": ("tests.support.calls.add(1)", "not a dotted name"),
    "nothing": (None, "not a function: None"),
    "a number": (3, "not a function: 3"),
}


@pytest.mark.parametrize(("function", "message"), CALLS.values(), ids=CALLS)
def test_what_no_worker_could_call_is_refused(
    queue: Queue, client: redis.Redis, function: Any, message: str
) -> None:
    ways: list[Callable[[], object]] = [
        lambda: queue.enqueue(function, 1),
        lambda: queue.enqueue_call(function),
        lambda: queue.enqueue_many([Queue.prepare_data(function)]),
        lambda: Job.create(function, connection=client),
        lambda: Queue("low", client, is_async=False).enqueue(function),
    ]
    for way in ways:
        refused(client, InvalidCallError, message, way)
        refused(client, ValueError, message, way)


ARGUMENTS: dict[str, Callable[[], Any]] = {
    "a lock": threading.Lock,
    "a generator": lambda: (n for n in [1]),
    "a lambda": lambda: lambda: None,
    "one that fails to be stored": calls.Unpicklable,
}


@pytest.mark.parametrize("make", ARGUMENTS.values(), ids=ARGUMENTS)
def test_an_argument_that_can_not_be_stored_is_refused(
    queue: Queue, client: redis.Redis, make: Callable[[], Any]
) -> None:
    message = (
        "the call of tests.support.calls.add with its arguments can't be serialized by Pickle"
    )
    refused(client, SerializationError, message, lambda: queue.enqueue(calls.add, make()))
    refused(client, SerializationError, message, lambda: queue.enqueue(calls.add, right=make()))


def test_a_method_of_what_can_not_be_stored_is_refused(queue: Queue, client: redis.Redis) -> None:
    lock = threading.Lock()
    refused(client, SerializationError, "can't be serialized", lambda: queue.enqueue(lock.acquire))


def test_json_takes_no_objects(client: redis.Redis) -> None:
    queue = Queue("low", client, serializer=JSONSerializer())
    message = "can't be serialized by JSONSerializer: Object of type Greeter"
    for error in (SerializationError, TypeError):  # RQ lets json's own TypeError through
        refused(client, error, message, lambda: queue.enqueue(calls.Greeter("Ada").greet))


def test_a_serializer_must_return_bytes(client: redis.Redis) -> None:
    import json  # noqa: PLC0415

    queue = Queue("low", client, serializer=json)  # type: ignore[arg-type] # its dumps returns str
    message = "json.dumps returned str where it must return bytes"
    refused(client, SerializationError, message, lambda: queue.enqueue(calls.add, 1))


@pytest.mark.parametrize("serializer", ["yaml", 5, object()], ids=["yaml", "number", "object"])
def test_what_is_no_serializer_is_refused(client: redis.Redis, serializer: Any) -> None:
    refused(client, ValueError, "serializer", lambda: Queue("low", client, serializer=serializer))


OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no time limit at all": ({"job_timeout": 0}, ValueError, "timeout is 0: give seconds of 1"),
    "a negative time limit": ({"job_timeout": -5}, ValueError, "timeout is -5"),
    "half a second": ({"job_timeout": 0.5}, ValueError, "timeout is 0.5"),
    "a word as time limit": ({"job_timeout": "soon"}, TimeoutFormatError, "timeout.*'soon'.*5m"),
    "a list as time limit": ({"job_timeout": [1]}, TimeoutFormatError, "not a time span"),
    "no time to wait": ({"ttl": 0}, ValueError, "ttl is 0"),
    "a negative time to wait": ({"ttl": -1}, ValueError, "ttl is -1"),
    "a word as ttl": ({"ttl": "later"}, TimeoutFormatError, "ttl: .*'later'"),
    "a word as result_ttl": ({"result_ttl": "5 min"}, TimeoutFormatError, "result_ttl: .*'5 min'"),
    "a word as failure_ttl": ({"failure_ttl": ""}, TimeoutFormatError, "failure_ttl: "),
    "ages": ({"ttl": 10**18}, InvalidOptionError, "ttl is .*three hundred years"),
    "ages of a result": ({"result_ttl": 10**18}, InvalidOptionError, "result_ttl is"),
    "an id with a colon": ({"job_id": "a:b"}, InvalidNameError, "not a job id: 'a:b'"),
    "an empty id": ({"job_id": ""}, ValueError, "not a job id"),
    "a number as id": ({"job_id": 5}, TypeError, "not a job id: 5"),
    "a long id": ({"job_id": "x" * 256}, ValueError, "not a job id"),
    "a number as retry": ({"retry": 3}, ValueError, r"retry is 3: give a Retry"),
    "no retry": ({"retry": 0}, ValueError, "retry is 0"),
    "a word as on_lost": ({"on_lost": "retry"}, ValueError, "on_lost is 'retry': give 'requeue'"),
    "no run at all": ({"max_starts": 0}, ValueError, "max_starts is 0: give a number of runs"),
    "a word as max_starts": ({"max_starts": "3"}, InvalidOptionError, "max_starts is '3'"),
    "a truth as max_starts": ({"max_starts": True}, InvalidOptionError, "max_starts is True"),
    "text as meta": ({"meta": "by ada"}, ValueError, "meta is 'by ada': give a dictionary"),
    "meta that can't be stored": ({"meta": {"n": calls.Unpicklable()}}, TypeError, "job's meta"),
    "text as args": ({"args": "ab"}, ValueError, "args='ab': give a list"),
    "a number as description": ({"description": 5}, ValueError, "description is 5: give text"),
    "a number as args": ({"args": 5}, ValueError, "args=5"),
    "a list as kwargs": ({"kwargs": [1]}, ValueError, r"kwargs=\[1\]"),
    "numbers as names": ({"kwargs": {1: 2, "a": 3}}, ValueError, "arguments by name"),
}


@pytest.mark.parametrize(("options", "error", "message"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_makes_no_sense_is_refused(
    queue: Queue,
    client: redis.Redis,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    apart = {name.replace("job_timeout", "timeout"): value for name, value in options.items()}
    ways: list[Callable[[], object]] = [
        lambda: queue.enqueue(calls.add, **options),
        lambda: queue.enqueue_call(calls.add, **apart),
        lambda: queue.enqueue_many([Queue.prepare_data(calls.add, **apart)]),
    ]
    for way in ways:
        refused(client, error, message, way)


BAD: dict[str, tuple[str, Any, str]] = {
    "a number to wait for": ("depends_on", 5, "not a job id: 5"),
    "no id to wait for": ("depends_on", ["a", "b:c"], "not a job id: 'b:c'"),
    "two rules for parents": (
        "depends_on",
        [Dependency("a", allow_failure=True), Dependency("b", on_parent_failure="cancel")],
        "one Dependency says 'cancel' and another 'run'",
    ),
    "a number of repeats": ("repeat", 3, r"repeat is 3: give a Repeat"),
    "a key of a limit": ("rate_limit", "mail", "rate_limit is 'mail': give a RateLimit"),
    "a lambda to call": ("on_success", lambda: None, "a lambda has no name"),
    "a name without a module": ("on_failure", "note", "not a dotted name: 'note'"),
    "a number to call": ("on_stopped", 5, "give a function"),
    "a method of an object": ("on_success", calls.Greeter("Ada").greet, "a method of an object"),
    "a url": ("webhooks", "https://example.com", "webhooks: .* is none; give Webhook"),
    "a url among webhooks": ("webhooks", ["https://example.com"], "webhooks: .* is none"),
    "a number as group": ("group_id", 5, "not a group name: 5"),
    "an empty group": ("group_id", "", "not a group name: ''"),
}


@pytest.mark.parametrize("way", BY_CODE, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("name", "value", "message"), BAD.values(), ids=BAD)
def test_a_follow_up_that_makes_no_sense_is_refused_whichever_way_it_goes(
    client: redis.Redis, way: Way, name: str, value: Any, message: str
) -> None:
    option = Option(name, value, ())
    if has_room(way, option):
        refused(client, ValueError, message, lambda: way(client, option))


@pytest.mark.parametrize(
    ("name", "nothing"),
    [
        *((name, None) for name in ("depends_on", "repeat", "rate_limit", "webhooks", "pipeline")),
        *((name, None) for name in ("on_success", "on_failure", "on_stopped", "group_id")),
        ("depends_on", []),
        ("webhooks", []),
        ("unique", False),
    ],
)  # fmt: skip
def test_an_option_may_be_given_as_nothing(queue: Queue, name: str, nothing: object) -> None:
    job = queue.enqueue(calls.add, 1, **{name: nothing})
    assert job.kwargs == {}
    assert job.is_queued


def test_unique_needs_an_id(queue: Queue, client: redis.Redis) -> None:
    ways: list[Callable[[], object]] = [
        lambda: queue.enqueue(calls.add, unique=True),
        lambda: queue.enqueue_call(calls.add, unique=True),
        lambda: queue.enqueue_many([Queue.prepare_data(calls.add, unique=True)]),
        lambda: job("low", client, unique=True)(plain(calls.add)).delay(1),
    ]
    for way in ways:
        refused(client, ValueError, "unique=True needs a job_id", way)


WHENS: list[Any] = ["tomorrow", 5, dt.date(2040, 1, 1), None]


@pytest.mark.parametrize("when", WHENS, ids=repr)
def test_what_is_no_moment_is_refused(queue: Queue, client: redis.Redis, when: Any) -> None:
    ways: list[Callable[[], object]] = [
        lambda: queue.enqueue_at(when, calls.add),
        lambda: queue.schedule_job(Job.create(calls.add, connection=client), when),
    ]
    for way in ways:
        refused(client, ValueError, "give a datetime", way)


SPANS: list[Any] = ["soon", float("nan"), float("inf"), True, None]


@pytest.mark.parametrize("span", SPANS, ids=repr)
def test_what_is_no_span_is_refused(queue: Queue, client: redis.Redis, span: Any) -> None:
    refused(client, ValueError, "time_delta is", lambda: queue.enqueue_in(span, calls.add))


def test_a_job_is_due_once(queue: Queue, client: redis.Redis) -> None:
    moment = dt.datetime(2040, 1, 1, tzinfo=dt.UTC)
    way = lambda: queue.enqueue_many(  # noqa: E731
        [Queue.prepare_data(calls.add, scheduled_for=moment, due_in=5)]
    )
    refused(client, ValueError, "give one of them", way)


UNSUPPORTED: dict[str, Callable[[Queue], object]] = {
    "delete(remove_from_queue)": lambda q: q.jobs[0].delete(remove_from_queue=False),
    "Worker(nonsense)": lambda q: Worker([q], colour="red"),
    "Worker(work_horse_killed_handler)": lambda q: Worker([q], work_horse_killed_handler=print),
}


@pytest.mark.parametrize("action", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_would_be_ignored_is_refused(
    queue: Queue, client: redis.Redis, action: Callable[[Queue], object]
) -> None:
    message = "runs no code of yours|has no option|leaves its queue"
    refused(client, UnsupportedOptionError, message, lambda: action(queue))


NAMES: list[Any] = ["", "a\nb", "x" * 256, None, 5, b"low"]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_what_can_not_name_a_queue_is_refused(client: redis.Redis, name: Any) -> None:
    refused(client, InvalidNameError, "not a queue name", lambda: Queue(name, client))
    refused(
        client, InvalidNameError, "not a queue name", lambda: Worker([name], connection=client)
    )


def test_a_connection_in_place_of_a_name_is_refused(client: redis.Redis) -> None:
    refused(client, ValueError, r"not a queue name: <?[rR]edis", lambda: Queue(client))  # type: ignore[arg-type] # a slip


@pytest.mark.parametrize("job_id", ["a:b", "", "a b", "é", None, 5], ids=repr)
def test_what_can_not_name_a_job_is_refused(client: redis.Redis, job_id: Any) -> None:
    ways: list[Callable[[], object]] = [
        lambda: Job.fetch(job_id, connection=client),
        lambda: Job.fetch_many([job_id], connection=client),
        lambda: Job.exists(job_id, connection=client),
        lambda: Queue("low", client).fetch_job(job_id),
        lambda: Queue("low", client).remove(job_id),
        lambda: cancel_job(job_id, connection=client),
        lambda: requeue_job(job_id, connection=client),
    ]
    for way in ways:
        refused(client, InvalidNameError, "not a job id", way)


@pytest.mark.parametrize("timeout", [-2, "soon"])
def test_a_queue_has_no_senseless_time_limit(client: redis.Redis, timeout: Any) -> None:
    way = lambda: Queue("low", client, default_timeout=timeout)  # noqa: E731
    refused(client, ValueError, "default_timeout", way)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"on_lost": "drop"}, "on_lost is 'drop'"), ({"max_starts": 0}, "max_starts is 0")],
)
def test_a_rule_for_lost_runs_that_nobody_knows_is_refused(
    client: redis.Redis, options: dict[str, Any], told: str
) -> None:
    refused(client, ValueError, told, lambda: Queue("low", client, **options))
    refused(client, ValueError, told, lambda: Worker(["low"], connection=client, **options))


def test_a_state_that_nobody_knows_is_refused(client: redis.Redis) -> None:
    way = lambda: Job.create(calls.add, connection=client, status="dreaming")  # noqa: E731
    refused(client, ValueError, "status is 'dreaming': give one of created, queued", way)


RETRIES: list[tuple[Any, Any]] = [(0, 0), (-1, 0), ("3", 0), (None, 0), (1, -1), (1, [1, -1])]
RETRIES += [(1, []), (1, 1.5), (1, "10"), (1, None)]


@pytest.mark.parametrize(("most", "interval"), RETRIES, ids=repr)
def test_a_retry_that_makes_no_sense_is_refused(most: Any, interval: Any) -> None:
    with pytest.raises(InvalidOptionError, match=r"Retry\((max|interval)="):
        Retry(most, interval)
    with pytest.raises(ValueError, match="give"):
        Retry(most, interval)


# Connections


def test_a_client_that_turns_bytes_into_text_is_refused() -> None:
    with redis.Redis(decode_responses=True) as client:
        for way in (
            lambda: Queue("low", client),
            lambda: Job.fetch("x", client),
            lambda: Worker(["low"], connection=client),
            lambda: Queue.all(client),
        ):
            with pytest.raises(ConnectionChoiceError, match="decode_responses=True"):
                way()


def test_a_client_that_is_awaited_is_refused() -> None:
    client = redis.asyncio.Redis()
    with pytest.raises(ConnectionChoiceError, match="asyncio"):
        Queue("low", client)
    asyncio.run(client.aclose())


@pytest.mark.parametrize("thing", [5, object, "host:6379"], ids=repr)
def test_what_is_no_connection_is_refused(thing: Any) -> None:
    with pytest.raises(WorkhorseError, match=r"client|URL"):
        Queue("low", thing)


def test_a_worker_needs_a_queue(client: redis.Redis) -> None:
    refused(client, ValueError, "needs a queue", lambda: Worker([], connection=client))


def test_a_decorator_needs_a_queue(client: redis.Redis) -> None:
    refused(client, ValueError, "@job needs a queue", lambda: job(calls.add))  # type: ignore[arg-type] # without parentheses
