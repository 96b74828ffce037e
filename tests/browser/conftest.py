"""Chromium, a dashboard for it to look at, and workers. A page that complains fails its test.

How a test is written: ``test_pages.py`` beside this file. ``page`` is a page of a dashboard of an
empty server; ``serve(read_only=True)`` starts another dashboard of that server, and ``look(site)``
opens a page of it, in a context of its own (as another person would have it).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.support.fleet import Fleet, of_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

    from tests.support.sites import Site

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

collect_ignore_glob: list[str] = []
if find_spec("playwright") is None or find_spec("starlette") is None:
    collect_ignore_glob.append("test_*.py")  # the Pythons that have no extras


@dataclass
class Complaints:
    """What a page complained of: errors in its console, broken policies, requests that failed."""

    found: list[str] = field(default_factory=list[str])
    expected: list[str] = field(default_factory=list[str])
    """Words of what the test provokes: ``look.complaints(page).expected.append("403")``."""

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("requestfailed", self._failed)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            where = message.location.get("url", "")
            self.found.append(f"console: {message.text} ({where})")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a person leaves behind by going on
            self.found.append(f"request: {request.method} {request.url}: {request.failure}")

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.found if not any(word in text for word in self.expected)]


@dataclass
class Look:
    """Opens pages, and knows what they complained of."""

    browser: Browser
    stack: ExitStack
    opened: list[tuple[Page, Complaints]] = field(default_factory=list["tuple[Page, Complaints]"])

    def __call__(self, site: Site, path: str = "/", **options: Any) -> Page:
        """Open a page in a context of its own; *options* are those of ``Browser.new_context``."""
        context = self.browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, **options}
        )
        self.stack.callback(context.close)
        context.set_default_timeout(10_000)
        page = context.new_page()
        complaints = Complaints()
        complaints.watch(page)
        self.opened.append((page, complaints))
        page.goto(f"{site.url}{path}")
        return page

    def complaints(self, page: Page) -> Complaints:
        """Return what *page* complained of, to say what is expected."""
        return next(complaints for one, complaints in self.opened if one is page)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests. Skipped where Debian's is not installed; CI must have it.

    Of the package, not the session: while it runs, no other test could start an event loop.
    """
    if not CHROMIUM.exists():
        absent = f"{CHROMIUM} is not installed (Debian's package chromium)"
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415

    expect.set_options(timeout=10_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def serve(client: redis.Redis) -> Iterator[Callable[..., Site]]:
    """Start a dashboard of the test's server, with options of ``Dashboard``."""
    from tests.support.sites import serving  # noqa: PLC0415
    from workhorse.dashboard import Dashboard  # noqa: PLC0415

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(serving(Dashboard(client, **options)))


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    """A dashboard of the test's server, whose users are all admins."""
    return serve()


@pytest.fixture
def look(chromium: Browser, serve: Callable[..., Site]) -> Iterator[Look]:
    """Open a page: ``look(site, "/queues")``. What it complains of fails the test."""
    del serve  # pages are closed before what they show ends
    with ExitStack() as stack:
        found = Look(chromium, stack)
        yield found
    assert [text for _, complaints in found.opened for text in complaints.unexpected] == []


@pytest.fixture
def page(look: Look, site: Site) -> Page:
    """The first page of ``site``."""
    return look(site)


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    """Workers, as processes, on the test's server: ``fleet.start()``."""
    yield from of_server(server_socket)
