"""What interrupts a job: its time limit, a person, a worker that must stop at once.

Its one rule: what is raised is raised in the job, and never in what comes after it.
"""

from __future__ import annotations

import ctypes
import importlib
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

from workhorse.core.errors import JobStoppedException, JobTimeoutException

# What signal.getsignal wraps, without making an enum of its answer; it is called twice a job.
_getsignal: Final[Callable[[int], Any]] = importlib.import_module("_signal").getsignal


class StopNow(BaseException):
    """Raised inside a job when its worker, which is its process, was told to stop at once."""


def stop_now() -> None:
    """Raise StopNow in the job that runs in the main thread, if any; for a signal handler.

    A job that catches it goes on, and hears it again at the next call.
    """
    if _limit and threading.get_ident() == threading.main_thread().ident:
        raise StopNow


class _TimeLimit:
    """Raises JobTimeoutException in its block after *seconds*; only a main thread can be.

    An alarm before that asks the job to stop, and raises JobStoppedException. A timer and a
    handler that were there are put back: a test runner has its own.
    """

    __slots__ = (
        "_alone", "_began", "_earlier", "_handler", "_outer", "_seconds", "is_over", "was_stopped",
    )  # fmt: skip

    def __init__(self, seconds: float, *, alone: bool) -> None:
        self._seconds = min(seconds, _LONGEST_TIMER)
        self._alone = alone
        self.is_over = self.was_stopped = False

    def __enter__(self) -> Self:
        global _limit
        self._handler: Any = _getsignal(signal.SIGALRM)
        if self._handler is not _interrupt:
            signal.signal(signal.SIGALRM, _interrupt)
        self._outer, _limit = _limit, self
        self._began = time.monotonic()
        self._earlier = signal.setitimer(signal.ITIMER_REAL, self._seconds)
        return self

    def __exit__(self, *error: object) -> None:
        self.disarm()  # from here on an alarm that is on its way is not ours
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._handler and _getsignal(signal.SIGALRM) is not self._handler:
            signal.signal(signal.SIGALRM, self._handler)
        remaining, interval = self._earlier
        if remaining:
            spent = time.monotonic() - self._began
            signal.setitimer(signal.ITIMER_REAL, max(remaining - spent, 0.000001), interval)

    def disarm(self) -> None:
        """Raise nothing from here on. Said again after the block: its end may be interrupted."""
        global _limit  # noqa: PLW0603 - as above
        if _limit is self:
            _limit = self._outer

    def interrupt(self) -> None:
        """Say that time is up, or that a person wants the job to end; once."""
        if self.is_over or self.was_stopped:
            return
        if time.monotonic() - self._began >= self._seconds:
            self.is_over = True
            raise JobTimeoutException(_too_long(self._seconds))
        if self._alone or _is_stop_asked():
            self.was_stopped = True
            raise JobStoppedException("a person asked for the job to end")


class _ThreadTimeLimit:
    """Does so in a thread, which no signal reaches: another one has the interpreter raise there.

    It is raised between two steps of Python code: what waits in C code is not interrupted.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = min(seconds, threading.TIMEOUT_MAX)
        self._thread = threading.get_ident()
        self._order = threading.Lock()
        self._has_ended = False
        self.is_over = self.was_stopped = False
        self._timer = threading.Timer(self._seconds, self._interrupt)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, frames: object) -> None:
        # Once it is over nothing more comes from the timer; so whatever is raised here, by one
        # that comes as late as this, is the only one.
        with self._order:
            self._has_ended = True
        self._timer.cancel()
        if self.is_over:
            _raise_in(self._thread, None)  # one that did not arrive in the block
        if isinstance(error, JobTimeoutException) and not error.args:
            error.args = (_too_long(self._seconds),)

    def disarm(self) -> None:
        """Nothing is left to do after the block."""

    def _interrupt(self) -> None:
        with self._order:
            if not self._has_ended:
                self.is_over = True
                _raise_in(self._thread, JobTimeoutException)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have a thread raise *error* at its next step; with None, what it was to raise is dropped."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), None if error is None else ctypes.py_object(error)
    )


def _too_long(seconds: float) -> str:
    return f"the job ran for {seconds:g} seconds, its time limit"


class _NoLimit:
    """A block that may last."""

    is_over = was_stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def disarm(self) -> None:
        pass


_LONGEST_TIMER: Final = 1e8  # three years; the system takes no more than it can count
_limit: _TimeLimit | None = None
_NO_LIMIT: Final = _NoLimit()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    if _limit:
        _limit.interrupt()


def _never() -> bool:
    return False


_is_stop_asked: Callable[[], bool] = _never


def own_the_alarm(is_stop_asked: Callable[[], bool]) -> None:
    """Take SIGALRM for good in a process that is a worker and nothing else: it saves time.

    *is_stop_asked* tells whether the job that runs is meant by one that comes before its time.
    """
    global _is_stop_asked  # noqa: PLW0603 - of this process
    _is_stop_asked = is_stop_asked
    signal.signal(signal.SIGALRM, _interrupt)


Limit = _TimeLimit | _ThreadTimeLimit | _NoLimit


def interrupted_after(seconds: float | None, *, alone: bool = False) -> Limit:
    """Return a block that is interrupted after *seconds*, None for never.

    Where it is *alone* in its process, an alarm before that can only mean it.
    """
    if threading.get_ident() == threading.main_thread().ident:
        return _TimeLimit(_LONGEST_TIMER if seconds is None else seconds, alone=alone)
    return _NO_LIMIT if seconds is None else _ThreadTimeLimit(seconds)
