"""Workers, as people see and steer them."""

from __future__ import annotations

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until
from workhorse import Queue, Worker

pytestmark = pytest.mark.timeout(90)


def confirm(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).first.click()
    page.locator("#ask-yes").click()


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_workers_are_seen_at_work_and_told_to_end(
    client: redis.Redis, fleet: Fleet, look: Look, page: Page, isolation: str
) -> None:
    supervisor = fleet.start_and_wait(2, queues=("mail",), isolation=isolation, name="crew")
    client.hset("rq:worker:old", mapping={"hostname": "far", "state": "busy", "version": "2.6"})
    client.sadd("rq:workers", "rq:worker:old")
    waits = ("tests.support.jobs.sleep", 60)
    job = Queue("mail", connection=client).enqueue(*waits)
    page.goto(page.url.rstrip("/") + "/workers")
    expect(page.get_by_role("heading", name="far")).to_be_visible()
    expect(page.locator("tr", has_text="old")).to_contain_text("RQ")
    expect(page.get_by_role("heading", name="crew with 2 workers")).to_be_visible()
    page.reload()
    row = page.locator("tr", has_text="tests.support.jobs.sleep")
    expect(row).to_contain_text("crew-")
    row.locator("a.open").click()
    page.wait_for_load_state()
    expect(page.get_by_role("heading", level=1)).to_contain_text("crew-")
    expect(page.locator("main")).to_contain_text(job.id)
    confirm(page, "Stop")
    expect(page.get_by_role("status")).to_contain_text(f"Asked the worker of {job.id} to stop it.")
    assert job.wait(timeout=20) == "stopped"
    confirm(page, "Shut down")
    expect(page.get_by_role("status")).to_contain_text("to end")
    wait_until(lambda: len(supervisor.workers) == 1)
    wait_until(lambda: Worker.count(client) == 2)
    look.complaints(page).expected.append("404")
    page.reload()
    expect(page.locator("main")).to_contain_text("There is no worker")


def test_all_work_is_suspended_and_resumed(client: redis.Redis, fleet: Fleet, page: Page) -> None:
    fleet.start_and_wait(queues=("mail",))
    page.goto(page.url.rstrip("/") + "/workers")
    confirm(page, "Suspend all work")
    expect(page.get_by_role("status")).to_contain_text("Suspended all work")
    job = Queue("mail", connection=client).enqueue("tests.support.jobs.nothing")
    page.reload()
    expect(page.locator("main")).to_contain_text("Work is suspended.")
    assert job.get_status() == "queued"
    page.get_by_role("button", name="Resume all work").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed work.")
    assert job.wait(timeout=20) == "finished"
    assert [worker.name for worker in Worker.all(client)]
