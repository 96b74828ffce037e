"""The search in a browser: qualifiers, refusals, and what is done to all that is found."""

from __future__ import annotations

import pytest
import redis
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.support.sites import Site
from workhorse import Queue

pytestmark = pytest.mark.timeout(90)


def test_jobs_are_found_by_what_they_are_like(client: redis.Redis, site: Site, look: Look) -> None:
    mail, other = Queue("mail", connection=client), Queue("other", connection=client)
    for number in range(60):
        mail.enqueue("tests.support.jobs.add", number, number, job_id=f"add-{number}")
    other.enqueue("tests.support.jobs.nothing", job_id="other-one", job_tags=["night ly"])
    page = look(site, "/")
    page.keyboard.press("/")
    page.keyboard.type("queue:mail func:add")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/search?q=queue%3Amail+func%3Aadd")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Look on").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    box = page.get_by_label("Query")
    expect(box).to_have_value("queue:mail func:add")
    box.fill("stauts:queued")
    box.press("Enter")
    expect(page.locator(".alert")).to_contain_text("'stauts:' can't be searched by")
    box.fill("other-one")
    box.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="night ly").click()
    expect(page).to_have_url(f"{site.url}/search?q=tag%3A%22night%20ly%22")
    expect(page.locator("#job-other-one")).to_be_visible()
    box.fill("func:nosuch")
    box.press("Enter")
    expect(page.locator("main")).to_contain_text("No job is like this")
    page.goto(f"{site.url}/search")
    expect(page.locator("main")).to_contain_text("status:failed")


def test_all_that_a_query_finds_are_deleted(client: redis.Redis, site: Site, look: Look) -> None:
    queue = Queue("mail", connection=client)
    for number in range(70):
        queue.enqueue("tests.support.jobs.add", number, number)
    queue.enqueue("tests.support.jobs.nothing", job_id="stays")
    page = look(site, "/search?q=func:jobs.add")
    page.get_by_label("Select all rows").check()
    page.get_by_label("that match").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#ask-text")).to_contain_text("Delete all matching jobs for good?")
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text("Deleted 70 jobs.")
    assert queue.get_job_ids() == ["stays"]
