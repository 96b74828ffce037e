"""The overview in a browser: what is wrong, how much there is, and charts of what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.support.fleet import Fleet
from tests.support.sites import Site
from workhorse import Queue
from workhorse.store import history, pauses
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

pytestmark = pytest.mark.timeout(90)


def test_the_overview_of_an_empty_server_says_what_to_do(page: Page) -> None:
    main = page.locator("main")
    expect(main).to_contain_text("No queue was used yet")
    expect(main).to_contain_text("workhorse enqueue math.sqrt 2")
    expect(page.locator("#chart-rates")).to_contain_text("Nothing is known of this time yet")
    expect(page.locator(".alert")).to_have_count(0)


def test_the_overview_says_what_is_wrong_and_a_button_mends_it(
    client: redis.Redis, page: Page
) -> None:
    mail, late = Queue("mail", connection=client), Queue("late", connection=client)
    mail.enqueue("tests.support.jobs.nothing")
    paused = Queue("paused", connection=client)
    paused.enqueue("tests.support.jobs.nothing")
    paused.pause(3600)
    job = late.enqueue_in(timedelta(hours=1), "tests.support.jobs.nothing")
    client.zadd("rq:scheduled:late", {job.id: time.time() - 300})
    Store(client).run(pauses.suspend(Keys()))
    alerts = page.locator(".alert")
    expect(alerts).to_have_count(4)
    expect(alerts.nth(0)).to_contain_text("All work is suspended")
    expect(alerts.nth(1)).to_contain_text("No worker mail: one job waits")
    expect(alerts.nth(1).locator("code")).to_have_text("workhorse worker mail")
    expect(alerts.nth(2)).to_contain_text("Scheduled jobs are overdue late: by 5m")
    expect(alerts.nth(3)).to_contain_text("Paused paused: for another 59m")
    alerts.nth(0).get_by_role("button", name="Resume all work").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed work.")
    expect(alerts).to_have_count(3)
    alerts.nth(2).get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed paused.")
    expect(alerts.nth(1)).to_contain_text("No worker paused")


def test_numbers_follow_what_workers_do(client: redis.Redis, page: Page, fleet: Fleet) -> None:
    queue = Queue("mail", connection=client)
    for _ in range(3):
        queue.enqueue("tests.support.jobs.nothing")
    waiting = page.locator(".numbers > *").filter(has_text="Waiting")
    expect(waiting.locator(".value")).to_have_text("3")
    expect(page.locator("#queue-mail")).to_contain_text("no worker")
    fleet.start_and_wait(queues=("mail",))
    expect(waiting.locator(".value")).to_have_text("0")
    expect(page.locator(".numbers")).to_contain_text("0 busy, 1 idle")
    expect(page.locator("#queue-mail")).not_to_contain_text("no worker")


def test_charts_draw_the_history_in_each_theme(
    client: redis.Redis, site: Site, look: Look
) -> None:
    queue, store, keys = Queue("mail", connection=client), Store(client), Keys()
    now = time.time()
    for back in (40, 30, 20, 10, 0):
        queue.enqueue("tests.support.jobs.nothing")
        store.run(history.sample(keys, holder="test", at=now - back))
    page = look(site, "/", color_scheme="dark")
    expect(page.locator(".plot canvas")).to_have_count(4)
    waiting = page.locator("#chart-waiting")
    expect(waiting.locator(".legend")).to_contain_text("waiting 5")
    told = waiting.locator(".plot").get_attribute("aria-label") or ""
    assert "waiting: 5 at last, 5 at most" in told
    ground = "getComputedStyle(document.body).getPropertyValue('color')"
    dark = page.evaluate(ground)
    page.locator("#theme").click()  # dark, as it is
    page.locator("#theme").click()
    expect(page.locator("#theme")).to_have_text("Theme: light")
    assert page.evaluate(ground) != dark
    expect(page.locator(".plot canvas")).to_have_count(4)
    page.reload()
    expect(page.locator("#theme")).to_have_text("Theme: light")
    assert page.evaluate(ground) != dark
    page.get_by_role("link", name="Day", exact=True).click()
    expect(page.locator("#chart-waiting")).to_have_attribute(
        "data-chart", "/charts/waiting?span=day"
    )


def test_a_server_that_may_lose_jobs_is_told_of(
    client: redis.Redis, serve: Callable[..., Site], look: Look
) -> None:
    client.config_set("maxmemory", 500_000_000)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        page = look(serve())
        expect(page.locator(".alert")).to_contain_text("JOBS MAY BE LOST")
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 0)
