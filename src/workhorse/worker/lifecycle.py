"""Signals, and how processes begin and end."""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_STAY_IGNORED: Final = (signal.SIGHUP, signal.SIGQUIT)
"""A program that is started with these ignored (by nohup, say) is to go on ignoring them."""
_SAME_REQUEST: Final = 1.0
"""Seconds in which two different signals to stop are one request: Ctrl-C in a terminal reaches a
process, and so does what the program that started it (honcho, say) sends on then."""
_SET_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_SET_NAME: Final = 15  # PR_SET_NAME
_LIBC: Final = ctypes.CDLL(None)


class Shutdown:
    """Counts the requests to stop: the first is friendly, the second is not.

    SIGTERM and SIGINT are one request each, SIGQUIT is two. SIGHUP is never the second: a terminal
    that closes may send several, and systemd one after its SIGTERM.

    One that is *patient* takes them all as the first: a worker's supervisor kills it when the
    time has come, and both may be sent the same signal (by systemd, say). *told* says whether
    it was asked in another way than by a signal, which a job may have taken for itself.
    """

    def __init__(
        self,
        on_second: Callable[[], None] | None = None,
        *,
        patient: bool = False,
        told: Callable[[], bool] = lambda: False,
    ) -> None:
        self.requests = 0
        self._on_second = on_second
        self._patient = patient
        self._told = told
        self._first = 0
        self._first_at = 0.0

    @property
    def requested(self) -> bool:
        """Whether anybody asked to stop."""
        return self.requests > 0 or self._told()

    @property
    def at_once(self) -> bool:
        """Whether it was asked twice."""
        return self.requests > 1

    def request(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Ask to stop. A signal handler: it only takes note."""
        del frame
        self.requests = 1 if self._patient else self._counted(signum)
        if self.requests > 1 and self._on_second:
            self._on_second()

    def _counted(self, signum: int) -> int:
        now = time.monotonic()
        if signum == signal.SIGQUIT:
            return 2
        if not self.requests:
            self._first, self._first_at = signum, now
            return 1
        is_echo = signum != self._first and now - self._first_at < _SAME_REQUEST
        return self.requests if signum == signal.SIGHUP or is_echo else self.requests + 1

    @contextmanager
    def on_signals(self) -> Generator[None]:
        """Take signals to stop as requests within the block."""
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN or number not in _STAY_IGNORED:
                signal.signal(number, self.request)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def woken_by_signals() -> Generator[int]:
    """Yield the end of a pipe that can be read when a signal came or a child ended."""
    wakeup, ring = os.pipe()
    for end in (wakeup, ring):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    handler = signal.signal(signal.SIGCHLD, take_note)
    try:
        yield wakeup
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGCHLD, handler)
        os.close(wakeup)
        os.close(ring)


def take_note(signum: int, frame: object) -> None:
    """Handle SIGCHLD by being there: without a handler it would not wake anybody."""
    del signum, frame


@contextmanager
def signals_held_back() -> Generator[None]:
    """Have signals to stop wait within the block, here and in a process forked in it.

    So none falls between a fork and the moment at which the new process has its own handlers.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_signals_come() -> None:
    """Take signals to stop again, in a process that was forked while they were held back."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def ignore_stop_signals() -> None:
    """Let signals to stop pass: one to the whole group is the supervisor's business.

    By a handler that does nothing rather than SIG_IGN, which programs started by a job would
    inherit.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _pass)


def _pass(signum: int, frame: FrameType | None) -> None:
    del signum, frame


def _forget_our_handlers() -> None:
    """In a process that a job forked (multiprocessing does), a signal to end must end it."""
    defaults: dict[signal.Signals, Any] = {
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGQUIT: signal.SIG_DFL,
    }
    for number, default in defaults.items():
        handler = signal.getsignal(number)
        if handler is _pass or isinstance(getattr(handler, "__self__", None), Shutdown):
            signal.signal(number, default)


os.register_at_fork(after_in_child=_forget_our_handlers)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when *parent*, which forked it, dies (Linux only).

    Without it a job could go on, unwatched, while its lease lapses and another worker runs it.
    """
    if sys.platform != "linux":
        return
    _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def set_title(title: str) -> None:
    """Show *title* in ``ps`` and ``top``: in full with ``setproctitle`` installed, else cut."""
    try:
        setproctitle = importlib.import_module("setproctitle").setproctitle  # an extra
    except ImportError:
        if sys.platform == "linux":
            _LIBC.prctl(_SET_NAME, title.encode()[:15], 0, 0, 0)
        return
    setproctitle(title)


def describe_exit(status: int, peak: int = 0) -> str:
    """Return what a wait status means, in words; *peak* is the most memory it had, in bytes.

    >>> describe_exit(9)
    'its process was killed by SIGKILL (out of memory, or by a person)'
    >>> describe_exit(11, 350_000_000)
    'its process was killed by SIGSEGV; it had up to 350 MB of memory'
    >>> describe_exit(3 << 8)
    'its process ended with exit code 3'
    """
    memory = f"; it had up to {peak / 1e6:.0f} MB of memory" if peak else ""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"its process ended with exit code {code}{memory}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory, or by a person)" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}{memory}"


def peak_of(usage: resource.struct_rusage) -> int:
    """Return the most memory that a process had, in bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
