"""A job can hold anything, in each of its texts: whoever looks at it is not harmed.

What is looked through: the store's views, the commands that read, the pages of the dashboard.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import redis

from tests.support.commands import run_here
from tests.support.hostile import JOBS, MARK, TEXTS, plant
from tests.support.servers import RunningServer
from workhorse.core.queries import parse
from workhorse.store import failures, history, overview, pages, reports, roster, search, views
from workhorse.store import statistics as ran
from workhorse.store.drivers import Store
from workhorse.store.whole import whole
from workhorse.wire.keys import Keys

KEYS: Final = Keys()
MOST_BYTES: Final = 1 << 20
"""Of one page, or one command's output."""
SECONDS: Final = 5.0
"""Processor time of one look: ten times what the slowest takes on an idle machine."""
CONTROL: Final = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


@pytest.fixture(params=TEXTS)
def planted(request: pytest.FixtureRequest, client: redis.Redis, tmp_path: Path) -> Iterator[Path]:
    """A server full of jobs with one hostile text; the file that a run of theirs would make."""
    trap = tmp_path / "trapped"
    plant(client, TEXTS[request.param], str(trap))
    yield trap
    assert not trap.exists()  # nothing was unpickled


@contextmanager
def in_time(what: str) -> Iterator[None]:
    started = time.process_time()
    yield
    taken = time.process_time() - started
    assert taken < SECONDS, f"{what} took {taken:.1f} s"


def looks(store: Store) -> dict[str, Callable[[], Any]]:
    """Return each view of the store, by its name."""
    queues = store.run(views.queue_names(KEYS))
    names = store.run(views.worker_names(KEYS))
    found: dict[str, Callable[[], Any]] = {
        "overview": lambda: store.run(overview.every_queue(KEYS)),
        "workers": lambda: store.run(roster.roster(KEYS, names)),
        "causes": lambda: store.run(failures.causes(KEYS)),
        "functions": lambda: store.run(ran.functions(KEYS)),
        "history": lambda: store.run(history.history(KEYS, "hour")),
        "search": lambda: store.run(search.search(KEYS, parse("func:zqz status:failed"))),
        "search all": lambda: store.run(search.search(KEYS, parse("after:1h"))),
    }
    places: tuple[pages.Place, ...] = (
        "queued", "started", "scheduled", "deferred", "finished", "failed", "canceled", "broken",
    )  # fmt: skip
    for place in places:
        for queue in queues:
            call = pages.page(KEYS, place, queue)
            found[f"{place} of {queue[:20]!r}"] = partial(store.run, call)
    for job_id in JOBS:
        found[f"job {job_id}"] = partial(_whole, store, job_id)
        found[f"log of {job_id}"] = partial(store.run, reports.log_page(KEYS, job_id))
    return found


def _whole(store: Store, job_id: str) -> object:
    return store.run(whole(KEYS, job_id))


def test_every_view_answers_soon_and_is_small(planted: Path, client: redis.Redis) -> None:
    assert not planted.exists()
    for name, look in looks(Store(client)).items():
        tracemalloc.start()
        try:
            with in_time(name):
                assert len(repr(look())) < 2 * MOST_BYTES, name
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 64 << 20, name


COMMANDS: Final = (
    "info", "queue list", "workers", "failed", "failed --queue q", "cron list", "doctor",
    "job tail failed --no-follow", "job tail waits --no-follow",
    *(f"job show {job_id}" for job_id in JOBS),
)  # fmt: skip


def test_no_command_sends_anything_to_the_terminal_but_lines(
    planted: Path, client: redis.Redis, valkey_server: RunningServer
) -> None:
    assert not planted.exists()
    causes = [row.id for row in Store(client).run(failures.causes(KEYS)).rows]
    ways = [*COMMANDS, *(f"failed --cause {cause}" for cause in causes)]
    for words in (*ways, *(f"{way} --json" for way in ways)):
        with in_time(words):
            done = run_here(*words.split(), "--url", valkey_server.url)
        told = done.stdout + done.stderr
        assert done.returncode in {0, 1}, (words, told[:500])
        assert not CONTROL.search(told), (words, CONTROL.search(told))
        assert len(told) < MOST_BYTES * (2 if words.endswith("--json") else 1), words
        assert not re.search("^forged", told, re.MULTILINE), words
        if words.endswith("--json"):
            documents = done.stdout.splitlines() if " tail " in words else [done.stdout]
            assert all(json.loads(document) is not None for document in documents if document)


