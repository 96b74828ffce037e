"""Run each job in a fresh fork: isolated, killable, new code and no leaks; slower than inline."""

from __future__ import annotations

import io
import os
import pickle
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, cast

from workhorse.core.outcomes import Crashed, Outcome, Returned, Stopped, TimedOut
from workhorse.worker.executors.forker import Forker, ForkerGoneError, flush
from workhorse.worker.executors.protocol import Ended, Run
from workhorse.worker.lifecycle import describe_exit

_LOOK_EVERY: Final = 0.25
"""Seconds between two looks at a child that says nothing: a grandchild may hold its channel open."""
_MAY_LINGER: Final = 1.0
"""Seconds that a child has to end after its answer."""
_TRIES: Final = 3
"""Children that may die before they take a job, one after another."""
_NOTHING: Final = Returned(None)
"""What most jobs return; said by an empty answer."""
_LENGTH: Final = struct.Struct("<Q")
_HELLO: Final = struct.Struct("<I")


def _nobody(pid: int) -> None:
    del pid


class ForkExecutor:
    """Runs one job at a time, each in a child of a process that forks ahead of time.

    *on_child* is told, in the child, the process group of each job before any of its code
    runs. A run is pickled for its child, except for the objects in *shared*, which both have.
    """

    def __init__(
        self, on_child: Callable[[int], None] = _nobody, shared: Sequence[object] = ()
    ) -> None:
        self._on_child = on_child
        self._shared = shared
        self._forker: Forker | None = None
        self._child: _Child | None = None
        self._leaving: _Child | None = None

    @property
    def free_slots(self) -> int:
        return 0 if self._child else 1

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        work = self._pickled(run)
        for left in reversed(range(_TRIES)):
            try:
                self._forker = self._forker or Forker(self._serve)
                self._child = _Child(execution_id, self._forker, work, kill_after)
                return
            except ForkerGoneError:
                if self._forker:
                    self._forker.close()
                self._forker = None
                if not left:
                    raise

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
        if self._forker:
            self._forker.close()
            self._forker = None

    def _pickled(self, run: Run) -> bytes:
        buffer = io.BytesIO()
        _Pickler(buffer, self._shared).dump(run)
        return buffer.getvalue()

    def _serve(self, channel: socket.socket) -> None:
        """Be the child: take the run, run it, answer."""
        self._on_child(os.getpid())
        channel.sendall(_HELLO.pack(os.getpid()))
        (length,) = _LENGTH.unpack(_received(channel, _LENGTH.size))
        work = io.BytesIO(_received(channel, length))
        run: Run = _Unpickler(work, self._shared).load()
        outcome = run()
        said = b"" if outcome == _NOTHING else pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
        flush()
        channel.sendall(_LENGTH.pack(len(said)) + said)


class _Pickler(pickle.Pickler):
    """Writes a shared object as its place among them."""

    def __init__(self, file: io.BytesIO, shared: Sequence[object]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._places = {id(thing): place for place, thing in enumerate(shared)}

    def persistent_id(self, obj: object) -> int | None:
        return self._places.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: Sequence[object]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, pid: Any) -> object:
        return self._shared[pid]


def _received(channel: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        chunk = channel.recv(min(length - len(data), 1 << 20))
        if not chunk:
            raise EOFError("the worker is gone")
        data += chunk
    return bytes(data)


class _Child:
    """One job's process, in a process group of its own."""

    def __init__(
        self, execution_id: str, forker: Forker, work: bytes, kill_after: float | None
    ) -> None:
        self.execution_id = execution_id
        self._forker = forker
        self._kill_after = kill_after
        self._killed_as: Outcome | None = None
        self._answered_at = 0.0
        self._is_mute = False
        self._said = bytearray()
        self._channel, theirs = socket.socketpair()
        with theirs:
            forker.hand_over(theirs)
        self._pid = self._greeted()
        self.started_at = time.monotonic()
        with suppress(OSError):  # it died already; what it left is found by `wait`
            self._channel.sendall(_LENGTH.pack(len(work)) + work)
        self._channel.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._channel, select.POLLIN)

    def _greeted(self) -> int:
        """Return the child's process, once it has taken the channel. Raises ForkerGoneError."""
        try:
            pid: int = _HELLO.unpack(_received(self._channel, _HELLO.size))[0]
        except (EOFError, OSError) as error:
            self._channel.close()
            raise ForkerGoneError("no child took the job") from error
        return pid

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
        if not self._has_ended(within=_MAY_LINGER):
            self._kill_group()
            self._has_ended(within=_MAY_LINGER)
        self._forker.forget(self._pid)

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
        head = _LENGTH.size
        return len(self._said) >= head and (
            len(self._said) == head + _LENGTH.unpack_from(self._said)[0]
        )

    def _hear(self) -> Outcome:
        self._channel.close()
        self._answered_at = time.monotonic()
        try:
            said = memoryview(self._said)[_LENGTH.size :]
            return cast("Outcome", pickle.loads(said)) if said else _NOTHING
        except Exception as error:  # noqa: BLE001 - the job may have written to our channel
            return Crashed(f"its process answered what can't be read: {error}")

    def _lost(self) -> Outcome:
        """Return how it ended without an answer, and end what it started, too."""
        self._channel.close()
        self._kill_group()
        status = self._forker.status_of(self._pid)
        return self._killed_as or Crashed(describe_exit(status or 0))

    def _has_ended(self, within: float = 0.0) -> bool:
        return self._forker.status_of(self._pid, within=within) is not None

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
