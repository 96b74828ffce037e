"""Each role does its work with the rights that docs/acl/workhorse.acl gives it, and no more."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from tests.support.servers import ROOT, RunningServer, started
from tests.support.waiting import wait_until
from workhorse import Cron, Queue, RateLimit, SimpleWorker, suspend
from workhorse.store import jobs
from workhorse.store.drivers import Store
from workhorse.store.server import server_binary
from workhorse.wire.keys import Keys

FILE = ROOT / "docs" / "acl" / "workhorse.acl"
PASSWORDS = dict(re.findall(r"^user (\S+) on >(\S+)", FILE.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningServer]:
    """A server that knows nobody but the users of the file, and one more that resets it."""
    folder = Path(tempfile.mkdtemp(prefix="workhorse-test-"))
    rules = FILE.read_text() + "user tester on >tests allcommands allkeys allchannels\n"
    # Whoever starts a server waits for its answer as the user `default`.
    rules = rules.replace("user default off", "user default on nopass -@all +ping")
    (folder / "users.acl").write_text(rules)
    try:
        with started(
            "valkey", server_binary(), folder, "--aclfile", str(folder / "users.acl")
        ) as server:
            with redis.Redis.from_url(url_of(server, "tester")) as client:
                client.acl_setuser("default", enabled=False)
            yield server
    finally:
        shutil.rmtree(folder)


def url_of(server: RunningServer, user: str) -> str:
    password = PASSWORDS.get(user, "tests")
    return f"unix://{quote(str(server.socket))}?username={user}&password={password}"


@pytest.fixture
def tester(guarded: RunningServer) -> Iterator[redis.Redis]:
    """A client that may do all, on an empty server whose log of refusals is empty."""
    with redis.Redis.from_url(url_of(guarded, "tester")) as client:
        client.flushall()
        client.execute_command("ACL", "LOG", "RESET")
        yield client


def refused(tester: redis.Redis) -> list[str]:
    """Return what users were refused since the log was reset."""
    entries: list[Any] = tester.execute_command("ACL", "LOG")  # type: ignore[no-untyped-call]
    told = [
        entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))
        for entry in entries
    ]
    return [f"{entry[b'username']!r}: {entry[b'object']!r}" for entry in told]


def test_the_oldest_server_takes_the_file(redis62: RunningServer) -> None:
    with redis62.client() as client:
        for line in FILE.read_text().splitlines()[1:]:
            name, *rules = line.removeprefix("user ").split()
            assert client.execute_command("ACL", "SETUSER", name, *rules) in {b"OK", True}
            client.acl_deluser(name)


def test_a_producer_enqueues_waits_and_cancels(
    guarded: RunningServer, tester: redis.Redis
) -> None:
    queue = Queue("q", url_of(guarded, "producer"))
    parent = queue.enqueue("math.sqrt", 4)
    child = queue.enqueue("math.sqrt", 9, depends_on=parent)
    queue.enqueue("math.sqrt", "x", job_id="bad", unique=True, meta={"a": 1}, job_tags=["eu"])
    queue.enqueue("math.sqrt", 1, rate_limit=RateLimit("shop", 1))
    queue.enqueue_in(60, "math.sqrt", 1).cancel()
    many = queue.enqueue_many([queue.prepare_data("math.sqrt", (1,)) for _ in range(3)])
    many[0].cancel()
    many[1].delete()
    SimpleWorker(["q"], connection=tester).work(burst=True)
    assert child.wait(10) == "finished"
    assert child.return_value() == 3.0
    bad = queue.fetch_job("bad")
    assert bad is not None
    assert "TypeError" in str(bad.latest_result())
    bad.requeue()
    bad.delete()
    assert refused(tester) == []
    queue.connection.close()


@pytest.mark.parametrize("role", ["producer", "viewer"])
def test_neither_a_producer_nor_a_viewer_runs_jobs_or_stops_others(
    guarded: RunningServer, tester: redis.Redis, role: str
) -> None:
    Queue("q", tester).enqueue("math.sqrt", 4)
    claim = jobs.claim(Keys(), ["q"], worker="w", token="t", count=1, lease=60)
    with redis.Redis.from_url(url_of(guarded, role)) as client:
        for attempt in (
            lambda: suspend(client),
            lambda: Store(client).run(claim),
            lambda: Cron(client).add("often", "math.sqrt", args=(4,), interval=60),
            client.flushall,
            lambda: client.keys("*"),
            lambda: client.config_get("*"),
            lambda: client.set("rq:worker:forged", 1),
            lambda: client.get("another:key"),
        ):
            with pytest.raises((redis.ResponseError, redis.exceptions.NoPermissionError)):
                attempt()
    assert Queue("q", tester).count == 1


def test_a_viewer_can_not_even_enqueue(guarded: RunningServer, tester: redis.Redis) -> None:
    queue = Queue("q", url_of(guarded, "viewer"))
    with pytest.raises(redis.RedisError):
        queue.enqueue("math.sqrt", 4)
    assert tester.keys() == []
    queue.connection.close()


def test_a_supervisor_and_its_workers_have_all_that_they_need(
    guarded: RunningServer, tester: redis.Redis
) -> None:
    queue = Queue("q", tester)
    well = [queue.enqueue("math.sqrt", number) for number in range(5)]
    failing = queue.enqueue("math.sqrt", "x")
    with subprocess.Popen(
        [
            sys.executable, "-m", "workhorse.cli", "worker", "q", "-n", "2",
            "--url", url_of(guarded, "worker"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as supervisor:  # fmt: skip
        try:
            assert [job.wait(20) for job in well] == ["finished"] * 5
            assert failing.wait(20) == "failed"
            wait_until(lambda: tester.exists("rq:history"))
        finally:
            supervisor.terminate()
            said = supervisor.communicate(timeout=30)[0]
    assert supervisor.returncode == 0, said
    assert refused(tester) == [], said


def test_a_worker_reaches_nothing_but_its_own_keys(
    guarded: RunningServer, tester: redis.Redis
) -> None:
    tester.set("another:key", 1)
    with redis.Redis.from_url(url_of(guarded, "worker")) as client:
        for attempt in (
            client.flushall,
            client.flushdb,
            lambda: client.keys("*"),
            lambda: client.config_get("*"),
            lambda: client.get("another:key"),
            lambda: client.publish("another:channel", "x"),
            lambda: client.execute_command("FUNCTION", "LIST"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                attempt()


def fill(tester: redis.Redis) -> None:
    queue = Queue("q", tester)
    queue.enqueue("math.sqrt", "x", job_id="failed")
    SimpleWorker([queue], connection=tester).work(burst=True)
    queue.enqueue("math.sqrt", 4, job_id="queued")
    queue.enqueue_in(600, "math.sqrt", 4, job_id="scheduled")
    Cron(tester).add("yearly", "math.sqrt", args=(4,), cron="0 0 1 1 *")


@pytest.mark.parametrize(("role", "read_only"), [("dashboard", False), ("viewer", True)])
def test_a_dashboard_shows_every_screen_with_the_rights_of_its_role(
    guarded: RunningServer, tester: redis.Redis, role: str, *, read_only: bool
) -> None:
    pytest.importorskip("starlette")
    import httpx  # noqa: PLC0415 - an extra, which may be absent

    from tests.support.sites import serving  # noqa: PLC0415 - the same
    from workhorse.dashboard import Dashboard  # noqa: PLC0415 - the same
    from workhorse.dashboard.screens import SCREENS  # noqa: PLC0415 - the same

    fill(tester)
    names = {
        "queue": "q",
        "state": "failed",
        "job_id": "failed",
        "cause": tester.zrange("rq:causes", 0, 0)[0].decode(),  # type: ignore[union-attr]
        "entry": "yearly",
    }
    app = Dashboard(url_of(guarded, role), read_only=read_only)
    with serving(app) as site, httpx.Client(base_url=site.url) as browser:
        statuses = {}
        for address in SCREENS:
            path = re.sub(r"\{(\w+)(:\w+)?\}", lambda hole: names.get(hole[1], "x"), address)
            statuses[path] = browser.get(path).status_code
        missing = {path: status for path, status in statuses.items() if status not in {200, 404}}
        assert missing == {}, json.dumps(statuses)
    assert refused(tester) == []
