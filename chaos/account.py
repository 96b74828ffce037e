"""What became of every job: what the server has beside what the jobs themselves wrote. Pure.

Of the runs of one try all but one must have been in flight at a fault that may cost a run of
their worker; nothing excuses a job that is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from chaos.journal import Run
from chaos.plan import STOPS, Fault, Kind, Spec
from chaos.storm import Injected
from workhorse.core.settings import MAX_STARTS
from workhorse.core.states import ENDED, State
from workhorse.store.findings import Finding


class Wrong(StrEnum):
    """What must not happen, in the words of the report."""

    LOST = "lost"
    STUCK = "stuck"
    WRONGLY_FAILED = "wrongly failed"
    WRONGLY_FINISHED = "wrongly finished"
    NOT_RUN = "ended without a run to its end"
    WRONG_RESULT = "ended with another's result"
    RUN_AGAIN = "run again, and not running at a fault"
    AUDIT = "auditor findings"
    ENDED_UNASKED = "supervisors that ended unasked"
    BROKE = "workers that broke"
    LEFT_OVER = "processes left over"


@dataclass(frozen=True, slots=True)
class Fate:
    """What the server has of a job at the end; no state if it has nothing."""

    state: State | None
    result: str | None = None
    error: str = ""
    execution: str = ""
    """Who had it last."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; of a job, or of none."""

    wrong: Wrong
    job_id: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """All that is known after a run."""

    specs: Mapping[str, Spec]
    fates: Mapping[str, Fate]
    runs: Mapping[str, Sequence[Run]]
    injected: Sequence[Injected]
    findings: Sequence[Finding]
    unasked: Sequence[str]
    broke: Sequence[str]
    left_over: Sequence[str]


@dataclass(frozen=True, slots=True)
class Recovery:
    """A run that was lost to a fault and done again."""

    job_id: str
    fault: Fault
    seconds: float
    """From the fault to the next run's begin."""


@dataclass
class Account:
    """The outcome of a run."""

    evidence: Evidence
    problems: list[Problem] = field(default_factory=list[Problem])
    at_risk: int = 0
    """Runs that were in flight at a fault that may cost them: the bound of runs done again."""
    again: int = 0
    """Runs done again, poison pills' own aside."""
    late: int = 0
    """Of them, those that a worker began which was stopped in between, and went on too late."""
    recoveries: list[Recovery] = field(default_factory=list[Recovery])

    def count(self, wrong: Wrong) -> int:
        """Return how many problems of a kind there are."""
        return sum(problem.wrong is wrong for problem in self.problems)

    def slowest(self) -> Recovery | None:
        """Return the recovery that took longest."""
        return max(self.recoveries, key=lambda one: one.seconds, default=None)

    def states(self) -> Counter[str]:
        """Return how many jobs ended in each state."""
        return Counter(str(fate.state or "nowhere") for fate in self.evidence.fates.values())


def reckon(evidence: Evidence) -> Account:
    """Return the account of a run."""
    account = Account(evidence)
    risks = _Risks(evidence.injected)
    account.at_risk = sum(
        risks.of(run) is not None for runs in evidence.runs.values() for run in runs
    )
    for job_id, what in evidence.specs.items():
        runs = evidence.runs.get(job_id, ())
        job = _Job(job_id, what, evidence.fates[job_id], runs, risks)
        account.problems += job.problems()
        account.recoveries += job.recoveries
        account.again += job.again
        account.late += job.late
    account.problems += [
        Problem(Wrong.AUDIT, found.id, f"{found.kind}: {found.key}: {found.explanation}")
        for found in evidence.findings
    ]
    account.problems += [Problem(Wrong.ENDED_UNASKED, "", text) for text in evidence.unasked]
    account.problems += [Problem(Wrong.BROKE, "", text) for text in evidence.broke]
    account.problems += [Problem(Wrong.LEFT_OVER, "", text) for text in evidence.left_over]
    return account


