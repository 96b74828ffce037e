"""What every executor must do, whatever a job does; and what those that isolate can do."""

from __future__ import annotations

import os
import pickle
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until
from workhorse.core.outcomes import (
    AskedRetry,
    Crashed,
    Outcome,
    Raised,
    Returned,
    Stopped,
    TimedOut,
)
from workhorse.core.retry import Retry
from workhorse.core.states import State
from workhorse.core.verdicts import Policy, judge
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, PickleSerializer, encode_call
from workhorse.worker import runner
from workhorse.worker.executors.fork import ForkExecutor
from workhorse.worker.executors.inline import InlineExecutor
from workhorse.worker.executors.protocol import Ended, Executor, Run
from workhorse.worker.time_limits import interrupted_after

Start = Callable[..., list[Ended]]


def run_of(name: str, *args: Any, timeout: int | None = 30, policy: Policy | None = None) -> Run:
    data = encode_call(Call(f"tests.support.jobs.{name}", None, args, {}), PickleSerializer())
    job = Claimed(
        queue="q",
        job_id="job",
        execution_id="execution",
        data=data,
        description=name,
        timeout=timeout,
        result_ttl=None,
        failure_ttl=None,
        policy=policy or Policy(),
        result_in="hash",
    )
    connect = runner.ServerAt("unix:///nowhere")
    running = runner.Running(job, "worker", Keys(), PickleSerializer(), connect)
    return partial(runner.run, running)


def outcome_of(executor: Executor, run: Run, *, kill_after: float | None = None) -> Outcome:
    """Run to the end; check that it is reported once and that its slot comes back."""
    executor.start("execution", run, kill_after=kill_after)
    assert executor.free_slots == 0
    reported = wait_until(lambda: executor.collect(0.1), within=20)
    assert executor.free_slots == 1
    assert executor.collect(0) == []
    (ended,) = reported
    assert isinstance(ended, Ended)
    assert ended.execution_id == "execution"
    assert ended.started_at <= ended.ended_at <= time.monotonic()
    return ended.outcome


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"


