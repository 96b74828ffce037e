"""The servers that tests run on, and an environment that nothing of this machine reaches into."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
import redis

from tests.support import servers
from tests.support.servers import RunningServer
from workhorse.store.server import EmbeddedServer, server_binary

SLOW = re.compile(r"^tests/(contract|fault|browser)/")
"""Tests that need a server: most of the time."""

SETTINGS = ("WORKHORSE_URL", "RQ_REDIS_URL", "REDIS_URL", "REDIS_HOST", "REDIS_PORT", "RQ_CONFIG")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--one-in",
        metavar="N:SEED",
        help="of the tests that need a server, run one in N, drawn by SEED",
    )

    parser.addoption("--part", metavar="N/M", help="run part N of M; a module is in one of them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    drawn: str | None = config.getoption("--one-in")
    part: str | None = config.getoption("--part")
    left: list[pytest.Item] = []
    if drawn:
        share, _, seed = drawn.partition(":")
        left = [
            item
            for item in items
            if SLOW.search(item.nodeid) and crc32(f"{seed}{item.nodeid}".encode()) % int(share)
        ]
    if part:
        number, _, parts = part.partition("/")
        modules = sorted({item.path for item in items})
        others = {path for n, path in enumerate(modules) if n % int(parts) != int(number) - 1}
        left += [item for item in items if item.path in others]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


@pytest.fixture(autouse=True)
def _our_log_as_it_was() -> Iterator[None]:
    """What a worker in the tests' own process sets up for its log does not outlive the test.

    Before each test, not after: a fixture of many tests may have run a worker.
    """
    log = logging.getLogger("workhorse")
    log.handlers[:], log.level, log.propagate = [], logging.NOTSET, True
    yield
    log.handlers[:], log.level, log.propagate = [], logging.NOTSET, True


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RunningServer]:
    """The server of the extra `embedded`: Valkey 9."""
    with servers.running("valkey", server_binary()) as server:
        yield server


@pytest.fixture(scope="session")
def redis62() -> Iterator[RunningServer]:
    """The oldest server that we support."""
    if not servers.REDIS62.exists():
        pytest.fail(f"{servers.REDIS62} is missing: run the tests by `make test`")
    with servers.running("redis62", servers.REDIS62) as server:
        yield server


@pytest.fixture(scope="session")
def redis70() -> Iterator[RunningServer]:
    """What Debian has. Skipped where PATH has no redis-server 7.x; CI must have one."""
    binary = servers.find_redis7()
    if binary is None:
        absent = "no redis-server 7.x on PATH"
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
    with servers.running("redis70", binary) as server:
        yield server


@pytest.fixture
def server_socket(valkey_server: RunningServer) -> Path:
    """The unix socket of an empty Valkey."""
    _empty(valkey_server)
    return valkey_server.socket


@pytest.fixture
def client(valkey_server: RunningServer) -> Iterator[redis.Redis]:
    """A connection to an empty Valkey."""
    yield from _client_of_empty(valkey_server)


@pytest.fixture(params=["valkey_server", "redis62", "redis70"])
def every_server(request: pytest.FixtureRequest) -> RunningServer:
    """Each server that we support in turn, empty."""
    server: RunningServer = request.getfixturevalue(request.param)
    _empty(server)
    return server


@pytest.fixture
def every_client(every_server: RunningServer) -> Iterator[redis.Redis]:
    """A connection to each server that we support in turn, empty."""
    yield from _client_of_empty(every_server)


@pytest.fixture(autouse=True)
def environment_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[pytest.MonkeyPatch]:
    """No server's address from outside; an embedded server that a test starts ends with it."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "workhorse-data"
    monkeypatch.setenv("WORKHORSE_DATA_DIR", str(folder))
    yield monkeypatch
    if folder.exists():
        EmbeddedServer(folder).stop()


def _empty(server: RunningServer) -> None:
    with server.client() as client:
        client.flushall()


def _client_of_empty(server: RunningServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        client.flushall()
        yield client
