"""The examples of the documents that the project was made from, ``from workhorse import ...``.

Each test is named by its document and what that shows. Where an example waits for a worker that
runs elsewhere, a ``SimpleWorker`` runs here; where it says ``from rq.job import Job`` or
``from rq.decorators import job``, the name comes from ``workhorse`` itself.

What RQ itself has dropped since works with a warning, which each test names.

Not run here, so that nothing is forgotten:

- Needs a web page or another package: ``rq-dashboard``, in Flask too (001, 004), ``rq-scheduler``,
  ``FakeStrictRedis`` (004; the tests' queue is of a real server), supervisor's
  file and the monitoring scripts of the shell (001), ``raven`` behind ``SENTRY_DSN`` (004).
- RQ 3.0's meaning holds: ``enqueue(timeout=...)`` (004) goes to the function, the job's is
  ``job_timeout=``; ``ttl=-1`` for ever (004) is refused: leave it out; names of workers are no
  longer ``host.pid`` (004); a worker's ``-n`` is a number here, its name is ``--name``.
- Never was, or is another here: ``rq.serializers.Serializer`` (001: a serializer needs no base),
  ``Queue(failed_ttl=...)``, ``rq worker --connection``, lists of
  failed and of retried jobs (001), a death penalty class of one's own (004: supervisors end jobs),
  ``--maintenance-interval`` (003: it tunes a clean-up that has nothing to clean here).
- Shown of RQ's inside: ``push_job_id`` and ``lpop`` (000), ``dequeue_any``, ``fork_work_horse``,
  ``perform_job`` and the rest of RQ's worker (002), the clean-up of the intermediate queue (003:
  there is none; a claim is a lease). That jobs don't get lost where 000 and 003 lost them is shown
  by tests/fault.
- Commands: ``rq worker``, with ``-c settings``, ``rq info`` and ``rq requeue`` (001, 002, 004) are
  ``workhorse``'s, in tests/e2e.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import redis
from redis import Redis

from tests.support import seeds
from tests.support.seeds import TEXT
from tests.support.servers import RunningServer
from workhorse import (
    Connection,
    Job,
    NoSuchJobError,
    Queue,
    Retry,
    SimpleWorker,
    Worker,
    get_current_job,
    get_failed_queue,
    job,
    move_to_failed_queue,
    pop_connection,
    push_connection,
)


@pytest.fixture
def connection(client: redis.Redis) -> Redis:
    """What the documents call ``Redis()``."""
    return client


@pytest.fixture
def page() -> Iterator[str]:
    """The URL of a page of text."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(TEXT)))
            self.end_headers()
            self.wfile.write(TEXT.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            logging.getLogger("page").debug(format, *args)

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def given_no_more() -> AbstractContextManager[Any]:
    """Expect the warning of a word for a connection that is not given."""
    return pytest.warns(DeprecationWarning, match="give connection=")


def work(queue: Queue) -> None:
    SimpleWorker([queue], connection=queue.connection).work(burst=True)


# 000: does RQ lose jobs?


def test_seed_000_at_front_pushes_from_the_other_end(connection: Redis) -> None:
    q = Queue("foo", connection=connection)
    ids = [q.enqueue(seeds.add, 1, 2, at_front=front).id for front in (False, False, True)]
    assert q.job_ids == [ids[2], ids[0], ids[1]]
    assert connection.lrange("rq:queue:foo", 0, -1) == [name.encode() for name in q.job_ids]


# 001: the principles of RQ


def test_seed_001_an_email_is_enqueued_on_a_named_queue(connection: Redis) -> None:
    q = Queue(name="email", connection=connection)
    queued = q.enqueue(seeds.send_email, "user@example.com", subject="Welcome")
    # The table of what is stored where: ids in a list, the rest in a hash.
    assert connection.lrange("rq:queue:email", 0, -1) == [queued.id.encode()]
    assert connection.hget(f"rq:job:{queued.id}", "status") == b"queued"
    work(q)
    assert queued.return_value() == "to user@example.com: Welcome"


def test_seed_001_a_connection_pool_is_shared_by_queues(valkey_server: RunningServer) -> None:
    with valkey_server.client() as client:
        client.flushall()
        pool = client.connection_pool
        high_queue = Queue("high", connection=Redis(connection_pool=pool))
        email_queue = Queue("email", connection=Redis(connection_pool=pool))
        low_queue = Queue("low", connection=Redis(connection_pool=pool))
        for queue in (low_queue, email_queue, high_queue):
            queue.enqueue(seeds.note, queue.name)
        seeds.NOTES.clear()
        SimpleWorker([high_queue, email_queue, low_queue]).work(burst=True)
        assert seeds.NOTES == ["high", "email", "low"]


def test_seed_001_a_payment_has_a_time_limit_retries_and_a_kept_result(
    connection: Redis,
) -> None:
    high_queue = Queue("high", connection=connection)
    queued = high_queue.enqueue(
        seeds.process_payment,
        user_id=123,
        amount=99.9,
        job_timeout=60,
        retry=Retry(max=3, interval=[10, 30, 60]),
        result_ttl=3600,
    )
    assert (queued.timeout, queued.result_ttl) == (60, 3600)
    assert (queued.retries_left, queued.retry_intervals) == (3, (10, 30, 60))
    assert queued.kwargs == {"user_id": 123, "amount": 99.9}
    work(high_queue)
    assert queued.return_value() == "123 paid 99.9"
    assert 3500 < int(connection.ttl(queued.key)) <= 3600


def test_seed_001_time_limits_are_given_as_job_timeout_and_results_by_ttl(
    connection: Redis,
) -> None:
    q = Queue(connection=connection)
    assert q.enqueue(seeds.add, 1, 2).timeout == 180
    assert q.enqueue(seeds.add, 1, 2, job_timeout=300).timeout == 300
    assert q.enqueue(seeds.add, 1, 2, result_ttl=3600).result_ttl == 3600


def test_seed_001_a_serializer_of_ones_own_stores_json(connection: Redis) -> None:
    q = Queue("safe-queue", connection=connection, serializer=seeds.JSONSerializer)
    queued = q.enqueue(seeds.add, 1, 2)
    assert connection.hget(queued.key, "data") == b'["tests.support.seeds.add", null, [1, 2], {}]'
    work(q)
    assert queued.return_value() == 3


# 002: the source of RQ, read


def test_seed_002_queues_and_a_worker_are_made_as_by_the_command(connection: Redis) -> None:
    names = ["high", "low"]
    queues = [Queue(name, connection=connection, job_class=Job) for name in names]
    worker = SimpleWorker(
        queues,
        name="foo",
        connection=connection,
        default_worker_ttl=420,
        default_result_ttl=500,
        job_class=Job,
        queue_class=Queue,
        exception_handlers=None,
    )
    assert worker.queue_names() == names
    assert worker.key == "rq:worker:foo"
    queued = queues[1].enqueue(seeds.add, 1, 2)
    assert worker.work(burst=True) is True  # whether any jobs were processed
    assert worker.work(burst=True) is False
    assert queued.is_finished


def test_seed_002_fetch_makes_a_job_of_its_id(connection: Redis) -> None:
    queued = Queue(connection=connection).enqueue(seeds.add, 1, y=2)
    fetched = Job.fetch(queued.id, connection=connection)
    assert fetched.func_name == "tests.support.seeds.add"
    assert fetched.func is seeds.add
    assert fetched.instance is None
    assert fetched.args == (1,)
    assert fetched.kwargs == {"y": 2}
    assert fetched.func(*fetched.args, **fetched.kwargs) == 3


def test_seed_002_a_method_is_called_on_its_instance(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.Shop("Berlin").greet, "Ada")
    work(q)
    assert queued.return_value() == "Berlin greets Ada"


def test_seed_002_a_job_that_is_gone_is_passed_over(connection: Redis) -> None:
    q = Queue(connection=connection)
    gone, stays = q.enqueue(seeds.add, 1, 2), q.enqueue(seeds.add, 3, 4)
    connection.delete(gone.key)
    with pytest.raises(NoSuchJobError):
        Job.fetch(gone.id, connection=connection)
    work(q)
    assert stays.return_value() == 7


# 004: RQ, a light queue


def test_seed_004_quick_start_counts_words_at_a_url(connection: Redis, page: str) -> None:
    q = Queue(connection=connection)
    result = q.enqueue(seeds.count_words_at_url, page)
    assert result.description == f"tests.support.seeds.count_words_at_url({page!r})"
    work(q)
    assert result.get_status() == "finished"
    with pytest.warns(DeprecationWarning, match="return_value"):
        assert result.result == len(TEXT.split())
    assert result.return_value() == len(TEXT.split())


def test_seed_004_a_queue_has_a_name(connection: Redis) -> None:
    q = Queue("low", connection=connection)
    q.enqueue(seeds.add, 1, y=2)
    assert connection.llen("rq:queue:low") == 1


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(2, 2), ("2", 2), ("1h3m10s", 3790), ("1h", 3600), ("90m", 5400)],
    ids=repr,
)
def test_seed_004_a_time_limit_is_a_number_or_has_units(
    connection: Redis, timeout: int | str, seconds: int
) -> None:
    q = Queue("low", connection=connection)
    assert q.enqueue(seeds.add, 1, 2, job_timeout=timeout).timeout == seconds
    assert q.enqueue_call(seeds.add, args=(1, 2), timeout=timeout).timeout == seconds


