"""When a job is tried again: what a ``Retry`` says, and what follows from it on every path."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.support.jobs import SoldOutError
from workhorse.core.errors import InvalidOptionError, JobTimeoutException
from workhorse.core.outcomes import AskedRetry, Crashed, Outcome, Raised, Stopped, TimedOut
from workhorse.core.retry import (
    Retry,
    jittered,
    kinds_of,
    reason_to_give_up,
    wait_after_failure,
    wait_when_asked,
)
from workhorse.core.settings import LONGEST_SPAN
from workhorse.core.states import State
from workhorse.core.verdicts import OnLost, Policy, judge

SOLD_OUT = "tests.support.jobs.SoldOutError"
FULL = Retry(
    5, 10, enqueue_at_front=True, backoff=2, max_interval=60, jitter=0.5, retry_on=OSError,
    give_up_on=[SOLD_OUT],
)  # fmt: skip


# What a Retry says


@pytest.mark.parametrize(
    ("retry", "intervals"),
    [
        (Retry(3), (0,)),
        (Retry(3, 10), (10,)),
        (Retry(3, [10, 30]), (10, 30)),
        (Retry(3, (n for n in (1, 2))), (1, 2)),
        (Retry(3, [10, 30], max_interval=20), (10, 20)),
        (Retry(1, 10, backoff=2), (10,)),
        (Retry(4, 10, backoff=2), (10, 20, 40, 80)),
        (Retry(4, [10], backoff=3, max_interval=60), (10, 30, 60, 60)),
        (Retry(5, 1, backoff=1.5), (1, 2, 2, 3, 5)),
        (Retry(2, 60, backoff=2, max_interval=5), (5, 5)),
    ],
    ids=repr,
)
def test_the_waits_of_a_retry(retry: Retry, intervals: tuple[int, ...]) -> None:
    assert retry.intervals == intervals


@given(
    some.integers(1, 60), some.integers(1, 10**6), some.floats(1.01, 100),
    some.none() | some.integers(1, 10**6),
)  # fmt: skip
def test_a_backoff_has_a_wait_for_each_try_and_never_falls(
    tries: int, interval: int, backoff: float, cap: int | None
) -> None:
    retry = Retry(tries, interval, backoff=backoff, max_interval=cap)
    waits = retry.intervals
    assert len(waits) == tries
    assert list(waits) == sorted(waits)
    assert waits[0] == min(interval, cap or interval)
    assert all(isinstance(wait, int) and 0 < wait <= (cap or LONGEST_SPAN) for wait in waits)


@given(some.integers(1, 30), some.integers(1, 100), some.floats(1.01, 3))
def test_both_of_rqs_ways_to_count_take_a_backoffs_waits_in_their_order(
    tries: int, interval: int, backoff: float
) -> None:
    retry = Retry(tries, interval, backoff=backoff)
    failing = [wait_after_failure(left, retry.intervals) for left in range(tries, 0, -1)]
    asking = [wait_when_asked(asked, retry) for asked in range(tries)]
    assert failing == asking == list(retry.intervals)


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        ((), ()),
        (ValueError, ("builtins.ValueError",)),
        ("ValueError", ("builtins.ValueError",)),
        ("builtins.ValueError", ("builtins.ValueError",)),
        ([IOError, "EnvironmentError"], ("builtins.OSError",)),
        ({SoldOutError}, (SOLD_OUT,)),
        (SOLD_OUT, (SOLD_OUT,)),
        ((KeyboardInterrupt, "shop.SoldOut"), ("builtins.KeyboardInterrupt", "shop.SoldOut")),
        (JobTimeoutException, ("workhorse.core.errors.JobTimeoutException",)),
    ],
    ids=repr,
)
def test_exceptions_are_named_by_class_or_by_name(kinds: Any, names: tuple[str, ...]) -> None:
    assert Retry(1, retry_on=kinds).retry_on == names
    assert Retry(1, give_up_on=kinds).give_up_on == names


class OfMain(Exception):  # noqa: N818 - as a script might have it
    """An exception that only one process knows."""


OfMain.__module__ = "__main__"


@pytest.mark.parametrize(
    ("options", "named", "remedy"),
    [
        ({"max": 0}, "max=0", "1 or more"),
        ({"max": "3"}, "max='3'", "1 or more"),
        ({"max": True}, "max=True", "1 or more"),
        ({"max": 3, "jitter": True}, "jitter=True", "from 0 to 1"),
        ({"max": 3, "interval": -1}, "interval=-1", "whole seconds"),
        ({"max": 3, "interval": 1.5}, "interval=1.5", "whole seconds"),
        ({"max": 3, "interval": []}, "interval=[]", "one or several"),
        ({"max": 3, "interval": "10"}, "interval='10'", "whole seconds"),
        ({"max": 3, "interval": 10**11}, "interval=100000000000", "whole seconds"),
        ({"max": 3, "backoff": 2}, "backoff=2", "first wait"),
        ({"max": 3, "interval": [1, 2], "backoff": 2}, "interval=[1, 2]", "first wait"),
        ({"max": 3, "interval": 1, "backoff": 0.5}, "backoff=0.5", "1 or more"),
        ({"max": 3, "interval": 1, "backoff": float("nan")}, "backoff=nan", "1 or more"),
        ({"max": 3, "interval": 1, "backoff": float("inf")}, "backoff=inf", "1 or more"),
        ({"max": 3, "interval": 1, "backoff": "2"}, "backoff='2'", "1 or more"),
        ({"max": 1001, "interval": 1, "backoff": 2}, "max=1001", "1000 tries"),
        ({"max": 3, "max_interval": 0}, "max_interval=0", "1 or more"),
        ({"max": 3, "max_interval": 1.5}, "max_interval=1.5", "whole seconds"),
        ({"max": 3, "jitter": 1.1}, "jitter=1.1", "from 0 to 1"),
        ({"max": 3, "jitter": -0.1}, "jitter=-0.1", "from 0 to 1"),
        ({"max": 3, "jitter": float("nan")}, "jitter=nan", "from 0 to 1"),
        ({"max": 3, "retry_on": int}, "retry_on=<class 'int'>", "no exception class"),
        ({"max": 3, "retry_on": ValueError()}, "retry_on=ValueError()", "no exception class"),
        ({"max": 3, "retry_on": None}, "retry_on=None", "no exception class"),
        ({"max": 3, "give_up_on": [7]}, "give_up_on=7", "no exception class"),
        ({"max": 3, "give_up_on": "len"}, "give_up_on=<built-in", "no exception class"),
        ({"max": 3, "give_up_on": "SoldOut"}, "give_up_on='SoldOut'", "package.module.Error"),
        ({"max": 3, "give_up_on": "a..b"}, "give_up_on='a..b'", "package.module.Error"),
        ({"max": 3, "give_up_on": "builtins.No"}, "'builtins.No'", "package.module.Error"),
        ({"max": 3, "give_up_on": "a." + "b" * 300}, "give_up_on='a.b", "package.module.Error"),
        ({"max": 3, "give_up_on": OfMain}, "__main__.OfMain", "into a module"),
        ({"max": 3, "retry_on": [f"a.E{n}" for n in range(101)]}, "retry_on=", "a base class"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_retry_that_makes_no_sense_is_refused(
    options: dict[str, Any], named: str, remedy: str
) -> None:
    with pytest.raises(InvalidOptionError) as refused:
        Retry(**options)
    assert named in str(refused.value)
    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    "retry", [Retry(1), Retry(3, [1, 2]), Retry(2, enqueue_at_front=True), FULL], ids=repr
)
def test_a_retry_is_shown_compared_and_passed_on_as_it_was_made(retry: Retry) -> None:
    shown = eval(repr(retry), {"Retry": Retry})  # noqa: S307 - that is what a repr is for
    for other in (shown, pickle.loads(pickle.dumps(retry)), copy.copy(retry)):
        assert other == retry
        assert hash(other) == hash(retry)
        assert other.intervals == retry.intervals
        assert vars(other) == vars(retry)
    assert retry != Retry(99)
    assert retry != "Retry"


def test_a_retry_says_all_that_it_was_told() -> None:
    assert str(FULL) == (
        "Retry(max=5, interval=10, enqueue_at_front=True, backoff=2, max_interval=60, jitter=0.5, "
        f"retry_on=['builtins.OSError'], give_up_on=['{SOLD_OUT}'])"
    )


class Mine(Retry):
    """A Retry of the user's own."""

    def __init__(self) -> None:
        super().__init__(2, 10)


