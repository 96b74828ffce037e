"""The table that a person reads, and the bars that must hold."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Drain, Enqueue

HOW = """\
Both sides run on the same server, one after the other, each with its own producer and its own
command (`workhorse worker`, `rq worker`, --burst --quiet), and keep every result. A drain is timed
from the start of the first job to the end of the last, as the jobs' hashes have it: starting an
interpreter counts for nobody. Worker CPU is that of all its processes, less that of the same
command on an empty queue. A trip is one read of the server: a request, or a pipeline that arrives
at once. Commands are those of the server, in scripts too. Medians of {repeats} rounds.
"""


@dataclass(frozen=True)
class Bar:
    """What was promised, and what was measured."""

    promise: str
    measured: float
    limit: float
    at_most: bool = False
    """Whether less is better."""

    @property
    def holds(self) -> bool:
        """Return whether the promise is kept."""
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit

    def __str__(self) -> str:
        word = "holds " if self.holds else "MISSED"
        limit = f"{'at most' if self.at_most else 'at least'} {self.limit:g}"
        return f"  {word}  {self.promise}: {self.measured:.2f} ({limit})"


def head(server: str, ours: str, rq: str, repeats: int) -> str:
    """Return what was compared, on what, and how."""
    load = os.getloadavg()[0]
    return (
        f"Workhorse {ours} beside RQ {rq}\n"
        f"{os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}, {server}, "
        f"unix socket, no persistence, load at start {load:.1f}\n\n{HOW.format(repeats=repeats)}"
    )


def producers(one: Mapping[str, Enqueue], many: Mapping[str, float]) -> str:
    """Return the table of enqueueing: ours and RQ's."""
    ours, rq = one.values()
    my_rate, rq_rate = many.values()
    rows = [
        ["one by one, jobs/s", f"{ours.rate:,.0f}", f"{rq.rate:,.0f}", _times(ours.rate, rq.rate)],
        ["one by one, trips a job", f"{ours.trips:.2f}", f"{rq.trips:.2f}", ""],
        ["enqueue_many, jobs/s", f"{my_rate:,.0f}", f"{rq_rate:,.0f}", _times(my_rate, rq_rate)],
    ]
    return _table(["Enqueue", "ours", "RQ", "ratio"], rows)


def drains(runs: Mapping[str, Drain], *, worker: Drain, simple: Drain) -> str:
    """Return the table of workers; ratios are to RQ's two."""
    rows = [
        [
            name,
            f"{run.jobs:,.0f}",
            f"{run.rate:,.0f}",
            _times(run.rate, worker.rate),
            _times(run.rate, simple.rate),
            f"{run.worker_cpu:,.0f}",
            f"{run.server_cpu:,.0f}",
            f"{run.trips:.3f}",
            f"{run.commands:.1f}",
        ]
        for name, run in runs.items()
    ]
    heads = [
        "Drain of jobs that do nothing", "jobs", "jobs/s", "to Worker", "to Simple",
        "worker CPU us", "server CPU us", "trips", "commands",
    ]  # fmt: skip
    return _table(heads, rows)


def memory(ours: Drain, rq: Drain) -> str:
    """Return the table of memory on the server."""
    rows = [
        [name, f"{mine:.2f}", f"{theirs:.2f}", _times(theirs, mine)]
        for name, mine, theirs in (
            ("a job that waits", ours.queued, rq.queued),
            ("a job that has finished", ours.finished, rq.finished),
        )
    ]
    return _table(["Memory, kB", "ours", "RQ", "ratio"], rows)


def latency(waits: Mapping[str, Sequence[float]]) -> str:
    """Return the table of idle latency."""
    rows = [
        [name, f"{statistics.median(times):.1f}", f"{percentile(times, 95):.1f}"]
        for name, times in waits.items()
    ]
    return _table(["Idle worker, enqueue to start, ms", "median", "p95"], rows)


def percentile(times: Sequence[float], percent: int) -> float:
    """Return the time that *percent* of *times* are not above.

    >>> percentile([5, 1, 4, 2, 3], 95)
    5
    """
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


def _times(more: float, less: float) -> str:
    return f"{more / less:.1f}x"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (heads, *rows)
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]]) + "\n"


def _processor() -> str:
    """Return the processor's name, where the system tells it."""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
