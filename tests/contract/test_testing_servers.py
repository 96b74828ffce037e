"""A server for users' tests: all that the process sends goes there, and nothing is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import redis

from tests.support import shop
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import ConnectionChoiceError, Job, Queue, SimpleWorker, Worker, get_current_job
from workhorse.api.connection import link_to
from workhorse.api.cron import Cron
from workhorse.store.scratch import ScratchServer
from workhorse.testing import (
    NoTestServerError,
    ServerForTests,
    all_enqueued,
    clock,
    drain,
    run_job,
    server,
)

START = """
import os, signal, sys
from workhorse.testing import ServerForTests
server = ServerForTests()
print(server.connection.info()["process_id"], server.url, flush=True)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_queue_that_was_made_before_uses_the_server(on_server: ServerForTests) -> None:
    job = shop.mail.enqueue(shop.send, 1)
    assert shop.mail.connection is on_server.connection
    assert on_server.connection.exists(f"rq:job:{job.id}")


def test_a_decorated_function_uses_the_server(on_server: ServerForTests) -> None:
    job = shop.decorated.delay(1)
    assert on_server.connection.lrange("rq:queue:decorated", 0, -1) == [job.id.encode()]


@pytest.mark.usefixtures("on_server")
def test_cron_that_was_made_before_uses_the_server() -> None:
    assert shop.cron.add("hourly", shop.send, args=[1], interval=3600).name == "hourly"
    assert "hourly" in Cron()


@pytest.mark.usefixtures("on_server")
def test_a_worker_that_was_made_before_uses_the_server() -> None:
    shop.place(1)
    assert shop.worker.work(burst=True)
    assert shop.mail.count == 0


@pytest.mark.usefixtures("on_server")
def test_other_threads_use_the_server() -> None:
    thread = threading.Thread(target=shop.place, args=(1,))
    thread.start()
    thread.join()
    assert shop.mail.count == 1
    assert [job.args for job in all_enqueued()] == [(1,)]


@pytest.mark.usefixtures("on_server")
def test_what_is_put_on_a_pipeline_is_noted_and_runs_once_that_is_executed() -> None:
    with shop.mail.connection.pipeline() as pipeline:
        job = shop.mail.enqueue(shop.send, 1, pipeline=pipeline)
        assert (all_enqueued(), drain()) == ([job], [])
        pipeline.execute()
    assert drain() == [job]


@pytest.mark.usefixtures("on_server")
def test_jobs_and_workers_use_the_server_whatever_they_are_given() -> None:
    job_id = shop.place(1)
    assert Job.fetch(job_id, connection=shop.NOWHERE).is_queued
    assert SimpleWorker(["mail"], connection=shop.NOWHERE).work(burst=True)
    assert Job.fetch(job_id).return_value() == "receipt 1"
    assert Queue.all(shop.NOWHERE) == [shop.mail]


def test_a_worker_that_forks_uses_the_server() -> None:
    with server():
        job = shop.mail.enqueue(shop.know_thyself)
        assert Worker([shop.mail]).work(burst=True)
        job.refresh()
        assert job.meta == {"seen": True}


def test_a_queue_made_within_a_test_goes_where_it_was_to_go_after_it(
    embedded_for_tests: ServerForTests, client: redis.Redis, valkey_server: RunningServer
) -> None:
    with embedded_for_tests.used():
        lazily = Queue("lazily", connection=valkey_server.url)
        lazily.enqueue(shop.send, 1)
        assert client.keys() == []
    lazily.enqueue(shop.send, 2)
    assert client.llen("rq:queue:lazily") == 1


def test_a_connection_that_can_not_be_used_is_refused_in_a_test_too(
    on_server: ServerForTests,
) -> None:
    with pytest.raises(ConnectionChoiceError):
        Queue("q", connection=redis.Redis(decode_responses=True))
    assert on_server.connection.keys() == []