@pytest.fixture(params=["inline", "fork", "lean fork"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made: Executor
    if request.param == "inline":
        made = InlineExecutor()
    else:
        made = ForkExecutor(lean=request.param == "lean fork")
    yield made
    made.close()


@pytest.fixture(params=[False, True], ids=["forked", "lean"])
def fork(request: pytest.FixtureRequest) -> Iterator[ForkExecutor]:
    made = ForkExecutor(lean=request.param)
    yield made
    made.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def lines(journal: Path) -> list[str]:
    return journal.read_text().splitlines() if journal.exists() else []


def test_a_value_is_returned(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("add", 2, 3))
    assert isinstance(outcome, Returned)
    assert outcome.value is not None
    assert pickle.loads(outcome.value) == 5


def test_none_is_returned_without_a_value(executor: Executor) -> None:
    assert outcome_of(executor, run_of("nothing")) == Returned(None)


def test_a_coroutine_function_is_awaited(executor: Executor) -> None:
    assert outcome_of(executor, run_of("add_later", 2, 3)) == Returned(PickleSerializer().dumps(5))


def test_an_exception_is_told_with_its_traceback_and_without_our_frames(
    executor: Executor,
) -> None:
    outcome = outcome_of(executor, run_of("fail", "no such customer"))
    assert isinstance(outcome, Raised)
    assert outcome.traceback.rstrip().endswith("ValueError: no such customer")
    assert "tests/support/jobs.py" in outcome.traceback
    assert "runner.py" not in outcome.traceback


@pytest.mark.parametrize(
    ("job", "told"), [(("exit_python", 0), "SystemExit"), (("press_ctrl_c",), "KeyboardInterrupt")]
)
def test_a_job_that_exits_python_has_failed(
    executor: Executor, job: tuple[Any, ...], told: str
) -> None:
    outcome = outcome_of(executor, run_of(*job))
    assert isinstance(outcome, Raised)
    assert told in outcome.traceback


def test_an_exception_that_can_not_be_printed_is_told(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("raise_unspeakable"))
    assert isinstance(outcome, Raised)
    assert "Unspeakable" in outcome.traceback


def test_a_function_that_does_not_exist_has_failed(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("no_such_function"))
    assert isinstance(outcome, Raised)
    assert "tests.support.jobs.no_such_function" in outcome.traceback


def test_a_result_that_can_not_be_stored_is_a_success_all_the_same(executor: Executor) -> None:
    expected = PickleSerializer().dumps(runner.UNSERIALIZABLE)
    outcome = outcome_of(executor, run_of("unserializable"))
    assert isinstance(outcome, Returned)
    assert outcome.value == expected
    assert "can't be serialized by PickleSerializer: cannot pickle" in outcome.replaced


def test_a_returned_retry_asks_to_be_run_again(executor: Executor) -> None:
    assert outcome_of(executor, run_of("ask_for_retry")) == AskedRetry(Retry(1))


def test_a_raised_retry_asks_to_be_run_again_and_tells_what_for(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("raise_retry", "no such customer"))
    assert isinstance(outcome, AskedRetry)
    assert outcome.retry == Retry(2, 60, jitter=0.5)
    assert "ValueError: no such customer" in outcome.traceback
    assert "direct cause" in outcome.traceback
    assert "runner.py" not in outcome.traceback


@pytest.mark.parametrize("job", [("return_retry", "Mine"), ("raise_retry", "why")])
def test_a_retry_leaves_the_job_without_its_class_and_its_frames(
    executor: Executor, job: tuple[str, ...]
) -> None:
    outcome = outcome_of(executor, run_of(*job))
    assert isinstance(outcome, AskedRetry)
    assert type(outcome.retry) is Retry
    assert outcome.retry.__traceback__ is None


def test_code_that_still_has_rqs_retry_asks_by_that(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("return_retry", "OfRQ"))
    assert outcome == AskedRetry(Retry(3, [10, 30], enqueue_at_front=True))


@pytest.mark.parametrize("job", [("return_retry", "NoRetry"), ("raise_no_retry",)])
def test_a_retry_that_is_none_is_an_error_of_the_job(
    executor: Executor, job: tuple[str, ...]
) -> None:
    outcome = outcome_of(executor, run_of(*job))
    assert isinstance(outcome, Raised)
    assert "AttributeError" in outcome.traceback


def test_an_exception_is_told_with_all_its_kinds(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("raise_sold_out"))
    assert isinstance(outcome, Raised)
    assert outcome.kinds == (
        "tests.support.jobs.SoldOutError", "builtins.LookupError", "builtins.Exception",
        "builtins.BaseException",
    )  # fmt: skip


def test_an_exception_is_told_by_the_name_that_the_jobs_rules_have_for_it(
    executor: Executor,
) -> None:
    shown = "tests.support.jobs.JobTimeoutException"
    told = ("json.JSONDecodeError", "no.such.Thing", "builtins.ValueError", shown)
    run = run_of("read_json", "{", policy=Policy(retry_on=told, give_up_on=("json.loads",)))
    outcome = outcome_of(executor, run)
    assert isinstance(outcome, Raised)
    assert set(told) & set(outcome.kinds) == {"json.JSONDecodeError", "builtins.ValueError"}
    assert "json.loads" not in outcome.kinds


def test_an_interrupt_of_which_the_job_made_another_exception_has_the_kinds_of_both(
    executor: Executor,
) -> None:
    outcome = outcome_of(executor, run_of("fail_when_late", 30, timeout=1))
    assert isinstance(outcome, TimedOut)
    assert outcome.kinds[0] == "tests.support.jobs.SoldOutError"
    policy = Policy(retries_left=1, retry_on=("workhorse.JobTimeoutException",))
    assert judge(outcome, policy).to is State.QUEUED


def test_a_job_may_ask_for_another_run_when_its_time_is_over(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("retry_when_late", 30, timeout=1))
    assert isinstance(outcome, AskedRetry)
    assert "JobTimeoutException" in outcome.traceback


def test_a_result_of_16_megabytes_arrives_whole(executor: Executor) -> None:
    outcome = outcome_of(executor, run_of("text_of", 16_000_000))
    assert isinstance(outcome, Returned)
    assert len(outcome.value or b"") > 16_000_000


@pytest.mark.parametrize("job", ["sleep", "sleep_and_catch_exceptions"])
def test_a_job_is_interrupted_at_its_soft_limit(executor: Executor, job: str) -> None:
    began = time.monotonic()
    outcome = outcome_of(executor, run_of(job, 20, timeout=1))
    assert isinstance(outcome, TimedOut)
    assert "1 seconds, its time limit" in outcome.traceback
    assert time.monotonic() - began < 5


def test_a_job_without_a_limit_is_not_interrupted(executor: Executor) -> None:
    assert outcome_of(executor, run_of("sleep", 0.05, timeout=-1)) == Returned(None)


def test_the_limit_leaves_an_alarm_that_was_set_before_as_it_was(executor: Executor) -> None:
    handler = signal.getsignal(signal.SIGALRM)
    before = signal.setitimer(signal.ITIMER_REAL, 40, 7)
    try:
        outcome_of(executor, run_of("nothing"))
        outcome_of(executor, run_of("sleep", 20, timeout=1))
        remaining, interval = signal.getitimer(signal.ITIMER_REAL)
        assert 30 < remaining < 40
        assert interval == 7
        assert signal.getsignal(signal.SIGALRM) is handler
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)


def test_a_job_in_a_job_leaves_the_outer_limit_in_force() -> None:
    def outer() -> Outcome:
        run_of("nothing")()
        time.sleep(20)
        raise AssertionError

    with pytest.raises(BaseException, match="its time limit"), interrupted_after(1):
        outer()


def test_a_process_that_a_job_forked_does_not_come_back_as_a_worker(
    executor: Executor, journal: Path
) -> None:
    outcome = outcome_of(executor, run_of("fork_and_raise", str(journal)))
    assert outcome == Returned(PickleSerializer().dumps("child ended with 1"))
    assert lines(journal) == ["child"]


def test_a_job_can_end_processes_of_its_own_by_sigterm(executor: Executor) -> None:
    assert outcome_of(executor, run_of("use_a_pool")) == Returned(PickleSerializer().dumps([1, 2]))


def test_runs_follow_each_other(executor: Executor) -> None:
    for number in range(5):
        expected = Returned(PickleSerializer().dumps(number + 1))
        assert outcome_of(executor, run_of("add", number, 1)) == expected


# What a process of its own can do.


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (("leave", 3), "exit code 3"),
        (("leave", 0), "exit code 0"),
        (("segfault",), "SIGSEGV"),
        (("kill_own_process",), "SIGKILL"),
    ],
)
def test_a_job_that_takes_its_process_down_has_crashed(
    fork: ForkExecutor, journal: Path, job: tuple[Any, ...], told: str
) -> None:
    name, *args = job
    outcome = outcome_of(fork, run_of(name, str(journal), *args))
    assert isinstance(outcome, Crashed)
    assert told in outcome.detail
    assert re.search(r"it had up to \d\d+ MB of memory", outcome.detail)


