"""What ended or was taken away stays so, though a call from before is sent again."""

from __future__ import annotations

import pytest

from tests.support.lives import Life, settlement
from workhorse.core.outcomes import Outcome, Raised, Returned, Stopped
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import jobs
from workhorse.store.audit import audit
from workhorse.store.jobs import Settled


@pytest.mark.parametrize(
    "outcome", [Returned(b"1"), Raised("boom"), Stopped()], ids=lambda each: type(each).__name__
)
def test_a_job_that_is_not_kept_is_not_run_again_by_a_resent_enqueue(
    every_life: Life, outcome: Outcome
) -> None:
    job = every_life.start("j", token="t", failure_ttl=0)
    items = [settlement(job, judge(outcome), ttl=0)]
    assert every_life.settle_many(items) == [Settled.APPLIED]
    assert every_life.enqueue("j", token="t", failure_ttl=0).refused == [""]
    assert every_life.waiting() == []
    assert every_life.settle_many(items) == [Settled.ALREADY]
    assert every_life.state() is None


def test_a_job_that_was_taken_off_its_queue_is_not_put_back_by_a_resent_enqueue(
    every_life: Life,
) -> None:
    every_life.enqueue("j", token="t")
    plan = jobs.empty(every_life.keys, "q", keep_jobs=False, forget=False)
    assert every_life.store.run(plan) == 1
    assert every_life.enqueue("j", token="t").refused == [""]
    assert every_life.waiting() == []


@pytest.mark.parametrize("state", [State.STARTED, State.SCHEDULED])
def test_a_queue_is_not_forgotten_while_a_job_of_it_can_come_back(
    every_life: Life, state: State
) -> None:
    """Forward and recover look at listed queues only."""
    every_life.in_state(state)

    def forget() -> None:
        plan = jobs.empty(every_life.keys, "q", keep_jobs=False, forget=True)
        every_life.store.run(plan)

    forget()
    assert audit(every_life.store, every_life.keys) == []
    every_life.delete("j")
    forget()
    assert every_life.client.smembers("rq:queues") == set()


def test_a_lost_job_that_is_not_kept_leaves_nothing(every_life: Life) -> None:
    job = every_life.start("j", token="t", failure_ttl=0, on_lost="fail")
    every_life.extend(job, lease=-1)
    assert len(every_life.recover().verdicts) == 1
    assert every_life.client.exists("rq:job:j") == 0
    assert every_life.settle(job, Returned(b"1")) is Settled.GONE
    assert every_life.enqueue("j", token="t", failure_ttl=0).refused == [""]
    assert every_life.waiting() == []
    assert audit(every_life.store, every_life.keys) == []
