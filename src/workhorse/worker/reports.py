"""What the job that runs here tells of itself, on its way to the server.

Its one rule: the job waits for no server. It leaves what it tells in memory; a thread sends that,
a few times a second, over a connection of its own. Only the end of a run waits for what was told
last, and for that not long.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from workhorse.core.progress import Number, checked
from workhorse.core.settings import LOG_BYTES, LOG_LINES, REPORT_EVERY, REPORT_FOR
from workhorse.store import reports
from workhorse.store.drivers import Store, let_go
from workhorse.store.faults import is_short
from workhorse.store.reports import NewLine
from workhorse.wire.progress import encode_progress
from workhorse.worker.logs import say
from workhorse.worker.runner import CURRENT, REPORTERS, RUNS, Running

if TYPE_CHECKING:
    from workhorse.store.drivers import Client

_AGAIN_AFTER: Final = 1.0
"""Seconds until a server that is away, or full, is told again."""
_SOON: Final = 0.05
"""The same at the end of a run, where only a connection was lost."""
_MARGIN: Final = 0.2


class _Batch(NamedTuple):
    """What is sent together, until it has arrived."""

    number: int
    progress: str
    lines: list[NewLine]


class _Told(NamedTuple):
    done: Number
    total: Number | None
    note: str


class Reporter:
    """Tells of one run. Any thread of the job may use it."""

    def __init__(self, running: Running, *, captures: bool = False) -> None:
        self.captures = captures
        """Whether it takes what is logged and written."""
        self.is_closed = False
        self._running = running
        self._told: _Told | None = None
        self._taken: _Told | None = None
        self._lines: deque[tuple[float, str, str, str]] = deque(maxlen=LOG_LINES)
        self._left_out = 0
        self._partial: dict[str, str] = {}
        self._lock = threading.RLock()  # a signal's handler may print in the middle of a print
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._until = float("inf")
        self._batch: _Batch | None = None
        self._number = 0
        self._writer = secrets.token_hex(4)

    # For the job: no I/O.

    def progress(self, done: Any, total: Any = None, note: Any = None) -> None:
        """Note how far the job is; the last value is sent. Raises InvalidOptionError."""
        self._told = _Told(*checked(done, total, note))
        if self._thread is None:
            self._start()

    def line(self, source: str, level: str, text: str) -> None:
        """Note a line; where more come than can be kept, the older ones are left out."""
        if len(self._lines) == LOG_LINES:
            self._left_out += 1
        self._lines.append((time.monotonic(), source, level, text[:LOG_BYTES]))
        if self._thread is None:
            self._start()

    def wrote(self, source: str, text: str) -> None:
        """Note what was written to a stream, whole lines of it."""
        with self._lock:
            *whole, rest = (self._partial.get(source, "") + text).split("\n")
            if len(whole) > LOG_LINES:
                self._left_out += len(whole) - LOG_LINES
                whole = whole[-LOG_LINES:]
            for line in whole:
                self.line(source, "", _last_state(line))
            ending = "\r" if rest.endswith("\r") else ""
            self._partial[source] = _last_state(rest)[:LOG_BYTES] + ending

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self.is_closed:
                self._thread = threading.Thread(target=self._run, daemon=True, name="workhorse")
                try:
                    self._thread.start()
                except RuntimeError:  # no more threads, or the interpreter ends
                    self.is_closed = True

    def close(self) -> None:
        """Return once all has arrived, or can't within ``REPORT_FOR`` seconds."""
        for source, rest in self._partial.items():
            if rest:
                self.line(source, "", _last_state(rest))
        self._until = time.monotonic() + REPORT_FOR
        self.is_closed = True
        self._wake.set()
        if self._thread and self._thread.ident:
            self._thread.join(REPORT_FOR + _MARGIN)
        if self._has_more():
            job = self._running.job
            say("report", f"{job.queue}: what job {job.job_id} told last of itself did not arrive",
                level=logging.WARNING, job_id=job.job_id)  # fmt: skip

    # For the thread that sends.

    def _run(self) -> None:
        while True:
            closing = self.is_closed
            pause = self._send_all(closing=closing)
            if closing and (pause > _SOON or not self._has_more()):
                return
            if closing and time.monotonic() > self._until:
                return
            (time.sleep if closing else self._wake.wait)(pause)

    def _send_all(self, *, closing: bool) -> float:
        """Send what was told; return the seconds until the next time."""
        while batch := self._batch or self._next():
            self._batch = batch
            try:
                is_ours = self._send(batch)
            except Exception as error:  # noqa: BLE001 - whatever a client raises: the job goes on
                return _SOON if closing and is_short(error) else _AGAIN_AFTER
            if not is_ours:
                self._drop()
            self._batch = None
        return 0 if closing else REPORT_EVERY

    def _send(self, batch: _Batch) -> bool:
        running = self._running
        call = reports.report(
            running.keys,
            running.job.job_id,
            running.job.execution_id,
            writer=self._writer,
            number=batch.number,
            progress=batch.progress,
            lines=batch.lines,
        )
        return _store(running.connect).run(call)

    def _next(self) -> _Batch | None:
        """Take what is to be sent next, if there is anything."""
        now, lines = time.monotonic(), list[NewLine]()
        if left_out := self._left_out:
            self._left_out -= left_out
            lines.append(NewLine(0.0, "log", "", f"[... {left_out} lines left out ...]"))
        while self._lines and len(lines) < reports.MANY:
            at, source, level, text = self._lines.popleft()
            lines.append(NewLine(round(now - at, 3), source, level, text))
        told, progress = self._told, ""
        if told is not self._taken and told is not None:
            self._taken, progress = told, encode_progress(*told)
        if not lines and not progress:
            return None
        self._number += 1
        return _Batch(self._number, progress, lines)

    def _has_more(self) -> bool:
        return bool(self._batch or self._lines or self._told is not self._taken)

    def _drop(self) -> None:
        """Forget all: the job is not this run's any more."""
        self._lines.clear()
        self._taken = self._told


