"""A process that does nothing but fork, and has always one child ready for the next job.

A fork copies page tables, and its parent then pays for each page that it writes to. So the
process that talks to the server does not fork: this one does, ahead of time, while a job runs.

What passes between the three, all of it on sockets and pipes that end with their process::

    worker -- a channel for one job --> forker's control socket --> the child that is ready
    child  -- "taken" --> forker, which forks the next child
    forker -- process and status of each child that ended --> worker

A *forked* one has all that its worker has imported: for a script that imports what its jobs
need. A *lean* one is a program of its own and has next to nothing, so that its forks take a
fraction of the time. When a job was found to use the server's client library, which takes
long to import, the forker imports it too, for those that follow.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple, NoReturn

from workhorse.worker.executors.child import flush, serve
from workhorse.worker.lifecycle import (
    describe_exit,
    die_with_parent,
    ignore_stop_signals,
    let_signals_come,
    peak_of,
    signals_held_back,
    take_note,
)

Serve = Callable[[socket.socket], None]

_EXIT: Final = struct.Struct("<iiQ")  # process, wait status, the most memory it had
_NO_FORK_FOR: Final = 10.0
"""Seconds in which a fork is tried again when the system has no memory or no process left."""
_CLIENT_LIBRARY: Final = ("redis", "workhorse.store.connections")
"""What tells that a job used the library, and what makes it ready for others."""
_RUNNER: Final = "workhorse.worker.runner"
"""What every job needs."""


class ForkerGoneError(Exception):
    """The forker has ended; a new one must be made."""


class _Ends(NamedTuple):
    """What the forker holds."""

    control: socket.socket
    told: int
    awaited: int


class Forker:
    """Starts a child for each job, which serves the job's channel."""

    def __init__(self, begin: Callable[[_Ends, Callable[[], None]], int]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._exits, told = os.pipe()
        awaited, self._life = os.pipe()
        os.set_blocking(self._exits, False)
        self._exits_seen: dict[int, tuple[int, int]] = {}
        flush()
        self._pid = begin(_Ends(theirs, told, awaited), self._let_go)
        theirs.close()
        os.close(told)
        os.close(awaited)

    @classmethod
    def forked(cls, shared: Sequence[object]) -> Forker:
        """Return one that is a fork of this process, and has *shared* as it is here."""
        parent = os.getpid()

        def begin(ends: _Ends, let_go: Callable[[], None]) -> int:
            with signals_held_back():
                pid = fork()
                if pid == 0:
                    let_go()
                    _Nursery(partial(serve, shared=shared), ends).run(parent)
            return pid

        return cls(begin)

    @classmethod
    def lean(cls) -> Forker:
        """Return one that is a program of its own, and imports from where this one does."""

        def begin(ends: _Ends, let_go: Callable[[], None]) -> int:
            del let_go  # nothing else is passed on
            fds = (ends.control.fileno(), ends.told, ends.awaited)
            command = [sys.executable, "-c", _PROGRAM, str(os.getpid()), *map(str, fds), *sys.path]
            with signals_held_back():  # it lets them come when it has its handlers
                forker = subprocess.Popen(  # noqa: S603 - our own program
                    command, pass_fds=fds, stdin=subprocess.DEVNULL
                )
            forker.returncode = 0  # it is ours to wait for, not subprocess'
            return forker.pid

        return cls(begin)

    def _let_go(self) -> None:
        """Close what is the worker's alone, in a fork of it."""
        os.close(self._exits)
        os.close(self._life)
        self._control.close()

    def hand_over(self, channel: socket.socket) -> None:
        """Give *channel* to the child that is ready. Raises ForkerGoneError."""
        try:
            socket.send_fds(self._control, [b"job"], [channel.fileno()])
        except OSError as error:
            raise ForkerGoneError(str(error)) from error

    def status_of(self, child: int, *, within: float = 0.0) -> int | None:
        """Return the wait status of a child that has ended, None if it has not *within* seconds.

        A forker that has ended took its children with it: they count as killed.
        """
        until = time.monotonic() + within
        while child not in self._exits_seen:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._exits], [], [], left)[0]:
                return None
            said = os.read(self._exits, _EXIT.size * 64)
            if not said:
                return int(signal.SIGKILL)
            self._exits_seen |= {
                pid: (status, peak) for pid, status, peak in _EXIT.iter_unpack(said)
            }
        return self._exits_seen[child][0]

    def end_of(self, child: int) -> str:
        """Return how a child ended, in words."""
        return describe_exit(*self._exits_seen.get(child, (signal.SIGKILL, 0)))

    def forget(self, child: int) -> None:
        """Drop what is known of a child whose end was seen."""
        self._exits_seen.pop(child, None)

    def close(self) -> None:
        """End the forker, and the child that is ready."""
        self._let_go()
        with suppress(ChildProcessError):  # reaped by a program that we are embedded in
            os.waitpid(self._pid, 0)


