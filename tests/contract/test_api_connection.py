"""Which server the API talks to: a client, a URL, or the process's default."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator

import pytest
import redis

from tests.support import calls
from tests.support.api import dump, run
from tests.support.servers import RunningServer
from workhorse import Job, Queue, SimpleWorker, Worker, cancel_job, job
from workhorse.api import connection


@pytest.fixture
def default(
    valkey_server: RunningServer,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[redis.Redis]:
    """A process that has not chosen its server yet, and would choose the client's."""
    monkeypatch.setattr(connection, "_stores", {})
    monkeypatch.setenv("WORKHORSE_URL", valkey_server.url)
    yield client
    for store in connection._stores.values():  # noqa: SLF001
        connection.client_of(store).close()


def test_everything_takes_a_url(valkey_server: RunningServer, client: redis.Redis) -> None:
    url = valkey_server.url
    queued = Queue("low", url).enqueue(calls.add, 1, 2)
    assert Job.fetch(queued.id, url) == queued
    assert Job.exists(queued.id, connection=url)
    assert Job.fetch_many([queued.id], url) == [queued]
    assert Queue.all(url) == [Queue("low", client)]
    assert SimpleWorker("low", connection=url).work(burst=True)
    assert Worker.all(url) == []
    assert Queue("low", client).fetch_job(queued.id) is not None
    other = Queue("low", url).enqueue(calls.add)
    cancel_job(other.id, url)
    assert other.is_canceled


def test_one_url_is_one_client_in_a_process(valkey_server: RunningServer) -> None:
    clients = [Queue(name, valkey_server.url).connection for name in "abc"]
    assert clients[0] is clients[1] is clients[2]


def test_without_a_connection_everything_uses_the_default(default: redis.Redis) -> None:
    queued = Queue("low").enqueue(calls.add, 1, 2)
    decorated = job("low")(calls.add).delay(3)
    made = Queue("low").enqueue_job(Job.create(calls.add, (5,)))
    assert Queue("low", default).jobs == [queued, decorated, made]
    assert Job.fetch(queued.id) == queued
    assert SimpleWorker(["low"]).work(burst=True)
    assert [j.return_value() for j in (queued, decorated, made)] == [3, 3, 5]
    assert Worker.all() == []
    assert Queue.all() == [Queue("low")]


def test_the_default_is_chosen_once_and_told(
    default: redis.Redis, valkey_server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="workhorse"):
        Queue("low").enqueue(calls.add)
        os.environ["WORKHORSE_URL"] = "redis://localhost:1"  # too late; the fixture restores it
        Queue("low").enqueue(calls.add)
    assert caplog.text.count(f"using {valkey_server.url} (WORKHORSE_URL)") == 1
    assert len(Queue("low", default)) == 2


def test_threads_find_one_default(default: redis.Redis) -> None:
    queue = Queue("low")
    barrier = threading.Barrier(8)
    clients: list[object] = []

    def enqueue() -> None:
        barrier.wait()
        queue.enqueue(calls.add)
        clients.append(queue.connection)

    threads = [threading.Thread(target=enqueue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Queue("low", default)) == 8
    assert len({id(found) for found in clients}) == 1


def test_a_fork_goes_on_with_connections_of_its_own(default: redis.Redis) -> None:
    """A web server that forks after the application was made, as gunicorn does."""
    queues = [Queue("low"), Queue("low", default)]
    for queue in queues:
        queue.enqueue(calls.add)
    children = [fork_and_enqueue(queues, 50) for _ in range(3)]
    for queue in queues:
        for _ in range(50):
            queue.enqueue(calls.add)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0, 0]
    assert len(queues[0]) == 2 + 2 * 50 * 4


def fork_and_enqueue(queues: list[Queue], times: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for queue in queues:
            for number in range(times):
                queued = queue.enqueue(calls.add, number)
                code = int(queued.get_status() != "queued")
    finally:
        os._exit(code)


def test_a_client_of_valkey_py_will_do(client: redis.Redis, valkey_server: RunningServer) -> None:
    valkey = pytest.importorskip("valkey")
    with valkey.Valkey(unix_socket_path=str(valkey_server.socket)) as other:
        queue = Queue("low", connection=other)
        queued = queue.enqueue(calls.save_progress, 40)
        many = queue.enqueue_many([Queue.prepare_data(calls.add, (n,)) for n in range(450)])
        client.script_flush()  # a server that was started again
        again = queue.enqueue_many([Queue.prepare_data(calls.add, (n,)) for n in range(450)])
        client.script_flush()
        assert queue.jobs == [queued, *many, *again]
        assert SimpleWorker([queue]).work(burst=True)
        assert queued.wait(0) == "finished"
        assert queued.return_value() == 40
        assert again[7].return_value() == 7
        failed = queue.enqueue(calls.fail)
        assert Worker([queue]).work(burst=True)
        assert failed.is_failed


def test_keys_have_the_prefix_that_rq_reads(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RQ_KEY_PREFIX", "shop")
    queue = Queue("low", client)
    queued = queue.enqueue(calls.add, 1, 2)
    assert queue.key == "shop:queue:low"
    assert set(dump(client)) == {
        key.encode() for key in ("shop:queues", queue.key, "shop:bell:low", queued.key)
    }
    run(queue)
    assert queued.return_value() == 3