def test_seed_004_options_of_enqueue(connection: Redis) -> None:
    q = Queue("low", connection=connection)
    q.enqueue(seeds.add, 1, 2)
    queued = q.enqueue(
        seeds.add, args=(1,), kwargs={"y": 2}, result_ttl=60, ttl=43, job_id="my_id", at_front=True
    )
    assert (queued.id, queued.result_ttl, queued.ttl) == ("my_id", 60, 43)
    assert q.job_ids[0] == "my_id"
    work(q)
    assert queued.return_value() == 3


def test_seed_004_enqueue_call(connection: Redis, page: str) -> None:
    q = Queue("low", connection=connection)
    queued = q.enqueue_call(func=seeds.count_words_at_url, args=(page,), timeout=30)
    assert queued.timeout == 30
    work(q)
    assert queued.is_finished


def test_seed_004_a_function_is_given_by_its_name(connection: Redis) -> None:
    q = Queue("low", connection=connection)
    queued = q.enqueue("tests.support.seeds.add", 3, 4)
    work(q)
    assert queued.return_value() == 7


def test_seed_004_what_a_queue_tells_of_its_jobs(connection: Redis) -> None:
    q = Queue("low", connection=connection)
    queued = q.enqueue(seeds.add, 3, 4, job_id="my_id")
    assert len(q) == 1
    assert q.job_ids == ["my_id"]
    assert q.jobs == [queued]
    assert q.fetch_job("my_id") == queued
    q.delete(delete_jobs=True)
    assert len(q) == 0
    assert q.fetch_job("my_id") is None


