"""Run each job in a fresh fork: isolated, killable, new code and no leaks; slower than inline."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, cast

from workhorse.core.callbacks import After
from workhorse.core.outcomes import Crashed, Outcome, Stopped, TimedOut, in_words
from workhorse.worker.executors.child import HEAD, HELLO, LENGTH, NOTHING, pickled, received
from workhorse.worker.executors.forker import Forker, ForkerGoneError
from workhorse.worker.executors.protocol import Called, Ended, Run

_LOOK_EVERY: Final = 0.25
"""Seconds between two looks at a silent child: a grandchild may hold its channel open."""
_MAY_LINGER: Final = 1.0
"""Seconds that a child has to end after its answer."""
_TRIES: Final = 3
"""Children that may die before they take a job, one after another."""


def _nobody(pid: int) -> None:
    del pid


class ForkExecutor:
    """Runs one job at a time, each in a child of a process that forks ahead of time.

    *on_child* is told the process group of each job before any of its code runs, and 0 when the
    job has ended. That process is a fork of this one, so that children have what this one has
    imported; a run is pickled for them, except for the objects in *shared*, which both have. A
    *lean* one begins anew, and so forks in a fraction of the time; it shares nothing.
    """

    def __init__(
        self,
        on_child: Callable[[int], None] = _nobody,
        *,
        shared: Sequence[object] = (),
        lean: bool = False,
    ) -> None:
        self._on_child = on_child
        self._shared = () if lean else shared
        self._lean = lean
        self._forker: Forker | None = None
        self._child: _Child | None = None
        self._leaving: _Child | None = None

    @property
    def free_slots(self) -> int:
        return 0 if self._child else 1

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        work = pickled(run, self._shared)
        for left in reversed(range(_TRIES)):
            try:
                self._forker = self._forker or self._begin()
                self._child = _Child(execution_id, self._forker, kill_after)
                break
            except ForkerGoneError:
                if self._forker:
                    self._forker.close()
                self._forker = self._leaving = None  # which ended with it
                if not left:
                    raise
        if self._child:
            self._on_child(self._child.pid)
            self._child.begin(work)

    def _begin(self) -> Forker:
        return Forker.lean() if self._lean else Forker.forked(self._shared)

    def stop(self, execution_id: str, *, grace: float = 0) -> None:
        if self._child and self._child.execution_id == execution_id:
            self._child.stop(grace)

    def collect(self, timeout: float) -> list[Ended | Called]:
        if self._leaving and self._leaving.is_gone():
            self._leaving = None
        child = self._child
        if child is None or child.waits or (outcome := child.wait(timeout)) is None:
            return []
        ended_at = time.monotonic()
        if not child.waits:
            self._let_leave(child)
        if isinstance(outcome, str):
            return [Called(child.execution_id, outcome)]
        return [Ended(child.execution_id, outcome, child.started_at, ended_at, child.waits)]

    def go_on(self, execution_id: str, after: After | None, *, kill_after: float | None) -> None:
        child = self._child
        if child and child.execution_id == execution_id and child.waits:
            if after:
                child.go_on(after, kill_after)
            else:
                child.dismiss()
                self._let_leave(child)

    def _let_leave(self, child: _Child) -> None:
        """Let it end, which takes a moment more, in which the next job may already begin."""
        if self._leaving:
            self._leaving.end()
        self._child, self._leaving = None, child
        self._on_child(0)  # whoever is to kill us, or the next job, kills no group of this one

    def close(self) -> None:
        if self._child:
            self._child.kill(Stopped())
            self._child.wait(None)
        for child in (self._child, self._leaving):
            if child:
                child.end()
        self._child = self._leaving = None
        self._on_child(0)
        if self._forker:
            self._forker.close()
            self._forker = None


class _Child:
    """One job's process, in a process group of its own."""

    def __init__(self, execution_id: str, forker: Forker, kill_after: float | None) -> None:
        self.execution_id = execution_id
        self._forker = forker
        self._kill_after = kill_after
        self._killed_as: Outcome | None = None
        self._answered_at = 0.0
        self.waits = False
        self._goes_on = False
        self._kills_rest = False
        self._stop_by: float | None = None
        self._is_mute = False
        self._said = bytearray()
        self._channel, theirs = socket.socketpair()
        try:
            with theirs:
                forker.hand_over(theirs)
            self.pid = self._greeted()
        except ForkerGoneError:
            self._channel.close()
            raise
        self.started_at = self._since = time.monotonic()
        self._poll = select.poll()
        self._poll.register(self._channel, select.POLLIN)

    def begin(self, work: bytes) -> None:
        """Have it run *work*."""
        with suppress(OSError):  # it died already: `wait` finds out
            self._channel.sendall(LENGTH.pack(len(work)) + work)
        self._channel.settimeout(0)

    def go_on(self, after: After, kill_after: float | None) -> None:
        """Have it call what comes *after* its run, for *kill_after* seconds at most."""
        self.waits, self._goes_on = False, True
        self._said.clear()
        self._since, self._kill_after = time.monotonic(), kill_after
        self._killed_as = self._stop_by = None
        work = pickle.dumps(after)
        self._channel.settimeout(None)
        with suppress(OSError):  # it died already: `wait` finds out
            self._channel.sendall(LENGTH.pack(len(work)) + work)
        self._channel.settimeout(0)

    def dismiss(self) -> None:
        """Tell it that nothing comes after its run."""
        self.waits = False
        self._leave()

    def _leave(self) -> None:
        self._channel.close()
        self._answered_at = time.monotonic()
        if self._kills_rest:
            self._kill_group()

    def _greeted(self) -> int:
        """Return the child's process, once it has taken the channel. Raises ForkerGoneError."""
        try:
            pid: int = HELLO.unpack(received(self._channel, HELLO.size))[0]
        except (EOFError, OSError) as error:
            raise ForkerGoneError("no child took the job") from error
        return pid

    def stop(self, grace: float) -> None:
        """Ask the job to end, and kill it after *grace* seconds."""
        if not grace:
            self.kill(Stopped())
        elif not self._stop_by:
            self._stop_by = time.monotonic() + grace
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGALRM)

    def kill(self, outcome: Outcome) -> None:
        """End the job and all that it started, at once."""
        self._killed_as = outcome
        self._kill_group()
        if not self._has_ended():
            with suppress(ProcessLookupError):  # one that went to another group
                os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None) -> Outcome | str | None:
        """Return how the job ended, or None if it still runs after *timeout* seconds.

        Of what comes after it, a text: what went wrong.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._enforce_limit()
            left = _LOOK_EVERY if until is None else until - time.monotonic()
            if self._poll.poll(1000 * max(0.0, min(left, _LOOK_EVERY, self._until_limit()))):
                outcome = self._listen()
                if outcome is not None:
                    return outcome
            elif self._has_ended():
                outcome = None if self._is_mute else self._listen()
                return self._lost() if outcome is None else outcome
            elif until is not None and time.monotonic() >= until:
                return None

    def is_gone(self) -> bool:
        """Return whether the process has ended; one that lingers after its answer is killed."""
        if not self._has_ended() and time.monotonic() - self._answered_at > _MAY_LINGER:
            self._kill_group()
        return self._has_ended()

    def end(self) -> None:
        """Return when the process has ended."""
        if not self._has_ended(within=_MAY_LINGER):
            self._kill_group()
            self._has_ended(within=_MAY_LINGER)
        self._forker.forget(self.pid)

    def _until_limit(self) -> float:
        if self._kill_after is None or self._killed_as:
            return _LOOK_EVERY
        return max(0.0, self._since + self._kill_after - time.monotonic())

    def _enforce_limit(self) -> None:
        if self._stop_by and not self._killed_as and time.monotonic() > self._stop_by:
            self.kill(Stopped())
        if self._kill_after is not None and not self._killed_as and not self._until_limit():
            what = "what is called after the job" if self._goes_on else "the job"
            text = f"killed: {what} did not end within {self._kill_after:g} seconds"
            self.kill(TimedOut(text))

    def _listen(self) -> Outcome | str | None:
        """Return how the job ended if its process has said so in full, or ended without."""
        with suppress(BlockingIOError):
            while chunk := self._heard():
                self._said += chunk
                if self._is_complete():
                    return self._hear()
            self._is_mute = True  # closed by its end, or by the job, which goes on
            self._poll.unregister(self._channel)
            if self._has_ended(within=_LOOK_EVERY):
                return self._lost()
        return None

    def _heard(self) -> bytes:
        try:
            return self._channel.recv(1 << 20)
        except ConnectionResetError:  # it ended before it had read all of its job
            return b""

    def _is_complete(self) -> bool:
        head = HEAD.size
        return len(self._said) >= head and (
            len(self._said) == head + HEAD.unpack_from(self._said)[0]
        )

    def _hear(self) -> Outcome | str:
        said = memoryview(self._said)[HEAD.size :]
        if self._goes_on:
            self._leave()
            return bytes(said).decode("utf-8", "replace")
        self.waits = HEAD.unpack_from(self._said)[1] and not self._killed_as
        try:
            outcome = cast("Outcome", pickle.loads(said)) if said else NOTHING
        except Exception as error:  # noqa: BLE001 - the job may have written to our channel
            self.waits = False
            outcome = Crashed(f"its process answered what can't be read: {error}")
        # What it was in the middle of must not go on without it.
        self._kills_rest = isinstance(outcome, TimedOut)
        if not self.waits:
            self._leave()
        return outcome

    def _lost(self) -> Outcome | str:
        """Return how it ended without an answer, and end what it started, too."""
        self._channel.close()
        self._kill_group()
        outcome = self._killed_as or Crashed(self._forker.end_of(self.pid))
        return in_words(outcome) if self._goes_on else outcome

    def _has_ended(self, within: float = 0.0) -> bool:
        return self._forker.status_of(self.pid, within=within) is not None

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