def _last_state(line: str) -> str:
    r"""Return what a terminal would show of a line: bars of progress are written over.

    >>> _last_state("10 %\r20 %\r"), _last_state("ends as on Windows\r")
    ('20 %', 'ends as on Windows')
    """
    return line.rstrip("\r").rpartition("\r")[2]


_last: Final[dict[int, tuple[Callable[[], Client], Store]]] = {}
"""The connection that reports of a process used last, and what opened it."""


def _store(connect: Callable[[], Client]) -> Store:
    last = _last.get(os.getpid())
    if last is None or last[0] != connect:
        if last is not None:
            let_go(last[1].client)
        last = _last[os.getpid()] = (connect, Store(connect()))
    return last[1]


# Which run is meant: that of the calling code, or else the only one here.


def reporter_of(running: Running) -> Reporter | None:
    """Return what tells of a run of this process; None once its own code has ended."""
    execution_id = running.job.execution_id
    found: Reporter | None = REPORTERS.get(execution_id)
    if found is None and execution_id in RUNS:
        found = REPORTERS.setdefault(execution_id, Reporter(running))
    return found


def running_here(job_id: str | None = None) -> Running | None:
    """Return the run whose code calls this, or else the only one of this process.

    With *job_id* that of this job, from whatever thread.
    """
    running = CURRENT.get()
    if running and job_id in (None, running.job.job_id):
        return running
    runs = [run for run in tuple(RUNS.values()) if job_id in (None, run.job.job_id)]
    return runs[0] if len(runs) == 1 else None


def begin_capture(running: Running) -> Reporter:
    """Return what tells of a run, and takes what it logs and writes."""
    reporter = REPORTERS[running.job.execution_id] = Reporter(running, captures=True)
    return reporter
