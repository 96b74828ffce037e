"""Kill -9 at every call that a process makes to the server: before it is sent, and after it acted.

A worker's supervisor lives on and knows from the ledger what ran; when the supervisor dies,
another one recovers what was leased.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.fault.conftest import NewLife
from tests.fault.sweeps import ATTEMPTS, begin, problems_of_end, sweep, with_log
from tests.support.faults import Life, part_of
from tests.support.proxy import Fault, Rule, Seen
from tests.support.waiting import wait_until

ISOLATIONS = ("inline", "fork")
COST = {"inline": 1, "fork": 2}
"""How long a life takes: where a sweep is not full, this much fewer."""
WHEN = {"before": Fault.LOSE_REQUEST, "after": Fault.LOSE_REPLY}


def count_calls(life: Life, isolation: str, meant: Callable[[Seen], bool]) -> int:
    """Return how many of the calls that are *meant* a life has in which nothing happens."""
    rule = life.proxy.add(Rule(Fault.DELAY, nth=10**6, where=meant))
    begin(life)
    life.drain(isolation=isolation)
    assert problems_of_end(life) == []
    return rule.matched


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("when", WHEN)
def test_fault_08_a_killed_worker_costs_no_job_anything(
    new_life: NewLife, isolation: str, when: str
) -> None:
    """Fork: the process that is killed may also be the job's own, where that made the call."""

    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            life.proxy.add(
                Rule(
                    WHEN[when],
                    nth=number,
                    where=lambda call: not life.is_supervisor(call),
                    then=lambda call: os.kill(call.pid, signal.SIGKILL),
                )
            )
            begin(life)
            life.drain(isolation=isolation)
            found = problems_of_end(life)
            begun = life.begun()
            starts = {job: life.starts(job) for job in ATTEMPTS}
            if sum(starts.values()) > 1:
                found.append(f"one kill was counted more often: {starts}")
            found += [
                f"{job} began {begun[job]} times, with {starts[job]} starts"
                for job, attempts in ATTEMPTS.items()
                if begun[job] != attempts + starts[job]
            ]
            return with_log(life, found)

    with new_life() as life:
        calls = count_calls(life, isolation, lambda call: not life.is_supervisor(call))
    assert sweep(part_of(range(1, calls + 3), 3 * COST[isolation]), problems_at) == []


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("victim", ["supervisor", "both"])
def test_fault_08_what_a_dead_machine_held_is_run_by_another(
    new_life: NewLife, isolation: str, when: str, victim: str
) -> None:
    """Supervisor: at its own calls; its workers die of it. Both: at anybody's calls."""

    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            ended_before: set[str] = set()

            def kill(call: Seen) -> None:
                ended_before.update(job for job in ATTEMPTS if life.state(job) in DONE)
                if victim == "both":
                    life.started[0].kill_all()
                    os.kill(call.pid, signal.SIGKILL)
                else:
                    life.started[0].send(signal.SIGKILL)

            rule = Rule(WHEN[when], nth=number, where=meant_of(life, victim), then=kill)
            life.proxy.add(rule)
            begin(life)
            killed = life.start(isolation=isolation, burst=True)
            code = killed.end()
            wait_until(life.all_dead)
            if not rule.hits:
                return with_log(life, problems_of_end(life) if code == 0 else [f"code {code}"])
            held = life.held()
            life.let_leases_lapse()
            life.start(isolation=isolation)
            life.wait_for(*ATTEMPTS)
            found = problems_of_end(life)
            found += problems_of_recovery(life, held, ended_before)
            return with_log(life, found)

    with new_life() as life:
        calls = count_calls(life, isolation, meant_of(life, victim))
    share = 5 * COST[isolation]
    assert sweep(part_of(range(1, calls + 3), share), problems_at) == []


DONE = ("finished", "failed")


def meant_of(life: Life, victim: str) -> Callable[[Seen], bool]:
    return life.is_supervisor if victim == "supervisor" else lambda call: call.pid != os.getpid()


def problems_of_recovery(life: Life, held: set[str], ended_before: set[str]) -> list[str]:
    """Return what is wrong where nobody can tell of the jobs in *held* whether they had begun."""
    found: list[str] = []
    begun = life.begun()
    for job, attempts in ATTEMPTS.items():
        starts = life.starts(job)
        if starts != (job in held):
            found.append(f"{job} has {starts} starts, and {held} were held")
        if not attempts <= begun[job] <= attempts + starts:
            found.append(f"{job} began {begun[job]} times, with {starts} starts")
        if job in ended_before and begun[job] != attempts:
            found.append(f"{job} had ended and began again")
    return found
