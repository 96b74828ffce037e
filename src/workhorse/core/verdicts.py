"""Decide what follows from an outcome. The one place where a retry is weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from workhorse.core.errors import JobTimeoutException
from workhorse.core.outcomes import (
    AskedRetry,
    Crashed,
    Outcome,
    Raised,
    Returned,
    Stopped,
    TimedOut,
)
from workhorse.core.repeat import wait_before_repeat
from workhorse.core.retry import (
    jittered,
    kinds_of,
    reason_to_give_up,
    wait_after_failure,
    wait_when_asked,
)
from workhorse.core.settings import MAX_STARTS
from workhorse.core.states import Event, State

OnLost = Literal["requeue", "fail"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a job says about being tried again, and what happened to it so far."""

    retries_left: int | None = None
    """Tries that are left after exceptions; None when the job has no ``Retry``."""
    retry_intervals: tuple[int, ...] = ()
    retry_at_front: bool = False
    retry_jitter: float = 0.0
    """The part of a wait, at most, that chance takes off it."""
    retry_on: tuple[str, ...] = ()
    """Exceptions that are answered by a retry, as dotted names; empty for all."""
    give_up_on: tuple[str, ...] = ()
    """Exceptions that are not, whatever ``retry_on`` says."""
    asked_retries: int = 0
    """How often the job returned or raised a ``Retry`` so far."""
    starts: int = 0
    """How often the job was entered and no outcome came back."""
    on_lost: OnLost = "requeue"
    max_starts: int = MAX_STARTS
    repeats_left: int | None = None
    """Runs that are to follow this one, each after a success; None without a ``Repeat``."""
    repeat_intervals: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What must happen to a job after a run. None leaves a counter as it is."""

    event: Event
    to: State
    due_in: float = 0.0
    """Seconds from now until the job is due, where it is scheduled."""
    at_front: bool = False
    value: bytes | None = None
    """What the function returned, serialized."""
    error: str = ""
    retries_left: int | None = None
    asked_retries: int | None = None
    starts: int | None = None
    repeats_left: int | None = None
    repeat_intervals: tuple[int, ...] | None = None
    exhausted: bool = False
    """The job asked for more retries than its ``Retry`` allows."""


_NO_RETRY = Policy()
_TIME_OUT: Final = ("workhorse.JobTimeoutException", *kinds_of(JobTimeoutException))


def judge(  # noqa: PLR0911 - a case each
    outcome: Outcome, policy: Policy = _NO_RETRY, *, chance: float = 1.0
) -> Verdict:
    """Return what must happen to a job whose run ended in *outcome*.

    *chance* is a random number below 1, for a wait with jitter; of 1 it takes nothing off.

    >>> judge(Returned(b"42")).to.value
    'finished'
    >>> judge(Raised("boom"), Policy(retries_left=1, retry_intervals=(60,))).due_in
    60
    >>> judge(Crashed("signal 11"), Policy(starts=2)).to.value
    'failed'
    """
    match outcome:
        case Returned(value):
            if policy.repeats_left is None:
                return Verdict(Event.SUCCEED, State.FINISHED, value=value)
            return _judge_success(value, policy)
        case AskedRetry():
            return _judge_asked(outcome, policy, chance)
        case Raised(text, kinds):
            return _judge_failure(text, kinds, policy, chance)
        case TimedOut(text, kinds):
            return _judge_failure(text, (*kinds, *_TIME_OUT), policy, chance)
        case Crashed(detail):
            return judge_lost(detail, policy)
        case Stopped(text):
            return Verdict(Event.STOP, State.STOPPED, error=_told("Job stopped on request.", text))


def judge_lost(detail: str, policy: Policy) -> Verdict:
    """Return what must happen to a job that was entered and whose outcome nobody knows.

    It goes back to the front of its queue, until it was entered ``max_starts`` times for
    nothing or says ``on_lost="fail"``; then it is failed with the reason. No ``Retry`` is
    used up: those are for outcomes.
    """
    starts = policy.starts + 1
    if policy.on_lost == "fail":
        reason = f"Job lost: {detail}; not tried again: on_lost is 'fail'"
        return Verdict(Event.RECOVER, State.FAILED, error=reason, starts=starts)
    if starts >= policy.max_starts:
        reason = (
            f"Job lost {_times(starts)} and not tried again: max_starts is {policy.max_starts} "
            f"(a poison pill?). Last time: {detail}"
        )
        return Verdict(Event.RECOVER, State.FAILED, error=reason, starts=starts)
    return Verdict(
        Event.RECOVER, State.QUEUED, at_front=True, error=f"Job lost: {detail}", starts=starts
    )


def _judge_success(value: bytes | None, policy: Policy) -> Verdict:
    again = wait_before_repeat(policy.repeats_left, policy.repeat_intervals)
    if again is None:
        return Verdict(Event.SUCCEED, State.FINISHED, value=value)
    wait, intervals = again
    return Verdict(
        Event.REPEAT,
        State.SCHEDULED if wait else State.QUEUED,
        due_in=wait,
        value=value,
        repeats_left=(policy.repeats_left or 0) - 1,
        repeat_intervals=intervals,
        starts=0 if policy.starts else None,  # lost runs of another time are over
    )


def _judge_failure(text: str, kinds: Sequence[str], policy: Policy, chance: float) -> Verdict:
    left = policy.retries_left or 0
    wait = wait_after_failure(left, policy.retry_intervals)
    if wait is None:
        return Verdict(Event.FAIL, State.FAILED, error=text)
    if reason := reason_to_give_up(kinds, retry_on=policy.retry_on, give_up_on=policy.give_up_on):
        # At the start: a traceback's last line is what logs and dashboards show of it.
        return Verdict(Event.FAIL, State.FAILED, error=_told(f"Not tried again: {reason}.", text))
    due_in = jittered(wait, policy.retry_jitter, chance)
    return _retry(due_in, text, at_front=policy.retry_at_front, retries_left=left - 1)


def _judge_asked(outcome: AskedRetry, policy: Policy, chance: float) -> Verdict:
    retry, asked = outcome.retry, policy.asked_retries
    what = f"The job {'raised' if outcome.traceback else 'returned'} {retry!r}"
    wait = wait_when_asked(asked, retry)
    if wait is None:
        text = _told(f"{what}; it was tried again {_times(asked)} already.", outcome.traceback)
        return Verdict(Event.FAIL, State.FAILED, error=text, exhausted=True)
    return _retry(
        jittered(wait, retry.jitter, chance),
        _told(f"{what}.", outcome.traceback),
        at_front=policy.retry_at_front or retry.enqueue_at_front,
        asked_retries=asked + 1,
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _told(what: str, traceback: str) -> str:
    return f"{what}\n{traceback}" if traceback else what


def _retry(
    wait: float,
    text: str,
    *,
    at_front: bool,
    retries_left: int | None = None,
    asked_retries: int | None = None,
) -> Verdict:
    return Verdict(
        Event.RETRY,
        State.SCHEDULED if wait else State.QUEUED,
        due_in=wait,
        at_front=at_front,
        error=text,
        retries_left=retries_left,
        asked_retries=asked_retries,
    )
