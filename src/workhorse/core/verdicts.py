"""Decide what follows from an outcome. The one place where a retry is weighed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workhorse.core.outcomes import (
    AskedRetry,
    Crashed,
    Outcome,
    Raised,
    Returned,
    Stopped,
    TimedOut,
)
from workhorse.core.retry import wait_after_failure, wait_when_asked
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
    asked_retries: int = 0
    """How often the job returned a ``Retry`` so far."""
    starts: int = 0
    """How often the job was entered and no outcome came back."""
    on_lost: OnLost = "requeue"
    max_starts: int = MAX_STARTS


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
    exhausted: bool = False
    """The job asked for more retries than its ``Retry`` allows."""


_NO_RETRY = Policy()


def judge(outcome: Outcome, policy: Policy = _NO_RETRY) -> Verdict:
    """Return what must happen to a job whose run ended in *outcome*.

    >>> judge(Returned(b"42")).to.value
    'finished'
    >>> judge(Raised("boom"), Policy(retries_left=1, retry_intervals=(60,))).due_in
    60
    >>> judge(Crashed("signal 11"), Policy(starts=2)).to.value
    'failed'
    """
    match outcome:
        case Returned(value):
            return Verdict(Event.SUCCEED, State.FINISHED, value=value)
        case AskedRetry():
            return _judge_asked(outcome, policy)
        case Raised(text) | TimedOut(text):
            return _judge_failure(text, policy)
        case Crashed(detail):
            return judge_lost(detail, policy)
        case Stopped():
            return Verdict(Event.STOP, State.STOPPED, error="Job stopped on request.")


def judge_lost(detail: str, policy: Policy) -> Verdict:
    """Return what must happen to a job that was entered and whose outcome nobody knows.

    It goes back to the front of its queue, until it was entered ``max_starts`` times for
    nothing or says ``on_lost="fail"``; then it is failed with the reason. No ``Retry`` is
    used up: those are for outcomes.
    """
    starts = policy.starts + 1
    if policy.on_lost == "fail":
        return Verdict(Event.RECOVER, State.FAILED, error=f"Job lost: {detail}", starts=starts)
    if starts >= policy.max_starts:
        reason = (
            f"Job lost {starts} times and not tried again (a poison pill?). Last time: {detail}"
        )
        return Verdict(Event.RECOVER, State.FAILED, error=reason, starts=starts)
    return Verdict(
        Event.RECOVER, State.QUEUED, at_front=True, error=f"Job lost: {detail}", starts=starts
    )


def _judge_failure(text: str, policy: Policy) -> Verdict:
    left = policy.retries_left or 0
    wait = wait_after_failure(left, policy.retry_intervals)
    if wait is None:
        return Verdict(Event.FAIL, State.FAILED, error=text)
    return _retry(wait, text, at_front=policy.retry_at_front, retries_left=left - 1)


def _judge_asked(outcome: AskedRetry, policy: Policy) -> Verdict:
    retry, asked = outcome.retry, policy.asked_retries
    wait = wait_when_asked(asked, retry)
    if wait is None:
        text = f"The job returned {retry!r} and was tried {asked} more times already."
        return Verdict(Event.FAIL, State.FAILED, error=text, exhausted=True)
    text = f"The job returned {retry!r}."
    at_front = policy.retry_at_front or retry.enqueue_at_front
    return _retry(wait, text, at_front=at_front, asked_retries=asked + 1)


def _retry(
    wait: int,
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
