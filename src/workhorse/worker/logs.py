"""What an operator reads. One event a line, its verb first in the machine's form.

Text from jobs is made harmless here: a description or an error can neither forge a line nor
send control sequences to a terminal.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, cast

from workhorse.core.errors import InvalidOptionError
from workhorse.core.harmless import harmless
from workhorse.wire.claimed import Claimed

LOG: Final = logging.getLogger("workhorse.worker")

_DROPS_TOLD: Final = 10
TEXT: Final = "%(asctime)s %(message)s"
JOBS_TOLD_A_SECOND: Final = 10


def say(event: str, message: str, *, level: int = logging.INFO, **data: Any) -> None:
    """Log *message* for people, and *event* with *data* for machines."""
    if LOG.isEnabledFor(level):
        LOG.log(level, "%s", message, extra={"event": event, "data": data})


def tell_dropped(dropped: Sequence[tuple[str, str, str]]) -> None:
    """Tell of ids that were on a queue and could not be started; of many, how many."""
    for queue, job_id, state in dropped[:_DROPS_TOLD]:
        why = f"it is {state} already" if state else "there is no such job any more"
        say("drop", f"{queue}: dropped {job_id} from the queue: {why}", queue=queue,
            job_id=job_id, state=state)  # fmt: skip
    if (more := len(dropped) - _DROPS_TOLD) > 0:
        say("drop", f"dropped {more} more ids that have no job to run", jobs=more)


def tell_unwritten(queue: str, job_id: str, why: str, reply: str) -> None:
    """Tell that the end of a job was not written."""
    say("refuse", f"{queue}: the end of job {job_id} was not written: {why}",
        level=logging.WARNING, job_id=job_id, reply=str(reply))  # fmt: skip


class TextFormatter(logging.Formatter):
    """A line as *fmt* says, by default ``12:34:56 message``; a traceback indented below it."""

    def __init__(self, fmt: str = TEXT, datefmt: str | None = None) -> None:
        try:
            super().__init__(fmt, datefmt)
        except ValueError as error:
            raise InvalidOptionError(
                f"log format {fmt!r}: {error} (give text, json, or a format as {TEXT!r})"
            ) from None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines where there is a traceback."""
        record.message = harmless(record.getMessage())
        record.asctime = self.formatTime(record, self.datefmt)
        line = self.formatMessage(record)
        traceback = getattr(record, "data", {}).get("traceback") or ""
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
        shown = [f"    {harmless(part)}" for part in traceback.rstrip().splitlines()]
        return "\n".join([line, *shown])


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, event, message, and the event's own data."""

    converter = staticmethod(time.gmtime)

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


def set_up(
    log_format: str = "text", *, level: int = logging.INFO, datefmt: str = "%H:%M:%S"
) -> None:
    """Send our log to standard output, errors to standard error, as RQ does.

    *log_format* is "text", "json" or a format of ``logging``, as RQ's. Raises InvalidOptionError.
    """
    fmt = TEXT if log_format == "text" else log_format
    formatter = JSONFormatter() if log_format == "json" else TextFormatter(fmt, datefmt)
    below = logging.StreamHandler(sys.stdout)
    below.addFilter(lambda record: record.levelno < logging.ERROR)
    above = logging.StreamHandler(sys.stderr)
    above.setLevel(logging.ERROR)
    root = logging.getLogger("workhorse")
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # not a file, or one that is closed
            cast("io.TextIOWrapper", stream).reconfigure(errors="backslashreplace")
    for handler in (below, above):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(level)
    root.propagate = False


class JobLog:
    """Tells of jobs: each, while they are few; in one line a second, when they are many.

    Failures have a share of their own, so that successes don't hide them. Times are of any
    steady clock.
    """

    def __init__(self, *, describe: bool = True, tracebacks: bool = True) -> None:
        self._describe = describe
        self._tracebacks = tracebacks
        self._until = float("-inf")
        self._successes_left = self._failures_left = 0
        self._untold = self._untold_failed = 0

    def started(self, job: Claimed, *, now: float) -> None:
        """Tell that a job begins."""
        if now >= self._until:
            self.sum_up(now=now)
        if self._successes_left > 0:
            what = f" {job.description}" if self._describe and job.description else ""
            say("start", f"{job.queue}:{what} ({job.job_id})", queue=job.queue, job_id=job.job_id,
                description=job.description if self._describe else None)  # fmt: skip

    def ended(self, job: Claimed, *, now: float, seconds: float, error: str, to: str) -> None:
        """Tell that a job ended and goes to *to*; *error* is its traceback, or empty."""
        if now >= self._until:
            self.sum_up(now=now)
        if error:
            self._failed(job, seconds, error, to)
        elif self._successes_left > 0:
            self._successes_left -= 1
            say("succeed", f"{job.queue}: Job OK ({job.job_id}) in {seconds:.3g} s",
                queue=job.queue, job_id=job.job_id, seconds=round(seconds, 6), to=to)  # fmt: skip
        else:
            self._untold += 1

    def replaced(self, job: Claimed, why: str) -> None:
        """Tell that a text stands in for a job's result; as failures, while they are few."""
        self._failures_left -= 1
        if self._failures_left >= 0:
            say("replace", f"{job.queue}: the result of job {job.job_id} is not stored: {why}",
                level=logging.WARNING, queue=job.queue, job_id=job.job_id, why=why)  # fmt: skip

    def _failed(self, job: Claimed, seconds: float, error: str, to: str) -> None:
        self._successes_left -= 1
        self._failures_left -= 1
        if self._failures_left < 0:
            self._untold += 1
            self._untold_failed += 1
            return
        last = error.rstrip().rpartition("\n")[2]
        goes = {"queued": "queued again", "scheduled": "scheduled to run again"}.get(to, to)
        say("fail", f"{job.queue}: Job {goes} ({job.job_id}): {last}", level=logging.WARNING,
            queue=job.queue, job_id=job.job_id, seconds=round(seconds, 6), to=to,
            traceback=error if self._tracebacks else "")  # fmt: skip

    def miscalled(self, job: Claimed, problem: str) -> None:
        """Tell what a callback of a job did wrong; as failures, while they are few."""
        self._failures_left -= 1
        if self._failures_left >= 0:
            brief = problem.rstrip().partition("\n")[0]
            say("callback", f"{job.queue}: after job {job.job_id}, whose end stands: {brief}",
                level=logging.WARNING, queue=job.queue, job_id=job.job_id,
                traceback=problem)  # fmt: skip

    def sum_up(self, *, now: float | None) -> None:
        """Tell what was not told, if a second has passed; at once where *now* is None."""
        if now is not None and now < self._until:
            return
        if self._untold:
            failed = f", {self._untold_failed} of them not OK" if self._untold_failed else ""
            say("jobs", f"{self._untold} more jobs ended{failed}", jobs=self._untold,
                failed=self._untold_failed)  # fmt: skip
            self._untold = self._untold_failed = 0
        if now is not None:
            self._until = now + 1
            share = sys.maxsize if LOG.isEnabledFor(logging.DEBUG) else JOBS_TOLD_A_SECOND
            self._successes_left = self._failures_left = share
