"""``python -m bench.views``: what it costs to look, however many jobs there are.

Each view of the store, each command that reads and each page of the dashboard, in milliseconds,
with 1,000, 100,000 and 1,000,000 jobs on a Valkey without persistence. The last takes 3 GB.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import Any, Final

import redis

from bench import crowd
from tests.support import servers
from tests.support.servers import RunningServer
from workhorse.cli import main as commands
from workhorse.cli.output import MISUSED
from workhorse.core.queries import parse
from workhorse.core.states import State
from workhorse.store import failures, history, overview, pages, roster, search
from workhorse.store import statistics as ran
from workhorse.store.drivers import Store
from workhorse.store.server import server_binary
from workhorse.store.whole import whole
from workhorse.wire.keys import Keys

SIZES: Final = (1_000, 100_000, 1_000_000)
REPEATS: Final = 7
SLOW: Final = 250.0
"""Milliseconds from which a view is marked."""
PLACES: Final[Mapping[pages.Place, str]] = {
    "queued": crowd.QUEUE, "finished": crowd.QUEUE, "failed": crowd.QUEUE,
    "scheduled": crowd.QUEUE, "deferred": crowd.QUEUE, "limited": crowd.LIMIT,
}  # fmt: skip
QUERIES: Final = (
    "func:f7", "func:nobody", "status:failed error:Trouble7", "tag:bulk", "id:queued-0",
    "status:scheduled func:nobody", "queued-0",
)  # fmt: skip

Look = Callable[[], object]


def views(store: Store, keys: Keys) -> Iterator[tuple[str, Look]]:
    """Return each view of the store, with its name."""
    yield "overview", lambda: store.run(overview.every_queue(keys))
    for place, name in PLACES.items():
        total = store.run(pages.page(keys, place, name, length=1)).total
        for where, offset in (("first", 0), ("middle", total // 2), ("last", total - 25)):
            call = pages.page(keys, place, name, offset=offset)
            yield f"page of {place}: {where}", partial(store.run, call)
    waiting = pages.page(keys, "queued", crowd.QUEUE, length=1, backwards=True)
    last = store.run(waiting).rows[0].id
    for what, job_id in {"waits, the last one": last, **JOBS}.items():
        yield f"whole job: {what}", partial(_whole, store, keys, job_id)
    yield "causes", lambda: store.run(failures.causes(keys))
    cause = store.run(failures.causes(keys)).rows[0].id
    yield "jobs of a cause", lambda: store.run(pages.page(keys, "failed_of", cause))
    yield "functions", lambda: store.run(ran.functions(keys))
    yield "history of a day", lambda: store.run(history.history(keys, "day"))
    names = [f"web{n}.7.af03" for n in range(crowd.WORKERS)]
    yield "workers", lambda: store.run(roster.roster(keys, names))
    for query in QUERIES:
        yield f"search {query}", partial(_search, store, keys, query)


def _whole(store: Store, keys: Keys, job_id: str) -> object:
    return store.run(whole(keys, job_id))


def _search(store: Store, keys: Keys, query: str) -> object:
    return store.run(search.search(keys, parse(query)))


JOBS: Final[Mapping[str, str]] = {
    "waits, in front": crowd.job_in(State.QUEUED),
    "finished": crowd.job_in(State.FINISHED),
    "failed": crowd.job_in(State.FAILED),
    "runs": "runs0",
    "with very many children": crowd.PARENT,
    "waits for a limit": crowd.job_in(State.RATE_LIMITED),
}


def reading_commands(server: RunningServer) -> Iterator[tuple[str, Look]]:
    """Return each command that reads, as it is run in a process that has imported all."""
    os.environ["WORKHORSE_URL"] = server.url
    for words in (
        ("info",), ("info", "--json"), ("queue", "list"), ("workers",), ("failed",),
        ("failed", "--queue", crowd.QUEUE), ("job", "show", crowd.job_in(State.FAILED)),
        ("job", "show", crowd.PARENT), ("cron", "list"), ("doctor",),
    ):  # fmt: skip
        yield f"$ workhorse {' '.join(words)}", partial(_run, words)


def _run(words: Sequence[str]) -> int:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = commands.run(list(words))
    if code == MISUSED:
        raise RuntimeError(out.getvalue())
    return code


def dashboard_pages(client: redis.Redis, keys: Keys) -> Iterator[tuple[str, Look]]:
    """Return each page of the dashboard, as the application answers it."""
    import httpx  # noqa: PLC0415 - an extra

    from workhorse.dashboard import Dashboard  # noqa: PLC0415 - an extra

    where = httpx.ASGITransport(Dashboard(client))

    async def get(address: str) -> None:
        async with httpx.AsyncClient(transport=where, base_url="http://localhost") as browser:
            (await browser.get(address)).raise_for_status()

    for address in _addresses(client, keys):
        name = re.sub(r"offset=\d+", "offset=middle", address)
        yield f"GET {name}", partial(_read, get, address)


def _read(get: Callable[[str], Coroutine[Any, Any, None]], address: str) -> None:
    asyncio.run(get(address))


def _addresses(client: redis.Redis, keys: Keys) -> Iterator[str]:
    from workhorse.dashboard.screens import SCREENS  # noqa: PLC0415 - an extra

    causes = Store(client).run(failures.causes(keys)).rows
    parts = {
        "queue": crowd.QUEUE, "worker": "web0.7.af03", "limit": crowd.LIMIT, "group": crowd.GROUP,
        "job_id": crowd.job_in(State.FAILED), "cause": causes[0].id,
    }  # fmt: skip
    for screen in SCREENS:
        if "{entry}" in screen:
            continue
        if "{state}" not in screen:
            yield screen.format(**parts)
            continue
        for place in ("queued", "finished", "failed", "scheduled", "deferred"):
            address = screen.format(state=place, **parts)
            yield address
            key = f"rq:{place}:{crowd.QUEUE}"
            total = client.zcard(key) if place != "queued" else client.llen("rq:queue:q")
            yield f"{address}?offset={total // 2}"
    yield f"/jobs/{crowd.PARENT}"
    if "/search" in SCREENS:
        yield from (f"/search?q={query}" for query in QUERIES)


def took(look: Look) -> float:
    """Return how many milliseconds a look takes: the least of some, after one to warm up."""
    look()
    runs: list[float] = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        look()
        runs.append(1000 * (time.perf_counter() - started))
    return min(runs)


def measure(size: int) -> dict[str, float]:
    """Return what each look costs, in milliseconds, with so many jobs on a server."""
    keys, found = Keys(), {}
    with servers.running("valkey", server_binary()) as server, server.client() as client:
        started = time.perf_counter()
        crowd.fill(client, size)
        memory = client.info("memory")["used_memory"] / (1 << 20)
        print(
            f"{size:,} jobs: {time.perf_counter() - started:.0f} s, {memory:,.0f} MB", flush=True
        )
        for name, look in (
            *views(Store(client), keys),
            *reading_commands(server),
            *dashboard_pages(client, keys),
        ):
            try:
                found[name] = took(look)
            except Exception as error:  # noqa: BLE001 - the others are measured all the same
                print(f"{name}: {error!r:.300}", flush=True)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args()
    found = {size: measure(size) for size in given.sizes}
    names = list(dict.fromkeys(name for told in found.values() for name in told))
    print(f"{'ms':50}" + "".join(f"{size:>12,}" for size in found))
    for name in names:
        cells = [told.get(name) for told in found.values()]
        mark = "  <-- slow" if any(cell and cell > SLOW for cell in cells) else ""
        told = "".join(f"{'-' if cell is None else f'{cell:.1f}':>12}" for cell in cells)
        print(f"{name:50}{told}{mark}")
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path of the caller's
            json.dump(found, file, indent=2)


if __name__ == "__main__":
    main()
