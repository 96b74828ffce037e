"""Make one call and say how it ended. The code that runs where the job runs.

Whatever a job does, short of ending its process, becomes an ``Outcome`` here.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Final

from workhorse.core.errors import DeserializationError, JobTimeoutException
from workhorse.core.outcomes import AskedRetry, Crashed, Outcome, Raised, Returned, TimedOut
from workhorse.core.retry import Retry
from workhorse.core.settings import JOB_TIMEOUT
from workhorse.store.drivers import Client
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Serializer, decode_call
from workhorse.wire.records import Claimed

LONGEST_TRACEBACK: Final = 64_000
"""Characters kept of a traceback: its beginning and its end."""

UNSERIALIZABLE: Final = "Unserializable return value"
"""RQ's stand-in for a result that can't be stored: the job did finish."""


@dataclass(frozen=True, slots=True)
class Running:
    """The job that runs here now, and how its own code reaches the server."""

    job: Claimed
    worker: str
    keys: Keys
    serializer: Serializer
    connect: Callable[[], Client]


CURRENT: Final[ContextVar[Running | None]] = ContextVar("workhorse_current", default=None)


class StopNow(BaseException):
    """Raised inside a job when its worker was told to stop at once."""


def time_limit(timeout: int | None) -> float | None:
    """Return the seconds a job may run: its own limit, or RQ's default; None for no limit."""
    seconds = timeout or JOB_TIMEOUT
    return None if seconds < 0 else seconds


def run(running: Running) -> Outcome:
    """Run a job in this process and return how it ended."""
    job = running.job
    token = CURRENT.set(running)
    try:
        with _interrupted_after(time_limit(job.timeout)):
            return _call(job, running.serializer)
    except JobTimeoutException as error:
        return TimedOut(_text_of(error))
    except StopNow:
        return Crashed("its worker was told to stop at once")
    except BaseException as error:  # noqa: BLE001 - whatever a job raises is its outcome
        return Raised(_text_of(error))
    finally:
        CURRENT.reset(token)


def _call(job: Claimed, serializer: Serializer) -> Outcome:
    call = decode_call(job.data, serializer)
    if call.instance is None:
        function = find_function(call.function)
    else:
        function = getattr(call.instance, call.function)
    value = function(*call.args, **call.kwargs)
    if inspect.iscoroutine(value):
        value = asyncio.run(value)
    if isinstance(value, Retry):
        return AskedRetry(value)
    return Returned(None if value is None else _serialized(value, serializer))


def _serialized(value: object, serializer: Serializer) -> bytes:
    try:
        return serializer.dumps(value)
    except Exception:  # noqa: BLE001 - the job is done, whatever its result can't be turned into
        return serializer.dumps(UNSERIALIZABLE)


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
        f"this worker can't find {name!r}: no such function on its path (is its code as new as the "
        "producer's, and was the worker started in the right folder, or with --path?)"
    )


def _callable(found: Any, name: str) -> Callable[..., Any]:
    if callable(found):
        return found  # type: ignore[no-any-return] # any callable
    raise DeserializationError(f"{name!r} is not a function but {type(found).__name__}")


@contextmanager
def _interrupted_after(seconds: float | None) -> Iterator[None]:
    """Raise JobTimeoutException in the block after *seconds*; only a main thread can be."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise JobTimeoutException(f"the job ran for {seconds:g} seconds, its time limit")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _text_of(error: BaseException) -> str:
    """Return the traceback of *error* without our own frames, cut to a size that can be kept."""
    frames: TracebackType | None = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename == __file__ and frames.tb_next:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    if len(text) <= LONGEST_TRACEBACK:
        return text
    half = LONGEST_TRACEBACK // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
