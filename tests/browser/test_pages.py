"""Pages in a browser."""

from __future__ import annotations

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.support.fleet import Fleet
from workhorse import Queue

pytestmark = pytest.mark.timeout(90)


def test_a_queue_is_paused_and_resumed(client: redis.Redis, fleet: Fleet, page: Page) -> None:
    fleet.start_and_wait(queues=("mail",))
    queue = Queue("mail", connection=client)
    assert queue.enqueue("tests.support.jobs.nothing").wait(timeout=20) == "finished"
    page.reload()
    page.get_by_role("button", name="Pause").first.click()
    expect(page.get_by_role("status")).to_contain_text("Paused mail.")
    job = queue.enqueue("tests.support.jobs.nothing")
    page.reload()
    page.get_by_role("button", name="Resume").first.click()
    expect(page.get_by_role("status")).to_contain_text("Resumed mail.")
    assert job.wait(timeout=20) == "finished"