def test_seed_004_results_of_the_job_decorator(connection: Redis) -> None:
    add = job("low", connection=connection, timeout=5)(seeds.add)
    queued = add.delay(3, 4)
    assert queued.timeout == 5
    work(Queue("low", connection=connection))
    with pytest.warns(DeprecationWarning, match="return_value"):
        assert queued.result == 7
    assert add(3, 4) == 7


def test_seed_004_a_queue_that_is_not_async_runs_its_jobs_at_once(connection: Redis) -> None:
    q = Queue("low", is_async=False, connection=connection)
    queued = q.enqueue(seeds.fib, 8)
    assert queued.return_value() == 21


def test_seed_004_a_queue_that_is_not_async_by_its_first_word(connection: Redis) -> None:
    old: dict[str, Any] = {"async": False}
    with pytest.warns(DeprecationWarning, match="use is_async="):
        q = Queue("low", connection=connection, **old)
    assert q.enqueue(seeds.fib, 8).return_value() == 21


def test_seed_004_a_worker_script_preloads_in_a_connection(connection: Redis) -> None:
    """Its ``Connection()`` has none: it is the process's default, see the next test."""
    queued = Queue(connection=connection).enqueue(seeds.add, 1, 2)
    qs = ["default"]
    with given_no_more(), Connection(connection):
        w = Worker(qs)
    w.work(burst=True)
    assert queued.return_value() == 3


