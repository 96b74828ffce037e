"""``python -m bench.earlier [COMMIT]``: our rates beside those of an earlier version, in one run.

What a feature costs those who don't use it: both versions take turns on one server, so that
whatever else the machine does meets both. Exits with 1 where one of our rates is more than
a tenth below the earlier one.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench import measure
from bench.report import Bar
from bench.sides import ROOT, Contenders, Side
from tests.support import servers
from tests.support.servers import RunningServer
from workhorse.store.server import server_binary

FOUNDATION: Final = "dea9393"
"""The last version before jobs were protected against all that `docs/delivery.md` lists."""
KEPT: Final = 0.9
"""The part of its rate that the earlier version may not lose."""


def extract(commit: str, folder: Path) -> Path:
    """Write the package as it was at *commit* into *folder*; return where to import it from."""
    packed = subprocess.run(
        ["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def measures(
    server: RunningServer, side: Side, *, drain: int, fork: int, one_by_one: int
) -> dict[str, Callable[[], float]]:
    """Return what is measured of one version: a rate each, in jobs a second."""
    who = Contenders(side, side)
    return {
        "run, 1 process": lambda: measure.drain(server, who.inline1, drain).rate,
        "run, 2 processes": lambda: measure.drain(server, who.inline2, drain).rate,
        "run, isolation fork": lambda: measure.drain(server, who.fork1, fork).rate,
        "enqueue": lambda: measure.enqueue(server, side, one_by_one).rate,
        "enqueue_many": lambda: measure.drain(server, who.inline2, drain).enqueue_rate,
    }


def compare(now: Side, earlier: Side, rounds: int, sizes: dict[str, int]) -> list[Bar]:
    """Measure both in turn; return our part of each earlier rate."""
    bars: list[Bar] = []
    with servers.running("bench", server_binary()) as server:
        old_ones = measures(server, earlier, **sizes)
        for name, ours in measures(server, now, **sizes).items():
            theirs = old_ones[name]
            ratios: list[float] = []
            for number in range(rounds):
                # Each goes first in every other round.
                first, second = (ours, theirs) if number % 2 else (theirs, ours)
                one, two = first(), second()
                mine, old = (one, two) if number % 2 else (two, one)
                ratios.append(mine / old)
                print(f"{name}: {mine:,.0f}/s beside {old:,.0f}/s", file=sys.stderr, flush=True)
            bars.append(Bar(f"{name}, part of the earlier rate", statistics.median(ratios), KEPT))
    return bars


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.earlier", description=__doc__)
    parser.add_argument("commit", nargs="?", default=FOUNDATION, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="of each (5); medians are shown")
    parser.add_argument("--jobs", type=int, default=20_000, help="in large drains (20,000)")
    told = parser.parse_args()
    sizes = {"drain": told.jobs, "fork": told.jobs // 20, "one_by_one": told.jobs // 4}
    with tempfile.TemporaryDirectory(prefix="workhorse-bench-") as folder:
        earlier = Side("workhorse", Path(sys.executable), extract(told.commit, Path(folder)))
        now = Side("workhorse", Path(sys.executable), ROOT / "src")
        bars = compare(now, earlier, told.rounds, sizes)
    print(f"Beside {told.commit}, medians of {told.rounds} rounds", *bars, sep="\n")
    return 0 if all(bar.holds for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
