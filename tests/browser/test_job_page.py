"""A job's page: what it tells of the job's life, and what can be done there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.support import page_jobs
from tests.support.fleet import Fleet
from tests.support.page_jobs import HOSTILE
from workhorse import Callback, Queue, Retry

pytestmark = pytest.mark.timeout(90)

NOTHING = "tests.support.jobs.nothing"


def look_at(page: Page, job_id: str) -> None:
    page.goto("/".join(page.url.split("/")[:3]) + f"/jobs/{job_id}")


def confirm(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    page.locator("#ask-yes").click()


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_a_jobs_runs_its_log_and_what_belongs_to_it_are_seen(
    client: redis.Redis, fleet: Fleet, page: Page, tmp_path: Path, isolation: str
) -> None:
    fleet.start_and_wait(queues=("mail",), isolation=isolation, capture_logs=True)
    queue = Queue("mail", connection=client)
    job = queue.enqueue(page_jobs.fail_then_work, str(tmp_path / "ran"), retry=Retry(max=2),
                        meta={"order": 7}, on_success=Callback("builtins.print"))  # fmt: skip
    child = queue.enqueue("math.sqrt", 16, depends_on=job)
    assert child.wait(timeout=20) == "finished"
    look_at(page, job.id)
    main = page.locator("main")
    expect(page.get_by_role("heading", level=1)).to_contain_text("fail_then_work")
    expect(page.locator("#call")).to_contain_text(str(tmp_path / "ran"))
    expect(page.locator("#result")).to_have_text("'paid'")
    expect(page.locator("#meta")).to_have_text("{'order': 7}")
    expect(main).to_contain_text("builtins.print")
    runs = page.locator("table.runs tbody tr:not(.more)")
    expect(runs).to_contain_text(["finished", "retried"])
    expect(runs.first.locator("svg.lane rect")).to_have_count(2)
    page.locator("#error-1 summary").click()
    expect(page.locator("#error-1 pre")).to_contain_text("Traceback (most recent call last)")
    page.get_by_text("As it is stored").click()
    expect(page.locator("#raw")).to_contain_text(f"rq:job:{job.id}")
    look_at(page, child.id)
    expect(page.locator("#result")).to_have_text("4.0")
    page.locator(".graph a", has_text="fail_then_work").click()
    expect(page.locator("#result")).to_have_text("'paid'")


def test_a_queued_job_goes_to_the_front_and_to_another_queue(
    client: redis.Redis, page: Page
) -> None:
    queue = Queue("mail", connection=client)
    first, second = queue.enqueue(NOTHING), queue.enqueue(NOTHING)
    look_at(page, second.id)
    expect(page.locator("main")).to_contain_text("1 before it")
    page.get_by_role("button", name="Move to front").click()
    expect(page.get_by_role("status")).to_contain_text("to the front of its queue.")
    assert queue.job_ids == [second.id, first.id]
    page.locator("summary", has_text="Move").click()
    page.get_by_label("To the queue").fill("low")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(f"Moved {second.id} to low.")
    assert Queue("low", connection=client).job_ids == [second.id]


def test_jobs_that_wait_say_why_and_are_run_now_or_canceled(
    client: redis.Redis, fleet: Fleet, page: Page
) -> None:
    queue = Queue("mail", connection=client)
    parent = queue.enqueue_in(timedelta(hours=1), NOTHING)
    child = queue.enqueue(NOTHING, depends_on=parent)
    other = queue.enqueue(NOTHING)
    look_at(page, other.id)
    expect(page.locator("main")).to_contain_text("no worker takes jobs from mail")
    confirm(page, "Cancel")
    expect(page.get_by_role("status")).to_contain_text(f"Canceled {other.id}.")
    fleet.start_and_wait(queues=("mail",))
    look_at(page, parent.id)
    page.locator(".graph a:has(.state-deferred)").click()
    page.wait_for_load_state()
    expect(page.locator("main")).to_contain_text(f"It waits for {NOTHING} (scheduled).")
    confirm(page, "Run now")
    assert child.wait(timeout=20) == "finished"
    look_at(page, parent.id)
    page.get_by_role("button", name="Run now").click()
    assert parent.wait(timeout=20) == "finished"
    assert other.get_status() == "canceled"


def test_a_job_is_stopped_run_again_and_deleted(
    client: redis.Redis, fleet: Fleet, look: Look, page: Page, tmp_path: Path
) -> None:
    fleet.start_and_wait(queues=("mail",))
    job = Queue("mail", connection=client).enqueue(page_jobs.read_aloud, str(tmp_path / "text"))
    look_at(page, job.id)
    confirm(page, "Stop")
    assert job.wait(timeout=20) == "stopped"
    look_at(page, job.id)
    (tmp_path / "text").write_text("end\n")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text(f"Queued {job.id} again.")
    assert job.wait(timeout=20) == "finished"
    look_at(page, job.id)
    expect(page.locator("table.runs")).to_contain_text("stopped")
    confirm(page, "Delete")
    expect(page.get_by_role("status")).to_contain_text(f"Deleted {job.id}.")
    look.complaints(page).expected.append("404")
    look_at(page, job.id)
    expect(page.locator("main")).to_contain_text("It was deleted, or has expired")


def test_a_hostile_job_is_shown_harmlessly(client: redis.Redis, fleet: Fleet, page: Page) -> None:
    fleet.start_and_wait(queues=("mail",), capture_logs=True)
    queue = Queue("mail", connection=client)
    job = queue.enqueue(page_jobs.be_hostile, HOSTILE, x=HOSTILE * 50_000, description=HOSTILE)
    child = queue.enqueue(NOTHING, depends_on=job, description=HOSTILE)
    assert job.wait(timeout=30) == "failed"
    for job_id in (job.id, child.id):
        look_at(page, job_id)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        title = page.title()
        page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
        assert "owned" not in title
        assert page.locator("main script, main img, main [onerror]").count() == 0
        text = page.locator("main").inner_text()
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "49" not in page.locator("#call").inner_text()
        assert len(page.content()) < 1_000_000
    look_at(page, job.id)
    expect(page.locator("#log")).to_contain_text("<script>")
    expect(page.locator("table.runs")).to_contain_text("<img src=x")


def test_log_lines_and_progress_arrive_within_a_second(
    client: redis.Redis, fleet: Fleet, page: Page, tmp_path: Path
) -> None:
    fleet.start_and_wait(queues=("mail",), capture_logs=True)
    text = tmp_path / "text"
    job = Queue("mail", connection=client).enqueue(page_jobs.read_aloud, str(text))
    look_at(page, job.id)
    log = page.locator("#log")
    with text.open("w") as file:
        for number in (1, 2):
            file.write(f"page {number}\n")
            file.flush()
            expect(log).to_contain_text(f"page {number}", timeout=2000)
            expect(page.locator("main progress")).to_have_attribute("value", str(250 * number))
        page.get_by_role("button", name="Pause").click()
        file.write("page 3\n")
        file.flush()
        expect(page.locator("main progress")).to_have_attribute("value", "750")
        expect(log).not_to_contain_text("page 3")
        page.get_by_role("button", name="Follow").click()
        expect(log).to_contain_text("page 3")
        file.write("end\n")
    expect(page.locator("#result")).to_have_text("'read 4 lines'")
