"""What an operator reads. One event a line, its verb first in the machine's form.

Text from jobs is made harmless here: a description or an error can neither forge a line nor
send control sequences to a terminal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any, Final, Literal

from workhorse.wire.records import Claimed

LogFormat = Literal["text", "json"]
LOG: Final = logging.getLogger("workhorse.worker")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST: Final = 1000
JOBS_TOLD_A_SECOND: Final = 10


def harmless(text: str) -> str:
    """Return *text* on one line, without control characters, cut to what a line can hold.

    >>> harmless("ok\\x1b[2J\\nforged")
    'ok\\\\x1b[2J\\\\x0aforged'
    """
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def say(event: str, message: str, *, level: int = logging.INFO, **data: Any) -> None:
    """Log *message* for people, and *event* with *data* for machines."""
    if LOG.isEnabledFor(level):
        LOG.log(level, "%s", message, extra={"event": event, "data": data})


class TextFormatter(logging.Formatter):
    """``12:34:56 message``, and a traceback indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines where there is a traceback."""
        line = f"{self.formatTime(record, self.datefmt)} {harmless(record.getMessage())}"
        traceback = getattr(record, "data", {}).get("traceback") or ""
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
        shown = [f"    {harmless(part)}" for part in traceback.rstrip().splitlines()]
        return "\n".join([line, *shown])


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, event, message, and the event's own data."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "message": record.getMessage(),
            **getattr(record, "data", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up(log_format: LogFormat = "text", *, level: int = logging.INFO, datefmt: str = "%H:%M:%S") -> None:
    """Send our log to standard output, errors to standard error, as RQ does."""
    formatter = JSONFormatter() if log_format == "json" else TextFormatter(datefmt=datefmt)
    below = logging.StreamHandler(sys.stdout)
    below.addFilter(lambda record: record.levelno < logging.ERROR)
    above = logging.StreamHandler(sys.stderr)
    above.setLevel(logging.ERROR)
    root = logging.getLogger("workhorse")
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in (below, above):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(level)
    root.propagate = False


class JobLog:
    """Tells of jobs: each, while they are few; in one line a second, when they are many."""

    def __init__(self, *, describe: bool = True) -> None:
        self._describe = describe
        self._second = 0
        self._told = 0
        self._untold = 0
        self._untold_failed = 0

    def started(self, job: Claimed, *, now: float) -> None:
        """A job begins."""
        if self._may_tell(now, starting=True):
            what = f" {job.description}" if self._describe and job.description else ""
            say("start", f"{job.queue}:{what} ({job.job_id})", queue=job.queue, job_id=job.job_id,
                description=job.description if self._describe else None)  # fmt: skip

    def ended(self, job: Claimed, *, now: float, seconds: float, error: str, to: str) -> None:
        """A job ended and *to* is where it goes; *error* is its traceback, or empty."""
        data = {"queue": job.queue, "job_id": job.job_id, "seconds": round(seconds, 6), "to": to}
        if not error:
            if self._may_tell(now, starting=False):
                say("succeed", f"{job.queue}: Job OK ({job.job_id}) in {seconds:.3g} s", **data)
            return
        last = error.rstrip().rpartition("\n")[2]
        self._untold_failed += not self._may_tell(now, starting=False)
        goes = {"queued": "queued again", "scheduled": "scheduled to run again"}.get(to, to)
        say("fail", f"{job.queue}: Job {goes} ({job.job_id}): {last}", level=logging.WARNING,
            traceback=error, **data)  # fmt: skip

    def sum_up(self, *, now: float | None) -> None:
        """Tell what was not told, if a second has passed; at once where *now* is None."""
        if self._untold and (now is None or int(now) != self._second):
            failed = f", {self._untold_failed} of them not OK" if self._untold_failed else ""
            say("jobs", f"{self._untold} more jobs ended{failed}", jobs=self._untold,
                failed=self._untold_failed)  # fmt: skip
            self._untold = self._untold_failed = 0

    def _may_tell(self, now: float, *, starting: bool) -> bool:
        if LOG.isEnabledFor(logging.DEBUG):
            return True
        if int(now) != self._second:
            self.sum_up(now=now)
            self._second, self._told = int(now), 0
        if self._told >= JOBS_TOLD_A_SECOND:
            self._untold += not starting
            return False
        self._told += not starting
        return True
