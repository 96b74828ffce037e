"""A walk through the whole dashboard: every screen, every action, and who may not do it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Look
from tests.browser.steps import STEPS, WAYS, Shop, Step
from tests.support import servers
from tests.support.fleet import of_server
from tests.support.sites import Site, serving
from tests.support.waiting import wait_until
from workhorse.dashboard import Dashboard, Role, Tokens
from workhorse.dashboard.actions import ACTIONS
from workhorse.dashboard.screens import SCREENS
from workhorse.dashboard.tokens import new_token
from workhorse.store.server import server_binary

pytestmark = pytest.mark.timeout(120)

LEAKS = re.compile(r"\b(None|Undefined|undefined|NaN|nan|null)\b|\[object |\{\{|\}\}")
TOKENS = {role: new_token(f"a-{role.name.lower()}", role) for role in Role}


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A server of these tests' own, with something on every screen."""
    with servers.running("walk", server_binary()) as server, ExitStack() as stack:
        fleets = of_server(server.socket)
        stack.callback(next, fleets, None)
        found = Shop(next(fleets))
        found.open()
        yield found


@pytest.fixture
def serve_shop(shop: Shop) -> Iterator[Callable[..., Site]]:
    """Start a dashboard of the shop's server, with options of ``Dashboard``."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(serving(Dashboard(shop.client, **options)))


@contextmanager
def on_the_way_to(name: str) -> Iterator[None]:
    """Say in an error which step of the walk it was."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"This was on the way to {name}.")
        raise


def test_every_screen_has_a_way_to_it_and_every_action_a_step() -> None:
    assert set(WAYS) == set(SCREENS)
    assert set(STEPS) == set(ACTIONS)


# Screens


def test_every_screen_is_reached_by_links_and_is_whole(
    serve_shop: Callable[..., Site], look: Look
) -> None:
    page = look(serve_shop())
    for address, way in WAYS.items():
        with on_the_way_to(address):
            for click in way.clicks:
                follow(page, click)
            expect(page).to_have_url(re.compile(re.sub(r"\{\w+\}", "[^/]+", f"{address}$")))
            expect(page.locator("main")).to_contain_text(way.shows)
            is_whole(page)
            fits_a_phone(page)


def test_every_screen_of_an_empty_server_says_what_would_be_there(site: Site, look: Look) -> None:
    page = look(site, viewport={"width": 390, "height": 844})
    look.complaints(page).expected.append("404")
    for address, way in WAYS.items():
        with on_the_way_to(address):
            page.goto(f"{site.url}{way.nowhere or address}")
            expect(page.locator("main")).to_contain_text(re.compile(way.empty, re.IGNORECASE))
            assert page.title().removesuffix("· Workhorse").strip()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert not LEAKS.search(page.locator("main").inner_text())


def follow(page: Page, click: str) -> None:
    """Click a link of the menu, or what a selector finds on the page."""
    if click.isalpha():
        page.locator(".side nav").get_by_role("link", name=click, exact=True).click()
    else:
        page.locator(f"main {click}").first.click()
    page.wait_for_load_state()


def is_whole(page: Page) -> None:
    """Check what every screen has."""
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_count(1)
    assert heading.inner_text().strip()
    assert page.title().removesuffix("· Workhorse").strip()
    found = LEAKS.search(page.locator("main").inner_html())
    assert found is None, page.locator("main").inner_html()[found.start() - 99 : found.end() + 99]


def fits_a_phone(page: Page) -> None:
    """Check that nothing of a page is beyond the right edge of a phone, once charts are drawn."""
    page.set_viewport_size({"width": 390, "height": 844})
    wait_until(lambda: page.evaluate("document.documentElement.scrollWidth") <= 390)
    page.set_viewport_size({"width": 1280, "height": 800})


