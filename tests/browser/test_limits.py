"""Limits, groups and functions, as people see them."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.support.fleet import Fleet
from tests.support.page_jobs import HOSTILE
from tests.support.waiting import wait_until
from workhorse import Group, Queue, RateLimit

pytestmark = pytest.mark.timeout(90)


def test_limits_are_seen_with_who_has_a_place_and_who_waits(
    client: redis.Redis, fleet: Fleet, page: Page, tmp_path: Path
) -> None:
    fleet.start_and_wait(queues=("mail",))
    queue = Queue("mail", connection=client)
    ends = tmp_path / "ends"
    waits = ("tests.support.jobs.note_and_wait_for", str(tmp_path / "j"), "", str(ends))
    limit = RateLimit("to/example.org", 1)
    holder, *waiters = [queue.enqueue(*waits, rate_limit=limit) for _ in range(3)]
    wait_until(lambda: holder.get_status() == "started")
    page.goto(page.url.rstrip("/") + "/limits")
    row = page.locator("tbody tr")
    expect(row.locator("td.num")).to_have_text(["1", "1", "2"])
    row.locator("a.open").click()
    page.wait_for_load_state()
    taken, waiting = page.locator("section").all()
    expect(taken).to_contain_text(holder.id)
    expect(waiting.locator("tbody tr")).to_have_count(2)
    waiting.get_by_role("button", name="Cancel").first.click()
    page.locator("#ask-yes").click()
    expect(page.get_by_role("status")).to_contain_text("Canceled")
    assert waiters[0].get_status() == "canceled"
    waiting.locator("a.open").last.click()
    page.wait_for_load_state()
    expect(page.locator("main")).to_contain_text("It waits for a place of the limit")
    ends.touch()
    assert waiters[1].wait(timeout=20) == "finished"


def test_groups_and_functions_are_seen_by_how_they_fared(
    client: redis.Redis, fleet: Fleet, page: Page
) -> None:
    fleet.start_and_wait(queues=("mail",))
    queue = Queue("mail", connection=client)
    group = Group.create(connection=client, name="import")
    jobs = group.enqueue_many(
        queue, [Queue.prepare_data("math.sqrt", [number]) for number in (-1, 4, 9)]
    )
    assert [job.wait(timeout=20) for job in jobs] == ["failed", "finished", "finished"]
    home = page.url.rstrip("/")
    page.goto(f"{home}/groups")
    row = page.locator("tbody tr")
    expect(row).to_contain_text("2 finished, 1 failed")
    row.locator("a.open").click()
    page.wait_for_load_state()
    expect(page.locator("main")).to_contain_text("3 of 3 have ended")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.goto(f"{home}/functions?find=SQRT")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator("td.num").first).to_have_text("3")
    expect(row).to_contain_text("33%")
    page.goto(f"{home}/functions?find=nobody")
    expect(page.locator("main")).to_contain_text("No function")


def test_pages_of_what_is_not_there_say_so(page: Page) -> None:
    home = page.url.rstrip("/")
    for path, text in {
        "limits": "No limit is in use", "groups": "No group", "functions": "No function ran yet",
        "audit": "Nothing was done", "schedules": "No cron entry", "workers": "No worker",
        "limits/x": "No job waits",
    }.items():  # fmt: skip
        page.goto(f"{home}/{path}")
        expect(page.locator("main")).to_contain_text(text)


def test_hostile_names_are_shown_harmlessly(client: redis.Redis, page: Page) -> None:
    Queue("mail", connection=client).enqueue("math.sqrt", 4, rate_limit=RateLimit(HOSTILE, 1))
    client.sadd("rq:groups", HOSTILE)  # no API takes such names, but anybody may write them
    client.sadd(f"rq:group:{HOSTILE}", HOSTILE)
    client.zadd("rq:cron_due", {HOSTILE: 1})
    client.hset(f"rq:cron:{HOSTILE}", mapping={"version": "1", "cron": HOSTILE, "call": HOSTILE})
    client.hset(f"rq:worker:{HOSTILE}", mapping=dict.fromkeys(("hostname", "state"), HOSTILE))
    client.sadd("rq:workers", f"rq:worker:{HOSTILE}")
    client.hset("rq:durations", mapping={f"0.1:{HOSTILE}": 1, f"micros:{HOSTILE}": 100})
    home = page.url.rstrip("/")
    for path in ("limits", "groups", "schedules", "workers", "functions"):
        page.goto(f"{home}/{path}")
        opened = page.locator("tbody tr a.open").first
        expect(opened).to_contain_text("<script>")
        is_page_of_its_own = path != "functions"
        if is_page_of_its_own:
            opened.click()
            page.wait_for_load_state()
            expect(page.get_by_role("heading", level=1)).to_contain_text("<script>")
        assert page.locator("main script, main img, main [onerror]").count() == 0
        assert not {"\x1b", "\x07", "\u202e"} & set(page.locator("main").inner_text())
        assert page.title() != "owned"
