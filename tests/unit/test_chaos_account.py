"""What `make chaos` makes of runs that went wrong: each flaw is seen, and only flaws are."""

from __future__ import annotations

import doctest
from collections.abc import Sequence
from dataclasses import replace

import pytest

from chaos import journal, plan
from chaos.account import Account, Evidence, Fate, Wrong, reckon
from chaos.journal import Run
from chaos.plan import Fault, Kind, Spec
from chaos.storm import Injected
from workhorse.core.states import State
from workhorse.store.findings import Finding
from workhorse.store.findings import Kind as Flaw

SPEC = Spec(5, Kind.NOTHING, "q", seconds=0, tries=0, interval=0, by_signal=True)
FINE = Fate(State.FINISHED)


def run(execution: str, began: float, *, worker: str = "a.1.-1", attempt: str = "0.0") -> Run:
    return Run("j", execution, attempt, worker, 1, began, began + 1)


def hit(fault: Fault, *executions: str, victim: str = "a.1.-1", at: float = 10.5) -> Injected:
    return Injected(fault, victim, at, {f"j:{execution}" for execution in executions})


def account(
    fate: Fate = FINE,
    runs: Sequence[Run] = (run("e1", 10),),
    faults: Sequence[Injected] = (),
    spec: Spec = SPEC,
) -> Account:
    return reckon(Evidence({"j": spec}, {"j": fate}, {"j": runs}, faults, (), (), (), ()))


def wrongs(found: Account) -> list[Wrong]:
    return [problem.wrong for problem in found.problems]


def test_a_job_that_ran_once_and_finished_is_fine() -> None:
    assert wrongs(account()) == []


@pytest.mark.parametrize(
    ("fate", "wrong"),
    [
        (Fate(None), Wrong.LOST),
        (Fate(State.QUEUED), Wrong.STUCK),
        (Fate(State.STARTED), Wrong.STUCK),
        (Fate(State.FAILED, error="boom"), Wrong.WRONGLY_FAILED),
        (Fate(State.CANCELED), Wrong.WRONGLY_FAILED),
        (Fate(State.FINISHED, result="6 by e1"), Wrong.WRONG_RESULT),
    ],
)
def test_a_job_that_did_not_finish_as_it_should_is_told(fate: Fate, wrong: Wrong) -> None:
    assert wrongs(account(fate)) == [wrong]


def test_a_result_must_be_that_of_the_run_that_had_the_job_last() -> None:
    spec, runs = replace(SPEC, kind=Kind.LINGER), (run("e1", 10), run("e2", 12))
    stopped = [hit(Fault.STOP_MACHINE, "e1")]

    last = Fate(State.FINISHED, result="5 by e2", execution="e2")
    assert wrongs(account(last, runs, stopped, spec)) == []
    late = replace(last, result="5 by e1")
    assert wrongs(account(late, runs, stopped, spec)) == [Wrong.WRONG_RESULT]


def test_a_job_that_can_only_fail_and_finished_is_told() -> None:
    spec = replace(SPEC, kind=Kind.FAIL)

    assert wrongs(account(spec=spec)) == [Wrong.WRONGLY_FINISHED]
    assert wrongs(account(Fate(State.FAILED, error="boom"), spec=spec)) == []


def test_each_try_must_have_come_to_its_end() -> None:
    spec = replace(SPEC, kind=Kind.STUMBLE, tries=1)
    first, last = run("e1", 10, attempt="1.0"), run("e2", 12)

    assert wrongs(account(runs=(first, last), spec=spec)) == []
    assert wrongs(account(runs=(last,), spec=spec)) == [Wrong.NOT_RUN]
    cut_off = replace(last, ended=None)
    assert wrongs(account(runs=(first, cut_off), spec=spec)) == [Wrong.NOT_RUN]


def test_a_run_that_was_in_flight_at_a_fault_may_be_done_again() -> None:
    twice = (run("e1", 10), run("e2", 12))

    found = account(runs=twice, faults=[hit(Fault.KILL_WORKER, "e1")])

    assert wrongs(found) == []
    assert (found.again, found.at_risk, found.late) == (1, 1, 0)
    assert [one.seconds for one in found.recoveries] == [1.5]


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [hit(Fault.KILL_WORKER, "other")],
        [hit(Fault.KILL_WORKER, "e1", victim="a.1.-11")],
        [hit(Fault.KILL_SUPERVISOR, "e1", victim="b.1.")],
        [hit(Fault.CUT, "e1")],
        [hit(Fault.TERM_SUPERVISOR, "e1")],
    ],
    ids=[
        "none",
        "another run's",
        "another worker's",
        "the other side's",
        "a cut",
        "a friendly end",
    ],
)
def test_a_run_is_not_done_again_for_any_other_reason(faults: list[Injected]) -> None:
    twice = (run("e1", 10), run("e2", 12))

    assert wrongs(account(runs=twice, faults=faults)) == [Wrong.RUN_AGAIN]


def test_a_worker_that_was_stopped_may_begin_its_job_when_another_has_run_it() -> None:
    stopped = run("e1", 20, worker="b.1.-1")

    found = account(
        runs=(run("e2", 12), stopped), faults=[hit(Fault.STOP_MACHINE, "e1", victim="b.1.")]
    )

    assert wrongs(found) == []
    assert (found.again, found.late) == (1, 1)


def test_one_fault_excuses_one_more_run() -> None:
    thrice = (run("e1", 10), run("e2", 12), run("e3", 14))

    found = account(runs=thrice, faults=[hit(Fault.KILL_WORKER, "e1")])

    assert wrongs(found) == [Wrong.RUN_AGAIN]


def test_a_poison_pill_is_run_as_often_as_it_may_be_and_fails() -> None:
    spec = replace(SPEC, kind=Kind.DIE)
    lost = Fate(State.FAILED, error="Job lost 3 times and not tried again")
    runs = [replace(run(f"e{number}", number), ended=None) for number in range(4)]

    assert wrongs(account(lost, runs[:3], spec=spec)) == []
    assert wrongs(account(lost, runs, spec=spec)) == [Wrong.RUN_AGAIN]


def test_what_the_auditor_finds_and_what_is_left_over_is_told() -> None:
    finding = Finding(Flaw.ORPHAN, "rq:wip:q", "x", "no such job")
    evidence = Evidence({}, {}, {}, [], [finding], ["a ended with 1"], ["a broke"], ["process 7"])

    found = wrongs(reckon(evidence))

    assert found == [Wrong.AUDIT, Wrong.ENDED_UNASKED, Wrong.BROKE, Wrong.LEFT_OVER]


@pytest.mark.parametrize("module", [plan, journal])
def test_the_examples_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
