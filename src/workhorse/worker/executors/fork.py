"""Run each job in a fork of this process: isolated, killable, new code and no leaks; slowest."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Final, NoReturn, cast

from workhorse.core.outcomes import Crashed, Outcome, Stopped, TimedOut
from workhorse.worker.executors.protocol import Ended, Run
from workhorse.worker.lifecycle import describe_exit, die_with_parent, ignore_stop_signals

_LOOK_EVERY: Final = 0.25
"""Seconds between two looks at a child that says nothing: a grandchild may hold its pipe open."""


class ForkExecutor:
    """Runs one job at a time, so that the parent stays single-threaded and safe to fork."""

    def __init__(self) -> None:
        self._child: _Child | None = None

    @property
    def free_slots(self) -> int:
        return 0 if self._child else 1

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        self._child = _Child(execution_id, run, kill_after)

    def stop(self, execution_id: str) -> None:
        if self._child and self._child.execution_id == execution_id:
            self._child.kill(Stopped())

    def collect(self, timeout: float) -> list[Ended]:
        child = self._child
        if child is None or (outcome := child.wait(timeout)) is None:
            return []
        self._child = None
        return [Ended(child.execution_id, outcome, child.started_at, time.monotonic())]

    def close(self) -> None:
        if self._child:
            self._child.kill(Stopped())
            self._child.wait(None)
            self._child = None


class _Child:
    """One job's process, in a process group of its own."""

    def __init__(self, execution_id: str, run: Run, kill_after: float | None) -> None:
        self.execution_id = execution_id
        self.started_at = time.monotonic()
        self._kill_after = kill_after
        self._killed_as: Outcome | None = None
        self._pipe, answer = Pipe(duplex=False)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _run_and_exit(answer, run, parent)
        with suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(self._pid, self._pid)
        answer.close()

    def kill(self, outcome: Outcome) -> None:
        """End the job and all that it started, at once."""
        self._killed_as = outcome
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def wait(self, timeout: float | None) -> Outcome | None:
        """Return how the job ended, or None if it still runs after *timeout* seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._enforce_limit()
            left = _LOOK_EVERY if until is None else until - time.monotonic()
            if self._pipe.poll(max(0.0, min(left, _LOOK_EVERY, self._until_limit()))):
                return self._reap(self._answer())
            if os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return self._reap(None)
            if until is not None and time.monotonic() >= until:
                return None

    def _until_limit(self) -> float:
        if self._kill_after is None or self._killed_as:
            return _LOOK_EVERY
        return max(0.0, self.started_at + self._kill_after - time.monotonic())

    def _enforce_limit(self) -> None:
        if self._kill_after is not None and not self._killed_as and not self._until_limit():
            text = f"killed: the job did not end within {self._kill_after:g} seconds"
            self.kill(TimedOut(text))

    def _answer(self) -> Outcome | None:
        try:
            return cast("Outcome", pickle.loads(self._pipe.recv_bytes()))
        except (EOFError, OSError, pickle.UnpicklingError):
            return None

    def _reap(self, answer: Outcome | None) -> Outcome:
        _, status = os.waitpid(self._pid, 0)
        self._pipe.close()
        with suppress(ProcessLookupError, PermissionError):  # what the job left running
            os.killpg(self._pid, signal.SIGKILL)
        return answer or self._killed_as or Crashed(describe_exit(status))


def _run_and_exit(answer: Connection, run: Run, parent: int) -> NoReturn:
    """Be the child: run the job, answer, and end without the parent's clean-up."""
    try:
        os.setpgid(0, 0)
        die_with_parent(parent)
        ignore_stop_signals()
        answer.send_bytes(pickle.dumps(run()))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)
