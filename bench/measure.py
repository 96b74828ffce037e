"""The measurements. Each is of one side, on an empty server, and says what it times."""

from __future__ import annotations

import resource
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import redis

from bench.producer import QUEUE
from bench.sides import ROOT, Contender, Side
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until

KILO = 1000
R = TypeVar("R", "Drain", "Enqueue")


@dataclass(frozen=True)
class Drain:
    """A full queue worked off by one worker command, per job where not said otherwise."""

    jobs: float
    enqueue_rate: float
    """Jobs a second, by ``enqueue_many``."""
    rate: float
    """Jobs a second, from the start of the first job to the end of the last."""
    worker_cpu: float
    """Microseconds of all its processes, less what it spends on an empty queue."""
    server_cpu: float
    """Microseconds."""
    trips: float
    """Reads that the server did: one for each request or pipeline that arrives."""
    commands: float
    """Commands that the server ran, those in scripts included."""
    queued: float
    """Kilobytes a job that waits."""
    finished: float
    """Kilobytes a job that has finished, with its result and registry entry."""


@dataclass(frozen=True)
class Enqueue:
    """Jobs enqueued one by one."""

    rate: float
    """Jobs a second."""
    trips: float
    """Reads that the server did for a job."""


def enqueue(server: RunningServer, side: Side, number: int) -> Enqueue:
    """Enqueue *number* jobs, one call of ``enqueue`` each."""
    with server.client() as client:
        client.flushall()
        counts = [_info(client)["total_reads_processed"]]
        side.produce(server.url, "one_by_one", 0)  # what connecting and warming up cost
        counts.append(_info(client)["total_reads_processed"])
        measured = side.produce(server.url, "one_by_one", number)
        counts.append(_info(client)["total_reads_processed"])
    trips = (counts[2] - counts[1]) - (counts[1] - counts[0])
    return Enqueue(rate=number / float(measured["seconds"]), trips=trips / number)


def drain(server: RunningServer, contender: Contender, number: int) -> Drain:
    """Fill a queue with *number* jobs that do nothing and have *contender* work it off."""
    with server.client() as client:
        client.flushall()
        idle_cpu = _run_burst(contender, server.url)
        client.flushall()
        empty = _info(client)
        produced = contender.producer.produce(server.url, "many", number)
        full = _info(client)
        busy_cpu = _run_burst(contender, server.url)
        done = _info(client)
        seconds = _span(client, number)
    server_cpu = sum(done[name] - full[name] for name in ("used_cpu_user", "used_cpu_sys"))
    return Drain(
        jobs=number,
        enqueue_rate=number / float(produced["seconds"]),
        rate=number / seconds,
        worker_cpu=(busy_cpu - idle_cpu) / number * 1e6,
        server_cpu=server_cpu / number * 1e6,
        trips=(done["total_reads_processed"] - full["total_reads_processed"]) / number,
        commands=(done["total_commands_processed"] - full["total_commands_processed"]) / number,
        queued=(full["used_memory"] - empty["used_memory"]) / number / KILO,
        finished=(done["used_memory"] - empty["used_memory"]) / number / KILO,
    )


def latencies(server: RunningServer, contender: Contender, number: int) -> list[float]:
    """Return milliseconds from the call of ``enqueue`` to the job's first line, worker idle."""
    with server.client() as client:
        client.flushall()
        worker = subprocess.Popen(
            contender.command(server.url),
            cwd=ROOT,
            env=contender.producer.environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: client.scard("rq:workers") == 1, within=30)
            with tempfile.TemporaryDirectory() as folder:
                path = str(Path(folder, "stamps"))
                measured = contender.producer.produce(server.url, "latency", number, path)
        finally:
            worker.terminate()
            worker.wait()
    return [seconds * 1000 for seconds in measured["seconds"]]


def median_of(runs: Sequence[R]) -> R:
    """Return the median of each number of *runs*, which are of one kind."""
    middle = {
        field.name: statistics.median(getattr(run, field.name) for run in runs)
        for field in fields(runs[0])
    }
    return type(runs[0])(**middle)


def _run_burst(contender: Contender, url: str) -> float:
    """Run the worker until the queue is empty; return the processor time it took, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = contender.command(url, "--burst")
    environment = contender.producer.environment
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _info(client: redis.Redis) -> dict[str, Any]:
    answer: Any = client.info("all")
    facts: dict[str, Any] = answer
    return facts


def _span(client: redis.Redis, number: int) -> float:
    """Return the seconds from the first start to the last end, as the jobs' hashes have them."""
    ids: Any = client.zrange(f"rq:finished:{QUEUE}", 0, -1)
    if len(ids) != number:
        raise RuntimeError(f"{number} jobs were enqueued, {len(ids)} have finished")
    pipeline = client.pipeline(transaction=False)
    for job_id in ids:
        pipeline.hmget(b"rq:job:" + job_id, "started_at", "ended_at")
    times: list[list[bytes]] = pipeline.execute()
    first, last = min(start for start, _ in times), max(end for _, end in times)
    began, ended = (datetime.fromisoformat(word.decode()) for word in (first, last))
    return (ended - began).total_seconds()