def test_servers_may_be_used_within_one_another(
    embedded_for_tests: ServerForTests, client: redis.Redis, valkey_server: RunningServer
) -> None:
    assert client.dbsize() == 0
    with embedded_for_tests.used():
        shop.place(1)
        with server(valkey_server.url):
            shop.place(2)
            assert client.llen("rq:queue:mail") == 1
            assert [job.args for job in all_enqueued()] == [(2,)]
        assert client.keys() == []
        assert [job.args for job in all_enqueued()] == [(1,)]


def test_each_use_begins_empty(embedded_for_tests: ServerForTests) -> None:
    for order in (1, 2):
        with embedded_for_tests.used():
            shop.place(order)
            assert shop.mail.count == 1
            assert [job.args for job in all_enqueued()] == [(order,)]


def test_a_database_that_holds_anything_is_refused_and_kept(
    client: redis.Redis, valkey_server: RunningServer
) -> None:
    client.set("precious", 1)
    with pytest.raises(NoTestServerError, match="has 1 keys, and tests would remove them"):
        ServerForTests(valkey_server.url)
    assert client.get("precious") == b"1"


def test_a_database_of_ones_own_is_empty_again(
    client: redis.Redis, valkey_server: RunningServer
) -> None:
    with server(valkey_server.url) as used:
        shop.place(1)
        assert used.url == valkey_server.url
        assert client.dbsize() > 0
    assert client.dbsize() == 0


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(NoTestServerError, match="localhost:1 does not answer"):
        ServerForTests(shop.NOWHERE)


@pytest.mark.parametrize(
    "use",
    [all_enqueued, drain, partial(run_job, shop.send, 1), partial(clock.advance, hours=1)],
    ids=["all_enqueued", "drain", "run_job", "advance"],
)
def test_a_tool_without_a_server_says_how_to_get_one(use: Callable[[], object]) -> None:
    with pytest.raises(NoTestServerError, match=r"with workhorse\.testing\.server\(\):"):
        use()


def test_nothing_is_redirected_after_a_test(embedded_for_tests: ServerForTests) -> None:
    with pytest.raises(ZeroDivisionError), embedded_for_tests.used():
        raise ZeroDivisionError
    assert link_to(shop.NOWHERE).store.client is not embedded_for_tests.connection
    assert get_current_job() is None


def test_a_server_leaves_nothing() -> None:
    scratch = ScratchServer()
    folder = Path(scratch.url.removeprefix("unix://")).parent
    assert folder.is_dir()
    scratch.stop()
    scratch.stop()
    assert not folder.exists()


@pytest.mark.parametrize("how", ["end", "die"])
def test_a_server_ends_with_its_process(how: str) -> None:
    python = [sys.executable, "-c", START, how]
    said = subprocess.run(python, capture_output=True, text=True, check=False, timeout=30)
    pid, url = said.stdout.split()
    wait_until(lambda: not _lives(int(pid)))
    folder = Path(url.removeprefix("unix://")).parent
    wait_until(lambda: not folder.exists())
    assert (said.returncode == 0) == (how == "end"), said.stderr


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc").is_dir()
    return state != "Z"


ABSENT = """
import importlib, sys
from importlib import metadata
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from workhorse.testing import NoTestServerError, server
try:
    server("fake").__enter__()
except NoTestServerError as error:
    print(error)
"""


NO_SERVER = """
from importlib import metadata
def absent(name):
    raise metadata.PackageNotFoundError(name)
metadata.files = absent
from workhorse.testing import NoTestServerError, inline, server
for use in (server, inline):
    try:
        use().__enter__()
    except NoTestServerError as error:
        print(error)
"""


def test_without_the_embedded_server_what_to_install_is_said() -> None:
    said = subprocess.run(
        [sys.executable, "-c", NO_SERVER], capture_output=True, text=True, check=True
    )
    first, second = said.stdout.splitlines()
    assert first == second
    assert 'pip install "workhorse[embedded]"' in first


@pytest.mark.parametrize("absent", ["fakeredis", "lupa"])
def test_without_fakeredis_a_fake_server_says_what_to_install(absent: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", ABSENT, absent], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip().endswith('pip install "fakeredis[lua]"')
