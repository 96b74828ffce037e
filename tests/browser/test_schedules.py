"""Schedules, as people see and steer them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.support.fleet import Fleet
from workhorse import Cron, Queue

pytestmark = pytest.mark.timeout(90)

NOTHING = "tests.support.jobs.nothing"


def test_cron_entries_are_seen_paused_run_and_deleted(
    client: redis.Redis, fleet: Fleet, look: Look, page: Page
) -> None:
    fleet.start_and_wait(queues=("mail",))
    look.complaints(page).expected.append("404")  # of the deleted entry's page, which is renewed
    cron = Cron(client)
    cron.add("nightly/report", NOTHING, cron="30 1 * * 1-5", zone="Europe/Berlin", queue="mail",
             overlap="skip", times=3)  # fmt: skip
    page.goto(page.url.rstrip("/") + "/schedules")
    row = page.locator("tr", has_text="nightly/report")
    expect(row).to_contain_text("At 01:30 on Monday through Friday (Europe/Berlin)")
    expect(row).to_contain_text("in ")
    row.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("status")).to_contain_text("Enqueued a job of nightly/report")
    row.locator("a.open").click()
    page.wait_for_load_state()
    main = page.locator("main")
    expect(main).to_contain_text("the slot is skipped")
    (job_id, _), *_ = cron.history("nightly/report")
    expect(main.locator("tbody tr")).to_contain_text(job_id)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused nightly/report")
    assert cron.get("nightly/report").paused
    page.reload()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed nightly/report")
    page.get_by_role("button", name="Delete").click()
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text("Deleted nightly/report.")
    assert cron.all() == []


def test_an_entry_of_a_file_is_said_to_come_back(
    client: redis.Redis, look: Look, page: Page
) -> None:
    look.complaints(page).expected.append("404")
    Cron(client).add("often", NOTHING, interval=3600.0)
    client.hset("rq:cron:often", "source", "shop/cron.py")
    page.goto(page.url.rstrip("/") + "/schedules/often")
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#ask-text")).to_contain_text("shop/cron.py")
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text("brings it back")
    assert Cron(client).all() == []


def test_scheduled_jobs_are_seen_run_now_and_canceled(
    client: redis.Redis, fleet: Fleet, page: Page
) -> None:
    fleet.start_and_wait(queues=("mail",))
    queue = Queue("mail", connection=client)
    soon, later = (queue.enqueue_in(timedelta(hours=hours), NOTHING) for hours in (1, 2))
    page.goto(page.url.rstrip("/") + "/schedules")
    expect(page.locator("main")).to_contain_text("No cron entry")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(soon.id)
    rows.first.get_by_role("button", name="Run now").click()
    assert soon.wait(timeout=20) == "finished"
    rows.last.get_by_role("button", name="Cancel").click()
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text(f"Canceled {later.id}.")
    assert later.get_status() == "canceled"