class Reader(HTMLParser):
    """What a page is made of, as a browser would understand it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        """What must not be there."""
        self.shows_mark = False
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        for name, value in attrs:
            if told := _problem(tag, name, value or ""):
                self.found.append(told)

    def handle_data(self, data: str) -> None:
        if MARK in data and self._within in {"script", "style"}:
            self.found.append(f"{MARK} within <{self._within}>")
        if found := CONTROL.search(data.replace("\t", "")):
            self.found.append(f"{found[0]!r} in {data[:200]!r}")
        self.shows_mark = self.shows_mark or MARK in data

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._within = ""

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.found.append("a comment")


def _problem(tag: str, name: str, value: str) -> str:
    """Return what is wrong with an attribute; '' for nothing. What a form sends is as it is."""
    is_link = name in {"href", "src", "action", "formaction", "hx-get", "hx-post"}
    is_wrong = (
        name.startswith(("on", "hx-on"))
        or name in {"style", "srcdoc"}
        or (is_link and not re.match(r"[/?#]|$", value))
        or (name == "id" and value == MARK)
        or ((tag, name) != ("input", "value") and CONTROL.search(value))
    )
    return f"<{tag} {name}={value[:200]!r}>" if is_wrong else ""


@pytest.mark.skipif(find_spec("httpx") is None, reason="the extras are not installed")
def test_every_page_shows_it_as_text(planted: Path, client: redis.Redis) -> None:
    assert not planted.exists()
    shown = asyncio.run(_read_all(client))
    text: Any = client.hget("rq:job:waits", "description")
    assert shown > 3 or MARK.encode() not in text[:400]


async def _read_all(client: redis.Redis) -> int:
    """Read every page of the dashboard; return how many of them show the hostile text."""
    import httpx  # noqa: PLC0415 - an extra

    from workhorse.dashboard import Dashboard  # noqa: PLC0415 - an extra

    shown = 0
    where = httpx.ASGITransport(Dashboard(client))
    async with httpx.AsyncClient(transport=where, base_url="http://localhost") as browser:
        for address, statuses in _addresses(client).items():
            with in_time(address):
                answer = await browser.get(address)
            assert answer.status_code in statuses, (address[:200], answer.text[-2000:])
            assert len(answer.content) < MOST_BYTES, address[:200]
            if "text/html" not in answer.headers["content-type"]:
                continue
            reader = Reader()
            reader.feed(answer.text)
            assert reader.found == [], address[:200]
            shown += reader.shows_mark
    return shown


def _addresses(client: redis.Redis) -> dict[str, set[int]]:
    """Return every address of the dashboard, and how it may answer."""
    from workhorse.dashboard.data import DATA  # noqa: PLC0415 - an extra
    from workhorse.dashboard.screens import SCREENS  # noqa: PLC0415 - an extra

    cause = Store(client).run(failures.causes(KEYS)).rows[0].id
    text: Any = client.srandmember("rq:groups")
    name = quote(quote(text.decode("utf-8", "backslashreplace"), safe=""), safe="")
    names = {"worker": name, "limit": name, "group": name, "entry": name, "chart": name}
    found: dict[str, set[int]] = {}
    for screen in (*SCREENS, *DATA):
        for state in ("queued", "failed", "finished", "scheduled", "deferred", "started"):
            for parts in ({"queue": "q", "job_id": "waits"}, {"queue": name, "job_id": name}):
                address = screen.format(state=state, cause=cause, **parts, **names)
                found[address] = {200, 404} if name in address else {200}
    queries = ("zqz", "status:failed", "error:zqz", "%3Cscript%3Ezqz", "tag:zqz")
    fixed = [f"/jobs/{job_id}" for job_id in JOBS] + [f"/search?q={query}" for query in queries]
    return found | {address: {200} for address in fixed}
