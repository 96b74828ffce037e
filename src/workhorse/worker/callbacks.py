"""What is called in a job's process when it is settled how a run ended: callbacks, handlers.

None of it can change that: whatever is raised is told, and kept with the job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import CoroutineType, TracebackType
from typing import Any, Final, Literal

from workhorse.core.callbacks import CALLBACK_TIMEOUT, After, CallbackRecord
from workhorse.core.outcomes import (
    AskedRetry,
    Crashed,
    Outcome,
    Raised,
    Returned,
    Stopped,
    TimedOut,
)
from workhorse.core.states import Event, State
from workhorse.core.verdicts import Verdict
from workhorse.store.jobs import Settlement
from workhorse.wire.claimed import Claimed, Extras
from workhorse.worker import runner
from workhorse.worker.executors.protocol import LongRun, Run
from workhorse.worker.options import WorkerOptions
from workhorse.worker.runner import CURRENT, Kept, Running
from workhorse.worker.time_limits import interrupted_after

Handler = Callable[..., Any] | str
"""An exception handler, or its dotted name."""

CURRENT_JOB: Final = "workhorse.api.current.get_current_job"
"""By name: callbacks get a job as users hold it, and workers know nothing of those."""

_LONGEST: Final = 8000


@dataclass(frozen=True, slots=True)
class Calling:
    """The end of a job whose callbacks run."""

    number: int
    settlement: Settlement
    is_settled: bool = False


def run_with(options: WorkerOptions, job: Claimed) -> Run:
    """Return the run of a *job* in a worker with these options."""
    running = Running(
        job,
        options.name,
        options.keys,
        options.serializer,
        options.connect,
        alone=options.isolation == "fork",
        max_result_bytes=options.max_result_bytes,
        captures_logs=captures_logs(job, options.capture_logs),
    )
    if job.extras or options.exception_handlers:
        return run_of(running, options.exception_handlers)
    return partial(runner.run, running)


def captures_logs(job: Claimed, otherwise: bool) -> bool:  # noqa: FBT001 - what is so otherwise
    """Return whether what *job* logs and writes is kept: as it says, or else its worker."""
    said = job.extras.capture_logs if job.extras else None
    return otherwise if said is None else said


def run_of(running: Running, handlers: Sequence[Handler] = ()) -> Run:
    """Return a run that goes on with what is to be called after it, if there is anything."""
    extras = running.job.extras
    if handlers or (extras and _has_callbacks(extras)):
        return CallingRun(running, tuple(handlers))
    return partial(runner.run, running)


def _has_callbacks(extras: Extras) -> bool:
    return bool(extras.success_callback or extras.failure_callback or extras.stopped_callback)


class CallingRun(LongRun):
    """A run of a job with callbacks, or in a worker with exception handlers."""

    def __init__(self, running: Running, handlers: tuple[Handler, ...]) -> None:
        self._running = running
        self._handlers = handlers
        self._kept = Kept()
        self._outcome: Outcome = Returned(None)

    def __call__(self) -> Outcome:
        """Run the job, and keep what it returned or raised."""
        self._outcome = runner.run(self._running._replace(kept=self._kept))
        return self._outcome

    def waits_after(self, outcome: Outcome) -> bool:
        """Return whether anything may have to be called after that *outcome*."""
        extras = self._running.job.extras
        match outcome:
            case Returned():
                return bool(extras and extras.success_callback)
            case Crashed():
                return False
            case Stopped():
                return bool(extras and extras.stopped_callback)
            case _:
                return bool(self._handlers or (extras and _has_callbacks(extras)))

    def go_on(self, after: After) -> str:
        """Call it; return what went wrong."""
        token = CURRENT.set(self._running)
        try:
            problems = [*self._call_back(after), *self._handle(after)]
        finally:
            CURRENT.reset(token)
        return "\n".join(problem for problem in problems if problem)[:_LONGEST]

    def _call_back(self, after: After) -> list[str]:
        callback = callback_of(self._running.job, after.callback)
        if callback is None:
            return []
        more: tuple[Any, ...] = ()
        if after.callback == "success":
            more = (self._kept.value,)
        elif after.callback == "failure":
            more = self._raised()
        return [call_back(after.callback, callback, more)]

    def _handle(self, after: After) -> list[str]:
        problems: list[str] = []
        for handler in self._handlers if after.handlers else ():
            problem, answer = _handled(handler, self._raised())
            problems.append(problem)
            if answer is not None and not answer:
                break
        return problems

    def _raised(self) -> tuple[type[BaseException], BaseException, TracebackType | None]:
        """Return what the job raised; a ``Retry`` that it returned counts as raised."""
        error = self._kept.error
        if error is None:
            retry = self._outcome.retry if isinstance(self._outcome, AskedRetry) else None
            error = retry or RuntimeError("the job did not raise")
        return type(error), error, runner.frames_of(error)


def callback_of(job: Claimed, kind: str) -> CallbackRecord | None:
    """Return the callback of *job* for one kind of end: success, failure or stopped."""
    extras = job.extras
    if extras is None:
        return None
    return {
        "success": extras.success_callback,
        "failure": extras.failure_callback,
        "stopped": extras.stopped_callback,
    }.get(kind)


def after_of(
    job: Claimed, outcome: Outcome, verdict: Verdict, handlers: Sequence[Handler] = ()
) -> After | None:
    """Return what is called after a run that ended so, in its own process; None for nothing.

    As in RQ the callback of a failure is for each run that raised, also where a ``Retry`` follows;
    a run that asks to be run again has not failed. Exception handlers are for whatever raised.
    """
    kind: Literal["", "success", "failure", "stopped"] = ""
    if verdict.to is State.FINISHED or verdict.event is Event.REPEAT:
        kind = "success"
    elif verdict.to is State.FAILED or isinstance(outcome, Raised | TimedOut):
        kind = "failure"
    if verdict.to is State.STOPPED:
        kind = "stopped"
    callback = callback_of(job, kind)
    has_raised = isinstance(outcome, Raised | TimedOut) or (
        isinstance(outcome, AskedRetry) and bool(outcome.traceback)
    )
    called = handlers if has_raised else ()
    if callback is None and not called:
        return None
    limits = [CALLBACK_TIMEOUT] * len(called) + ([callback.timeout] if callback else [])
    return After(
        callback=kind if callback else "",
        handlers=bool(called),
        limit=None if min(limits) < 0 else float(sum(limits)),
    )


def current_job() -> Any:
    """Return the job that is current here, as users hold it."""
    return runner.find_function(CURRENT_JOB)()


def call_back(kind: str, callback: CallbackRecord, more: Sequence[Any], job: Any = None) -> str:
    """Call a callback of *job*, by default the current one; return what went wrong, if anything.

    It gets RQ's arguments: the job, its connection, and what a *kind* of end has *more*.
    """

    def call() -> None:
        about = job or current_job()
        answer = runner.find_function(callback.name)(about, about.connection, *more)
        if isinstance(answer, CoroutineType):
            runner.run_coroutine(answer)

    problem, _ = _tried(call, None if callback.timeout < 0 else callback.timeout)
    return f"The {kind} callback {callback.name} did not work.\n{problem}" if problem else ""


def _handled(handler: Handler, raised: Sequence[Any]) -> tuple[str, Any]:
    def call() -> Any:
        function = runner.find_function(handler) if isinstance(handler, str) else handler
        return function(current_job(), *raised)

    problem, answer = _tried(call, CALLBACK_TIMEOUT)
    name = handler if isinstance(handler, str) else getattr(handler, "__qualname__", handler)
    return f"The exception handler {name} did not work.\n{problem}" if problem else "", answer


def _tried(call: Callable[[], Any], seconds: float | None) -> tuple[str, Any]:
    """Return the traceback of *call* where it raised, or was interrupted; else its answer."""
    forks, answer, problem = runner.forks_so_far(), None, ""
    raised: BaseException | None = None
    limit = interrupted_after(seconds)
    try:
        with limit:
            answer = call()
    except BaseException as error:  # noqa: BLE001 - whatever a callback raises changes nothing
        problem, raised = runner.text_of(error), error
    finally:
        limit.disarm()
    if forks != runner.forks_so_far():
        runner.leave(raised)
    return problem, answer
