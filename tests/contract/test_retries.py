"""Trying again, by workers on a real server: every way in which a run can end without success."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support import fleet as fleets
from tests.support import jobs as tasks
from tests.support.api import bring_forward, run, run_one, wait_of
from tests.support.fleet import Fleet
from tests.support.lives import Life
from tests.support.waiting import wait_until
from workhorse import Job, Queue, Retry, SimpleWorker
from workhorse.core.outcomes import Crashed, Raised
from workhorse.core.verdicts import Policy, judge

both_isolations = pytest.mark.parametrize("isolation", ["inline", "fork"])


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


def queue_of(fleet: Fleet, **options: Any) -> Queue:
    return Queue("q", fleet.client, **options)


def told(job: Job) -> list[str]:
    """Return how each run of a job ended, the oldest first."""
    return [run.type.name for run in reversed(job.results())]


# How long


def test_a_backoff_waits_longer_each_time(queue: Queue) -> None:
    job = queue.enqueue(calls.fail, retry=Retry(4, 10, backoff=2, max_interval=60))
    waited: list[int] = []
    for _ in range(4):
        run_one(queue)
        waited.append(round(wait_of(job)))
        bring_forward(job)
    run_one(queue)
    assert waited == [10, 20, 40, 60]
    assert told(job) == ["RETRIED"] * 4 + ["FAILED"]


@pytest.mark.parametrize("call", [calls.fail, calls.ask_patiently], ids=["raised", "returned"])
def test_jobs_that_fail_together_dont_come_back_together(queue: Queue, call: Any) -> None:
    retry = Retry(1, 1000, jitter=0.5)
    waiting = [queue.enqueue(call, retry=retry) for _ in range(20)]
    run(queue)
    waits = {wait_of(job) for job in waiting}
    assert len(waits) == 20
    assert all(499 < wait < 1001 for wait in waits)
    assert max(waits) - min(waits) > 50


# What for


@pytest.mark.parametrize(
    ("rules", "ends", "why"),
    [
        ({"retry_on": LookupError}, ["RETRIED", "FAILED"], None),
        ({"retry_on": "tests.support.jobs.SoldOutError"}, ["RETRIED", "FAILED"], None),
        ({"retry_on": [OSError, TypeError]}, ["FAILED"], "SoldOutError is not in retry_on"),
        ({"give_up_on": OSError}, ["RETRIED", "FAILED"], None),
        ({"give_up_on": tasks.SoldOutError}, ["FAILED"], "SoldOutError is in give_up_on"),
        ({"retry_on": Exception, "give_up_on": [LookupError]}, ["FAILED"], "LookupError is in"),
    ],
    ids=repr,
)
def test_exceptions_are_answered_by_their_class(
    queue: Queue, rules: dict[str, Any], ends: list[str], why: str | None
) -> None:
    job = queue.enqueue(tasks.raise_sold_out, retry=Retry(1, **rules))
    run(queue)
    job.refresh()
    assert told(job) == ends
    first = job.results()[-1].exc_string or ""
    assert first.rstrip().endswith("tests.support.jobs.SoldOutError: no more left")
    if why:
        line = first.splitlines()[0]
        assert line.startswith("Not tried again: ")
        assert why in line
        assert job.retries_left == 1
    else:
        assert first.startswith("Traceback")


@pytest.mark.parametrize("name", ["json.JSONDecodeError", "json.decoder.JSONDecodeError"])
def test_an_exception_may_be_named_as_its_package_shows_it(queue: Queue, name: str) -> None:
    job = queue.enqueue(tasks.read_json, "{", retry=Retry(3, give_up_on=name))
    run(queue)
    assert told(job) == ["FAILED"]


def test_what_can_not_be_imported_is_answered_by_class_too(queue: Queue) -> None:
    job = queue.enqueue(
        "no.such.thing", retry=Retry(3, give_up_on="workhorse.DeserializationError")
    )
    run(queue)
    assert told(job) == ["FAILED"]
    assert "is in give_up_on" in (job.results()[0].exc_string or "")


def test_a_job_asks_for_another_run_whatever_its_classes_say(queue: Queue) -> None:
    job = queue.enqueue(
        tasks.ask_again, 1, "raise", retry=Retry(1, retry_on=OSError, give_up_on=Exception)
    )
    run(queue)
    assert told(job) == ["RETRIED", "MAX_RETRIES_EXCEEDED"]


# Every way


@both_isolations
def test_each_run_that_failed_keeps_its_traceback_and_its_times(
    fleet: Fleet, isolation: str
) -> None:
    queue, retry = queue_of(fleet), Retry(1)
    ways = {
        "raised": queue.enqueue(tasks.fail, "no such customer", retry=retry),
        "given up": queue.enqueue(tasks.fail, "x", retry=Retry(1, give_up_on=ValueError)),
        "returned": queue.enqueue(tasks.ask_again, 1, "return"),
        "asked by raise": queue.enqueue(tasks.ask_again, 1, "raise"),
        "late": queue.enqueue(tasks.sleep, 30, retry=retry, job_timeout=1),
        "killed": queue.enqueue(
            tasks.eat_everything,
            str(fleet.journal),
            30,
            retry=Retry(1, give_up_on="workhorse.JobTimeoutException"),
            job_timeout=1,
        ),
        "crashed": queue.enqueue(tasks.segfault, str(fleet.journal), max_starts=2),
        "not repeated": queue.enqueue(tasks.leave, str(fleet.journal), 3, on_lost="fail"),
    }
    fleet.drain(2, isolation=isolation, timeout_grace=0.2)
    found = {way: (told(job), job.results()[0].exc_string or "") for way, job in ways.items()}
    expected = {
        "raised": (["RETRIED", "FAILED"], "ValueError: no such customer"),
        "given up": (["FAILED"], "Not tried again: ValueError is in give_up_on."),
        "returned": (["RETRIED", "MAX_RETRIES_EXCEEDED"], r"returned Retry\(max=1.*once already"),
        "asked by raise": (["RETRIED", "MAX_RETRIES_EXCEEDED"], r"in ask_again\n.*raise retry"),
        "late": (["RETRIED", "FAILED"], "JobTimeoutException: the job ran for 1 seconds"),
        "killed": (["FAILED"], "is in give_up_on.*killed: the job did not end within"),
        "crashed": (["RETRIED", "FAILED"], r"lost 2 times.*SIGSEGV; it had up to \d+ MB"),
        "not repeated": (["FAILED"], "exit code 3.*on_lost is 'fail'"),
    }
    for way, (ends, text) in expected.items():
        assert found[way][0] == ends, (way, found[way])
        assert re.search(text, found[way][1], re.DOTALL), (way, found[way])
        for one in ways[way].results():
            began, ended = one.execution_started_at, one.execution_ended_at
            assert began is not None
            assert ended is not None
            long = timedelta(seconds=0.9 if way in {"late", "killed"} else 0)
            assert long <= ended - began < timedelta(seconds=20), way
            assert one.exc_string, way
            assert one.worker_name, way


@both_isolations
def test_a_run_that_was_ended_by_a_second_signal_keeps_when_it_began(
    fleet: Fleet, isolation: str
) -> None:
    job = queue_of(fleet).enqueue(tasks.note_and_sleep, str(fleet.journal), "ran", 30)
    supervisor = fleet.start(isolation=isolation)
    wait_until(lambda: fleet.noted == ["ran"])
    supervisor.send(signal.SIGTERM)
    wait_until(lambda: "stop" in supervisor.log)
    supervisor.send(signal.SIGTERM)
    supervisor.end()
    (lost,) = job.results()
    assert lost.execution_started_at is not None
    assert lost.execution_ended_at is not None
    assert lost.execution_ended_at > lost.execution_started_at
    job.refresh()
    assert (job.get_status(), job.starts) == ("queued", 1)


# Lost runs


def test_a_job_is_run_until_three_runs_were_lost(fleet: Fleet) -> None:
    job = queue_of(fleet).enqueue(tasks.leave, str(fleet.journal), 1)
    fleet.drain()
    assert fleet.noted == ["left"] * 3
    job.refresh()
    assert (job.get_status(), job.starts) == ("failed", 3)


def test_a_job_says_what_becomes_of_its_lost_runs_else_its_queue_else_its_worker(
    fleet: Fleet,
) -> None:
    said: list[tuple[dict[str, Any], dict[str, Any], int]] = [
        ({}, {}, 1),
        ({}, {"on_lost": "requeue"}, 2),
        ({"on_lost": "requeue"}, {}, 2),
        ({"on_lost": "requeue"}, {"on_lost": "fail"}, 1),
        ({"on_lost": "requeue", "max_starts": 1}, {}, 1),
        ({"on_lost": "requeue", "max_starts": 1}, {"max_starts": 3}, 3),
    ]
    poison = [
        queue_of(fleet, **by_queue).enqueue(tasks.leave, str(fleet.journal), 1, **by_job)
        for by_queue, by_job, _ in said
    ]
    fleet.drain(on_lost="fail", max_starts=2)
    for job in poison:
        job.refresh()
    assert {job.get_status() for job in poison} == {"failed"}
    assert [job.starts for job in poison] == [runs for _, _, runs in said]
    assert len(fleet.noted) == sum(runs for _, _, runs in said)


def test_a_worker_in_a_script_says_it_too(client: redis.Redis) -> None:
    queue = Queue("low", client)
    job = queue.enqueue(calls.add, 1)
    SimpleWorker([queue], connection=client, on_lost="fail", max_starts=5).work(burst=True)
    job.refresh()
    assert (job.on_lost, job.max_starts) == ("fail", 5)


def test_what_the_first_worker_said_holds_for_whoever_finds_the_job_lost(
    every_life: Life,
) -> None:
    """The one that recovers it is on another machine, and was told something else."""
    every_life.enqueue("silent", "says")
    every_life.client.hset("rq:job:says", "on_lost", "requeue")
    held = every_life.claim(2, on_lost="fail", max_starts=5).jobs
    assert [job.policy for job in held] == [
        Policy(on_lost="fail", max_starts=5), Policy(on_lost="requeue", max_starts=5),
    ]  # fmt: skip
    every_life.extend(*held, lease=-1)
    every_life.recover()
    assert every_life.state("silent") == "failed"
    assert every_life.state("says") == "queued"
    again = every_life.claim_one(on_lost="requeue", max_starts=1)
    assert again.policy == Policy(starts=1, on_lost="requeue", max_starts=5)


def test_a_lost_run_uses_up_no_retry_and_a_failure_no_start(every_life: Life) -> None:
    job = every_life.start(retries_left=2, max_starts=2)
    every_life.settle(job, judge(Crashed("gone"), job.policy))
    job = every_life.claim_one()
    every_life.settle(job, judge(Raised("boom"), job.policy))
    job = every_life.claim_one()
    assert (job.policy.retries_left, job.policy.starts) == (1, 1)
    every_life.settle(job, judge(Crashed("gone"), job.policy))
    assert every_life.state() == "failed"
    assert every_life.field("retries_left") == "1"


def test_a_requeue_by_a_person_begins_to_count_anew(every_life: Life) -> None:
    job = every_life.start(max_starts=1)
    every_life.settle(job, judge(Crashed("gone"), job.policy))
    assert every_life.state() == "failed"
    every_life.requeue()
    assert every_life.claim_one().policy == Policy(starts=0, max_starts=1)


def test_a_job_shows_how_often_it_was_taken_for_nothing(every_life: Life) -> None:
    every_life.enqueue("j")
    for _ in range(2):
        every_life.release(every_life.claim_one())
    every_life.settle(every_life.claim_one(), Crashed("gone"))
    job = Job.fetch("j", every_life.client)
    assert (job.redeliveries, job.starts) == (2, 1)
    assert (job.on_lost, job.max_starts) == (None, None)


@both_isolations
def test_a_poison_pill_tells_what_killed_it_and_its_memory(fleet: Fleet, isolation: str) -> None:
    """The kernel kills for memory by SIGKILL, and tells the process nothing."""
    job = queue_of(fleet, max_starts=1).enqueue(tasks.take_memory_and_die, 200)
    fleet.drain(isolation=isolation)
    error = job.latest_result()
    assert error is not None
    found = re.search(
        r"^Job lost once and not tried again: max_starts is 1 .*killed by SIGKILL \(out of "
        r"memory, or by a person\); it had up to (\d+) MB of memory$",
        error.exc_string or "",
    )
    assert found, error.exc_string
    assert 200 < int(found[1]) < 1000
