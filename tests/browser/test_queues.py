"""Queues in a browser: their jobs by state, and what is done to some, to all, to a queue."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.support.fleet import Fleet
from tests.support.sites import Site
from workhorse import Queue

pytestmark = pytest.mark.timeout(90)

NOTHING = "tests.support.jobs.nothing"


def yes(page: Page) -> str:
    """Confirm what a dialog asks; return what that was."""
    asked = page.locator("#ask-text").inner_text()
    page.locator("#ask-yes").click()
    return asked


def fill(client: redis.Redis, name: str, many: int) -> Queue:
    queue = Queue(name, connection=client)
    queue.enqueue_many([Queue.prepare_data(NOTHING, job_id=f"{name}-{i}") for i in range(many)])
    return queue


def test_chosen_jobs_are_canceled_and_queued_again(
    client: redis.Redis, site: Site, look: Look
) -> None:
    queue = fill(client, "mail", 3)
    page = look(site, "/queues/mail")
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    bar = page.locator("#jobs")
    expect(bar).to_contain_text("Select rows")
    expect(bar.get_by_role("button", name="Cancel")).to_be_disabled()
    page.get_by_label("Select mail-0").check()
    page.get_by_label("Select mail-2").check()
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Cancel").click()
    page.locator("#ask").get_by_role("button", name="No").click()
    expect(page.locator("#ask")).to_be_hidden()
    assert queue.count == 3
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Cancel").click()
    assert yes(page) == "Cancel 2 jobs? They can be retried."
    expect(page.get_by_role("status")).to_contain_text("Canceled 2 jobs.")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert queue.get_job_ids() == ["mail-1"]
    page.get_by_role("link", name=re.compile("^Canceled")).click()
    page.get_by_label("Select all rows").check()
    page.get_by_role("button", name="Retry").click()
    yes(page)
    expect(page.get_by_role("status")).to_contain_text("Retried 2 jobs.")
    expect(page.locator("main")).to_contain_text("No job was canceled")
    assert queue.count == 3
    expect(cancel).to_have_count(0)


def test_all_that_match_are_deleted_and_only_those(
    client: redis.Redis, site: Site, look: Look
) -> None:
    queue, other = fill(client, "mail", 60), fill(client, "other", 2)
    page = look(site, "/queues/mail?offset=25")
    expect(page.locator(".pager")).to_contain_text("26 to 50 of 60")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    page.get_by_role("link", name="Previous").click()
    everything = page.get_by_label("All 60 that match")
    expect(everything).to_be_hidden()
    page.get_by_label("Select all rows").check()
    everything.check()
    page.get_by_role("button", name="Delete").click()
    assert yes(page).startswith("Delete 60 jobs for good?")
    expect(page.get_by_role("status")).to_contain_text("Deleted 60 jobs.")
    expect(page.locator("main")).to_contain_text("No job waits")
    assert (queue.count, other.count) == (0, 2)


def test_an_action_over_many_jobs_tells_how_far_it_is(
    client: redis.Redis, site: Site, look: Look
) -> None:
    queue = fill(client, "mail", 12_000)
    page = look(site, "/queues/mail")
    page.get_by_role("button", name="Empty").click()
    page.get_by_label("Type mail to confirm").fill("mail")
    page.locator("#ask-yes").click()
    status = page.get_by_role("status")
    expect(status).to_contain_text("so far")
    assert int(status.locator("progress").get_attribute("max") or 0) == 12_000
    expect(status).to_contain_text("Deleted 12,000 jobs.", timeout=30_000)
    assert queue.count == 0


def test_a_queue_is_paused_for_a_while_moved_and_emptied(
    client: redis.Redis, site: Site, look: Look
) -> None:
    queue, other = fill(client, "mail", 2), fill(client, "other", 1)
    page = look(site, "/queues/mail")
    page.locator("summary", has_text="Pause").click()
    page.get_by_label("For how long").select_option("1 hour")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused mail for 1h.")
    expect(page.locator("main")).to_contain_text("Paused until in 59m")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("main")).not_to_contain_text("Paused until")
    page.locator("summary", has_text="Move all").click()
    page.get_by_label("To the queue", exact=True).fill("other")
    page.locator("details[open]").get_by_role("button", name="Move").click()
    expect(page.get_by_role("status")).to_contain_text("Moved 2 jobs to other.")
    assert (queue.count, other.count) == (0, 3)
    page.goto(f"{site.url}/queues/other")
    page.get_by_role("button", name="Empty").click()
    assert "Delete all 3 waiting jobs of other" in page.locator("#ask-text").inner_text()
    expect(page.locator("#ask-yes")).to_be_disabled()
    page.get_by_label("Type other to confirm").fill("othe")
    expect(page.locator("#ask-yes")).to_be_disabled()
    page.get_by_label("Type other to confirm").fill("other")
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text("Deleted 3 jobs.")
    assert other.count == 0


def test_jobs_are_seen_in_each_state_as_workers_run_them(
    client: redis.Redis, site: Site, look: Look, fleet: Fleet
) -> None:
    queue = Queue("a/b 100%", connection=client)
    queue.enqueue("tests.support.jobs.fail", "no such card", job_id="fails")
    page = look(site, "/queues")
    page.get_by_role("link", name="a/b 100%").click()
    expect(page.locator("h1")).to_contain_text("a/b 100%")
    expect(page.locator("#job-fails")).to_contain_text("('no such card')")
    page.evaluate("window.isTheSamePage = true")
    fleet.start_and_wait(queues=("a/b 100%",))
    expect(page.locator("main")).to_contain_text("No job waits")
    page.get_by_role("link", name="Failed 1").click()
    expect(page.locator("#job-fails")).to_contain_text("tests.support.jobs.fail")
    page.get_by_role("link", name="Running").click()
    queue.enqueue("time.sleep", 600, job_id="runs", job_timeout=900)
    expect(page.locator("#job-runs")).to_contain_text("time.sleep")
    page.get_by_label("Select runs").check()
    page.get_by_role("button", name="Stop").click()
    yes(page)
    expect(page.get_by_role("status")).to_contain_text("Asked 1 job to stop.")
    expect(page.locator("main")).to_contain_text("No job runs", timeout=20_000)


def test_a_selection_and_what_is_open_outlive_changes(
    client: redis.Redis, site: Site, look: Look
) -> None:
    queue = fill(client, "mail", 2)
    page = look(site, "/queues/mail")
    page.get_by_label("Select mail-1").check()
    page.locator("summary", has_text="Move all").click()
    page.get_by_label("To the queue", exact=True).fill("else")
    page.evaluate("document.querySelector('#job-mail-1').isTheSame = true")
    queue.enqueue(NOTHING, job_id="new")
    expect(page.locator("#job-new")).to_be_visible()
    expect(page.get_by_label("Select mail-1")).to_be_checked()
    expect(page.get_by_label("To the queue", exact=True)).to_have_value("else")
    assert page.evaluate("document.querySelector('#job-mail-1').isTheSame")
    expect(page.locator("#jobs")).to_contain_text("1 selected")


def test_who_may_change_nothing_is_offered_nothing(
    client: redis.Redis, serve: Callable[..., Site], look: Look
) -> None:
    fill(client, "mail", 2)
    site = serve(read_only=True)
    for address in ("/queues/mail", "/search?q=queue:mail", "/queues", "/"):
        page = look(site, address)
        expect(page.locator("tbody tr").first).to_be_visible()
        assert page.locator("main form[method=post], main input[type=checkbox]").count() == 0
    expect(page.locator(".side")).to_contain_text("read-only")
