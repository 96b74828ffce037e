"""What a person reads after a run."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence

from chaos.account import Account, Problem, Wrong
from chaos.plan import Fault, Kind

_TOLD = 20
"""Problems of one kind that are told in full."""


def head(command: str, server: str) -> str:
    """Return what runs where."""
    load = os.getloadavg()[0]
    return (
        f"{command}\n{os.cpu_count()} cores, Python {platform.python_version()}, {server}, "
        f"append-only file synced at each write, load at start {load:.1f}"
    )


def summary(account: Account, *, seconds: float, sent_again: int) -> str:
    """Return the figures of a run."""
    evidence = account.evidence
    jobs = len(evidence.specs)
    runs = sum(map(len, evidence.runs.values()))
    deaths = sum(what.kind is Kind.DIE for what in evidence.specs.values())
    states = ", ".join(f"{many:,} {state}" for state, many in account.states().most_common())
    bound = f"at most {account.at_risk:,}, in flight at a fault that may cost a run"
    lines = [
        f"jobs enqueued       {jobs:>9,}   {states}",
        f"runs of their code  {runs:>9,}   {deaths:,} jobs are poison pills, which die each time",
        f"seconds             {seconds:>9,.0f}   {jobs / seconds:,.0f} jobs/s, faults included",
        f"calls sent again    {sent_again:>9,}   by producers whose client had given up",
        "",
        _faults(account),
        "",
        f"run more than once  {account.again:>9,}   {bound}",
        f"  of them late      {account.late:>9,}   by a worker that was stopped meanwhile",
        "",
        *(f"{wrong:<38} {account.count(wrong):>6,}" for wrong in Wrong),
    ]
    return "\n".join(lines)


def _faults(account: Account) -> str:
    """Return how often each fault was injected, and how long recovery took after it."""
    counts = Counter(one.fault for one in account.evidence.injected)
    heads = ("fault", "times", "runs lost", "begun again after, s: median", "p99", "most")
    rows = ["{:<34} {:>6} {:>10} {:>29} {:>6} {:>6}".format(*heads)]
    for fault in Fault:
        waits = sorted(one.seconds for one in account.recoveries if one.fault is fault)
        shown = f"{fault:<34} {counts[fault]:>6,} {len(waits):>10,}"
        if waits:
            middle, late = (waits[len(waits) * part // 100] for part in (50, 99))
            shown += f" {middle:>29.2f} {late:>6.2f} {waits[-1]:>6.2f}"
        rows.append(shown)
    rows.append(f"{'all':<34} {counts.total():>6,} {len(account.recoveries):>10,}")
    if slowest := account.slowest():
        rows.append(f"the slowest: {slowest.job_id}, {slowest.seconds:.2f} s")
    return "\n".join(rows)


def problems(account: Account, known: Mapping[str, Sequence[str]]) -> str:
    """Return what is wrong, with all that is *known* of each job."""
    lines: list[str] = []
    told: Counter[Wrong] = Counter()
    for problem in account.problems:
        told[problem.wrong] += 1
        if told[problem.wrong] <= _TOLD:
            lines += ["", _headline(problem), *(f"    {line}" for line in _of(problem, known))]
    lines += [f"\n{many - _TOLD} more: {wrong}" for wrong, many in told.items() if many > _TOLD]
    return "\n".join(lines)


def told_of(account: Account) -> list[str]:
    """Return the jobs of which everything is to be known: with problems, or slow to recover."""
    told: Counter[Wrong] = Counter()
    slowest = account.slowest()
    found = [slowest.job_id] if slowest else []
    for problem in account.problems:
        told[problem.wrong] += 1
        if problem.job_id and told[problem.wrong] <= _TOLD and problem.job_id not in found:
            found.append(problem.job_id)
    return found


def _headline(problem: Problem) -> str:
    return f"{problem.wrong}: {problem.job_id} {problem.text}".rstrip()


def _of(problem: Problem, known: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return known.get(problem.job_id, ())
