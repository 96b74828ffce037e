"""``python -m tests.mutations``: switch protections off, one by one, and see their tests fail."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from tests.mutations.lists import ROOT, Mutation, control, load_all
from tests.mutations.trials import Report, Said, cores, try_all


def main(arguments: Sequence[str]) -> int:
    """Return 0 if every mutation that was chosen was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("names", nargs="*", default=[], help="of mutations, or parts of names")
    which.add_argument("--all", action="store_true")
    which.add_argument("--list", action="store_true", help="only show what there is")
    which.add_argument("--sample", type=int, metavar="N", help="some of the quick ones")
    parser.add_argument("--seed", help="of the sample; the current commit by default")
    parser.add_argument("--at-once", type=int, default=cores(), metavar="N")
    parser.add_argument("-v", "--verbose", action="store_true", help="say why tests failed")
    chosen = parser.parse_args(arguments)
    mutations = load_all()
    if chosen.sample is not None:
        mutations = _sample(mutations, chosen.sample, chosen.seed or _commit())
    elif chosen.names:
        mutations = [m for m in mutations if any(name in m.name for name in chosen.names)]
    if chosen.list or not mutations:
        print("\n".join(_described(mutation) for mutation in mutations) or "no such mutation")
        return int(not mutations)
    if chosen.sample is None:  # a sample is for those who have just run all tests
        mutations = [control(mutations), *mutations]
    return asyncio.run(_run(mutations, chosen.at_once, verbose=chosen.verbose))


def _sample(mutations: Sequence[Mutation], number: int, seed: str) -> list[Mutation]:
    quick = sorted((m for m in mutations if m.quick), key=lambda m: m.name)
    print(f"{number} of {len(quick)}; the same again by --sample {number} --seed {seed}")
    return random.Random(seed).sample(quick, min(number, len(quick)))


def _commit() -> str:
    """Return what this source is called, so that a run can be repeated; "0" outside of git."""
    if shutil.which("git") is None:
        return "0"
    command = ("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "0"


def _described(mutation: Mutation) -> str:
    faults = ", ".join(map(str, mutation.faults))
    return f"{mutation.name:60} {'quick' if mutation.quick else '':6} {faults}"


async def _run(mutations: Sequence[Mutation], at_once: int, *, verbose: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    reports: list[Report] = []
    async for report in try_all(mutations, at_once=at_once):
        reports.append(report)
        _show(report, verbose=verbose)
    caught = sum(report.said is Said.CAUGHT for report in reports)
    print(f"{caught} of {sum(not m.is_control for m in mutations)} caught")
    return int(not all(report.is_good for report in reports))


def _show(report: Report, *, verbose: bool) -> None:
    print(f"{report.said:11} {report.mutation.name:60} {report.seconds:5.1f} s", flush=True)
    if verbose or not report.is_good:
        for reason in report.reasons:
            print(f"            {reason}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
