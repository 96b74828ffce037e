"""Make one call and say how it ended. The code that runs where the job runs.

Whatever a job does, short of ending its process, becomes an ``Outcome`` here.
"""

from __future__ import annotations

import copy
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, cast

from workhorse.core.errors import (
    DeserializationError,
    JobStoppedException,
    JobTimeoutException,
)
from workhorse.core.outcomes import (
    AskedRetry,
    Crashed,
    Outcome,
    Raised,
    Returned,
    Stopped,
    TimedOut,
)
from workhorse.core.retry import Retry, kinds_of
from workhorse.core.settings import JOB_TIMEOUT, RESULT_BYTES
from workhorse.core.verdicts import Policy
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, Serializer, decode_call, dump, show_size
from workhorse.worker.time_limits import Limit, StopNow, interrupted_after

if TYPE_CHECKING:
    from workhorse.store.drivers import Client

LONGEST_TRACEBACK: Final = 64_000
"""Characters kept of a traceback: its beginning and its end."""

_LONGEST_REASON: Final = 500
_OURS: Final = os.path.join(os.path.dirname(__file__), "")  # noqa: PTH118, PTH120 - as code has it

UNSERIALIZABLE: Final = "Unserializable return value"
"""RQ's stand-in for a result that can't be stored: the job did finish."""


@dataclass(frozen=True, slots=True)
class ServerAt:
    """Opens connections to the server at a URL.

    Importing the client library takes longer than most jobs: it is imported by the first job
    in a process that talks to the server itself.
    """

    url: str

    def __call__(self) -> Client:
        """Return a new client, for a worker's use."""
        from workhorse.store.connections import connect  # noqa: PLC0415 - see above

        return connect(self.url, for_worker=True)


@dataclass(slots=True)
class Kept:
    """What a run leaves in its process for what is called after it."""

    value: Any = None
    error: BaseException | None = None


class Running(NamedTuple):
    """The job that runs here now, and how its own code reaches the server."""

    job: Claimed
    worker: str
    keys: Keys
    serializer: Serializer
    connect: Callable[[], Client]
    alone: bool = False
    """Whether its process runs nothing else: an alarm before its time asks the job to stop."""
    max_result_bytes: int = RESULT_BYTES
    kept: Kept | None = None
    """Where it is to leave what it returned or raised, if anything is called after it."""
    captures_logs: bool = False
    """Whether what it logs and writes is kept."""


CURRENT: Final[ContextVar[Running | None]] = ContextVar("workhorse_current", default=None)
RUNS: Final[dict[str, Running]] = {}
"""The runs of this process whose own code runs, by their execution."""
REPORTERS: Final[dict[str, Any]] = {}
"""What tells of them to the server, of those that tell anything; see ``worker.reports``."""


def time_limit(timeout: int | None) -> float | None:
    """Return the seconds a job may run: its own limit, or RQ's default; None for no limit."""
    seconds = timeout or JOB_TIMEOUT
    return None if seconds < 0 else seconds


def capped(job: Claimed, most: int) -> Claimed:
    """Return *job* with a time limit of *most* seconds where its own is longer."""
    limit = time_limit(job.timeout)
    return job if limit is not None and limit <= most else replace(job, timeout=most)


def run(running: Running) -> Outcome:
    """Run a job in this process and return how it ended."""
    job = running.job
    forks = forks_so_far()
    limit = interrupted_after(time_limit(job.timeout), alone=running.alone)
    token = CURRENT.set(running)
    RUNS[job.execution_id] = running
    if running.captures_logs:
        with suppress(Exception):  # whatever is wrong with what is told, the job runs
            _capture().begin(running)
    try:
        with limit:
            outcome = _surrounded(running) if _surrounds else _call(job, running)
    except BaseException as error:  # noqa: BLE001 - whatever a job raises is its outcome
        outcome = _outcome_of(error, job, limit)
        if forks != _forks:
            leave(error)
        if running.kept:
            running.kept.error = error
    finally:
        limit.disarm()
        RUNS.pop(job.execution_id, None)
        if REPORTERS:
            _report_end(running)
        CURRENT.reset(token)
    if forks != _forks:
        leave(None)
    return outcome


