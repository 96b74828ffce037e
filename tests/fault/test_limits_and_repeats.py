"""Rows 16 and 67: whatever is lost or killed, no place of a limit is, and repeats are as told."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from tests.fault.conftest import NewLife
from tests.fault.sweeps import sweep, with_log
from tests.support.faults import Life, part_of
from tests.support.proxy import Fault, Rule, Seen
from tests.support.waiting import wait_until
from workhorse.store.limits import known_keys
from workhorse.wire.entries import ResultType

FAULTS = (Fault.LOSE_REPLY, Fault.LOSE_REQUEST, Fault.CUT_REPLY, Fault.REPEAT)
WHEN = {"before": Fault.LOSE_REQUEST, "after": Fault.LOSE_REPLY}
LIMIT: dict[str, Any] = {"rate_limit_key": "mail", "rate_limit_concurrency": 1}
LIMITED = ["first", "flaky", "again", "last"]
RUNS = {"first": 1, "flaky": 2, "again": 2, "last": 1, "chain": 3}


def begin(life: Life) -> None:
    """Queue four jobs of which one may run at a time, and one that repeats beside them."""
    life.enqueue("linger", "first", 0.05, **LIMIT)
    life.enqueue("fail", "flaky", retries_left=1, retry_intervals=(0,), **LIMIT)
    life.enqueue("work", "again", repeats_left=1, repeat_intervals=(0,), **LIMIT)
    life.enqueue("work", "last", **LIMIT)
    life.enqueue("work", "chain", repeats_left=2, repeat_intervals=(0,))


def problems_of(life: Life, *, lost: int = 0) -> list[str]:
    """Return what is wrong at the end; as many as *lost* runs had no outcome, and are added."""
    found = life.audit()
    found += [f"limit {key} is still known" for key in life.store.run(known_keys(life.keys))]
    for job in RUNS:
        wanted = "failed" if job == "flaky" else "finished"
        if life.state(job) != wanted:
            found.append(f"{job} is {life.state(job)}")
    began = [line.split()[1] for line in life.lines if line.startswith("begin")]
    if [job for job, _ in groupby(job for job in began if job in LIMITED)] != LIMITED:
        found.append(f"the limited jobs began as {began}")
    more = {job: began.count(job) - runs for job, runs in RUNS.items()}
    if min(more.values()) < 0 or sum(more.values()) > lost:
        found.append(f"began more often than they should: {more}")
    for job, runs in (("again", 2), ("chain", 3)):
        successes = [r for r in life.results(job) if r.type is ResultType.SUCCESSFUL]
        if len(successes) != runs or life.field(job, "repeats_left") != "0":
            found.append(f"{job} has {len(successes)} successes on record")
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_fault_16_67_a_lost_message_costs_no_place_and_no_repeat(
    new_life: NewLife, fault: Fault
) -> None:
    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            life.proxy.add(Rule(fault, nth=number))
            begin(life)
            life.drain()
            return with_log(life, problems_of(life))

    with new_life() as life:
        begin(life)
        life.drain()
        assert problems_of(life) == []
        calls = len(life.proxy.calls)
    assert sweep(part_of(range(1, calls + 3), 3), problems_at) == []


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_fault_67_a_worker_that_is_killed_at_any_call_costs_no_place_and_no_repeat(
    new_life: NewLife, isolation: str, when: str
) -> None:
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
            return with_log(life, problems_of(life, lost=1))

    calls = calls_of(new_life, lambda life, call: not life.is_supervisor(call), isolation)
    share = 3 if isolation == "inline" else 6
    assert sweep(part_of(range(1, calls + 3), share), problems_at) == []


@pytest.mark.parametrize("when", WHEN)
def test_fault_67_a_machine_that_dies_at_any_call_costs_no_place_and_no_repeat(
    new_life: NewLife, when: str
) -> None:
    def problems_at(number: int) -> list[str]:
        with new_life() as life:

            def kill(call: Seen) -> None:
                life.started[0].kill_all()
                os.kill(call.pid, signal.SIGKILL)

            rule = life.proxy.add(
                Rule(WHEN[when], nth=number, where=lambda call: call.pid != os.getpid(), then=kill)
            )
            begin(life)
            life.start(burst=True).end()
            wait_until(life.all_dead)
            if rule.hits:
                life.let_leases_lapse()
                life.start()
                life.wait_for(*RUNS)
            return with_log(life, problems_of(life, lost=2))

    calls = calls_of(new_life, lambda _, call: call.pid != os.getpid())
    assert sweep(part_of(range(1, calls + 3), 5), problems_at) == []


def calls_of(
    new_life: NewLife, meant: Callable[[Life, Seen], bool], isolation: str = "inline"
) -> int:
    """Return how many of the calls that are *meant* a life has in which nothing happens."""
    with new_life() as life:
        where = lambda call: meant(life, call)  # noqa: E731 - of this life
        rule = life.proxy.add(Rule(Fault.DELAY, nth=10**6, where=where))
        begin(life)
        life.drain(isolation=isolation)
        assert problems_of(life) == []
        return rule.matched
