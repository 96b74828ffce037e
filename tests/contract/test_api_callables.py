"""What can be enqueued, and how its own code knows the job it runs in."""

from __future__ import annotations

import builtins
import functools
import math
import operator
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import outcome_of, run
from tests.support.calls import Adder, Greeter
from workhorse import Job, Queue, Retry, SimpleWorker, Worker, get_current_job


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


CALLABLES: dict[str, tuple[Any, tuple[Any, ...], object]] = {
    "a function": (calls.add, (1, 2), 3),
    "its dotted name": ("tests.support.calls.add", (1, 2), 3),
    "the dotted name of a method": ("tests.support.calls.Greeter.whisper", ("Ada",), "ada"),
    "an async function": (calls.add_later, (1, 2), 3),
    "a method of an instance": (Greeter("Ada").greet, (), "Hello, Ada!"),
    "an object that can be called": (Greeter("Ada"), ("?",), "Hello, Ada?"),
    "a class method": (Greeter.shout, ("Ada",), "HELLO, ADA"),
    "a static method": (Greeter.whisper, ("Ada",), "ada"),
    "a method of a class": (Greeter.greet, (Greeter("Ada"), "."), "Hello, Ada."),
    "a builtin": (len, ("four",), 4),
    "the dotted name of a builtin": ("builtins.len", ("four",), 4),
    "a function in C": (math.sqrt, (9,), 3),
    "a function of a private module": (operator.add, (1, 2), 3),
    "a method of a builtin class": (str.upper, ("ada",), "ADA"),
    "a method of text": ("ada".upper, (), "ADA"),
    "a method of a list": ([3, 1].count, (1,), 1),
    "a class": (builtins.int, ("7",), 7),
    "a partial": (functools.partial(calls.add, 1), (2,), 3),
}


@pytest.mark.parametrize(("function", "args", "value"), CALLABLES.values(), ids=CALLABLES)
def test_it_runs(queue: Queue, function: Any, args: tuple[Any, ...], value: object) -> None:
    job = queue.enqueue(function, *args)
    assert outcome_of(job, queue) == value


def test_a_class_makes_an_instance(queue: Queue) -> None:
    total = outcome_of(queue.enqueue(Adder, 1, 2), queue)
    assert isinstance(total, Adder)
    assert total.total == 3


def test_a_stored_call_gives_its_function_back(queue: Queue, client: redis.Redis) -> None:
    plain = Job.fetch(queue.enqueue(calls.add, 1).id, client)
    assert (plain.func, plain.instance, plain.func_name) == (
        calls.add,
        None,
        "tests.support.calls.add",
    )
    method = Job.fetch(queue.enqueue(Greeter("Ada").greet, mark=".").id, client)
    assert method.func_name == "greet"
    assert isinstance(method.instance, Greeter)
    assert method.func(**method.kwargs) == "Hello, Ada."
    assert method.description == "greet(mark='.')"


def test_a_long_argument_is_cut_in_the_description(queue: Queue) -> None:
    job = queue.enqueue(calls.echo, "x" * 1000, b=1, a=2)
    assert job.description == f"tests.support.calls.echo('{'x' * 74}..., a=2, b=1)"


@pytest.mark.parametrize(
    ("argument", "shown"),
    [(calls.Silent(), "<Silent>"), ("\ud800", r"'\ud800'"), (b"x" * 10**6, f"b'{'x' * 73}...")],
    ids=["that can't be shown", "that is no text in UTF-8", "that is large"],
)
def test_an_argument_is_shown_as_far_as_it_can_be(
    queue: Queue, argument: object, shown: str
) -> None:
    job = queue.enqueue(calls.note, argument)
    assert job.description == f"tests.support.calls.note({shown})"
    queue.enqueue(calls.note, description="\ud800")
    assert [job.description for job in queue.jobs] == [job.description, r"\ud800"]


@pytest.mark.parametrize("name", ["tests.support.calls.nobody", "no_such_package.mail.send"])
def test_a_function_that_no_worker_finds_fails_its_job(queue: Queue, name: str) -> None:
    job = queue.enqueue(name, 1)
    run(queue)
    assert job.is_failed
    assert f"can't find '{name}'" in str(job.results()[0].exc_string)


# The current job


def test_outside_of_a_job_there_is_no_current_one() -> None:
    assert get_current_job() is None


@pytest.mark.parametrize("worker_class", [SimpleWorker, Worker])
def test_a_job_knows_itself(queue: Queue, client: redis.Redis, worker_class: type[Worker]) -> None:
    job = queue.enqueue(calls.facts_of_the_current_job, job_timeout=50, ttl=60)
    worker_class([queue], name="w1", connection=client).work(burst=True)
    assert job.return_value() == {
        "id": job.id,
        "status": "started",
        "origin": "low",
        "description": "tests.support.calls.facts_of_the_current_job()",
        "timeout": 50,
        "ttl": 60,
        "worker": "w1",
        "func_name": "tests.support.calls.facts_of_the_current_job",
        "args": (),
        "enqueued": True,
        "is_same_object_each_time": True,
    }
    assert get_current_job() is None


def test_a_job_class_of_the_users_own_is_returned_inside(queue: Queue) -> None:
    job = queue.enqueue(calls.class_of_the_current_job)
    assert outcome_of(job, queue) == "Report"


def test_a_job_writes_its_meta(queue: Queue) -> None:
    job = queue.enqueue(calls.save_progress, 40, meta={"by": "ada"})
    assert outcome_of(job, queue) == 40
    assert job.get_meta() == {"percent": 40}


def test_meta_stays_over_the_tries_of_a_job(queue: Queue) -> None:
    job = queue.enqueue(calls.count_up_meta_and_fail, retry=Retry(2), meta={"by": "ada"})
    run(queue)
    assert job.is_failed
    assert job.get_meta() == {"by": "ada", "tries": 3}


def test_a_job_that_deletes_itself_stays_gone(queue: Queue, client: redis.Redis) -> None:
    calls.WAS_CALLED.clear()
    job = queue.enqueue(calls.delete_itself_and_save_meta)
    run(queue)
    assert calls.WAS_CALLED == [(("NoSuchJobError",), {})]
    assert not Job.exists(job.id, client)
    assert client.zcard("rq:finished:low") == 0


def test_a_job_inside_a_job_is_the_current_one_meanwhile(queue: Queue) -> None:
    job = queue.enqueue(calls.run_another_here)
    before, inside, after = outcome_of(job, queue)
    assert before == after == job.id
    assert inside not in {None, job.id}


def test_an_async_job_knows_itself(queue: Queue) -> None:
    job = queue.enqueue(calls.current_job_id_later)
    assert outcome_of(job, queue) == job.id


def test_another_thread_of_a_job_has_no_current_job(queue: Queue) -> None:
    assert outcome_of(queue.enqueue(calls.current_job_in_a_thread), queue) is None


def test_each_server_has_its_own_current_job(client: redis.Redis, redis62: Any) -> None:
    """Jobs that run here on two servers write to their own one."""
    with redis62.client() as other:
        other.flushall()
        for connection in (client, other, client, other):
            queue = Queue("low", connection, is_async=False)
            job = queue.enqueue(calls.save_progress, 1)
            assert job.return_value() == 1
            assert Job.fetch(job.id, connection).meta == {"percent": 1}