class _Nursery:
    """What runs in the forker."""

    def __init__(self, serve: Serve, ends: _Ends, *, lean: bool = False) -> None:
        self._serve = serve
        self._control, self._told, self._awaited = ends
        self._lean = lean
        self._wishes, self._wish = os.pipe()
        self._ready = 0

    def run(self, parent: int) -> NoReturn:
        """Keep a child ready until the worker is gone."""
        code = 1
        try:
            die_with_parent(parent)
            ignore_stop_signals()
            wakeup, ring = os.pipe()
            for end in (wakeup, ring):
                os.set_blocking(end, False)
            signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
            signal.signal(signal.SIGCHLD, take_note)
            let_signals_come()
            gc.freeze()  # a collection would write to, and so copy, all the memory that is shared
            self._serve_all(wakeup)
            os.kill(self._ready, signal.SIGKILL)
            code = 0
        finally:
            os._exit(code)

    def _serve_all(self, wakeup: int) -> None:
        taken = self._make_ready()
        while True:
            ends = [taken, wakeup, self._awaited, self._wishes]
            readable, _, _ = select.select(ends, [], [])
            if self._awaited in readable:
                return
            if wakeup in readable:
                os.read(wakeup, 1024)
            if self._wishes in readable:
                os.read(self._wishes, 1024)
                self._grow()
            self._report()
            if taken in readable:
                os.close(taken)
                taken = self._make_ready()

    def _make_ready(self) -> int:
        """Fork the next child; return a pipe that can be read once a job has it, or it died."""
        taken, took = os.pipe()
        parent = os.getpid()
        with signals_held_back():
            self._ready = fork()
            if self._ready == 0:
                self._be_ready(took, parent)
        os.close(took)
        return taken

    def _be_ready(self, took: int, parent: int) -> NoReturn:
        code = 1
        try:
            os.setpgid(0, 0)
            die_with_parent(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ignore_stop_signals()
            let_signals_come()
            _, fds, _, _ = socket.recv_fds(self._control, 16, 1)
            os.write(took, b".")
            for ours in (took, self._told, self._awaited, self._wishes):
                os.close(ours)
            self._control.close()
            with socket.socket(fileno=fds[0]) as channel:
                self._serve(channel)
            if self._lean and _CLIENT_LIBRARY[0] in sys.modules:
                os.write(self._wish, b".")
            code = 0
        finally:
            flush()
            os._exit(code)

    def _grow(self) -> None:
        """Import what a job was found to need, once."""
        if self._lean:
            self._lean = False
            importlib.import_module(_CLIENT_LIBRARY[1])
            gc.freeze()

    def _report(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                os.write(self._told, _EXIT.pack(pid, status, peak_of(usage)))


def fork() -> int:
    """Fork; where the system can't just now, try again for a while."""
    until = time.monotonic() + _NO_FORK_FOR
    while True:
        try:
            return os.fork()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOMEM) or time.monotonic() > until:
                raise
        time.sleep(0.2)


def main(words: Sequence[str]) -> NoReturn:
    """Be a lean forker, as ``Forker.lean`` starts it."""
    parent, control, told, awaited = (int(word) for word in words[:4])
    sys.path[:] = words[4:]
    ends = _Ends(socket.socket(fileno=control), told, awaited)
    importlib.import_module(_RUNNER)
    _Nursery(serve, ends, lean=True).run(parent)


_PROGRAM: Final = f"import sys; from {__name__} import main; main(sys.argv[1:])"
