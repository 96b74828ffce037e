"""Failures by cause in a browser: found in ten seconds, mended in twenty."""

from __future__ import annotations

import pytest
import redis
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.support.fleet import Fleet
from tests.support.sites import Site
from workhorse import Queue

pytestmark = pytest.mark.timeout(90)


def test_jobs_that_failed_of_one_cause_are_queued_again_or_deleted(
    client: redis.Redis, site: Site, look: Look, fleet: Fleet
) -> None:
    queue = Queue("mail", connection=client)
    page = look(site, "/failures")
    expect(page.locator("main")).to_contain_text("No job failed")
    for number in range(30):
        queue.enqueue("tests.support.jobs.fail", f"card {number} <b>declined</b>")
    queue.enqueue("tests.support.jobs.nothing", 1)  # takes no argument
    fleet.start_and_wait(queues=("mail",))
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    cause = rows.filter(has_text="ValueError")
    expect(cause.locator("td.num")).to_have_text("30")
    expect(cause).to_contain_text("<b>declined</b>")
    expect(cause).to_contain_text("tests.support.jobs.fail")
    cause.get_by_role("link", name="ValueError").click()
    expect(page.locator("pre")).to_contain_text("raise ValueError(text)")
    expect(page.locator("h1")).to_contain_text("ValueError in tests.support.jobs.fail")
    expect(page.locator("tbody tr")).to_have_count(25)
    page.get_by_role("button", name="Retry all").click()
    expect(page.locator("#ask-text")).to_have_text("Retry all 30 jobs of this cause?")
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text("Retried 30 jobs.")
    expect(page.locator(".facts")).to_contain_text("30 to try again, 60 in all", timeout=20_000)
    page.get_by_role("link", name="Failures").first.click()
    cause.get_by_role("button", name="Delete").click()
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text("Deleted 30 jobs.")
    assert queue.failed_job_registry.count == 1
