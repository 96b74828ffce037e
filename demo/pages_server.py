"""Serves the folder ``pages`` on loopback, about as fast as a site elsewhere would."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parent / "pages"
FLAKY = "sonnet-18.txt"
"""Not there the first time that somebody asks for it, as happens on the internet."""

_asked: set[str] = set()


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer after a moment; once with an error."""
        time.sleep(0.15)
        if self.path.endswith(FLAKY) and FLAKY not in _asked:
            _asked.add(FLAKY)
            self.send_error(503, "Come back later")
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the demo's own output is to be read."""


@contextmanager
def serving() -> Generator[list[str]]:
    """Serve within the block; yields the URL of each page."""
    handler = partial(_Handler, directory=str(PAGES))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield [f"{address}/{page.name}" for page in sorted(PAGES.iterdir())]
        server.shutdown()
