"""A nursery of supervisors, and lives that use it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.fault.troubles import Restartable
from tests.support import fleet as fleets
from tests.support.faults import Life, Nursery, load_scripts
from tests.support.fleet import Fleet
from workhorse import Queue

collect_ignore_glob = ["modules/*"]  # what can't be imported, for jobs

NewLife = Callable[[], Life]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def new_life(server_socket: Path, nursery: Nursery) -> Iterator[NewLife]:
    """Makes lives beside each other on one server; each ends by its `with`, or with the test.

    The server knows all scripts: a first call that it asks for again in full is no call yet,
    and what a test loses then would be nothing.
    """
    numbers = count(1)
    with redis.Redis(unix_socket_path=str(server_socket)) as client:
        load_scripts(client)
    with ExitStack() as stack:
        del stack
        yield lambda: Life(server_socket, nursery, f"life{next(numbers)}")


@pytest.fixture
def life(new_life: NewLife) -> Iterator[Life]:
    with new_life() as life:
        yield life


@pytest.fixture
def queue(life: Life, environment_of_its_own: pytest.MonkeyPatch) -> Iterator[Queue]:
    """A life's queue as a program has it whose client sends nothing again."""
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    retry = ClientRetry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path=str(life.proxy.socket), retry=retry) as client:
        yield Queue("q", connection=client)


@pytest.fixture
def own_server() -> Iterator[Restartable]:
    with tempfile.TemporaryDirectory(prefix="workhorse-test-") as folder:
        server = Restartable(Path(folder))
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def own_life(own_server: Restartable, nursery: Nursery) -> Iterator[Life]:
    with Life(own_server.socket, nursery, "own") as life:
        yield life


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)
