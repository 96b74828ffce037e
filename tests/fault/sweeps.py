"""Many lives at once, one for each call of a life, and what is wrong at the end of any."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.support.faults import Life

AT_ONCE = 6
"""Most of a life is spent waiting."""

ATTEMPTS = {"value": 1, "flaky": 2, "slow": 1, "meta": 1, "plain": 1}
STATES = {job: "failed" if job == "flaky" else "finished" for job in ATTEMPTS}


def begin(life: Life) -> None:
    """Queue a job of each kind."""
    life.enqueue("give", "value")
    life.enqueue("fail", "flaky", retries_left=1, retry_intervals=(0,))
    life.enqueue("linger", "slow", 0.15)
    life.enqueue("save", "meta")
    life.enqueue("work", "plain")


def sweep(numbers: Iterable[int], problems_at: Callable[[int], list[str]]) -> list[str]:
    """Return what goes wrong at any of the *numbers*."""

    def told(number: int) -> list[str]:
        try:
            found = problems_at(number)
        except AssertionError as error:
            found = [str(error)]
        return [f"call {number}: {problem}" for problem in found]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [problem for found in pool.map(told, numbers) for problem in found]


def problems_of_end(life: Life) -> list[str]:
    """Return what is wrong where every job should have ended, each as it should."""
    found = life.audit()
    for job, state in STATES.items():
        if life.state(job) != state:
            found.append(f"{job} is {life.state(job)}")
    if life.leases():
        found.append(f"{life.leases()} leases are left")
    if life.field("flaky", "retries_left") != "0":
        found.append(f"flaky has {life.field('flaky', 'retries_left')} retries left")
    failures = [result for result in life.results("flaky") if "ValueError" in (result.error or "")]
    if len(failures) != ATTEMPTS["flaky"]:
        found.append(f"flaky has {len(failures)} failures on record")
    return found


def with_log(life: Life, problems: list[str]) -> list[str]:
    """Return *problems*, and where there are any, what the life's processes said and called."""
    if problems:
        problems.append(f"{life.lines}\n{life.proxy.names()}\n{life.logs()}")
    return problems