def test_seed_004_a_connection_of_no_server_is_the_default_one(
    valkey_server: RunningServer, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RQ_REDIS_URL", valkey_server.url)
    queued = Queue(connection=client).enqueue(seeds.add, 1, 2)
    with given_no_more(), Connection():
        q = Queue()
        w = SimpleWorker(["default"])
    assert q.job_ids == [queued.id]
    w.work(burst=True)
    assert queued.return_value() == 3


def test_seed_004_workers_are_listed_and_counted(connection: Redis) -> None:
    queue = Queue("queue_name", connection=connection)
    seen = queue.enqueue(seeds.count_workers, "queue_name")
    other = queue.enqueue(seeds.count_workers, "another")
    SimpleWorker([queue], connection=connection).work(burst=True)
    assert seen.return_value() == [1, 1, 1, 1]  # all, all of the queue, and counted, both
    assert other.return_value() == [1, 0, 1, 0]
    assert Worker.all(connection=connection) == []
    assert Worker.count(queue=queue) == 0


def test_seed_004_a_worker_tells_how_much_it_worked(connection: Redis) -> None:
    queue = Queue("low", connection=connection)
    queue.enqueue(seeds.add, 1, 2)
    queue.enqueue(seeds.div_by_zero, 1)
    seen = queue.enqueue(seeds.statistics_of, "rq:worker:name")
    SimpleWorker([queue], name="name").work(burst=True)
    succeeded, failed, seconds = seen.return_value()
    assert (succeeded, failed) == (1, 1)
    assert seconds > 0


@pytest.mark.parametrize(("result_ttl", "kept"), [(None, 500), (86400, 86400), (-1, -1)])
def test_seed_004_results_are_kept_as_long_as_told(
    connection: Redis, result_ttl: int | None, kept: int
) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.add, 1, 2, result_ttl=result_ttl)
    work(q)
    assert queued.return_value() == 3
    left = int(connection.ttl(queued.key))
    assert left == kept == -1 or kept - 100 < left <= kept


def test_seed_004_a_result_with_ttl_0_is_deleted_at_once(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.add, 1, 2, result_ttl=0)
    work(q)
    assert not Job.exists(queued.id, connection=connection)


def test_seed_004_a_job_without_a_value_is_kept_too(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.note, "ran")
    work(q)
    assert queued.is_finished
    assert queued.return_value() is None


