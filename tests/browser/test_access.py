"""Logging in, roles, and browsers without scripts, as people meet them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from playwright.sync_api import expect

from tests.browser.conftest import Look
from tests.support.sites import Site, serving_wsgi
from workhorse import Queue
from workhorse.dashboard import Dashboard, Role, Tokens
from workhorse.dashboard.tokens import new_token

pytestmark = pytest.mark.timeout(90)

ANN, ANN_HOLDS = new_token("ann", Role.OPERATOR)
VIC, VIC_HOLDS = new_token("vic", Role.VIEWER)


@pytest.fixture
def guarded(client: redis.Redis, serve: Callable[..., Site]) -> Site:
    Queue("mail", connection=client).enqueue("os.getcwd")
    return serve(authenticate=Tokens(f"{ANN_HOLDS.line};{VIC_HOLDS.line}", secret="s"))


def test_a_person_logs_in_works_and_logs_out(guarded: Site, look: Look) -> None:
    page = look(guarded, "/queues")
    look.complaints(page).expected.append("401")
    expect(page).to_have_title("Log in · Workhorse")
    page.get_by_label("Your token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("That is no token of this dashboard.")
    page.get_by_label("Your token").fill(ANN)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{guarded.url}/queues")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused mail.")
    page.wait_for_selector("#live[data-state=on]")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_title("Log in · Workhorse")
    page.goto(f"{guarded.url}/queues")
    expect(page).to_have_title("Log in · Workhorse")


def test_a_viewer_sees_and_is_offered_nothing_to_do(guarded: Site, look: Look) -> None:
    page = look(guarded, "/queues")
    page.get_by_label("Your token").fill(VIC)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("#live[data-state=on]")
    expect(page.locator("#queue-mail")).to_be_visible()
    expect(page.locator("main button")).to_have_count(0)


def test_without_scripts_pages_show_and_forms_do(
    client: redis.Redis, site: Site, look: Look
) -> None:
    queue = Queue("mail", connection=client)
    queue.enqueue("os.getcwd")
    page = look(site, "/queues", java_script_enabled=False)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("main")).to_contain_text("Paused mail.")
    assert queue.is_paused
    page.get_by_role("link", name="Back").click()
    expect(page).to_have_url(f"{site.url}/queues")


def test_under_wsgi_pages_are_kept_new_by_asking(client: redis.Redis, look: Look) -> None:
    queue = Queue("mail", connection=client)
    queue.enqueue("os.getcwd")
    dashboard = Dashboard(client)
    with serving_wsgi(dashboard.wsgi()) as url:
        page = look(Site(url, dashboard), "/queues")
        page.wait_for_selector("#live[data-state=on]")
        queue.enqueue("os.getcwd")
        page.locator("#queue-mail td", has_text="2").first.wait_for()
        page.close()