def test_a_subclass_travels_as_what_every_process_knows() -> None:
    passed = pickle.loads(pickle.dumps(Mine()))
    assert type(passed) is Retry
    assert passed == Retry(2, 10)


def test_a_raised_retry_can_be_caught_as_an_exception() -> None:
    with pytest.raises(Exception, match=r"Retry\(max=1, interval=\[0\]\)"):
        raise Retry(1)


# Classes


@given(some.sampled_from([FileNotFoundError, JobTimeoutException, SoldOutError, ExceptionGroup]))
def test_the_kinds_of_a_class_are_those_that_an_except_clause_takes(
    cls: type[BaseException],
) -> None:
    kinds = kinds_of(cls)
    assert "builtins.object" not in kinds
    assert kinds[-1] == "builtins.BaseException"
    for caught in (OSError, LookupError, Exception, BaseException, SoldOutError):
        assert (kinds_of(caught)[0] in kinds) == issubclass(cls, caught)


@pytest.mark.parametrize(
    ("retry_on", "give_up_on", "reason"),
    [
        ([], [], ""),
        (["builtins.LookupError"], [], ""),
        (["builtins.OSError"], [], "KeyError is not in retry_on"),
        ([], ["builtins.OSError"], ""),
        ([], ["builtins.KeyError"], "KeyError is in give_up_on"),
        ([], ["builtins.LookupError"], "LookupError is in give_up_on"),
        (["builtins.KeyError"], ["builtins.LookupError"], "LookupError is in give_up_on"),
        (["builtins.LookupError"], ["builtins.KeyError"], "KeyError is in give_up_on"),
    ],
)
def test_giving_up_wins(retry_on: list[str], give_up_on: list[str], reason: str) -> None:
    kinds = kinds_of(KeyError)
    assert reason_to_give_up(kinds, retry_on=retry_on, give_up_on=give_up_on) == reason


