"""What running jobs tell of themselves: written by their runs, read by whoever looks.

Writing is fenced by the run, bounded, and applies once; reading changes nothing, and costs what
is read. No I/O here; see drivers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from workhorse.core.progress import LogLine, Progress
from workhorse.core.settings import LOG_BYTES, LOG_LINES, LOG_TTL
from workhorse.core.states import State
from workhorse.store.calls import Arguments, Call, script
from workhorse.wire.keys import Keys
from workhorse.wire.progress import decode_line, decode_progress

MANY: Final = 200
"""Lines in one call: a millisecond of the server's time."""


class NewLine(NamedTuple):
    """One line for ``report``."""

    age: float
    """Seconds since it was written."""
    source: str
    level: str
    text: bytes | str


def report(  # noqa: PLR0913 - one for each input of the script
    keys: Keys,
    job_id: str,
    execution_id: str,
    *,
    writer: str,
    number: int,
    progress: str = "",
    lines: Sequence[NewLine] = (),
) -> Call[bool]:
    """Note what a run tells: its *progress*, as ``encode_progress`` wrote it, and *lines*.

    False if the job is not this execution's any more: it is gone, has ended, or runs elsewhere.
    Reports of a *writer* have growing numbers; one that is sent again applies once. Keep it to
    ``MANY`` lines. Of a job's lines the last ``LOG_LINES`` are kept, each cut to ``LOG_BYTES``.
    """
    args: Arguments = {
        "job_id": job_id,
        "execution_id": execution_id,
        "writer": writer,
        "number": number,
        "progress": progress,
        "kept": LOG_LINES,
        "ttl": LOG_TTL,
    }
    items = [line._replace(text=_cut(line.text)) for line in lines]
    return script("report", keys, args, items, parse=bool)


def _cut(text: str | bytes) -> bytes:
    """Return the beginning of *text* that is kept, no character of it in part."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    return raw if len(raw) <= LOG_BYTES else raw[:LOG_BYTES].decode("utf-8", "ignore").encode()


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a job's log, the oldest first."""

    lines: list[LogLine]
    total: int
    """How many are kept in all."""
    problem: str = ""
    """Why they can't be read: the key is of another kind."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands, as one who follows it is told."""

    state: State | None
    """None where there is no such job, or its state can't be read."""
    progress: Progress | None
    log: LogPage


def log_page(
    keys: Keys, job_id: str, after: str = "", *, count: int = MANY, backwards: bool = False
) -> Call[LogPage]:
    """Return *count* lines of a job's log after the line with the id *after*.

    With *backwards* the last ones. Each is cut to ``LOG_BYTES`` on the server.
    """
    return _follow(keys, job_id, after, count, parse=_page, backwards=backwards)


def follow(
    keys: Keys, job_id: str, after: str = "", *, count: int = MANY, backwards: bool = False
) -> Call[Standing]:
    """Return how a job stands, and *count* lines of its log, as ``log_page`` does."""
    return _follow(keys, job_id, after, count, parse=_standing, backwards=backwards)


def _follow(
    keys: Keys, job_id: str, after: str, count: int, *, parse: Any, backwards: bool
) -> Call[Any]:
    args: Arguments = {
        "job_id": job_id,
        "after_id": after,
        "count": max(1, min(count, LOG_LINES)),
        "backwards": int(backwards),
        "longest": LOG_BYTES,
    }
    return script("follow", keys, args, parse=parse)


def _standing(reply: list[Any]) -> Standing:
    status, progress = reply[:2]
    try:
        state = State(status.decode()) if status else None
    except ValueError:
        state = None
    return Standing(state, decode_progress(progress), _page(reply))


def _page(reply: list[Any]) -> LogPage:
    total, *rows = reply[2:]
    if isinstance(total, bytes):
        return LogPage([], 0, total.decode("utf-8", "backslashreplace"))
    return LogPage([decode_line(row) for row in rows], total)
