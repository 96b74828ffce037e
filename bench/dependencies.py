"""``python -m bench.dependencies``: what an edge costs the server, however the edges lie.

Jobs are claimed and settled by one caller, who runs nothing: the times are the server's and the
way there and back. A row says how many edges there are, and how many were told a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import redis

from tests.support import servers
from tests.support.lives import Life, record
from workhorse.api.sending import slices
from workhorse.core.dependencies import Parents
from workhorse.core.outcomes import Returned
from workhorse.core.verdicts import judge
from workhorse.store import dependents, jobs
from workhorse.store.server import server_binary
from workhorse.wire.records import JobRecord

EDGES = 10_000


def enqueue(life: Life, records: Sequence[JobRecord]) -> None:
    """Enqueue jobs as a producer does."""
    for some in slices(records):
        life.store.run(jobs.enqueue(life.keys, some))


def work_off(life: Life) -> None:
    """Claim and settle all there is, in batches."""
    while True:
        claimed = life.claim(200).jobs
        if not claimed and not life.store.run(dependents.promote(life.keys)):
            return
        items = [jobs.settlement(job, judge(Returned(None)), result_ttl=500) for job in claimed]
        life.settle_many(items)


def child(name: str, *parents: str) -> JobRecord:
    """Return a job that waits for others."""
    return record(name, parents=Parents(parents))


def fan_out() -> list[JobRecord]:
    """Return one parent and its children."""
    return [record("p"), *(child(f"c{number}", "p") for number in range(EDGES))]


def fan_in() -> list[JobRecord]:
    """Return a thousand parents and ten children of all of them."""
    names = [f"p{number}" for number in range(EDGES // 10)]
    return [*map(record, names), *(child(f"c{number}", *names) for number in range(10))]


def chain() -> list[JobRecord]:
    """Return jobs of which each waits for the one before it."""
    return [record("c0"), *(child(f"c{n}", f"c{n - 1}") for n in range(1, EDGES // 10))]


def pairs() -> list[JobRecord]:
    """Return parents with a child each."""
    half = [record(f"p{number}") for number in range(EDGES)]
    return [*half, *(child(f"c{number}", f"p{number}") for number in range(EDGES))]


def plain() -> list[JobRecord]:
    """Return jobs without edges, for comparison."""
    return [record(f"j{number}") for number in range(EDGES)]


def main() -> None:
    """Print a row for each form."""
    forms: list[Callable[[], list[JobRecord]]] = [plain, pairs, fan_out, fan_in, chain]
    print("form      jobs   edges  enqueued/s  worked off: jobs/s  edges/s")
    with (
        servers.running("bench", server_binary()) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        life = Life(client)
        for form in forms:
            client.flushall()
            records = form()
            edges = sum(len(one.parents.ids) for one in records)
            began = time.perf_counter()
            enqueue(life, records)
            sent = time.perf_counter()
            work_off(life)
            done = time.perf_counter()
            rates = len(records) / (sent - began), len(records) / (done - sent)
            told = edges / (done - sent)
            row = f"{rates[0]:11,.0f} {rates[1]:19,.0f} {told:8,.0f}"
            print(f"{form.__name__:8} {len(records):6} {edges:6} {row}")


if __name__ == "__main__":
    main()
