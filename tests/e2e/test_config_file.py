"""``-c settings``, as seed 004 shows it: the worker and other commands read a module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.support.sentinels import SERVICE, watched
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import Queue
from workhorse.store.server import server_binary

WORKHORSE = Path(sys.executable).parent / "workhorse"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `tasks.py`, to be in. The environment names a server that is not there."""
    (tmp_path / "tasks.py").write_text("def add(a, b=0):\n    return a + b\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    return tmp_path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(WORKHORSE), *words], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_worker_is_told_its_server_its_queues_and_its_name(
    folder: Path, client: redis.Redis, valkey_server: RunningServer
) -> None:
    (folder / "settings.py").write_text(
        f"REDIS_URL = {valkey_server.url!r}\n"
        "QUEUES = ['high', 'normal', 'low']\n"
        "SENTRY_DSN = 'sync+http://public:secret@example.com/1'\n"
        "NAME = 'worker-1024'\n"
    )
    job = Queue("low", client).enqueue("tasks.add", 1, 2)
    done = run("worker", "-c", "settings", "--burst")
    assert job.return_value() == 3
    assert str(job.results()[0].worker_name).startswith("worker-1024")
    assert "(settings)" in done.stdout
    assert "SENTRY_DSN in settings is no longer read" in done.stdout + done.stderr
    assert "public:secret" not in done.stdout + done.stderr


def test_what_is_said_in_the_command_counts_more(
    folder: Path, client: redis.Redis, valkey_server: RunningServer
) -> None:
    (folder / "settings.py").write_text("REDIS_HOST = 'nowhere.invalid'\nQUEUES = ['other']\n")
    job = Queue("low", client).enqueue("tasks.add", 1, 2)
    run("worker", "-c", "settings", "--url", valkey_server.url, "--burst", "low")
    assert job.is_finished


def test_enqueue_and_info_read_it_too_and_it_may_be_in_rqs_variable(
    folder: Path,
    client: redis.Redis,
    valkey_server: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "settings.py").write_text(f"REDIS_URL = {valkey_server.url!r}\n")
    run("enqueue", "-c", "settings", "tasks.add", ":1")
    assert client.llen("rq:queue:default") == 1
    monkeypatch.setenv("RQ_CONFIG", "settings")
    assert "queue default 1, 0 executing" in run("info", "--raw").stdout


def test_its_log_is_set_up_by_a_dictionary(
    folder: Path, client: redis.Redis, valkey_server: RunningServer
) -> None:
    (folder / "settings.py").write_text(
        f"REDIS_URL = {valkey_server.url!r}\n"
        "DICT_CONFIG = {'version': 1, 'disable_existing_loggers': False,\n"
        "    'handlers': {'file': {'class': 'logging.FileHandler', 'filename': 'worker.log'}},\n"
        "    'root': {'handlers': ['file'], 'level': 'INFO'}}\n"
    )
    job = Queue("default", client).enqueue("tasks.add", 1, 2)
    run("worker", "-c", "settings", "--burst")
    wait_until(lambda: job.id in (folder / "worker.log").read_text())


def test_sentinels_say_where_the_primary_is(folder: Path) -> None:
    with watched(server_binary()) as group:
        instances = [("127.0.0.1", port) for port in group.sentinels]
        (folder / "settings.py").write_text(
            f"SENTINEL = {{'INSTANCES': {instances!r}, 'MASTER_NAME': {SERVICE!r}}}\n"
        )
        run("enqueue", "-c", "settings", "tasks.add", ":1", ":2", "--job-id", "sum")
        done = run("worker", "-c", "settings", "--burst", "-n", "2")
        client = group.client()
        assert client.hget("rq:job:sum", "status") == b"finished"
        assert f"the primary of {SERVICE!r}" in done.stdout
        client.close()
