"""Callbacks: what is called when a job has ended, where, with what, and how often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import fleet as fleets
from tests.support.fleet import Fleet
from tests.support.lives import Life
from tests.support.waiting import wait_until
from workhorse.core.callbacks import CallbackRecord
from workhorse.core.outcomes import Returned
from workhorse.core.states import State
from workhorse.store import jobs
from workhorse.wire.payload import Call, PickleSerializer, encode_call

ISOLATIONS = ("inline", "fork")
HERE = "tests.support.callbacks"
ALL: dict[str, Any] = {
    "success_callback": CallbackRecord(f"{HERE}.succeeded"),
    "failure_callback": CallbackRecord(f"{HERE}.failed"),
    "stopped_callback": CallbackRecord(f"{HERE}.stopped"),
}

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


def enqueue(fleet: Fleet, what: str = "", **fields: Any) -> str:
    """Queue a job that notes that it ran, and then does as *what* says."""
    call = Call(f"{HERE}.work", None, (str(fleet.journal), what), {})
    data = encode_call(call, PickleSerializer())
    return fleet.enqueue("nothing", **{"data": data, "description": f"work({what})", **fields})


def callbacks(fleet: Fleet) -> list[str]:
    return [line for line in fleet.noted if not line.startswith("ran in")]


def runs(fleet: Fleet) -> int:
    return len(fleet.noted) - len(callbacks(fleet))


@both_isolations
def test_a_success_is_told_in_the_jobs_process_before_it_is_settled(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, **ALL)
    fleet.drain(isolation=isolation)
    ran, called = fleet.noted
    assert called == f"success done in {ran.removeprefix('ran in ')} while started"
    assert fleet.state(job) == "finished"
    assert not fleet.fetch(job, "callback_error")


@both_isolations
def test_a_failure_is_told_with_what_was_raised(fleet: Fleet, isolation: str) -> None:
    job = enqueue(fleet, "raise", **ALL)
    fleet.drain(isolation=isolation)
    assert callbacks(fleet) == ["failure ValueError: no such customer at work"]
    assert fleet.state(job) == "failed"
    assert fleet.error(job).rstrip().endswith("ValueError: no such customer")


@both_isolations
def test_each_failure_is_told_as_in_rq_also_one_that_is_tried_again(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, "raise", retries_left=2, retry_intervals=(0,), **ALL)
    fleet.drain(isolation=isolation)
    told = ["failure ValueError: no such customer at work"]
    assert (runs(fleet), callbacks(fleet)) == (3, told * 3)
    assert fleet.state(job) == "failed"


@both_isolations
def test_a_coroutine_is_a_callback_too(fleet: Fleet, isolation: str) -> None:
    enqueue(fleet, success_callback=CallbackRecord(f"{HERE}.succeeded_later"))
    fleet.drain(isolation=isolation)
    assert callbacks(fleet) == ["success done"]


@both_isolations
def test_a_job_that_repeats_tells_each_success(fleet: Fleet, isolation: str) -> None:
    enqueue(fleet, repeats_left=1, repeat_intervals=(0,), **ALL)
    fleet.drain(isolation=isolation)
    assert (runs(fleet), len(callbacks(fleet))) == (2, 2)


@both_isolations
@pytest.mark.parametrize("what", ["", "raise"])
@pytest.mark.parametrize(
    ("callback", "told"),
    [
        ("raises", "RuntimeError: the callback broke"),
        ("exits", "its process died"),
        ("segfaults", "its process died"),
        ("sleeps", "JobTimeoutException"),
        ("hangs", "killed: "),
        ("no_such_function", "can't find"),
    ],
)
def test_what_a_callback_does_wrong_is_told_and_changes_nothing(
    fleet: Fleet, isolation: str, what: str, callback: str, told: str
) -> None:
    broken = CallbackRecord(f"{HERE}.{callback}", 1)
    job = enqueue(fleet, what, success_callback=broken, failure_callback=broken, retries_left=None)
    other = enqueue(fleet)
    supervisor = fleet.drain(isolation=isolation, timeout_grace=0.5)
    assert fleet.state(job) == ("failed" if what else "finished")
    assert told in (fleet.fetch(job, "callback_error") or "")
    assert (runs(fleet), len(callbacks(fleet))) == (2, callback != "no_such_function")
    assert fleet.state(other) == "finished"
    assert len(fleet.results(job)) == 1
    assert fleet.leases() == 0
    assert "after job" in supervisor.log or "is gone" in supervisor.log


@both_isolations
def test_a_callback_that_forks_is_called_once_and_its_fork_ends(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, success_callback=CallbackRecord(f"{HERE}.forks"))
    fleet.drain(isolation=isolation)
    assert (fleet.state(job), callbacks(fleet)) == ("finished", ["forks"])


@both_isolations
def test_the_failure_of_a_job_that_died_is_told_by_a_job_of_its_own(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, "die", on_lost="fail", **ALL)
    fleet.drain(isolation=isolation)
    assert fleet.state(job) == "failed"
    (called,) = callbacks(fleet)
    assert called.startswith("failure AbandonedJobError: Job lost")
    assert called.endswith("at nowhere")


def test_a_callback_of_a_large_result_is_called_once(fleet: Fleet) -> None:
    job = enqueue(fleet, "x" * 1_200_000, **ALL)
    fleet.drain()
    assert fleet.state(job) == "finished"
    assert len(callbacks(fleet)) == 1
    assert callbacks(fleet)[0].endswith("while finished")


# Stopped


@both_isolations
@pytest.mark.parametrize("grace", [0, 30])
def test_a_stop_is_told_once_where_the_job_ran_or_by_a_job_of_its_own(
    fleet: Fleet, isolation: str, grace: float
) -> None:
    job = enqueue(fleet, "sleep", retries_left=3, retry_intervals=(0,), **ALL)
    fleet.start(isolation=isolation, lease=2)
    wait_until(lambda: runs(fleet))
    fleet.store.run(jobs.stop(fleets.KEYS, job, grace=grace))
    fleet.wait_for(job, "stopped")
    wait_until(lambda: callbacks(fleet))
    assert (runs(fleet), callbacks(fleet)) == (1, ["stopped"])
    late = list(fleet.client.scan_iter("rq:job:callback-*", count=1000))
    assert len(late) == (0 if grace else 1)


def test_a_job_that_is_stopped_before_it_begins_is_told_of(life: Life) -> None:
    job = life.start(stopped_callback=ALL["stopped_callback"])
    life.stop(grace=0)
    assert life.release(job) == 1
    assert life.state() is State.STOPPED
    (follower,) = life.waiting()
    assert follower.startswith("callback-")
    told = json.loads(life.field("follow_up", follower) or "")
    assert (told["kind"], told["job_id"]) == ("stopped", "j")


def test_a_settlement_sent_again_queues_its_follow_ups_once(life: Life) -> None:
    told = json.dumps([{"url": "https://example.com/", "job_status": "finished"}])
    life.enqueue("j")
    life.client.hset("rq:job:j", mapping={"extras": 1, "webhooks": told})
    job = life.claim_one()
    assert life.settle(job, Returned(None)) is jobs.Settled.APPLIED
    (follower,) = life.waiting()
    before = life.dump()
    assert life.settle(job, Returned(None)) is jobs.Settled.ALREADY
    assert life.dump() == before
    assert follower.startswith("webhook1-")


@pytest.mark.parametrize("told", ["{", "7", '"x"', "{}", "[7]", '[{"url":7}]', "[" * 2000])
def test_webhooks_that_can_not_be_read_hold_up_no_end(life: Life, told: str) -> None:
    life.enqueue("j")
    life.client.hset("rq:job:j", mapping={"extras": 1, "webhooks": told})
    job = life.claim_one()
    assert life.settle(job, Returned(None)) is jobs.Settled.APPLIED
    assert (life.state(), life.waiting()) == (State.FINISHED, [])


def test_a_job_without_any_of_it_is_settled_by_as_many_commands_as_ever(life: Life) -> None:
    def commands() -> int:
        return sum(each["calls"] for each in life.client.info("commandstats").values())

    def settled(job_id: str, **more: Any) -> int:
        job = life.start(job_id, **more)
        before = commands()
        life.settle(job, Returned(None))
        return commands() - before

    settled("first")
    plain = settled("plain")
    assert settled("called", success_callback=ALL["success_callback"]) == plain
    assert settled("may have failed", failure_callback=ALL["failure_callback"]) == plain + 1


# Exception handlers

HANDLERS = [f"{HERE}.handled", f"{HERE}.handled_alone", f"{HERE}.raises"]


@both_isolations
def test_exception_handlers_are_called_in_turn_until_one_says_false(
    fleet: Fleet, isolation: str
) -> None:
    job = enqueue(fleet, "raise", **ALL)
    enqueue(fleet)
    fleet.drain(isolation=isolation, exception_handlers=HANDLERS)
    assert callbacks(fleet) == [
        "failure ValueError: no such customer at work",
        "handled ValueError: no such customer",
        "handled alone",
    ]
    assert fleet.state(job) == "failed"


@both_isolations
def test_exception_handlers_are_called_for_a_failure_that_is_tried_again(
    fleet: Fleet, isolation: str
) -> None:
    enqueue(fleet, "raise", retries_left=1, retry_intervals=(0,))
    fleet.drain(isolation=isolation, exception_handlers=HANDLERS[:1])
    assert callbacks(fleet) == ["handled ValueError: no such customer"] * 2


@both_isolations
@pytest.mark.parametrize("handler", ["raises", "exits", "segfaults", "no_such_function"])
def test_a_handler_that_breaks_hides_nothing_and_ends_no_worker(
    fleet: Fleet, isolation: str, handler: str
) -> None:
    job = enqueue(fleet, "raise")
    other = enqueue(fleet)
    fleet.drain(isolation=isolation, exception_handlers=[f"{HERE}.{handler}"])
    assert fleet.state(job) == "failed"
    assert fleet.error(job).rstrip().endswith("ValueError: no such customer")
    assert fleet.fetch(job, "callback_error")
    assert (runs(fleet), fleet.state(other)) == (2, "finished")