Surround = Callable[[Running, Callable[[], Outcome]], Outcome]
"""Calls what it is given, which raises what the job raises, and returns what that returned."""
_surrounds: Final[list[Surround]] = []


def surround_runs(surround: Surround) -> None:
    """Have *surround* called around each run of a job in this process, and those it forks.

    For what watches runs: traces, error reports. The last one is the outermost; each counts once.
    """
    if surround not in _surrounds:
        _surrounds.append(surround)


def no_longer_surround_runs(surround: Surround) -> None:
    """Undo ``surround_runs``."""
    if surround in _surrounds:
        _surrounds.remove(surround)


def _surrounded(running: Running) -> Outcome:
    proceed = partial(_call, running.job, running)
    for surround in _surrounds:
        proceed = partial(surround, running, proceed)
    return proceed()


_forks = 0


def forks_so_far() -> int:
    """Return a number that is another one in a process that forks off this one."""
    return _forks


def _count_fork() -> None:
    global _forks  # noqa: PLW0603 - of this process, as its parent is
    _forks += 1
    RUNS.clear()  # it is the parent that tells of them
    REPORTERS.clear()


os.register_at_fork(after_in_child=_count_fork)


def leave(error: BaseException | None) -> NoReturn:
    """End a process that the job forked and that came back from the job: it is no worker."""
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(code & 0xFF)


def _capture() -> Any:
    return importlib.import_module("workhorse.worker.capture")


def _report_end(running: Running) -> None:
    """Have all arrive that a run told of itself, if it can, before it counts as ended."""
    reporter = REPORTERS.get(running.job.execution_id)
    if reporter is None:
        return
    with suppress(Exception):  # whatever is wrong with what is told, the job has its outcome
        if running.captures_logs:
            _capture().end()
        reporter.close()
    REPORTERS.pop(running.job.execution_id, None)


def _call(job: Claimed, running: Running) -> Outcome:
    if job.extras and job.extras.follow_up:
        return _follow_up(job.extras.follow_up, running)
    call = decode_call(job.data, running.serializer)
    if call.instance is None:
        function = find_function(call.function)
    else:
        function = getattr(call.instance, call.function)
    value = function(*call.args, **_kwargs(call, running))
    if value is None:
        return _RETURNED_NONE
    if isinstance(value, CoroutineType):
        value = run_coroutine(value)
    if running.kept:
        running.kept.value = value
    if isinstance(value, Retry):
        return AskedRetry(copy.copy(value))
    if type(value).__name__ == "Retry" and type(value).__module__ == "rq.job":
        return AskedRetry(Retry(value.max, value.intervals, value.enqueue_at_front))
    return _returned(value, running)


def _kwargs(call: Call, running: Running) -> Mapping[str, Any]:
    """Return the call's keyword arguments, with those that are results of parents."""
    extras = running.job.extras
    if extras is None or not extras.parent_results:
        return call.kwargs
    parents: Any = importlib.import_module("workhorse.worker.parents")
    return {**call.kwargs, **parents.values_for(running)}


_RETURNED_NONE: Final = Returned(None)


def _follow_up(told: bytes, running: Running) -> Outcome:
    """Tell others of the end of another job. What that needs is imported when it is needed."""
    follow_ups: Any = importlib.import_module("workhorse.worker.follow_ups")
    return _returned(follow_ups.tell(told, running), running)


def run_coroutine(coroutine: Any) -> Any:
    """Return what *coroutine* returns."""
    import asyncio  # noqa: PLC0415 - a tenth of a second and 10 MB that most workers don't need

    return asyncio.run(coroutine)