def test_seed_004_time_limits_of_jobs_and_queues(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue_call(seeds.add, args=(1,), kwargs={"y": 2}, timeout=600)
    assert queued.timeout == 600
    high = Queue("high", connection=connection, default_timeout=8)
    low = Queue("low", connection=connection, default_timeout=600)
    assert high.enqueue(seeds.add, 1, 2).timeout == 8
    assert low.enqueue(seeds.add, 1, 2).timeout == 600
    assert high.enqueue(seeds.add, 1, 2, job_timeout=9).timeout == 9  # the job's own goes before


def test_seed_004_a_job_past_its_time_limit_fails(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(time.sleep, 60, job_timeout=1)
    work(q)
    assert queued.is_failed


def test_seed_004_a_job_is_fetched_and_tells_of_itself(connection: Redis) -> None:
    q = Queue(connection=connection)
    q.enqueue(seeds.add, 1, y=2, job_id="my_job_id")
    work(q)
    fetched = Job.fetch("my_job_id", connection=connection)
    assert fetched.get_status() == "finished"
    with pytest.warns(DeprecationWarning, match="get_status"):
        assert fetched.status == "finished"
    assert fetched.func_name == "tests.support.seeds.add"
    assert (fetched.args, fetched.kwargs) == ((1,), {"y": 2})
    moments = [fetched.created_at, fetched.enqueued_at, fetched.started_at, fetched.ended_at]
    assert all(moment is not None and moment.tzinfo is not None for moment in moments)
    with pytest.warns(DeprecationWarning, match="return_value"):
        assert fetched.result == 3
    with pytest.warns(DeprecationWarning, match="exc_string"):
        assert fetched.exc_info is None


def test_seed_004_a_failed_job_tells_how(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.div_by_zero, 1)
    work(q)
    assert queued.is_failed
    with pytest.warns(DeprecationWarning, match="exc_string"):
        assert "ZeroDivisionError" in str(queued.exc_info)
    assert (queued.origin, queued.description) == (
        "default",
        "tests.support.seeds.div_by_zero(1)",
    )


def test_seed_004_the_failed_queue_quarantines_and_requeues(connection: Redis) -> None:
    con = connection
    with given_no_more():
        push_connection(con)
    job = Job.create(func=seeds.div_by_zero, args=(1, 2, 3))
    job.origin = "fake"
    job.save()
    with pytest.warns(DeprecationWarning, match="failed_job_registry"):
        fq = get_failed_queue()
    fq.quarantine(job, Exception("Some fake error"))
    assert fq.count == 1
    assert job.is_failed
    with pytest.warns(DeprecationWarning, match="exc_string"):
        assert "Some fake error" in str(job.exc_info)
    fq.requeue(job.id)
    assert fq.count == 0
    assert Queue("fake").count == 1
    with given_no_more():
        assert pop_connection() is con


def test_seed_004_a_failed_job_is_requeued_by_itself(connection: Redis) -> None:
    queue = Queue("fake", connection=connection)
    queued = queue.enqueue(seeds.div_by_zero, 1)
    work(queue)
    assert connection.zcard("rq:failed:fake") == 1
    queued.requeue()
    assert connection.zcard("rq:failed:fake") == 0
    assert queue.count == 1


def test_seed_004_a_job_knows_itself(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.id_of_current_job, 1, 2)
    work(q)
    assert queued.return_value() == [queued.id, 3]
    assert get_current_job() is None


def test_seed_004_a_job_writes_meta(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.add_and_note_time, 1, 2)
    work(q)
    queued.refresh()
    assert queued.meta["timestamp"] > 0


def test_seed_004_time_to_wait_is_given_by_create_and_enqueue(
    connection: Redis, page: str
) -> None:
    created = Job.create(func=seeds.say_hello, ttl=100, connection=connection)
    assert created.ttl == 100
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.count_words_at_url, page, ttl=43)
    assert 0 < int(connection.ttl(queued.key)) <= 43
    connection.delete(queued.key)  # as the server does after that time
    work(q)
    assert not Job.exists(queued.id, connection=connection)


def test_seed_004_queues_have_connections_of_their_own(
    client: redis.Redis, valkey_server: RunningServer, redis62: RunningServer
) -> None:
    with valkey_server.client() as conn1, redis62.client() as conn2:
        conn2.flushall()
        q1 = Queue("foo", connection=conn1)
        q2 = Queue("bar", connection=conn2)
        assert q1.connection != q2.connection
        q1.enqueue(seeds.add, 1, 2)
        assert (client.llen("rq:queue:foo"), conn2.llen("rq:queue:foo")) == (1, 0)
        assert q2.count == 0


def test_seed_004_a_queue_takes_the_connection_around_it(connection: Redis) -> None:
    with given_no_more(), Connection(connection):
        q = Queue()
    assert q.connection is connection


def test_seed_004_connections_are_nested(
    client: redis.Redis, valkey_server: RunningServer, redis62: RunningServer
) -> None:
    with valkey_server.client() as local, redis62.client() as remote:
        with given_no_more(), Connection(local):
            q1 = Queue("foo")
            with Connection(remote):
                q2 = Queue("bar")
            q3 = Queue("qux")
        assert q1.connection != q2.connection
        assert q2.connection != q3.connection
        assert q1.connection == q3.connection
        q3.enqueue(seeds.add, 1, 2)
        assert client.llen("rq:queue:qux") == 1


def test_seed_004_a_test_case_pushes_and_pops_a_connection(connection: Redis) -> None:
    seen: list[Queue] = []

    class MyTest(unittest.TestCase):
        def setUp(self) -> None:
            push_connection(connection)

        def tearDown(self) -> None:
            pop_connection()

        def test_foo(self) -> None:
            """Any queues created here use local Redis."""
            seen.append(Queue())

    with given_no_more():
        assert (
            unittest.defaultTestLoader.loadTestsFromTestCase(MyTest)
            .run(unittest.TestResult())
            .wasSuccessful()
        )
    assert seen[0].connection is connection


def test_seed_004_a_decorated_function_is_queued_by_the_connection_around_the_call(
    connection: Redis,
) -> None:
    add = job("low")(seeds.add)
    with given_no_more(), Connection(connection):
        queued = add.delay(3, 4)
        work(Queue("low"))
    assert queued.return_value() == 7


def test_seed_004_a_chain_waits_for_its_first_job(connection: Redis) -> None:
    q = Queue("low", connection=connection)
    report_job = q.enqueue(seeds.note, "generate_report")
    sent = q.enqueue_call(func=seeds.note, args=("send_report",), depends_on=report_job)
    assert sent.is_deferred
    seeds.NOTES.clear()
    work(q)
    assert seeds.NOTES == ["generate_report", "send_report"]


def test_seed_004_exception_handlers_are_asked_one_after_the_other(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.div_by_zero, 1)
    seeds.NOTES.clear()
    w = SimpleWorker([q], exception_handlers=[seeds.my_handler, move_to_failed_queue])
    with pytest.warns(DeprecationWarning, match="leave it out"):
        w.work(burst=True)
    assert [f"{queued.id}: ZeroDivisionError"] == seeds.NOTES
    assert queued.is_failed


def test_seed_004_a_handler_that_returns_false_is_the_last(connection: Redis) -> None:
    q = Queue(connection=connection)
    queued = q.enqueue(seeds.div_by_zero, 1)
    seeds.NOTES.clear()
    w = SimpleWorker([q], exception_handlers=[seeds.black_hole, seeds.my_handler])
    w.work(burst=True)
    assert seeds.NOTES == []
    assert queued.is_failed  # as in RQ 3.0: handlers tell, they don't decide


def test_seed_004_the_handler_that_moves_to_the_failed_queue_lets_others_go_on() -> None:
    with pytest.warns(DeprecationWarning, match="leave it out"):
        assert move_to_failed_queue(Job.create(seeds.add), ValueError, ValueError(), None)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("job", ["Job"]),
        ("decorators", ["job"]),
        ("worker", ["Worker", "SimpleWorker"]),
        ("queue", ["Queue"]),
        ("handlers", ["move_to_failed_queue"]),
        ("exceptions", ["NoSuchJobError"]),
        ("serializers", ["JSONSerializer"]),
        ("connections", ["Connection", "push_connection", "pop_connection"]),
    ],
)
def test_seeds_import_by_the_paths_of_rqs_modules(module: str, names: list[str]) -> None:
    """In a process of its own: ``workhorse.job`` is a module from then on, and a decorator."""
    program = (
        f"from workhorse.{module} import {', '.join(names)}\n"
        "import workhorse\n"
        f"assert all(callable(found) for found in ({', '.join(names)},))\n"
        f"assert set({names}) <= set(dir(__import__('workhorse.{module}').{module})) or "
        f"'{module}' == 'worker'\n"
        "@workhorse.job('low')\n"
        "def add(x, y): return x + y\n"
        "assert add(3, 4) == 7 and callable(add.delay)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_seed_004_tests_run_a_simple_worker(connection: Redis) -> None:
    queue = Queue(connection=connection)
    queued = queue.enqueue(seeds.add, 1, 2)
    worker = SimpleWorker([queue], connection=queue.connection)
    worker.work(burst=True)
    assert queued.is_finished


def test_seed_004_tests_run_a_job_at_once(connection: Redis) -> None:
    queue = Queue(is_async=False, connection=connection)
    queued = queue.enqueue(seeds.add, 1, 2)
    assert queued.is_finished
