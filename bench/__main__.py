"""``python -m bench``: our rates beside RQ's, on one server, in one run."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench import import_time, measure, report
from bench.measure import Drain, Enqueue
from bench.report import Bar
from bench.sides import Contenders, both
from tests.compat.rq_environment import rq_python
from tests.support import servers
from tests.support.servers import RunningServer
from workhorse.store.server import server_binary

T = TypeVar("T")


@dataclass(frozen=True)
class Sizes:
    """How many jobs each measurement has, and how often it is repeated."""

    drain: int
    one_by_one: int
    fork: int
    rq_worker: int
    rq_simple: int
    latency: int
    repeats: int


@dataclass(frozen=True)
class Race:
    """One run of everything."""

    server: RunningServer
    who: Contenders
    sizes: Sizes

    def enqueue(self) -> dict[str, Enqueue]:
        """Return how jobs are enqueued one by one, ours first."""
        number = self.sizes.one_by_one
        runs = self._rounds(
            {
                side.package: partial(measure.enqueue, self.server, side, number)
                for side in (self.who.ours, self.who.rq)
            }
        )
        return {name: measure.median_of(several) for name, several in runs.items()}

    def drains(self) -> dict[str, Drain]:
        """Return the drain of every contender by its name."""
        sizes, who = self.sizes, self.who
        plan = (
            (who.inline1, sizes.drain),
            (who.inline2, sizes.drain),
            (who.on_rqs_jobs, sizes.drain),
            (who.fork1, sizes.fork),
            (who.rq_worker, sizes.rq_worker),
            (who.rq_simple, sizes.rq_simple),
        )
        runs = self._rounds(
            {
                contender.name: partial(measure.drain, self.server, contender, number)
                for contender, number in plan
            }
        )
        return {name: measure.median_of(several) for name, several in runs.items()}

    def latencies(self) -> dict[str, list[float]]:
        """Return the waits of jobs on an idle worker, sorted; each the median of its rank."""
        who, number = self.who, self.sizes.latency
        runs = self._rounds(
            {
                contender.name: partial(measure.latencies, self.server, contender, number)
                for contender in (who.inline1, who.fork1, who.rq_worker, who.rq_simple)
            }
        )
        return {
            name: [statistics.median(rank) for rank in zip(*map(sorted, several), strict=True)]
            for name, several in runs.items()
        }

    def _rounds(self, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
        """Measure each in turn, and again: what else the machine does meets all of them."""
        runs: dict[str, list[T]] = {name: [] for name in measures}
        for number in range(1, self.sizes.repeats + 1):
            for name, measured in measures.items():
                _show(f"round {number} of {self.sizes.repeats}: {name} ...")
                runs[name].append(measured())
        _show("")
        return runs


def _show(progress: str) -> None:
    """Replace the line of progress, where somebody looks at it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{progress}", end="", file=sys.stderr, flush=True)


def bars(
    who: Contenders, enqueue: Mapping[str, Enqueue], drains: Mapping[str, Drain], cost: float
) -> list[Bar]:
    """Return what was promised beside what was measured; *cost* is the import's."""
    worker, simple = drains[who.rq_worker.name], drains[who.rq_simple.name]
    two, fork = drains[who.inline2.name], drains[who.fork1.name]
    return [
        Bar("2 processes, times RQ's Worker", two.rate / worker.rate, 100),
        Bar("2 processes, times RQ's SimpleWorker", two.rate / simple.rate, 30),
        Bar("isolation fork, times RQ's Worker", fork.rate / worker.rate, 4),
        Bar("round trips for one enqueue", enqueue[who.ours.package].trips, 1.01, at_most=True),
        Bar("round trips to run a short job", two.trips, 0.5, at_most=True),
        Bar("import of Queue, ms over redis", cost, import_time.BAR, at_most=True),
    ]


def sizes_of(told: argparse.Namespace) -> Sizes:
    """Return the sizes that the command line asks for."""
    if told.quick:
        return Sizes(told.jobs or 5000, 1000, 300, 100, 300, 30, 1)
    return Sizes(told.jobs or 20_000, 5000, 1000, 300, 1500, 100, 3)


def main() -> None:
    """Measure, print, and write the JSON file where one is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--jobs", type=int, help="jobs in our large drains (20,000)")
    parser.add_argument("--quick", action="store_true", help="fewer jobs, one run of each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    told = parser.parse_args()
    who, sizes = both(rq_python()), sizes_of(told)
    versions = {"workhorse": who.ours.version(), "rq": who.rq.version()}
    with servers.running("bench", server_binary()) as server:
        name = f"Valkey {servers.version_of(server_binary())}"
        print(report.head(name, versions["workhorse"], versions["rq"], sizes.repeats))
        race = Race(server, who, sizes)
        one, drains = race.enqueue(), race.drains()
        waits = race.latencies()
    worker, simple = drains[who.rq_worker.name], drains[who.rq_simple.name]
    ours = drains[who.inline2.name]
    many = {
        "workhorse": ours.enqueue_rate,
        "rq": drains[who.on_rqs_jobs.name].enqueue_rate,
    }
    print(report.producers(one, many))
    print(report.drains(drains, worker=worker, simple=simple))
    print(report.memory(ours, simple))
    print(report.latency(waits))
    _, cost = import_time.cost("from workhorse import Queue")
    _, rq_cost = import_time.cost("from rq import Queue", who.rq.python)
    print(f"Import of Queue, over the import of redis: ours {cost:.0f} ms, RQ {rq_cost:.0f} ms\n")
    promises = bars(who, one, drains, cost)
    print("Bars", *promises, sep="\n")
    if told.json:
        facts: dict[str, Any] = {
            "versions": versions,
            "sizes": asdict(sizes),
            "enqueue": {name: asdict(run) for name, run in one.items()},
            "enqueue_many": many,
            "drains": {name: asdict(run) for name, run in drains.items()},
            "latency_ms": waits,
            "import_ms": {"workhorse": cost, "rq": rq_cost},
            "bars": [{**asdict(bar), "holds": bar.holds} for bar in promises],
        }
        told.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
