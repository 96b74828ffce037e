"""A process that does nothing but fork, and has always one child ready for the next job.

A fork copies page tables, and its parent then pays for each page that it writes to. So the
process that talks to the server does not fork: this one does, ahead of time, while a job runs.

What passes between the three, all of it on sockets and pipes that end with their process::

    worker -- a channel for one job --> forker's control socket --> the child that is ready
    child  -- "taken" --> forker, which forks the next child
    forker -- process and status of each child that ended --> worker
"""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from workhorse.worker.lifecycle import (
    die_with_parent,
    ignore_stop_signals,
    let_signals_come,
    signals_held_back,
)

Serve = Callable[[socket.socket], None]
"""What a child does with its channel, in the child."""

_EXIT: Final = struct.Struct("<ii")
_NO_FORK_FOR: Final = 10.0
"""Seconds in which a fork is tried again when the system has no memory or no process left."""


class ForkerGoneError(Exception):
    """The forker has ended; a new one must be made."""


class Forker:
    """Starts a child for each job, in which *serve* is called with the job's channel."""

    def __init__(self, serve: Serve) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._exits, told = os.pipe()
        awaited, self._life = os.pipe()
        os.set_blocking(self._exits, False)
        self._statuses: dict[int, int] = {}
        flush()
        parent = os.getpid()
        with signals_held_back():
            self._pid = fork()
            if self._pid == 0:
                for ours in (self._exits, self._life):
                    os.close(ours)
                self._control.close()
                _Nursery(serve, theirs, told, awaited).run(parent)
        theirs.close()
        os.close(told)
        os.close(awaited)

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
        while child not in self._statuses:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._exits], [], [], left)[0]:
                return None
            said = os.read(self._exits, _EXIT.size * 64)
            if not said:
                return int(signal.SIGKILL)
            self._statuses |= dict(_EXIT.iter_unpack(said))
        return self._statuses[child]

    def forget(self, child: int) -> None:
        """Drop what is known of a child whose end was seen."""
        self._statuses.pop(child, None)

    def close(self) -> None:
        """End the forker, and the child that is ready."""
        os.close(self._life)
        self._control.close()
        os.close(self._exits)
        with suppress(ChildProcessError):  # reaped by a program that we are embedded in
            os.waitpid(self._pid, 0)


class _Nursery:
    """What runs in the forker."""

    def __init__(self, serve: Serve, control: socket.socket, told: int, awaited: int) -> None:
        self._serve = serve
        self._control = control
        self._told = told
        self._awaited = awaited
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
            signal.signal(signal.SIGCHLD, lambda *_: None)
            let_signals_come()
            gc.freeze()  # a collection would write to, and so copy, all the memory that is shared
            taken = self._make_ready()
            while True:
                readable, _, _ = select.select([taken, wakeup, self._awaited], [], [])
                if self._awaited in readable:
                    break
                if wakeup in readable:
                    os.read(wakeup, 1024)
                self._report()
                if taken in readable:
                    os.close(taken)
                    taken = self._make_ready()
            os.kill(self._ready, signal.SIGKILL)
            code = 0
        finally:
            os._exit(code)

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
            for ours in (took, self._told, self._awaited):
                os.close(ours)
            self._control.close()
            with socket.socket(fileno=fds[0]) as channel:
                self._serve(channel)
            code = 0
        finally:
            flush()
            os._exit(code)

    def _report(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                os.write(self._told, _EXIT.pack(pid, status))


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


def flush() -> None:
    """Write out what was printed, once: a fork would have it twice, an ``os._exit`` never."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, or nobody reads it: no reason to lose a job
            stream.flush()
