"""At every call of a few jobs' lives something is lost or repeated, and nothing comes of it."""

from __future__ import annotations

import os

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.fault.conftest import NewLife
from tests.fault.sweeps import ATTEMPTS, begin, problems_of_end, sweep, with_log
from tests.support.faults import Life, part_of
from tests.support.proxy import Fault, Rule
from workhorse import Queue, Retry

ISOLATIONS = ("inline", "fork")
FAULTS = (Fault.LOSE_REPLY, Fault.LOSE_REQUEST, Fault.CUT_REPLY, Fault.REPEAT)


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_fault_16_17_any_call_of_a_worker_or_its_supervisor_may_be_lost(
    new_life: NewLife, isolation: str, fault: Fault
) -> None:
    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            life.proxy.add(Rule(fault, nth=number))
            return with_log(life, problems_of_life(life, isolation))

    with new_life() as life:
        assert problems_of_life(life, isolation) == []
        calls = len(life.proxy.calls)
    share = 4 if fault in (Fault.LOSE_REPLY, Fault.LOSE_REQUEST) else 8
    share *= 2 if isolation == "fork" else 1
    assert sweep(part_of(range(1, calls + 3), share), problems_at) == []


def problems_of_life(life: Life, isolation: str) -> list[str]:
    begin(life)
    life.drain(isolation=isolation)
    found = problems_of_end(life)
    begun = life.begun()
    for job, attempts in ATTEMPTS.items():
        if begun[job] != attempts or life.starts(job):
            found.append(f"{job} began {begun[job]} times, with {life.starts(job)} starts")
    if life.value("value") != "value's value":
        found.append(f"value has the result {life.value('value')!r}")
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_fault_16_17_any_call_of_a_producer_may_be_lost(
    new_life: NewLife, fault: Fault, environment_of_its_own: pytest.MonkeyPatch
) -> None:
    """What it enqueued is run once, in order, and what it asks for is true."""

    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            life.proxy.add(Rule(fault, nth=number))
            return with_log(life, problems_of_producer(life, environment_of_its_own))

    with new_life() as life:
        assert problems_of_producer(life, environment_of_its_own) == []
        calls = sum(call.pid == os.getpid() for call in life.proxy.calls)
    # One after the other: the keys of a producer are those of its environment.
    numbers = part_of(range(1, calls + 2), 4)
    assert [problem for number in numbers for problem in problems_at(number)] == []


def problems_of_producer(life: Life, environment: pytest.MonkeyPatch) -> list[str]:
    environment.setenv("RQ_KEY_PREFIX", life.prefix)
    work, journal = "tests.fault.jobs.work", str(life.journal)
    retry = ClientRetry(NoBackoff(), 3)
    with redis.Redis(unix_socket_path=str(life.proxy.socket), retry=retry) as client:
        queue = Queue("q", connection=client)
        made = [
            queue.enqueue(work, journal, "anonymous"),
            queue.enqueue("tests.fault.jobs.fail", journal, "mine", job_id="1", retry=Retry(1)),
            *queue.enqueue_many([queue.prepare_data(work, (journal, n)) for n in ("a", "b")]),
            queue.enqueue(work, journal, "canceled"),
            queue.enqueue(work, journal, "deleted"),
            queue.enqueue(work, journal, "first", at_front=True),
        ]
        made[4].cancel()
        made[5].delete()
        found = [] if queue.count == 5 - 1 + 1 else [f"{queue.count} jobs wait"]
        life.drain()
        found += life.audit()
        states = [job.get_status() for job in made if job is not made[5]]
        if states != ["finished", "failed", "finished", "finished", "canceled", "finished"]:
            found.append(f"the jobs are {states}")
        made[1].requeue()
        life.drain()
    # The last but one is the retry that the requeued job had left, none.
    began = ["first", "anonymous", "mine", "a", "b", "mine", "mine"]
    if [line.split()[1] for line in life.lines if line.startswith("begin")] != began:
        found.append("what began is not what was enqueued")
    return found + life.audit()
