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

from tests.mutations import generated
from tests.mutations.lists import ROOT, Mutation, control, load_all
from tests.mutations.trials import Report, Said, cores, try_all


def main(arguments: Sequence[str]) -> int:
    """Return 0 if every mutation that was chosen was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", help="of mutations, or parts of their names")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="the whole list")
    which.add_argument("--sample", type=int, metavar="N", help="some of the quick ones")
    which.add_argument(
        "--scripts", action="store_true", help="each `if` negated, each statement dropped in Lua"
    )
    parser.add_argument("--seed", help="of the sample; the current commit by default")
    parser.add_argument("--list", action="store_true", help="show them rather than run them")
    parser.add_argument("--at-once", type=int, default=cores(), metavar="N")
    parser.add_argument("-v", "--verbose", action="store_true", help="say why tests failed")
    chosen = parser.parse_args(arguments)
    if not (chosen.names or chosen.all or chosen.sample or chosen.scripts or chosen.list):
        parser.error("which ones? their names, --all, --sample N or --scripts")
    mutations = _chosen(chosen)
    if chosen.list or not mutations:
        print("\n".join(_described(mutation) for mutation in mutations) or "no such mutation")
        return int(not mutations)
    if not chosen.sample and not chosen.scripts:  # else all tests have just been run
        mutations = [control(mutations), *mutations]
    trial = _run_generated if chosen.scripts else _run
    return asyncio.run(trial(mutations, chosen.at_once, verbose=chosen.verbose))


def _chosen(chosen: argparse.Namespace) -> list[Mutation]:
    mutations = generated.of_scripts() if chosen.scripts else load_all()
    if chosen.names:
        mutations = [m for m in mutations if any(name in m.name for name in chosen.names)]
    if not chosen.sample:
        return mutations
    seed = chosen.seed or _commit()
    quick = sorted((m for m in mutations if m.quick), key=lambda m: m.name)
    print(f"{chosen.sample} of {len(quick)}; again by --sample {chosen.sample} --seed {seed}")
    return random.Random(seed).sample(quick, min(chosen.sample, len(quick)))


def _commit() -> str:
    """Return what this source is called, so that a run can be repeated; "0" outside of git."""
    if shutil.which("git") is None:
        return "0"
    command = ("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "0"


def _described(mutation: Mutation) -> str:
    faults = ", ".join(map(str, mutation.faults))
    return f"{mutation.name:66} {'quick' if mutation.quick else '':6} {faults}".rstrip()


async def _run(mutations: Sequence[Mutation], at_once: int, *, verbose: bool) -> int:
    _end_on_sigterm()
    reports: list[Report] = []
    async for report in try_all(mutations, at_once=at_once):
        reports.append(report)
        _show(report, verbose=verbose)
    return _sum_up(reports)


async def _run_generated(mutations: Sequence[Mutation], at_once: int, *, verbose: bool) -> int:
    """Try the nearest tests first, and all on what those miss; all must pass by themselves."""
    _end_on_sigterm()
    reports: list[Report] = []
    missed: list[Mutation] = []
    equivalent = generated.load_equivalent()
    trials = [control(map(generated.widened, mutations[:1])), *mutations]
    async for report in try_all(trials, at_once=at_once, options=generated.OPTIONS):
        if why := equivalent.get(report.mutation.name):
            reports.append(report.as_equivalent(why))
        elif report.said is Said.MISSED:
            missed.append(generated.widened(report.mutation))
            continue
        else:
            reports.append(report)
        _show(reports[-1], verbose=verbose)
    async for report in try_all(missed, at_once=at_once, options=generated.OPTIONS):
        reports.append(report)
        _show(report, verbose=verbose)
    return _sum_up(reports)


def _end_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _sum_up(reports: Sequence[Report]) -> int:
    caught = sum(report.said is Said.CAUGHT for report in reports)
    print(f"{caught} of {sum(not report.mutation.is_control for report in reports)} caught")
    return int(not all(report.is_good for report in reports))


def _show(report: Report, *, verbose: bool) -> None:
    print(f"{report.said:11} {report.mutation.name:66} {report.seconds:5.1f} s", flush=True)
    if verbose or report.said is not Said.CAUGHT:
        for reason in report.reasons:
            print(f"            {reason}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
