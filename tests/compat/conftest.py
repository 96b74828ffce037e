"""RQ 3.0.0 beside us, on one server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compat.rq_environment import NoRQError, rq_python
from tests.compat.sides import RQSide
from tests.support.servers import RunningServer


@pytest.fixture(scope="session")
def python_of_rq() -> Path:
    """The Python that has RQ."""
    try:
        return rq_python()
    except NoRQError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def rq_on(python_of_rq: Path) -> Iterator[Callable[[RunningServer], RQSide]]:
    """RQ on a given server: one process for each, for the whole test run."""
    sides: dict[str, RQSide] = {}

    def on(server: RunningServer) -> RQSide:
        if server.url not in sides:
            sides[server.url] = RQSide(python_of_rq, server.url)
        return sides[server.url]

    yield on
    for side in sides.values():
        side.close()


@pytest.fixture
def rq(
    rq_on: Callable[[RunningServer], RQSide], valkey_server: RunningServer, server_socket: Path
) -> RQSide:
    """RQ on the empty Valkey that `client` talks to."""
    assert server_socket == valkey_server.socket
    return rq_on(valkey_server)