def test_a_job_that_ignores_its_limit_is_killed_with_all_it_started(
    fork: ForkExecutor, journal: Path
) -> None:
    run = run_of("start_child_and", str(journal), "hang", timeout=1)
    outcome = outcome_of(fork, run, kill_after=1.5)
    assert isinstance(outcome, TimedOut)
    wait_until(lambda: not is_running(int(lines(journal)[0])))


def test_a_stopped_job_is_reported_as_stopped(fork: ForkExecutor, journal: Path) -> None:
    fork.start("execution", run_of("eat_everything", str(journal), 60), kill_after=None)
    wait_until(lambda: lines(journal))
    fork.stop("another")
    assert fork.collect(0.05) == []
    fork.stop("execution")
    (ended,) = fork.collect(5)
    assert isinstance(ended, Ended)
    assert ended.outcome == Stopped()
    assert fork.free_slots == 1


def test_a_crash_is_seen_although_a_grandchild_holds_the_pipe_open(
    fork: ForkExecutor, journal: Path
) -> None:
    outcome = outcome_of(fork, run_of("start_child_and", str(journal), "leave"))
    assert isinstance(outcome, Crashed)
    wait_until(lambda: not is_running(int(lines(journal)[0])))


def test_closing_ends_what_runs_and_reports_nothing(fork: ForkExecutor, journal: Path) -> None:
    fork.start("execution", run_of("start_child_and", str(journal), "hang"), kill_after=None)
    wait_until(lambda: len(lines(journal)) > 1)
    fork.close()
    assert fork.collect(0) == []
    wait_until(lambda: not is_running(int(lines(journal)[0])))