def _returned(value: object, running: Running) -> Returned:
    """Return *value* as it is stored. The job is done, whatever can't be made of its result."""
    if value is None:  # from a coroutine
        return _RETURNED_NONE
    most = running.max_result_bytes
    try:
        stored = dump(value, running.serializer, "the result")
    except (JobTimeoutException, JobStoppedException):
        raise
    except BaseException as error:  # noqa: BLE001 - it is the result's own code: it may raise anything
        return _stand_in(UNSERIALIZABLE, _line_of(error), running.serializer)
    if len(stored) > most:
        why = f"it has {show_size(len(stored))}, and no more than {show_size(most)} are stored"
        return _stand_in(f"Result not stored: {why}", why, running.serializer)
    return Returned(stored)


def _stand_in(text: str, why: str, serializer: Serializer) -> Returned:
    with suppress(Exception):
        return Returned(dump(text, serializer, "a text"), why)
    return Returned(None, why)


def _line_of(error: BaseException) -> str:
    """Return what *error* says, in brief; its own code may fail."""
    try:
        return "".join(traceback.format_exception_only(error)).strip()[:_LONGEST_REASON]
    except Exception:  # noqa: BLE001 - an exception's own code can fail, too
        return type(error).__name__


def find_function(name: str) -> Callable[..., Any]:
    """Import and return the function called *name*. Raises DeserializationError."""
    module_name, _, attribute = name.rpartition(".")
    module = sys.modules.get(module_name)
    if module is not None and hasattr(module, attribute):
        return _callable(getattr(module, attribute), name)
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        path = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name and (path == error.name or path.startswith(f"{error.name}.")):
                continue
            raise
        for part in parts[length:]:
            found = getattr(found, part, None)
        if found is not None:
            return _callable(found, name)
        break
    raise DeserializationError(
        f"this worker can't find {name!r}: no such function on its path (is its code as new as "
        "the producer's, and was the worker started in the right folder, or with --path?)"
    )


def _callable(found: Any, name: str) -> Callable[..., Any]:
    if callable(found):
        return cast("Callable[..., Any]", found)
    raise DeserializationError(f"{name!r} is not a function but {type(found).__name__}")


def _outcome_of(error: BaseException, job: Claimed, limit: Limit) -> Outcome:
    """Return what an exception means; one that a job made of another that it got means that."""
    if isinstance(error, StopNow):
        return Crashed("its worker was told to stop at once")
    text = text_of(error)
    if limit.was_stopped or isinstance(error, JobStoppedException):
        return Stopped(text)
    if isinstance(error, Retry):
        try:
            return AskedRetry(copy.copy(error), text)  # without the frames that it came through
        except Exception as broken:  # noqa: BLE001 - a class of the user's that is no whole Retry
            error, text = broken, text_of(broken)
    kinds = _kinds_of(type(error), job.policy)
    if limit.is_over or isinstance(error, JobTimeoutException):
        return TimedOut(text, kinds)
    return Raised(text, kinds)


def _kinds_of(cls: type[BaseException], policy: Policy) -> tuple[str, ...]:
    """Return the names of *cls* and its bases, those by which the job's ``Retry`` knows them too.

    A class may have one name where it is defined, and another where its package shows it.
    """
    try:
        kinds = kinds_of(cls)
        told = (*policy.retry_on, *policy.give_up_on)
        return kinds + tuple(name for name in told if _shown_as(name) in cls.__mro__)
    except Exception:  # noqa: BLE001 - a class can have code of its own, too
        return ()


def _shown_as(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(sys.modules.get(module), attribute, None)


def frames_of(error: BaseException) -> TracebackType | None:
    """Return the traceback of *error* without our own frames at its beginning."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_OURS) and frames.tb_next:
        frames = frames.tb_next
    return frames


def text_of(error: BaseException) -> str:
    """Return the traceback of *error* without our own frames, cut to a size that can be kept."""
    frames = frames_of(error)
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except Exception:  # noqa: BLE001 - the exception's own code can fail, too
        text = f"{type(error).__name__} (whose text can't be told: that raised, too)"
    if len(text) <= LONGEST_TRACEBACK:
        return text
    half = LONGEST_TRACEBACK // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
