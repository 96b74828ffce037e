"""Run each job in a fork of this process: isolated, killable, new code and no leaks; slowest."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn, cast

from workhorse.core.outcomes import Crashed, Outcome, Returned, Stopped, TimedOut
from workhorse.worker.executors.protocol import Ended, Run
from workhorse.worker.lifecycle import (
    describe_exit,
    die_with_parent,
    ignore_stop_signals,
    let_signals_come,
    signals_held_back,
)

_LOOK_EVERY: Final = 0.25
"""Seconds between two looks at a child that says nothing: a grandchild may hold its pipe open."""
_MAY_LINGER: Final = 1.0
"""Seconds that a child has to end after its answer."""
_NO_FORK_FOR: Final = 10.0
"""Seconds in which a fork is tried again when the system has no memory or no process left."""
_NOTHING: Final = Returned(None)
"""What most jobs return; said by an empty answer."""
_LENGTH: Final = struct.Struct("<Q")


def _nobody(pid: int) -> None:
    del pid


class ForkExecutor:
    """Runs one job at a time, so that the parent stays single-threaded and safe to fork.

    *on_child* is told the process group of each job before any of its code runs.
    """

    def __init__(self, on_child: Callable[[int], None] = _nobody) -> None:
        self._on_child = on_child
        self._child: _Child | None = None
        self._leaving: _Child | None = None

    @property
    def free_slots(self) -> int:
        return 0 if self._child else 1

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        self._child = _Child(execution_id, run, kill_after, self._on_child)

    def stop(self, execution_id: str) -> None:
        if self._child and self._child.execution_id == execution_id:
            self._child.kill(Stopped())

    def collect(self, timeout: float) -> list[Ended]:
        if self._leaving and self._leaving.is_gone():
            self._leaving = None
        child = self._child
        if child is None or (outcome := child.wait(timeout)) is None:
            return []
        ended_at = time.monotonic()
        if self._leaving:
            self._leaving.end()
        # Its own end takes a moment more, in which the next job may already begin.
        self._child, self._leaving = None, child
        return [Ended(child.execution_id, outcome, child.started_at, ended_at)]

    def close(self) -> None:
        if self._child:
            self._child.kill(Stopped())
            self._child.wait(None)
        for child in (self._child, self._leaving):
            if child:
                child.end()
        self._child = self._leaving = None


class _Child:
    """One job's process, in a process group of its own."""

    def __init__(
        self,
        execution_id: str,
        run: Run,
        kill_after: float | None,
        on_child: Callable[[int], None],
    ) -> None:
        self.execution_id = execution_id
        self._kill_after = kill_after
        self._killed_as: Outcome | None = None
        self._status: int | None = None
        self._answered_at = 0.0
        self._is_mute = False
        self._said = bytearray()
        self._pipe, answer = os.pipe()
        os.set_blocking(self._pipe, False)
        _flush()
        parent = os.getpid()
        with signals_held_back():
            self._pid = _fork()
            if self._pid == 0:
                _run_and_exit(answer, run, parent, on_child)
        self.started_at = time.monotonic()
        with suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(self._pid, self._pid)
        os.close(answer)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)

    def kill(self, outcome: Outcome) -> None:
        """End the job and all that it started, at once."""
        self._killed_as = outcome
        self._kill_group()

    def wait(self, timeout: float | None) -> Outcome | None:
        """Return how the job ended, or None if it still runs after *timeout* seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._enforce_limit()
            left = _LOOK_EVERY if until is None else until - time.monotonic()
            if self._poll.poll(1000 * max(0.0, min(left, _LOOK_EVERY, self._until_limit()))):
                outcome = self._listen()
                if outcome:
                    return outcome
            elif self._has_ended():
                return (None if self._is_mute else self._listen()) or self._lost()
            elif until is not None and time.monotonic() >= until:
                return None

    def is_gone(self) -> bool:
        """Return whether the process has ended; one that lingers after its answer is killed."""
        if not self._has_ended() and time.monotonic() - self._answered_at > _MAY_LINGER:
            self._kill_group()
        return self._has_ended()

    def end(self) -> None:
        """Return when the process has ended."""
        if not self._wait_for_end(_MAY_LINGER):
            self._kill_group()
            self._reap(0)

    def _until_limit(self) -> float:
        if self._kill_after is None or self._killed_as:
            return _LOOK_EVERY
        return max(0.0, self.started_at + self._kill_after - time.monotonic())

    def _enforce_limit(self) -> None:
        if self._kill_after is not None and not self._killed_as and not self._until_limit():
            text = f"killed: the job did not end within {self._kill_after:g} seconds"
            self.kill(TimedOut(text))

    def _listen(self) -> Outcome | None:
        """Return how the job ended if its process has said so in full, or ended without."""
        with suppress(BlockingIOError):
            while chunk := os.read(self._pipe, 1 << 20):
                self._said += chunk
                if self._is_complete():
                    return self._hear()
            self._is_mute = True  # closed by its end, or by the job, which goes on
            self._poll.unregister(self._pipe)
            if self._wait_for_end(_LOOK_EVERY):
                return self._lost()
        return None

    def _is_complete(self) -> bool:
        head = _LENGTH.size
        return len(self._said) >= head and (
            len(self._said) == head + _LENGTH.unpack_from(self._said)[0]
        )

    def _hear(self) -> Outcome:
        os.close(self._pipe)
        self._answered_at = time.monotonic()
        try:
            said = memoryview(self._said)[_LENGTH.size :]
            return cast("Outcome", pickle.loads(said)) if said else _NOTHING
        except Exception as error:  # noqa: BLE001 - the job may have written to our pipe
            return Crashed(f"its process answered what can't be read: {error}")

    def _lost(self) -> Outcome:
        """Return how it ended without an answer, and end what it started, too."""
        os.close(self._pipe)
        self._kill_group()
        return self._killed_as or Crashed(describe_exit(self._status or 0))

    def _wait_for_end(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self._has_ended() and time.monotonic() < until:
            time.sleep(0.0005)
        return self._has_ended()

    def _has_ended(self) -> bool:
        self._reap(os.WNOHANG)
        return self._status is not None

    def _reap(self, options: int) -> None:
        if self._status is not None:
            return
        try:
            pid, status = os.waitpid(self._pid, options)
        except ChildProcessError:  # reaped by a program that we are embedded in
            pid, status = self._pid, 0
        if pid:
            self._status = status

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)


def _fork() -> int:
    """Fork; where the system can't just now, try again for a while."""
    until = time.monotonic() + _NO_FORK_FOR
    while True:
        try:
            return os.fork()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOMEM) or time.monotonic() > until:
                raise
        time.sleep(0.2)


def _flush() -> None:
    """Write out what was printed, once: a fork would have it twice, an ``os._exit`` never."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, or nobody reads it: no reason to lose a job
            stream.flush()


def _run_and_exit(answer: int, run: Run, parent: int, on_child: Callable[[int], None]) -> NoReturn:
    """Be the child: run the job, answer, and end without the parent's clean-up."""
    code = 1
    try:
        os.setpgid(0, 0)
        on_child(os.getpid())
        die_with_parent(parent)
        ignore_stop_signals()
        let_signals_come()
        gc.freeze()  # a collection would write to, and so copy, all the memory shared with us
        outcome = run()
        said = b"" if outcome == _NOTHING else pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
        _flush()
        _write(answer, _LENGTH.pack(len(said)) + said)
        code = 0
    finally:
        os._exit(code)


def _write(pipe: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(pipe, rest) :]
