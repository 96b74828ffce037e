"""Signals, and how processes begin and end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_SET_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_SET_NAME: Final = 15  # PR_SET_NAME


class Shutdown:
    """Counts the requests to stop: the first is friendly, the second is not."""

    def __init__(self, on_second: Callable[[], None] | None = None) -> None:
        self.requests = 0
        self._on_second = on_second

    @property
    def requested(self) -> bool:
        """Whether anybody asked to stop."""
        return self.requests > 0

    @property
    def at_once(self) -> bool:
        """Whether it was asked twice."""
        return self.requests > 1

    def request(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Ask to stop. A signal handler: it only takes note."""
        del signum, frame
        self.requests += 1
        if self.requests > 1 and self._on_second:
            self._on_second()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as requests within the block."""
        before = {number: signal.signal(number, self.request) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def ignore_stop_signals() -> None:
    """Let SIGTERM and SIGINT pass: a signal to the whole group is the supervisor's business.

    By a handler that does nothing rather than SIG_IGN, which programs started by a job would
    inherit.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _pass)


def _pass(signum: int, frame: FrameType | None) -> None:
    del signum, frame


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when *parent*, which forked it, dies (Linux only).

    Without it a job could go on, unwatched, while its lease lapses and another worker runs it.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def set_title(title: str) -> None:
    """Show *title* in ``ps`` and ``top``: in full with ``setproctitle`` installed, else cut."""
    try:
        from setproctitle import setproctitle  # noqa: PLC0415 - an extra
    except ImportError:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_SET_NAME, title.encode()[:15], 0, 0, 0)
        return
    setproctitle(title)


def describe_exit(status: int) -> str:
    """Return what a wait status means, in words.

    >>> describe_exit(9)
    'its process was killed by SIGKILL (out of memory, or by a person)'
    >>> describe_exit(3 << 8)
    'its process ended with exit code 3'
    """
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"its process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory, or by a person)" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}"
