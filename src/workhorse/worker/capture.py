"""Hear what jobs log and write, beside where that goes anyway.

Only while a job runs that asks for it, or whose worker does. What its threads write is its own
as long as no other job runs in the process.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from typing import Any, Final

from workhorse.worker.reports import Reporter, begin_capture
from workhorse.worker.runner import CURRENT, REPORTERS, RUNS, Running

_OURS: Final = "workhorse"
"""What our own loggers, and the threads that send reports, are called."""
_muted: Final = threading.local()


def begin(running: Running) -> None:
    """Hear a run from now on, until ``end``."""
    begin_capture(running)
    with _lock:
        _State.runs += 1
        if _State.runs == 1:
            _install()


def end() -> None:
    """Hear one run less."""
    with _lock:
        _State.runs -= 1
        if not _State.runs:
            _remove()


_lock: Final = threading.RLock()


class _State:
    """What of this process was changed, to be put back."""

    runs = 0
    out: Any = None
    err: Any = None
    level: int | None = None


def _install() -> None:
    _State.out, _State.err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Tee(sys.stdout, "out"), _Tee(sys.stderr, "err")
    root = logging.getLogger()
    if not root.handlers and root.level == logging.WARNING:  # as it is where nobody set it up
        _State.level = root.level
        root.setLevel(logging.INFO)
    root.addHandler(_HANDLER)


def _remove() -> None:
    root = logging.getLogger()
    root.removeHandler(_HANDLER)
    if _State.level is not None and root.level == logging.INFO:
        root.setLevel(_State.level)
    _State.level = None
    if isinstance(sys.stdout, _Tee):
        sys.stdout = _State.out
    if isinstance(sys.stderr, _Tee):
        sys.stderr = _State.err


def _heard_by() -> Reporter | None:
    """Return what takes what the calling code writes."""
    running = CURRENT.get()
    if running is None:
        if len(RUNS) != 1 or threading.current_thread().name == _OURS:
            return None
        execution_ids = list(RUNS)
    else:
        execution_ids = [running.job.execution_id]
    found: Reporter | None = REPORTERS.get(execution_ids[0]) if execution_ids else None
    return found if found and found.captures and not hasattr(_muted, "now") else None


class _Tee:
    """A stream that is written to as before, and heard."""

    def __init__(self, stream: Any, source: str) -> None:
        self._stream = stream
        self._source = source

    def write(self, text: str) -> int:
        """Write *text*."""
        written: int = self._stream.write(text)
        if (reporter := _heard_by()) is not None:
            reporter.wrote(self._source, text)
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        """Write *lines*."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)


class _Handler(logging.Handler):
    """Hears what is logged. Where only it would, a warning goes where it would go without it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record, line by line."""
        if record.name.partition(".")[0] == _OURS:
            return
        if logging.lastResort and record.levelno >= logging.lastResort.level and _is_alone(record):
            _muted.now = True
            try:
                logging.lastResort.handle(record)
            finally:
                del _muted.now
        reporter = _heard_by()
        if reporter is None:
            return
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - what is logged may be anything
            text = f"[a record of {record.name} that can't be told: {type(error).__name__}]"
        for line in text.split("\n"):
            reporter.line("log", record.levelname.lower(), line)


def _is_alone(record: logging.LogRecord) -> bool:
    """Return whether no handler but ours hears a record."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger:
        if any(handler is not _HANDLER for handler in logger.handlers):
            return False
        logger = logger.parent if logger.propagate else None
    return True


class _Formatter(logging.Formatter):
    """What is logged, after the name of its logger, with its traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line."""
        return record.message if record.name == "root" else f"{record.name}: {record.message}"


_HANDLER: Final = _Handler()
_HANDLER.setFormatter(_Formatter())
