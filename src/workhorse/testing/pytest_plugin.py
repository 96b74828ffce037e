"""Fixtures for pytest, which finds them by itself. Nothing is begun before one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from workhorse.api.queue import Queue
    from workhorse.testing import Clock, ServerForTests


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting ``workhorse_server``."""
    parser.addini(
        "workhorse_server",
        "what workhorse's fixtures use: embedded (a Valkey in a temporary folder), fake "
        "(fakeredis), or the URL of an empty database",
        default="embedded",
    )


@pytest.fixture(scope="session")
def workhorse_server(request: pytest.FixtureRequest) -> Iterator[ServerForTests]:
    """A server for the tests of this process; nothing uses it by this fixture alone."""
    from workhorse.testing.servers import ServerForTests  # noqa: PLC0415 - only where it is asked

    server = ServerForTests(request.config.getini("workhorse_server"))
    yield server
    server.stop()


@pytest.fixture
def workhorse_connection(workhorse_server: ServerForTests) -> Iterator[Any]:
    """A client of the server, empty, which all queues, jobs and workers use during the test."""
    with workhorse_server.used():
        yield workhorse_server.connection


@pytest.fixture
def workhorse_queue(workhorse_connection: Any) -> Queue:
    """The queue "default" there."""
    from workhorse.api.queue import Queue  # noqa: PLC0415 - only where it is asked for

    return Queue(connection=workhorse_connection)


@pytest.fixture
def workhorse_inline(workhorse_connection: Any) -> Iterator[None]:
    """Jobs run at once, in all queues, during the test."""
    from workhorse.testing.inlining import inline  # noqa: PLC0415 - only where it is asked for

    del workhorse_connection
    with inline():
        yield


@pytest.fixture
def workhorse_clock(workhorse_connection: Any) -> Clock:
    """A clock that can be moved: ``workhorse_clock.advance(hours=1)``."""
    from workhorse.testing.time_travel import clock  # noqa: PLC0415 - only where it is asked for

    del workhorse_connection
    return clock
