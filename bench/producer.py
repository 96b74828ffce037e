"""A producer: ``python -m bench.producer workhorse|rq URL WHAT N [FILE]``; prints JSON.

One program for both sides, because both have the same API: whichever package is named is
imported, and its ``Queue`` timed. Start-up, imports and a few first calls are not.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.tasks import nothing, stamp

QUEUE = "bench"
WARM_UP = 20


def one_by_one(package: Any, queue: Any, number: int) -> dict[str, float]:
    """Enqueue *number* jobs, one call each."""
    del package
    began = time.perf_counter()
    for _ in range(number):
        queue.enqueue(nothing)
    return {"seconds": time.perf_counter() - began}


def many(package: Any, queue: Any, number: int) -> dict[str, float]:
    """Enqueue *number* jobs by one call of ``enqueue_many``."""
    began = time.perf_counter()
    queue.enqueue_many([package.Queue.prepare_data(nothing) for _ in range(number)])
    return {"seconds": time.perf_counter() - began}


def latency(package: Any, queue: Any, number: int) -> dict[str, list[float]]:
    """Enqueue *number* jobs, each when the worker is idle; return seconds from call to start."""
    del package
    path = Path(sys.argv[5])
    waits: list[float] = []
    for count in range(1, number + WARM_UP + 1):
        began = time.monotonic()
        queue.enqueue(stamp, str(path))
        while len(lines := path.read_text().splitlines() if path.exists() else []) < count:
            time.sleep(0.001)
        waits.append(float(lines[-1]) - began)
        time.sleep(0.01)  # it settles and goes back to sleep
    return {"seconds": waits[WARM_UP:]}


def main() -> None:
    """Measure what the arguments ask for."""
    name, url, what, number = sys.argv[1:5]
    package = import_module(name)
    connection = import_module("redis").Redis.from_url(url)
    warm = package.Queue("bench-warm-up", connection=connection)
    for _ in range(WARM_UP):
        warm.enqueue(nothing)
    warm.enqueue_many([package.Queue.prepare_data(nothing) for _ in range(WARM_UP)])
    warm.delete()
    queue = package.Queue(QUEUE, connection=connection)
    operations = {"one_by_one": one_by_one, "many": many, "latency": latency}
    print(json.dumps(operations[what](package, queue, int(number))))


if __name__ == "__main__":
    main()
