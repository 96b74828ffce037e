"""Pages that are kept new while people look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.support.fleet import Fleet
from tests.support.servers import started
from tests.support.sites import Site, serving
from tests.support.waiting import wait_until
from workhorse import Queue
from workhorse.dashboard import Dashboard
from workhorse.store.server import server_binary

pytestmark = pytest.mark.timeout(90)

LIVE = "#live[data-state=on]"


def test_what_happens_is_on_the_page_within_a_second(
    client: redis.Redis, fleet: Fleet, look: Look, site: Site
) -> None:
    queue = Queue("q", connection=client)
    fleet.start_and_wait()
    assert queue.enqueue("tests.support.jobs.nothing").wait(timeout=20) == "finished"
    page = look(site, "/queues")
    page.wait_for_selector(LIVE)
    took = []
    for number in range(1, 4):
        assert queue.enqueue("tests.support.jobs.fail", "x").wait(timeout=20) == "failed"
        began = time.monotonic()
        page.locator("#queue-q .bad", has_text=str(number)).wait_for()
        took.append(time.monotonic() - began)
    assert min(took) < 1, took


def test_typed_text_open_details_focus_and_scroll_survive_a_new_page(
    client: redis.Redis, look: Look, site: Site
) -> None:
    for number in range(60):
        Queue(f"queue-{number:02d}", connection=client).enqueue("os.getcwd")
    page = look(site, "/queues")
    page.wait_for_selector(LIVE)
    page.fill("main input[name=name]", "half a wo")
    page.evaluate("scrollTo(0, 300)")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    page.focus("main input[name=name]")
    top = page.evaluate("scrollY")
    Queue("queue-00", connection=client).enqueue("os.getcwd")
    page.locator("#queue-queue-00 td", has_text="2").first.wait_for(state="attached")
    assert page.input_value("main input[name=name]") == "half a wo"
    assert page.evaluate("document.activeElement.name") == "name"
    assert page.evaluate("scrollY") == top


def test_many_browsers_cost_one_reader_and_one_reading_of_a_page(
    client: redis.Redis, look: Look, serve: Callable[..., Site]
) -> None:
    queue = Queue("q", connection=client)
    queue.enqueue("os.getcwd")
    site = serve()
    pages = [look(site, "/queues") for _ in range(4)]
    for page in pages:
        page.wait_for_selector(LIVE)
    threads = [each for each in threading.enumerate() if each.name == "workhorse-live"]
    assert len(threads) == 1
    before = scripts_run(client)
    queue.enqueue("os.getcwd")
    for page in pages:
        page.locator("#queue-q td", has_text="2").first.wait_for()
    watched = scripts_run(client) - before
    assert watched < 20, watched  # the page itself takes a few; asked for by each, four times that
    for page in pages:
        page.close()
    wait_until(lambda: not any(each.name == "workhorse-live" for each in threading.enumerate()))


def scripts_run(client: redis.Redis) -> int:
    stats = client.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))


def test_a_hidden_page_is_not_kept_new_and_is_once_it_is_seen_again(
    client: redis.Redis, look: Look, site: Site
) -> None:
    queue = Queue("q", connection=client)
    queue.enqueue("os.getcwd")
    page = look(site, "/queues")
    page.wait_for_selector(LIVE)
    hide(page, is_hidden=True)
    expect(page.locator("#live")).to_have_text("Paused")
    wait_until(lambda: site.app._live.listeners == 0)  # noqa: SLF001 - nothing else says it
    queue.enqueue("os.getcwd")
    hide(page, is_hidden=False)
    page.locator("#queue-q td", has_text="2").first.wait_for()


def hide(page: Page, *, is_hidden: bool) -> None:
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def test_a_page_says_that_the_server_is_away_and_recovers(look: Look) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        first = stack.enter_context(ExitStack())
        server = first.enter_context(started("away", server_binary(), folder))
        client = stack.enter_context(server.client())
        Queue("q", connection=client).enqueue("os.getcwd")
        site = stack.enter_context(serving(Dashboard(client)))
        page = look(site, "/queues")
        stack.callback(page.close)
        page.wait_for_selector(LIVE)
        first.close()
        expect(page.locator("#away")).to_contain_text("The server does not answer")
        assert page.locator("#queue-q").count() == 1
        stack.enter_context(started("away", server_binary(), folder))
        expect(page.locator("#away")).to_have_count(0)
        expect(page.locator("main")).to_contain_text("No queue was used yet")


def test_buttons_work_while_a_page_is_renewed(client: redis.Redis, look: Look, site: Site) -> None:
    Queue("mail", connection=client).enqueue("os.getcwd")
    page = look(site, "/queues")
    renewed = "document.querySelector('main').classList.add('htmx-request')"  # as htmx marks it
    of_button = "getComputedStyle(document.querySelector('main form button')).pointerEvents"
    assert page.evaluate(f"{renewed}, {of_button}") == "auto"