class _Risks:
    """Which runs were in flight at which faults."""

    def __init__(self, injected: Sequence[Injected]) -> None:
        self._faults: dict[str, list[Injected]] = {}
        for fault in injected:
            for lease in fault.leases:
                self._faults.setdefault(lease, []).append(fault)

    def of(self, run: Run, before: float = float("inf")) -> Injected | None:
        """Return the last fault *before* a moment that may have cost the run; None without."""
        faults = reversed(self._faults.get(run.lease, ()))
        hits = (fault for fault in faults if fault.concerns(run.worker) and fault.at < before)
        return next(hits, None)

    def slept(self, run: Run) -> bool:
        """Return whether the run was claimed before its worker was stopped, and began after."""
        return any(
            fault.fault in STOPS and fault.concerns(run.worker) and fault.at < run.began
            for fault in self._faults.get(run.lease, ())
        )


class _Job:
    """One job, judged."""

    def __init__(
        self, job_id: str, what: Spec, fate: Fate, runs: Sequence[Run], risks: _Risks
    ) -> None:
        self.recoveries: list[Recovery] = []
        self.again = self.late = 0
        self._id = job_id
        self._what = what
        self._fate = fate
        self._runs = runs
        self._risks = risks
        self._every_try = _every_try(what)
        self._tries: dict[str, list[Run]] = {}
        for run in runs:
            self._tries.setdefault(run.attempt, []).append(run)

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with it; notes what was run again."""
        yield from self._judge_end()
        for same in self._tries.values():
            yield from self._judge_repeats(same)

    def _judge_end(self) -> Iterator[Problem]:
        state = self._fate.state
        if state is None:
            yield self._problem(Wrong.LOST, "the server has no such job")
        elif state not in ENDED:
            yield self._problem(Wrong.STUCK, f"it is {state}")
        else:
            right = State.FAILED if self._what.fails else State.FINISHED
            if state is not right:
                wrong = Wrong.WRONGLY_FINISHED if self._what.fails else Wrong.WRONGLY_FAILED
                yield self._problem(wrong, f"it is {state}: {self._fate.error}")
            yield from self._judge_tries()

    def _judge_tries(self) -> Iterator[Problem]:
        """Yield a problem for each try without a run to its end, and for another's result."""
        if self._what.kind is Kind.DIE:
            return  # it may be hit, each time, before it comes to its first line
        for attempt in self._every_try:
            if not any(run.ended for run in self._tries.get(attempt, ())):
                yield self._problem(Wrong.NOT_RUN, f"no run of its try {attempt} came to its end")
        expected = f"{self._what.number} by {self._fate.execution}" if self._what.gives else None
        if self._fate.result != expected:
            yield self._problem(Wrong.WRONG_RESULT, f"{self._fate.result!r}, not {expected!r}")

    def _judge_repeats(self, same: Sequence[Run]) -> Iterator[Problem]:
        """Yield a problem if more than one run of a try was never in flight at a fault."""
        safe = [run for run in same if self._risks.of(run) is None]
        is_pill = self._what.kind is Kind.DIE
        if len(safe) > (MAX_STARTS if is_pill else 1):
            yield self._problem(Wrong.RUN_AGAIN, ", ".join(run.execution for run in safe))
        for number, run in enumerate(same):
            following = same[number + 1] if number + 1 < len(same) else None
            if following and (fault := self._risks.of(run, before=following.began)):
                self.recoveries.append(Recovery(self._id, fault.fault, following.began - fault.at))
            if number and self._risks.slept(run):
                self.late += 1
        self.again += 0 if is_pill else len(same) - 1

    def _problem(self, wrong: Wrong, text: str) -> Problem:
        return Problem(wrong, self._id, text)


def _every_try(what: Spec) -> list[str]:
    """Return every try that a job must have had: its retries left, and those it asked for."""
    if what.kind is Kind.STUMBLE or what.kind is Kind.FAIL:
        return [f"{left}.0" for left in range(what.tries, -1, -1)]
    if what.kind is Kind.ASK:
        return [f"0.{asked}" for asked in range(what.tries + 1)]
    return ["0.0"]
