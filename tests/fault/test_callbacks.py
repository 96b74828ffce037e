"""What callbacks, handlers and webhooks do wrong, and who dies meanwhile.

Rows 7 and 60 of the fault matrix, windows F1 and F5 of RQ's: how a job ended stands before any of
it begins.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import fleet as fleets
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until
from workhorse import Webhook
from workhorse.core.callbacks import CallbackRecord
from workhorse.store import jobs
from workhorse.wire.payload import Call, PickleSerializer, encode_call

HERE = "tests.support.callbacks"

both_isolations = pytest.mark.parametrize("isolation", ["inline", "fork"])


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


def enqueue(fleet: Fleet, what: str = "", **fields: Any) -> str:
    call = Call(f"{HERE}.work", None, (str(fleet.journal), what), {})
    data = encode_call(call, PickleSerializer())
    return fleet.enqueue("nothing", **{"data": data, "retries_left": 3, **fields})


def callback(name: str, seconds: int = 60) -> dict[str, Any]:
    called = CallbackRecord(f"{HERE}.{name}", seconds)
    return {"success_callback": called, "failure_callback": called}


def runs(fleet: Fleet) -> int:
    return sum(line.startswith("ran in") for line in fleet.noted)


@both_isolations
@pytest.mark.parametrize("name", ["exits", "segfaults"])
def test_fault_60_a_callback_that_kills_its_process_leaves_the_end_as_it_was(
    fleet: Fleet, isolation: str, name: str
) -> None:
    job = enqueue(fleet, **callback(name))
    fleet.drain(isolation=isolation)
    assert (fleet.state(job), runs(fleet)) == ("finished", 1)
    assert "its process died" in (fleet.fetch(job, "callback_error") or "")


@both_isolations
def test_fault_60_a_callback_that_hangs_is_killed_at_its_own_limit(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, **callback("hangs", 1))
    fleet.drain(isolation=isolation, timeout_grace=0.5)
    assert (fleet.state(job), runs(fleet)) == ("finished", 1)
    assert "killed: " in (fleet.fetch(job, "callback_error") or "")


@both_isolations
def test_fault_60_a_worker_that_is_killed_in_a_callback_leaves_the_end_as_it_was(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, **callback("sleeps"))
    supervisor = fleet.start(isolation=isolation)
    wait_until(lambda: "sleeps" in fleet.noted)
    os.kill(supervisor.workers[0], signal.SIGKILL)
    fleet.wait_for(job, "finished")
    assert (runs(fleet), len(fleet.results(job)), fleet.starts(job)) == (1, 1, 0)


@both_isolations
def test_fault_60_a_callback_that_is_stopped_by_a_person_leaves_the_end_as_it_was(
    fleet: Fleet, isolation: str
) -> None:

    job = enqueue(fleet, **callback("sleeps"))
    fleet.start(isolation=isolation, lease=2)
    wait_until(lambda: "sleeps" in fleet.noted)
    fleet.store.run(jobs.stop(fleets.KEYS, job))
    fleet.wait_for(job, "finished")
    assert runs(fleet) == 1


@both_isolations
def test_fault_60_no_job_runs_again_whose_callback_began_whenever_workers_are_killed(
    fleet: Fleet, isolation: str
) -> None:
    journals = [fleet.folder / f"job{number}" for number in range(60)]
    made = [
        enqueue(
            fleet,
            data=encode_call(Call(f"{HERE}.work", None, (str(path), ""), {}), PickleSerializer()),
            max_starts=1000,
            success_callback=CallbackRecord(f"{HERE}.succeeded_slowly"),
        )
        for path in journals
    ]
    supervisor = fleet.start(2, isolation=isolation)
    killed = 0
    while any(fleet.state(job) != "finished" for job in made):
        wait_until(lambda: supervisor.workers)
        time.sleep(random.uniform(0.02, 0.3))  # noqa: S311 - any moment will do
        if killed < 25:
            killed += 1
            for worker in supervisor.workers[:1]:
                os.kill(worker, signal.SIGKILL)
    for job, path in zip(made, journals, strict=True):
        words = [line.split()[0] for line in path.read_text().splitlines()]
        assert words.count("begins") <= 1, words  # once at most; and it is told where it
        assert "ends" in words or fleet.fetch(job, "callback_error"), words  # did not end
        assert "ran" not in words[words.index("begins") if "begins" in words else len(words) :]


@both_isolations
def test_window_f1_a_callback_that_raises_does_not_make_a_success_a_failure(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, **callback("raises"))
    fleet.drain(isolation=isolation)
    assert (fleet.state(job), runs(fleet)) == ("finished", 1)
    assert "the callback broke" in (fleet.fetch(job, "callback_error") or "")


@both_isolations
def test_window_f5_a_handler_that_raises_hides_no_error_and_ends_no_worker(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, "raise", retries_left=None)
    enqueue(fleet)
    fleet.drain(isolation=isolation, exception_handlers=[f"{HERE}.raises"])
    assert fleet.state(job) == "failed"
    assert fleet.error(job).rstrip().endswith("ValueError: no such customer")
    assert "the callback broke" in (fleet.fetch(job, "callback_error") or "")
    assert runs(fleet) == 2


@both_isolations
def test_fault_07_who_is_to_be_told_is_queued_in_the_same_step(
    fleet: Fleet, isolation: str
) -> None:
    hooks = (Webhook("http://127.0.0.1:9/", "failed"),)
    job = enqueue(fleet, "die", on_lost="fail", webhooks=hooks, **callback("failed"))
    supervisor = fleet.start(isolation=isolation)
    fleet.wait_for(job, "failed")
    os.killpg(supervisor.pid, signal.SIGKILL)  # the end is written: nobody has to come back
    kinds = {key.decode().split(":")[2].split("-")[0] for key in followers(fleet)}
    assert kinds == {"callback", "webhook1"}
    fleet.drain(isolation=isolation)
    told = [line for line in fleet.noted if line.startswith("failure")]
    assert len(told) >= 1
    assert len(followers(fleet)) == 2


def followers(fleet: Fleet) -> list[bytes]:
    found = fleet.client.scan_iter("rq:job:*-*", count=1000)
    return [key for key in found if key.startswith((b"rq:job:callback-", b"rq:job:webhook"))]