def test_an_exception_of_unknown_class_is_in_no_list() -> None:
    assert not reason_to_give_up((), retry_on=[], give_up_on=["builtins.KeyError"])
    assert "not in retry_on" in reason_to_give_up((), retry_on=["a.B"], give_up_on=[])


# Jitter


@given(some.floats(0, 10**6), some.floats(0, 1), some.floats(0, 1, exclude_max=True))
def test_jitter_takes_no_more_than_its_part_off_a_wait(
    wait: float, jitter: float, chance: float
) -> None:
    drawn = jittered(wait, jitter, chance)
    assert wait * (1 - jitter) - 0.001 <= drawn <= wait + 0.001
    assert jittered(wait, jitter, 1.0) == pytest.approx(wait, abs=0.001)


@given(some.floats(0, 1, exclude_max=True), some.floats(0, 1, exclude_max=True))
def test_more_chance_is_a_longer_wait(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert jittered(100, 0.5, low) <= jittered(100, 0.5, high)


# Every path

KEY_ERROR = Raised("Traceback\nKeyError: 7", kinds_of(KeyError))
TIME_OUT = TimedOut("Traceback\nlate", kinds_of(JobTimeoutException))
KILLED = TimedOut("killed: the job did not end")


@pytest.mark.parametrize(
    ("outcome", "retry_on", "give_up_on", "to"),
    [
        (KEY_ERROR, (), (), State.QUEUED),
        (KEY_ERROR, ("builtins.LookupError",), (), State.QUEUED),
        (KEY_ERROR, ("builtins.OSError",), (), State.FAILED),
        (KEY_ERROR, (), ("builtins.LookupError",), State.FAILED),
        (KEY_ERROR, ("builtins.KeyError",), ("builtins.Exception",), State.FAILED),
        (TIME_OUT, ("builtins.Exception",), (), State.FAILED),
        (TIME_OUT, ("workhorse.JobTimeoutException",), (), State.QUEUED),
        (KILLED, ("workhorse.core.errors.JobTimeoutException",), (), State.QUEUED),
        (KILLED, ("builtins.BaseException",), (), State.QUEUED),
        (KILLED, (), ("workhorse.JobTimeoutException",), State.FAILED),
        (TimedOut("", kinds_of(KeyError)), (), ("builtins.KeyError",), State.FAILED),
        (AskedRetry(Retry(1)), ("builtins.OSError",), ("builtins.Exception",), State.QUEUED),
        (Crashed("signal 9"), ("builtins.OSError",), ("builtins.Exception",), State.QUEUED),
        (Stopped(), ("builtins.BaseException",), (), State.STOPPED),
    ],
)
def test_classes_decide_about_exceptions_and_time_limits_alone(
    outcome: Outcome, retry_on: tuple[str, ...], give_up_on: tuple[str, ...], to: State
) -> None:
    policy = Policy(retries_left=2, retry_on=retry_on, give_up_on=give_up_on)
    assert judge(outcome, policy).to is to


def test_a_job_that_is_given_up_keeps_its_retries_and_says_why() -> None:
    verdict = judge(KEY_ERROR, Policy(retries_left=2, give_up_on=("builtins.KeyError",)))
    assert verdict.retries_left is None
    assert verdict.error == ("Not tried again: KeyError is in give_up_on.\nTraceback\nKeyError: 7")


def test_a_job_without_a_retry_left_fails_without_a_word_about_classes() -> None:
    for left in (None, 0):
        verdict = judge(KEY_ERROR, Policy(retries_left=left, give_up_on=("builtins.KeyError",)))
        assert (verdict.to, verdict.error) == (State.FAILED, KEY_ERROR.traceback)


@pytest.mark.parametrize("outcome", [KEY_ERROR, TIME_OUT, KILLED, AskedRetry(Retry(2, 60))])
def test_a_jitter_is_drawn_on_every_path(outcome: Outcome) -> None:
    policy = Policy(retries_left=2, retry_intervals=(60,), retry_jitter=0.5)
    if isinstance(outcome, AskedRetry):
        outcome = AskedRetry(Retry(2, 60, jitter=0.5))
    assert [judge(outcome, policy, chance=chance).due_in for chance in (0, 0.5)] == [30, 45]
    assert judge(outcome, policy).due_in == 60


def test_a_wait_of_which_nothing_is_left_is_none() -> None:
    policy = Policy(retries_left=2, retry_intervals=(1,), retry_jitter=1.0)
    assert judge(KEY_ERROR, policy, chance=0.0).to is State.QUEUED


def test_a_raised_retry_keeps_where_it_was_raised() -> None:
    raised = AskedRetry(Retry(1, 10), "Traceback ...\nRetry")
    again = judge(raised, Policy())
    assert (again.to, again.asked_retries) == (State.SCHEDULED, 1)
    assert again.error == "The job raised Retry(max=1, interval=[10]).\nTraceback ...\nRetry"
    last = judge(raised, Policy(asked_retries=1))
    assert (last.to, last.exhausted) == (State.FAILED, True)
    assert last.error.endswith("it was tried again once already.\nTraceback ...\nRetry")


def test_a_stopped_job_keeps_where_it_was() -> None:
    assert judge(Stopped("Traceback")).error == "Job stopped on request.\nTraceback"


@pytest.mark.parametrize(
    ("starts", "max_starts", "on_lost", "told"),
    [
        (0, 1, "requeue", "Job lost once and not tried again: max_starts is 1"),
        (2, 3, "requeue", "Job lost 3 times and not tried again: max_starts is 3"),
        (4, 3, "requeue", "Job lost 5 times and not tried again: max_starts is 3"),
        (0, 3, "fail", "not tried again: on_lost is 'fail'"),
        (2, 3, "fail", "not tried again: on_lost is 'fail'"),
    ],
)
def test_a_lost_job_that_is_not_run_again_says_what_killed_it_and_why_that_was_it(
    starts: int, max_starts: int, on_lost: OnLost, told: str
) -> None:
    policy = Policy(retries_left=9, starts=starts, max_starts=max_starts, on_lost=on_lost)
    verdict = judge(Crashed("killed by SIGSEGV"), policy)
    assert (verdict.to, verdict.starts) == (State.FAILED, starts + 1)
    assert told in verdict.error
    assert "killed by SIGSEGV" in verdict.error
