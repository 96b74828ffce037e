"""Pages in a browser."""

from __future__ import annotations

import pytest
import redis
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.support.fleet import Fleet
from tests.support.sites import Site
from workhorse import Queue

pytestmark = pytest.mark.timeout(90)


def test_a_queue_is_paused_and_resumed(
    client: redis.Redis, fleet: Fleet, look: Look, site: Site
) -> None:
    fleet.start_and_wait(queues=("mail",))
    queue = Queue("mail", connection=client)
    assert queue.enqueue("tests.support.jobs.nothing").wait(timeout=20) == "finished"
    page = look(site, "/queues")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused mail.")
    job = queue.enqueue("tests.support.jobs.nothing")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed mail.")
    assert job.wait(timeout=20) == "finished"