# Who may not


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, None], ids=str)
def test_who_may_not_is_offered_nothing_and_changes_nothing(
    shop: Shop, serve_shop: Callable[..., Site], look: Look, role: Role | None
) -> None:
    tokens = ";".join(told.line for _, told in TOKENS.values())
    site = serve_shop(
        read_only=not role, authenticate=Tokens(tokens, secret="s") if role else None
    )
    page = look(site)
    if role:
        look.complaints(page).expected.append("401")
        page.get_by_label("Your token").fill(TOKENS[role][0])
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_title("Overview · Workhorse")
    else:
        expect(page.locator(".side")).to_contain_text("read-only")
    forbidden = [name for name, action in ACTIONS.items() if role is None or action.role > role]
    assert forbidden
    with shop.standing_still():
        before = shop.dump()
        for name in forbidden:
            with on_the_way_to(name):
                step = STEPS[name]
                if urlsplit(page.url).path != step.at:
                    page.goto(f"{site.url}{step.at}")
                expect(page.get_by_role("heading", level=1)).to_have_count(1)
                assert buttons(page, name).count() == 0
                told = post(page, site, name, step)
                assert ("read-only" if role is None else f"is {role.name.lower()}") in told
        assert {
            key for key, value in shop.dump().items() if before.pop(key, b"") != value
        } == set()
        assert before == {}
    page.goto(f"{site.url}/audit")
    expect(page.locator("tbody")).to_contain_text("refused")


def buttons(page: Page, name: str) -> Locator:
    """Return the buttons of an action."""
    return page.locator(f"form[action$='/do/{name}'] button, [formaction$='/do/{name}']")


def post(page: Page, site: Site, name: str, step: Step) -> str:
    """Do an action without its button, with the browser's own form token; return what is told."""
    (token,) = [
        cookie.get("value", "")
        for cookie in page.context.cookies()
        if cookie.get("name") == "workhorse_form"
    ]
    answer = page.request.post(
        f"{site.url}/do/{name}",
        form={**step.form, "form_token": token},
        headers={"Accept": "application/json"},
    )
    assert answer.status == 403
    return str(answer.json()["told"])


# Who may


def test_every_action_does_what_its_button_says(
    shop: Shop, serve_shop: Callable[..., Site], look: Look
) -> None:
    site = serve_shop()
    page = look(site)
    look.complaints(page).expected.append("404")  # the page of a job that was deleted
    for name, step in STEPS.items():
        with on_the_way_to(name):
            assert not step.happened(shop) or name == "work-resume"
            page.goto(f"{site.url}{step.at}")
            press(page, name, step)
            expect(page.get_by_role("status")).to_contain_text(step.told)
            wait_until(partial(step.happened, shop), within=20)


def press(page: Page, name: str, step: Step) -> None:
    """Fill the form of an action as a person does, press its button, and say yes if asked."""
    fields = dict(step.form)
    typed = fields.pop("typed", "")
    if job_ids := fields.pop("ids", ""):
        page.get_by_label(f"Select {job_ids}", exact=True).check()
        form = page.locator("#jobs")
        button = form.locator(f"[formaction$='/do/{name}']")
    else:
        form = page.locator(f"main form[action$='/do/{name}']")
        if fields:  # the page may have such a form in each of its rows
            first = next(iter(fields))
            own = page.locator(f"[type=hidden][name='{first}'][value='{fields.pop(first)}']")
            form = form.filter(has=own)
        button = form.locator("button")
    closed = form.locator("xpath=ancestor::details[not(@open)]/summary")
    if closed.count():
        closed.click()
    for field, text in fields.items():
        fill(form.locator(f"[name='{field}']"), text)
    button.click()
    confirm(page, typed)


def fill(field: Locator, text: str) -> None:
    if field.evaluate("field => field.localName") == "select":
        field.select_option(text)
    else:
        field.fill(text)


def confirm(page: Page, typed: str) -> None:
    """Say yes, where a dialog asks."""
    if not page.locator("#ask").is_visible():
        return
    if typed:
        page.get_by_label(f"Type {typed} to confirm").fill(typed)
    page.locator("#ask-yes").click()
