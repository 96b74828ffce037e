"""What a worker and its supervisor see of each other in the ledger, and what survives a kill."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

import pytest

from tests.support.waiting import wait_until
from workhorse.core.outcomes import Returned
from workhorse.core.verdicts import Policy, judge
from workhorse.store import jobs
from workhorse.store.jobs import Settlement
from workhorse.wire.claimed import Claimed, decode_extras
from workhorse.worker.ledger import Ledger, LedgerBusyError, Slot

NOW = 1000.0


def claimed(number: int, *, description: str = "job", policy: Policy | None = None) -> Claimed:
    return Claimed(
        queue="q",
        job_id=f"job{number}",
        execution_id=f"execution{number}",
        data=b"arguments",
        description=description,
        timeout=180,
        result_ttl=None,
        failure_ttl=7,
        policy=policy or Policy(retries_left=2, retry_intervals=(1, 2), starts=1),
        result_in="hash",
    )


def ended(job: Claimed, value: bytes = b"5") -> Settlement:
    return jobs.settlement(job, judge(Returned(value)), result_ttl=500, started_at=1, ended_at=2)


EXTRAS = decode_extras([*[b"1"] * 9, b"{}", None, None])


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger()
    yield made
    made.close()


@pytest.fixture
def batch(ledger: Ledger) -> list[Claimed]:
    """Four jobs: ended, entered, and two that are held."""
    batch = [claimed(number) for number in range(4)]
    assert ledger.hold(batch, now=NOW) == 4
    assert ledger.enter(0, now=NOW)
    assert ledger.end(0, ended(batch[0]), now=NOW + 1)
    assert ledger.enter(1, now=NOW + 2)
    return batch


def in_a_child(what: Callable[[], object]) -> None:
    """Do *what* in a forked process, which is then killed; wait for that."""
    pid = os.fork()
    if pid == 0:
        try:
            what()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_new_ledger_holds_nothing(ledger: Ledger) -> None:
    assert not ledger.is_busy()
    assert ledger.held() == []
    assert ledger.token() is None
    assert ledger.entered_since() is None
    assert ledger.touched_at() is None
    assert not ledger.has_left()


@pytest.mark.usefixtures("batch")
def test_each_job_is_where_it_is(ledger: Ledger) -> None:
    assert [held.slot for held in ledger.held()] == [
        Slot.ENDED, Slot.ENTERED, Slot.HELD, Slot.HELD
    ]  # fmt: skip
    assert ledger.entered_since() == NOW + 2
    assert ledger.touched_at() == NOW + 1
    assert ledger.runs() == 2


def test_all_that_judging_needs_is_kept_and_the_arguments_are_not(
    ledger: Ledger, batch: list[Claimed]
) -> None:
    found = ledger.held()[1].job
    assert found.policy == batch[1].policy
    assert found.failure_ttl == 7
    assert found.execution_id == "execution1"
    assert found.data == b""


def test_a_verdict_is_kept_as_it_was(ledger: Ledger, batch: list[Claimed]) -> None:
    assert ledger.held()[0].settlement == ended(batch[0])
    assert [held.settlement for held in ledger.held()[1:]] == [None] * 3


@pytest.mark.usefixtures("batch")
def test_a_job_that_was_taken_back_can_not_be_entered(ledger: Ledger) -> None:
    taken = ledger.take_back(Slot.HELD)
    assert [held.job.job_id for held in taken] == ["job2", "job3"]
    assert not ledger.enter(2, now=NOW)
    assert ledger.is_done(2)
    assert ledger.take_back(Slot.HELD) == []


@pytest.mark.usefixtures("batch")
def test_one_job_can_be_taken_back_and_only_while_it_is_held(ledger: Ledger) -> None:
    ledger.take_back_one("execution1")
    ledger.take_back_one("execution3")
    assert [held.job.job_id for held in ledger.held()] == ["job0", "job1", "job2"]


@pytest.mark.usefixtures("batch")
def test_what_is_settled_is_forgotten(ledger: Ledger) -> None:
    ledger.forget([0])
    assert [held.number for held in ledger.held()] == [1, 2, 3]
    ledger.clear()
    assert ledger.held() == []
    assert not ledger.is_busy()


def test_a_verdict_that_has_no_room_is_refused_and_its_job_is_the_worker_s(
    ledger: Ledger, batch: list[Claimed]
) -> None:
    assert not ledger.end(1, ended(batch[1], b"x" * 2_000_000), now=NOW)
    assert ledger.held()[1].slot is Slot.LARGE
    assert ledger.entered_since() is None


def test_a_batch_that_has_no_room_is_held_in_part(ledger: Ledger) -> None:
    long_ids = [claimed(10**4000 + number) for number in range(200)]
    held = ledger.hold(long_ids, now=NOW)
    assert 0 < held < 200
    assert len(ledger.held()) == held


def test_the_whole_policy_of_a_job_is_held(ledger: Ledger) -> None:
    policy = Policy(
        retries_left=1, retry_intervals=(2,), retry_at_front=True, retry_jitter=0.5,
        retry_on=("a.B",), give_up_on=("c.D",), asked_retries=3, starts=4, on_lost="fail",
        max_starts=5, repeats_left=6, repeat_intervals=(7,),
    )  # fmt: skip
    assert all(getattr(policy, f.name) != f.default for f in fields(Policy)), "tells too little"
    ledger.hold([claimed(1, policy=policy)], now=NOW)
    assert ledger.held()[0].job.policy == policy


def test_a_job_of_outlandish_size_is_held_all_the_same(ledger: Ledger) -> None:
    kinds = tuple(f"shop.Error{number}" for number in range(100_000))
    waits = tuple(range(1_000_000))
    policy = Policy(retries_left=1, retry_intervals=waits, retry_on=kinds, give_up_on=kinds)
    job = claimed(1, description="x" * 5_000_000, policy=policy)
    assert ledger.hold([job], now=NOW) == 1
    assert ledger.held()[0].job.policy.retry_intervals[:3] == (0, 1, 2)


def test_what_a_process_wrote_outlives_its_kill(ledger: Ledger) -> None:
    job = claimed(0)

    def work() -> None:
        ledger.ask("0123456789abcdef01234567")
        ledger.hold([job, claimed(1)], now=NOW)
        ledger.enter(0, now=NOW)
        ledger.end(0, ended(job), now=NOW)
        ledger.enter(1, now=NOW)
        ledger.leave()

    in_a_child(work)
    assert ledger.token() == "0123456789abcdef01234567"
    assert [held.slot for held in ledger.held()] == [Slot.ENDED, Slot.ENTERED]
    assert ledger.held()[0].settlement == ended(job)
    assert ledger.has_left()


@pytest.mark.usefixtures("batch")
def test_the_lock_of_a_dead_process_is_seized(ledger: Ledger) -> None:
    in_a_child(ledger._lock.acquire)  # noqa: SLF001 - there is no other way to die there
    with pytest.raises(LedgerBusyError):
        ledger.held()
    ledger.seize()
    assert len(ledger.held()) == 4


@pytest.mark.usefixtures("batch")
def test_a_lock_that_is_not_let_go_is_not_waited_for_long(ledger: Ledger) -> None:
    with ledger._lock:  # noqa: SLF001
        began = time.monotonic()
        for ask in (ledger.held, lambda: ledger.take_back(Slot.HELD)):
            with pytest.raises(LedgerBusyError):
                ask()
        assert time.monotonic() - began < 1
        assert ledger.is_busy()
        assert ledger.entered_since() == NOW + 2


def test_no_job_is_both_entered_and_taken_back(ledger: Ledger) -> None:
    """A worker enters as fast as it can, while its supervisor takes back."""
    batch = [claimed(number) for number in range(200)]
    for _ in range(20):
        ledger.hold(batch, now=NOW)
        pid = os.fork()
        if pid == 0:
            for number in range(200):
                ledger.enter(number, now=NOW)
            os._exit(0)
        taken: list[int] = []
        wait_until(lambda: any(held.slot is Slot.ENTERED for held in ledger.held()), every=0)
        taken += [held.number for held in ledger.take_back(Slot.HELD)]
        os.waitpid(pid, 0)
        entered = [held.number for held in ledger.held() if held.slot is Slot.ENTERED]
        assert sorted(entered + taken) == list(range(200))
        ledger.clear()


def test_what_more_there_is_to_a_job_is_kept_but_for_what_is_outlandish(ledger: Ledger) -> None:
    job = replace(claimed(0), extras=EXTRAS)
    ledger.hold([job], now=NOW)
    assert ledger.held()[0].job.extras == EXTRAS
    assert EXTRAS is not None
    large = decode_extras((*EXTRAS.told[:6], b"x" * 2_000_000, *EXTRAS.told[7:]))
    ledger.hold([replace(job, extras=large)], now=NOW)
    kept = ledger.held()[0].job.extras
    assert kept is not None
    assert (kept.repeats_left, kept.success_callback) == (1, EXTRAS.success_callback)
