"""Dashboards for tests, each on a free port of this machine, in a thread of its own."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from tests.support.waiting import wait_until

pytest.importorskip("uvicorn", reason="the extras are not installed")  # pytest looks for examples

import httpx
import uvicorn


@dataclass(frozen=True, slots=True)
class Site:
    """A dashboard, or an application that has one, that answers."""

    url: str
    """Without a slash at its end."""
    app: Any


class _WithoutServer(httpx.BaseTransport):
    """Asks an ASGI application, each request in an event loop of its own."""

    def __init__(self, app: Any, address: str) -> None:
        self._inner = httpx.ASGITransport(app, client=(address, 50000))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


def browser_of(app: Any, *, address: str = "127.0.0.1", **options: Any) -> httpx.Client:
    """Return what asks *app* as a browser on its machine does, without a server between them."""
    transport = _WithoutServer(app, address)
    return httpx.Client(transport=transport, base_url="http://localhost", **options)


def form_token(browser: httpx.Client, path: str = "/queues") -> str:
    """Return the token of the forms of a page."""
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get(path).text)
    assert found, f"{path} has no form"
    return found[1]


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


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


@contextmanager
def serving_wsgi(app: Any) -> Iterator[str]:
    """Serve a WSGI application, as one process of a host application does."""
    server = make_server("127.0.0.1", 0, app, WSGIServer, _Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
