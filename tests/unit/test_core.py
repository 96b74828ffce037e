"""The rules: what follows from how a run ended, when it is tried again, how much to hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workhorse.core.durations import parse_seconds
from workhorse.core.errors import InvalidNameError, TimeoutFormatError
from workhorse.core.ids import check_job_id, check_queue_name, new_job_id, new_token
from workhorse.core.outcomes import (
    AskedRetry,
    Crashed,
    Outcome,
    Raised,
    Returned,
    Stopped,
    TimedOut,
)
from workhorse.core.pacing import Pace, next_batch
from workhorse.core.retry import Retry, wait_after_failure, wait_when_asked
from workhorse.core.settings import BATCH_JOBS, BATCH_SECONDS, MAX_STARTS
from workhorse.core.states import ENDED, TRANSITIONS, Event, State
from workhorse.core.verdicts import Policy, judge

ASKED = Retry(2, [10])
OUTCOMES: list[Outcome] = [
    Returned(b"42"), AskedRetry(ASKED), Raised("boom"), TimedOut("late"), Crashed("signal 9"),
    Stopped(),
]  # fmt: skip
POLICIES = [
    Policy(),
    Policy(retries_left=0),
    Policy(retries_left=1),
    Policy(retries_left=2, retry_intervals=(60,)),
    Policy(asked_retries=2),
    Policy(starts=MAX_STARTS - 1),
    Policy(on_lost="fail"),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_every_verdict_is_a_move_that_the_table_allows(outcome: Outcome, policy: Policy) -> None:
    verdict = judge(outcome, policy)
    assert verdict.to in TRANSITIONS[State.STARTED, verdict.event]
    assert (verdict.due_in > 0) == (verdict.to is State.SCHEDULED)


@pytest.mark.parametrize(
    "outcome", [Raised("boom"), TimedOut("late")], ids=["raised", "timed out"]
)
def test_a_failure_uses_up_a_retry_and_the_last_one_ends_the_job(outcome: Outcome) -> None:
    first = judge(outcome, Policy(retries_left=1))
    assert (first.to, first.retries_left) == (State.QUEUED, 0)
    assert judge(outcome, Policy(retries_left=0)).to is State.FAILED


def test_a_crash_uses_up_no_retry() -> None:
    verdict = judge(Crashed("signal 9"), Policy(retries_left=1))
    assert (verdict.to, verdict.at_front, verdict.retries_left) == (State.QUEUED, True, None)
    assert verdict.starts == 1


def test_a_job_that_was_lost_too_often_is_failed_and_says_why() -> None:
    verdict = judge(Crashed("signal 9"), Policy(starts=MAX_STARTS - 1))
    assert verdict.to is State.FAILED
    assert "signal 9" in verdict.error
    assert str(MAX_STARTS) in verdict.error


def test_a_stopped_job_is_not_tried_again() -> None:
    assert judge(Stopped(), Policy(retries_left=5)).to is State.STOPPED


def test_a_job_may_ask_for_another_run_until_its_retry_is_used_up() -> None:
    asked = [judge(AskedRetry(ASKED), Policy(asked_retries=n)) for n in range(3)]
    assert [verdict.to for verdict in asked] == [State.SCHEDULED, State.SCHEDULED, State.FAILED]
    assert [verdict.exhausted for verdict in asked] == [False, False, True]
    assert [verdict.asked_retries for verdict in asked] == [1, 2, None]


def test_a_retried_job_goes_to_the_front_if_either_retry_says_so() -> None:
    front = AskedRetry(Retry(1, enqueue_at_front=True))
    assert judge(front).at_front
    assert judge(AskedRetry(Retry(1)), Policy(retry_at_front=True)).at_front
    assert not judge(AskedRetry(Retry(1))).at_front


def test_the_waits_of_a_retry_are_rqs() -> None:
    """How RQ 3.0 counts."""
    left = {
        of: [wait_after_failure(n, [10, 30, 60]) for n in range(of, 0, -1)] for of in (1, 3, 5)
    }
    assert left == {1: [60], 3: [10, 30, 60], 5: [10, 10, 10, 30, 60]}
    asked = [wait_when_asked(n, Retry(5, [10, 30, 60])) for n in range(5)]
    assert asked == [10, 30, 60, 60, 60]


@given(some.integers(0, 10), some.lists(some.integers(0, 100), max_size=5))
def test_there_is_a_wait_as_long_as_there_are_retries(left: int, intervals: list[int]) -> None:
    assert (wait_after_failure(left, intervals) is None) == (left == 0)


def test_ended_states_are_left_only_when_somebody_asks() -> None:
    begins_anew = {Event.ENQUEUE, Event.START, Event.SCHEDULE, Event.DEFER, Event.LIMIT}
    asked_for = begins_anew | {Event.REQUEUE, Event.DELETE}
    assert {event for state, event in TRANSITIONS if state in ENDED} == asked_for


@given(
    some.integers(1, BATCH_JOBS), some.integers(0, BATCH_JOBS), some.floats(0, 100),
    some.floats(0, 100),
)  # fmt: skip
def test_a_batch_is_within_its_bounds(
    size: int, jobs: int, seconds: float, slowest: float
) -> None:
    batch = next_batch(size, jobs=jobs, seconds=seconds, slowest=slowest)
    assert 1 <= batch <= min(size * 2, BATCH_JOBS)
    if slowest > BATCH_SECONDS:
        assert batch == 1


def test_an_unknown_job_counts_as_slow_until_it_was_fast() -> None:
    pace = Pace(names=1)
    assert not pace.is_short("f")
    pace.learn("f", 0.001)
    assert pace.is_short("f")
    pace.learn("f", 10)
    assert not pace.is_short("f")
    pace.learn("g", 0.001)
    assert pace.is_short("g")


@pytest.mark.parametrize("span", ["", "1x", "h", "1.5h", float("nan"), float("inf"), "1h 30m"])
def test_what_is_no_time_span_is_refused(span: str | float) -> None:
    with pytest.raises(TimeoutFormatError, match="not a time span"):
        parse_seconds(span)


@pytest.mark.parametrize("name", ["", "a:b", "a b", "é", "x" * 256, None, 7])
def test_what_is_no_job_id_is_refused(name: object) -> None:
    with pytest.raises(InvalidNameError, match="not a job id"):
        check_job_id(name)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 256, "\x7f", None])
def test_what_is_no_queue_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidNameError, match="not a queue name"):
        check_queue_name(name)


def test_new_names_are_allowed_and_differ() -> None:
    assert check_job_id(new_job_id()) != new_job_id()
    assert len(new_token()) == 24
    assert new_token() != new_token()
