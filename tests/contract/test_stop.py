"""What a request to stop means for all that may become of an execution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.lives import Life, execution_of
from workhorse.core.ids import GrowingTokens
from workhorse.core.outcomes import Crashed, Outcome, Raised, Returned
from workhorse.core.states import ENDED, State
from workhorse.core.verdicts import Policy, judge
from workhorse.store import jobs
from workhorse.store.calls import Call
from workhorse.store.jobs import Settled
from workhorse.wire.claimed import Claimed
from workhorse.wire.entries import ResultType

AGAIN: dict[str, Any] = {"retries_left": 5, "retry_intervals": (0,)}


@pytest.mark.parametrize("interval", [0, 60])
@pytest.mark.parametrize("outcome", [Raised("boom"), Crashed("signal 9")], ids=["raised", "lost"])
def test_what_would_have_it_run_again_stops_it(
    life: Life, outcome: Outcome, interval: int
) -> None:
    job = life.start(retries_left=5, retry_intervals=(interval,))
    assert life.stop() is State.STARTED
    assert life.settle(job, judge(outcome, job.policy)) is Settled.APPLIED
    assert life.state() is State.STOPPED
    assert life.waiting() == []
    assert life.members("rq:failed:q") == ["j"]
    ((_, entry),) = life.client.xrange("rq:results:j")
    assert int(entry[b"type"]) == ResultType.STOPPED
    assert life.members("rq:scheduled:q") == []
    assert life.settle(job, judge(outcome, job.policy)) is not Settled.APPLIED


def test_a_success_stays_one(life: Life) -> None:
    job = life.start()
    life.stop()
    assert life.settle(job, Returned(b"42")) is Settled.APPLIED
    assert life.state() is State.FINISHED


def test_a_failure_for_good_stays_one(life: Life) -> None:
    job = life.start()
    life.stop()
    life.settle(job, Raised("boom"))
    assert life.state() is State.FAILED


def test_unrun_it_is_not_given_back(life: Life) -> None:
    job = life.start()
    life.stop()
    assert life.release(job) == 1
    assert life.state() is State.STOPPED
    assert life.waiting() == []
    assert life.members("rq:failed:q") == ["j"]


def test_given_back_unrun_a_job_counts_a_redelivery_and_no_start(life: Life) -> None:
    for times in (1, 2):
        job = life.start() if times == 1 else life.claim_one()
        life.release(job)
        assert (life.field("redeliveries"), life.field("starts")) == (str(times), None)


@pytest.mark.parametrize("starts", [0, 2])
def test_a_lapsed_lease_stops_it_however_often_it_was_lost(life: Life, starts: int) -> None:
    job = life.start()
    life.client.hset("rq:job:j", "starts", starts)
    life.stop()
    life.extended(job, lease=-1)
    life.recover()
    assert life.state() is State.STOPPED
    assert life.waiting() == []


def test_its_holder_is_told_with_every_extension(life: Life) -> None:
    job, other = life.start(), life.start("other")
    assert life.extended(job, other) == jobs.Extended([], [])
    life.stop(grace=2.5)
    for _ in range(2):
        assert life.extended(job, other) == jobs.Extended([], [(execution_of(job), 2.5)])


def test_a_requeue_forgets_it(life: Life) -> None:
    job = life.start()
    life.stop()
    life.settle(job, judge(Raised("boom"), Policy(retries_left=1)))
    assert life.requeue() is State.STOPPED
    again = life.claim_one()
    assert life.extended(again) == jobs.Extended([], [])
    assert life.settle(again, Returned(None)) is Settled.APPLIED


def test_it_is_for_the_execution_that_ran_and_no_later_one(life: Life) -> None:
    job = life.start(**AGAIN)
    life.client.hset("rq:job:j", "stop_requested", "another")
    life.settle(job, judge(Raised("boom"), job.policy))
    assert life.state() is State.QUEUED


@pytest.mark.parametrize("state", [State.QUEUED, State.SCHEDULED, *ENDED])
def test_what_does_not_run_is_left_alone(life: Life, state: State) -> None:
    life.in_state(state)
    before = life.dump()
    assert life.stop(token="t") is state
    assert life.dump() == before


def test_a_job_that_rq_runs_is_left_to_its_worker_which_is_told(life: Life) -> None:
    life.in_state(State.QUEUED)
    life.client.lpop("rq:queue:q")
    life.client.hset("rq:job:j", mapping={"status": "started", "worker_name": "theirs"})
    life.client.zadd("rq:wip:q", {"j:theirs": 9e9})
    pubsub = life.client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("rq:pubsub:theirs")
    assert pubsub.get_message(timeout=1) is None
    assert life.stop() is State.STARTED
    message = pubsub.get_message(timeout=1)
    assert message
    assert message["data"] in (
        b'{"command":"stop-job","job_id":"j"}',
        b'{"job_id":"j","command":"stop-job"}',
    )
    assert life.field("stop_requested") is None
    pubsub.close()


# A person's call that is sent again

Move = Callable[[Life, str], State | None]


def cancel(life: Life, token: str) -> State | None:
    return life.store.run(jobs.cancel(life.keys, "j", token=token))


def requeue(life: Life, token: str) -> State | None:
    return life.store.run(jobs.requeue(life.keys, "j", token=token))


def stop(life: Life, token: str) -> State | None:
    return life.stop(token=token)


MOVES = [
    pytest.param(cancel, State.QUEUED, id="cancel"),
    pytest.param(cancel, State.STARTED, id="cancel running"),
    pytest.param(requeue, State.FAILED, id="requeue"),
    pytest.param(stop, State.STARTED, id="stop"),
]


@pytest.mark.parametrize(("move", "state"), MOVES)
def test_sent_again_it_gets_the_first_answer_and_changes_nothing(
    life: Life, move: Move, state: State
) -> None:
    life.in_state(state)
    assert move(life, "token") is state
    before = life.dump()
    assert move(life, "token") is state
    assert life.dump() == before


def test_a_requeue_that_is_sent_again_after_the_run_does_not_run_it_twice(life: Life) -> None:
    life.in_state(State.FAILED)
    requeue(life, "token")
    life.settle(life.claim_one(), Raised("again"))
    assert requeue(life, "token") is State.FAILED
    assert life.waiting() == []
    assert requeue(life, "another") is State.FAILED
    assert life.waiting() == ["j"]


def test_it_does_not_undo_what_another_person_did_meanwhile(life: Life) -> None:
    """Up to three others: who sends again does so within seconds."""
    life.in_state(State.QUEUED)
    cancel(life, "token")
    requeue(life, "another")
    before = life.dump()
    assert cancel(life, "token") is State.QUEUED
    assert life.dump() == before
    assert cancel(life, "third") is State.QUEUED
    requeue(life, "fourth")
    assert cancel(life, "token") is State.QUEUED
    assert life.waiting() == ["j"]


def test_a_job_does_not_remember_every_call(life: Life) -> None:
    life.in_state(State.QUEUED)
    for number in range(50):
        cancel(life, f"cancel{number}")
        requeue(life, f"requeue{number}")
    assert life.field("moved_by") == (
        "requeue49:canceled cancel49:queued requeue48:canceled cancel48:queued"
    )


# A claim whose sender was given up


def test_a_claim_that_arrives_after_its_worker_was_given_up_takes_nothing(life: Life) -> None:
    life.enqueue("j")
    late = jobs.claim(life.keys, ["q"], worker="w", token="a" * 24, count=1, lease=60)
    assert life.store.run(jobs.claimed_before(life.keys, worker="w", token="a" * 24)).jobs == []
    life.store.run(claim_of_its_successor(life))
    assert life.store.run(late).jobs == []
    assert life.waiting() == ["j"]


def claim_of_its_successor(life: Life) -> Call[jobs.Claim]:
    """Return a claim by a worker of the same name that finds nothing."""
    return jobs.claim(life.keys, ["other"], worker="w", token="b" * 24, count=1, lease=60)


def test_what_it_took_before_it_was_given_up_is_still_told(life: Life) -> None:
    life.enqueue("j")
    claim = jobs.claim(life.keys, ["q"], worker="w", token="a" * 24, count=1, lease=60)
    taken: list[Claimed] = life.store.run(claim).jobs
    for _ in range(2):
        asked = life.store.run(jobs.claimed_before(life.keys, worker="w", token="a" * 24))
        assert asked.jobs == taken


@pytest.mark.parametrize("found", ["a job", "nothing"])
def test_a_claim_that_arrives_behind_its_workers_next_one_takes_nothing(
    life: Life, found: str
) -> None:
    """Its connection broke, it was sent again and answered; the first sending comes now."""
    tokens = GrowingTokens()
    first, second = tokens.next(), tokens.next()
    life.claim(1, token=first)
    if found == "a job":
        life.enqueue("j")
    held = life.claim(1, token=second).jobs
    life.enqueue("k")
    assert life.claim(1, token=first).jobs == []
    assert life.waiting() == ["k"]
    assert life.claim(1, token=second).jobs == held
    assert [job.job_id for job in life.claim(1, token=tokens.next()).jobs] == ["k"]


# What a worker says of lost runs


@pytest.mark.parametrize("own", [None, "requeue", "fail"])
def test_the_workers_policy_for_lost_runs_is_kept_with_jobs_that_have_none(
    life: Life, own: Any
) -> None:
    life.enqueue("j", on_lost=own)
    job = life.claim_one(on_lost="fail", max_starts=5)
    expected = own or "fail"
    assert (job.policy.on_lost, job.policy.max_starts) == (expected, 5)
    assert (life.field("on_lost"), life.field("max_starts")) == (expected, "5")
    life.extended(job, lease=-1)
    life.recover()  # by a worker that says nothing
    assert life.state() is (State.QUEUED if own == "requeue" else State.FAILED)


def test_a_worker_that_says_nothing_leaves_no_policy(life: Life) -> None:
    life.start()
    assert (life.field("on_lost"), life.field("max_starts")) == (None, None)
