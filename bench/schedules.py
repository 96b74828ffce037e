"""``python -m bench.schedules``: what schedules cost.

How late an idle system is, what a look costs however many
jobs wait, and how fast very many that are due at once are moved, beside another queue's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

from tests.support import servers
from tests.support.servers import RunningServer
from workhorse import Queue
from workhorse.store import jobs
from workhorse.store.drivers import Store
from workhorse.store.schedule import DUE_SLICE
from workhorse.store.server import server_binary
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, PickleSerializer, encode_call
from workhorse.wire.records import JobRecord

A_SECOND = 3000
"""Jobs that are scheduled a second, at least."""
LATE = 40
IDLE = 10.0
DATA = encode_call(Call("time.time", None, (), {}), PickleSerializer())


def schedule(client: redis.Redis, number: int, at: float) -> None:
    """Schedule *number* jobs of the queue "many", all for the same moment."""
    store, keys = Store(client), Keys()
    now = datetime.now(UTC)
    for first in range(0, number, 5 * jobs.MANY):
        records = [
            JobRecord(
                id=f"job{n}", data=DATA, origin="many", created_at=now, scheduled_for=at,
                timeout=180, result_in="hash",
            )
            for n in range(first, min(number, first + 5 * jobs.MANY))
        ]  # fmt: skip
        slices = [records[at : at + jobs.MANY] for at in range(0, len(records), jobs.MANY)]
        store.run_many([jobs.enqueue(keys, some) for some in slices])


def worker(server: RunningServer, *words: str) -> subprocess.Popen[bytes]:
    """Start a supervisor with one worker process."""
    command = [sys.executable, "-m", "workhorse.cli", "worker", "--url", server.url, "-q", *words]
    return subprocess.Popen(command)


def seconds_of(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lateness(client: redis.Redis) -> list[float]:
    """Return how late each of some jobs is queued, in milliseconds."""
    queue, late = Queue("idle", connection=client), []
    for number in range(LATE):
        job = queue.enqueue_in((number * 0.037) % 0.5, "time.time")
        job.wait(10)
        job.refresh()
        if job.scheduled_for and job.enqueued_at:
            late.append(1000 * (job.enqueued_at - job.scheduled_for).total_seconds())
    return late


def idle(server: RunningServer, client: redis.Redis, supervisor: int) -> dict[str, float]:
    """Return what an idle supervisor costs: per cents of a core, calls a second, their time."""
    time.sleep(2)
    client.config_resetstat()
    before = seconds_of(supervisor), seconds_of(server.pid)
    time.sleep(IDLE)
    after = seconds_of(supervisor), seconds_of(server.pid)
    told: Any = client.info("commandstats")["cmdstat_evalsha"]
    return {
        "supervisor, % of a core": 100 * (after[0] - before[0]) / IDLE,
        "server, % of a core": 100 * (after[1] - before[1]) / IDLE,
        "script calls a second": told["calls"] / IDLE,
        "microseconds each": told["usec_per_call"],
    }


def rush(server: RunningServer, client: redis.Redis, number: int, at: float) -> dict[str, float]:
    """See all of "many" moved, once they are due, beside a job of another queue."""
    beside, late = Queue("idle", connection=client), list[float]()
    key = "rq:scheduled:many"
    if client.zcard(key) < number:
        raise SystemExit("they became due while they were scheduled: this machine is slow")
    time.sleep(max(0.0, at - time.time()))
    began, used = time.monotonic(), seconds_of(server.pid)
    while client.zcard(key):
        job = beside.enqueue_in(0.05, "time.time")
        job.wait(60)
        job.refresh()
        if job.scheduled_for and job.enqueued_at:
            late.append(1000 * (job.enqueued_at - job.scheduled_for).total_seconds())
    seconds, used = time.monotonic() - began, seconds_of(server.pid) - used
    return {
        "jobs a second": number / seconds,
        "server's processor time for a slice of 200, ms": 1000 * used / (number / DUE_SLICE),
        "another queue's job is late, ms (median)": statistics.median(late),
        "(longest)": max(late),
    }


def tell(title: str, figures: dict[str, float]) -> None:
    """Print some figures."""
    print(title)
    for name, value in figures.items():
        print(f"    {name:45} {value:12,.2f}")


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.schedules", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    number = parser.parse_args().jobs
    with servers.running("bench", server_binary()) as server, server.client() as client:
        process = worker(server, "idle")
        try:
            tell("idle, nothing is scheduled", idle(server, client, process.pid))
            late = lateness(client)
            figures = {"median": statistics.median(late), "9 of 10": sorted(late)[int(0.9 * LATE)]}
            tell("late, ms", {**figures, "longest": max(late)})
            at = time.time() + 30 + number / A_SECOND
            schedule(client, number, at)
            tell(f"idle, {number} wait", idle(server, client, process.pid))
            tell(f"{number} are due at once", rush(server, client, number, at))
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
