"""Take the pictures of docs/tour.md: a shop's dashboard, in Debian's Chromium.

make screenshots                        some minutes of a shop's morning, then the pictures
make screenshots ARGS="--for 20 --all"  sooner, with little in the charts; and all pages
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import uvicorn  # noqa: E402 - after its folder is known
from playwright.sync_api import Browser, ViewportSize, sync_playwright  # noqa: E402

from demo.shop_traffic import open_shop, take_orders  # noqa: E402
from tests.browser.conftest import CHROMIUM, FLAGS  # noqa: E402
from workhorse.dashboard import Dashboard, hide_secrets  # noqa: E402
from workhorse.store.connections import connect  # noqa: E402
from workhorse.store.scratch import ScratchServer  # noqa: E402

QUEUES: Final = ("high", "mail", "default", "photos", "reports")
DESKTOP: Final[ViewportSize] = {"width": 1120, "height": 560}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Picture:
    """What is to be seen, and how."""

    name: str
    path: str
    dark: bool = False
    phone: bool = False
    height: int = 0
    """Pixels, where it is more than the screen's."""
    press: tuple[str, ...] = ()
    """Keys, before it is taken."""


PICTURES: Final = (
    Picture("overview", "/", height=790),
    Picture("overview-dark", "/", dark=True, height=790),
    Picture("overview-phone", "/", phone=True),
    Picture("queue-failed", "/queues/high/failed"),
    Picture("job-running", "/jobs/report-lisbon", height=680),
    Picture("job-failed", "/jobs/{failed}", height=860),
    Picture("job-graph", "/jobs/catalogue-summary", height=1160),
    Picture("job-phone", "/jobs/{failed}", phone=True, height=1100),
    Picture("failures", "/failures", height=440),
    Picture("failure", "/failures/{cause}", height=640),
    Picture("search", "/search?q=func%3Acharge_card+status%3Afailed"),
    Picture("workers", "/workers", height=470),
    Picture("schedules", "/schedules", height=520),
    Picture("schedule", "/schedules/stock-check"),
    Picture("limit", "/limits/tax-office"),
    Picture("groups", "/groups"),
    Picture("functions", "/functions", dark=True, height=520),
    Picture("audit", "/audit"),
    Picture("keyboard", "/", press=("?",)),
    Picture("palette", "/", press=("Control+k",)),
)
"""Those of docs/tour.md are in docs/images; ``--all`` takes the others, too, to be looked at."""
IN_DOCS: Final = frozenset(
    {
        "overview", "overview-phone", "queue-failed", "job-running", "job-failed", "failures",
        "search", "workers", "schedules", "functions",
    }
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures; return the exit code."""
    parser = argparse.ArgumentParser(description="Take the pictures of docs/tour.md.")
    parser.add_argument("--for", dest="seconds", type=float, default=120, metavar="SECONDS",
                        help="how long orders come in before; 120 without it")  # fmt: skip
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images", metavar="FOLDER")
    parser.add_argument("--all", action="store_true", help="pictures that no document shows, too")
    parser.add_argument("--only", default="", help="only pictures whose name has this in it")
    given = parser.parse_args(arguments)
    given.to.mkdir(parents=True, exist_ok=True)
    server = ScratchServer()
    try:
        with connect(server.url) as client, workers(server.url), serving(server.url) as url:
            open_shop(client)
            with trading(client, given.seconds), sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                steer(browser, url)
                for picture in PICTURES:
                    if given.only in picture.name and (given.all or picture.name in IN_DOCS):
                        take(browser, url, picture, client, given.to)
                browser.close()
    finally:
        server.stop()
    return 0


@contextmanager
def trading(client: Any, seconds: float) -> Generator[None]:
    """Have orders come in, in waves, for so long before the block and until its end."""
    is_over = threading.Event()

    def trade() -> None:
        order = 1
        while not is_over.wait(1):
            many = 4 + (order // 40) % 9
            take_orders(client, order, many)
            order += many

    thread = threading.Thread(target=trade)
    thread.start()
    try:
        time.sleep(seconds)
        yield
    finally:
        is_over.set()
        thread.join()


def steer(browser: Browser, url: str) -> None:
    """Do something, so that there is something in the audit log."""
    page = browser.new_page()
    page.goto(f"{url}/queues")
    for button in ("Pause", "Resume"):
        page.locator("#queue-photos").get_by_role("button", name=button).click()
        page.locator("#told", has_text=f"{button}d photos").wait_for()
    page.close()


def take(browser: Browser, url: str, picture: Picture, client: Any, folder: Path) -> None:
    """Take one picture, once the page is live."""
    path = picture.path.format(
        failed=tried_again(client), cause=client.zrange("rq:causes", -1, -1)[0].decode()
    )
    size = PHONE if picture.phone else DESKTOP
    context = browser.new_context(
        viewport={**size, "height": picture.height or size["height"]},
        color_scheme="dark" if picture.dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Lisbon",
    )
    page = context.new_page()
    page.goto(f"{url}{path}")
    page.wait_for_selector("#live[data-state=on]", state="attached")
    page.wait_for_timeout(1000)  # its charts are drawn
    for key in picture.press:
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"{picture.name}.png")
    context.close()


def tried_again(client: Any) -> str:
    """Return the id of the last job that failed after a retry."""
    for job_id in client.zrevrange("rq:failed:high", 0, 50):
        if client.hget(b"rq:job:" + job_id, "retries_left") == b"0":
            return str(job_id.decode())
    raise LookupError("no job failed after a retry; give --for a longer time")


@contextmanager
def workers(url: str) -> Generator[None]:
    """Run a supervisor with four workers within the block."""
    command = [
        sys.executable, "-m", "workhorse.cli", "worker", *QUEUES, "-n", "4", "--url", url,
        "--path", str(ROOT), "--capture-logs", "--name", "shop-1",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as supervisor:
        try:
            yield
        finally:
            supervisor.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            supervisor.send_signal(signal.SIGTERM)


def elsewhere(text: str) -> str:
    """Return what a page shows with this checkout in another place: pictures name no machine's."""
    return hide_secrets(text.replace(str(ROOT), "/srv/shop"))


@contextmanager
def serving(url: str) -> Generator[str]:
    """Serve a dashboard within the block; yield where."""
    dashboard = Dashboard(url, title="Shop", redact=elsewhere)
    config = uvicorn.Config(
        dashboard, port=0, log_level="warning", ws="none", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


if __name__ == "__main__":
    sys.exit(main())
