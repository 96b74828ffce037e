"""Dashboards for tests, each on a free port of this machine, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Site:
    """A dashboard, or an application that has one, that answers."""

    url: str
    """Without a slash at its end."""
    app: Any


@contextmanager
def serving(app: Any, path: str = "", **options: Any) -> Iterator[Site]:
    """Serve an ASGI application; *path* is where in it the dashboard is."""
    config = uvicorn.Config(
        app, port=0, log_level="warning", ws="none", timeout_graceful_shutdown=5, **options
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="site")
    thread.start()
    try:
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}{path}", app)
    finally:
        close = getattr(app, "close", None)  # a dashboard's streams, which a server waits for
        if close:
            close()
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive(), "the dashboard did not end"
