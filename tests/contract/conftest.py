"""Lives of jobs on real servers."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
import redis

from tests.support.lives import Life
from workhorse.testing import ServerForTests


@pytest.fixture
def life(client: redis.Redis) -> Life:
    """An empty Valkey."""
    return Life(client)


@pytest.fixture
def every_life(every_client: redis.Redis) -> Life:
    """Each server that we support in turn, empty."""
    return Life(every_client)


@pytest.fixture(scope="session")
def embedded_for_tests() -> Iterator[ServerForTests]:
    """A Valkey in a temporary folder, as users' tests have it."""
    server = ServerForTests()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def fake_for_tests() -> Iterator[ServerForTests]:
    """What fakeredis pretends. Skipped where it is not installed; CI must have it."""
    if importlib.util.find_spec("fakeredis") is None:
        if os.environ.get("CI"):
            pytest.fail("fakeredis is not installed")
        pytest.skip("fakeredis is not installed")
    server = ServerForTests("fake")
    yield server
    server.stop()


@pytest.fixture(params=["embedded_for_tests", "fake_for_tests"])
def on_server(request: pytest.FixtureRequest) -> Iterator[ServerForTests]:
    """Each kind of server for users' tests in turn, empty, in use by all queues."""
    server: ServerForTests = request.getfixturevalue(request.param)
    with server.used():
        yield server