def test_the_job_process_group_is_told_before_the_job_begins(journal: Path) -> None:
    reader, writer = os.pipe()

    def tell(pid: int) -> None:
        os.write(writer, f"{pid}".encode())

    fork = ForkExecutor(tell)
    outcome_of(fork, run_of("note", str(journal), "ran"))
    assert int(os.read(reader, 100)) != os.getpid()
    fork.close()
    for end in (reader, writer):
        os.close(end)


def test_no_process_and_no_file_is_left_behind(fork: ForkExecutor) -> None:
    before = _children()
    outcome_of(fork, run_of("nothing"))
    children, files = _children(), _open_files()
    for _ in range(5):
        outcome_of(fork, run_of("nothing"))
    wait_until(lambda: fork.collect(0) == [] and _children() == children)
    assert _open_files() == files

    fork.close()

    wait_until(lambda: _children() == before)


def test_a_forker_that_was_killed_is_replaced_before_the_next_job(fork: ForkExecutor) -> None:
    before = _children()
    outcome_of(fork, run_of("nothing"))
    (forker,) = set(_children().split()) - set(before.split())

    os.kill(int(forker), signal.SIGKILL)
    wait_until(lambda: not is_running(int(forker)))  # and so its children have been killed too

    assert outcome_of(fork, run_of("nothing")) == Returned(None)


def test_nothing_is_asked_of_a_forker_that_was_replaced(fork: ForkExecutor) -> None:
    """It had the process of the job before, whose end was not seen yet."""
    low = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    before = _children()
    outcome_of(fork, run_of("nothing"))
    (forker,) = set(_children().split()) - set(before.split())
    os.kill(int(forker), signal.SIGKILL)
    wait_until(lambda: not is_running(int(forker)))
    for file in low:  # so that the next one's pipes have other numbers
        os.close(file)

    assert outcome_of(fork, run_of("nothing")) == Returned(None)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().strip()


def test_what_both_have_is_not_sent() -> None:
    lock = threading.Lock()  # can't be pickled
    made = ForkExecutor(shared=(lock,))
    try:
        assert outcome_of(made, partial(_returned_type, lock)) == Returned(b"lock")
    finally:
        made.close()


def _returned_type(thing: object) -> Outcome:
    return Returned(type(thing).__name__.encode())


def test_a_lean_forker_learns_that_jobs_need_the_client_library() -> None:
    made = ForkExecutor(lean=True)
    try:
        assert outcome_of(made, run_of("has_imported", "redis")) == NO
        outcome_of(made, run_of("import_module", "redis"))
        wait_until(lambda: outcome_of(made, run_of("has_imported", "redis")) == YES)
    finally:
        made.close()


NO, YES = (Returned(PickleSerializer.dumps(answer)) for answer in (False, True))
