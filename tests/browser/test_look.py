"""How pages look and are used: on a phone, in the dark, by the keyboard, with hostile names."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import Look
from tests.support.sites import Site
from workhorse import Queue

pytestmark = pytest.mark.timeout(90)

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202egpj.\x1b[31m"
LONG = "a-queue-with-a-long-name-" + "x" * 200


@pytest.fixture
def hostile(client: redis.Redis) -> redis.Redis:
    """A server with names and texts that would break a page, if they could."""
    for name in (LONG, "<b>bold</b>&amp;'\"", "a/b/../c 100% 🐎"):
        queue = Queue(name, connection=client)
        queue.enqueue("shop." + "long_name_" * 20, HOSTILE, job_id=f"job-{len(name)}")
        queue.enqueue("math.sqrt", "x" * 5000)
        paid = queue.enqueue("shop.pay")
        client.hset(f"rq:job:{paid.id}", "tags", json.dumps([HOSTILE, "\ud800", "t" * 150]))
    client.hset(f"rq:job:job-{len(LONG)}", "description", HOSTILE * 1000)
    client.rpush(f"rq:queue:{LONG}", b"\xff<no>job", "i" * 400)
    client.sadd("rq:queues", "rq:queue:wrong")
    client.set("rq:queue:wrong", "of another kind")
    return client


def addresses(page: Page) -> Iterator[str]:
    """Yield the pages of the menu, and those that their tables lead to first."""
    found = [link.get_attribute("href") or "" for link in page.locator(".side nav a").all()]
    yield from found
    yield "/search?q=shop"
    yield "/nowhere"
    for number in range(4):
        page.goto(f"{page.url.partition('/queues')[0].rstrip('/')}/queues")
        yield page.locator("tbody th a").nth(number).get_attribute("href") or ""


def test_no_page_is_wider_than_a_phone_or_shows_hostile_text_as_html(
    hostile: redis.Redis, site: Site, look: Look
) -> None:
    del hostile
    page = look(site, viewport={"width": 390, "height": 844})
    look.complaints(page).expected.append("404")
    seen = 0
    for address in list(addresses(page)):
        page.goto(f"{site.url}{address}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
        assert page.locator("main img, main script, main b b").count() == 0
        assert "\u202e" not in page.content()
        seen += 1
    assert seen > 10


def test_the_menu_of_a_phone_opens(site: Site, look: Look) -> None:
    page = look(site, viewport={"width": 390, "height": 844})
    link = page.get_by_role("link", name="Queues")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.locator("h1")).to_have_text("Queues")


def test_pages_are_used_by_the_keyboard(client: redis.Redis, site: Site, look: Look) -> None:
    queue = Queue("mail", connection=client)
    for number in range(3):
        queue.enqueue("math.sqrt", number, job_id=f"job-{number}")
    page = look(site)
    press = page.keyboard.press
    press("?")
    expect(page.locator("#help")).to_contain_text("Next and previous row")
    press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    press("g")
    press("q")
    expect(page.locator("h1")).to_have_text("Queues")
    press("j")
    press("Enter")
    expect(page.locator("h1")).to_have_text("mail")
    press("j")
    press("j")
    press("x")
    expect(page.get_by_label("Select job-1")).to_be_checked()
    expect(page.locator("#jobs")).to_contain_text("1 selected")
    press("k")
    expect(page.locator("tr.here")).to_have_attribute("id", "job-job-0")
    press("a")
    expect(page.locator("#jobs")).to_contain_text("3 selected")
    press("Enter")
    expect(page).to_have_url(f"{site.url}/jobs/job-0")
    press("Control+k")
    page.get_by_label("Page, queue or job id").fill("mai")
    expect(page.locator("#palette-list")).to_contain_text("mail")
    press("Enter")
    expect(page).to_have_url(f"{site.url}/queues/mail")


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, under) => {
    const part = top[3] / 255;
    return [0, 1, 2].map((i) => top[i] * part + under[i] * (1 - part)).concat(255);
  };
  const groundOf = (element) => {
    if (!element) return [255, 255, 255, 255];
    const style = getComputedStyle(element);
    if (element === document.body) return rgba(style.getPropertyValue("--ground-seen"));
    return over(rgba(style.backgroundColor), groundOf(element.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const probe = document.createElement("i");
  probe.style.color = "var(--ground)";
  document.body.append(probe);
  document.body.style.setProperty("--ground-seen", getComputedStyle(probe).color);
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const has = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!has || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(":disabled, .off")) continue;
    const ground = groundOf(element);
    const text = over(rgba(getComputedStyle(element).color), ground);
    const [more, less] = [light(text), light(ground)].sort((a, b) => b - a);
    const ratio = (more + 0.05) / (less + 0.05);
    const named = `${element.className || element.nodeName} ${element.textContent.trim()}`;
    found.push([named.slice(0, 60), ratio]);
  }
  return found;
}"""


def test_every_text_can_be_read_in_the_dark_and_in_the_light(
    client: redis.Redis, site: Site, look: Look
) -> None:
    mail, paused = Queue("mail", connection=client), Queue("paused", connection=client)
    jobs = [mail.enqueue("shop.pay", number, job_tags=["night"]) for number in range(3)]
    jobs[0].cancel()
    paused.enqueue("shop.pay")
    paused.pause()
    for scheme in ("dark", "light"):
        page = look(site, color_scheme=scheme)
        page.emulate_media(reduced_motion="reduce")
        for address in ("/", "/queues/mail", "/search?q=a:b"):
            page.goto(f"{site.url}{address}")
            texts = page.evaluate(CONTRASTS)
            assert len(texts) > 20
            assert [text for text in texts if text[1] < 4.5] == [], (scheme, address)
