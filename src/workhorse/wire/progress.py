"""How what a job tells of itself is written: progress as JSON, a log line as an entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from workhorse.core.progress import LARGEST, LogLine, Number, Progress, Source

LONGEST_PROGRESS: Final = 400
"""Bytes of a progress, without its time: pages read no more than 500 of any field."""

_SOURCES: Final[dict[str, Source]] = {"log": "log", "out": "out", "err": "err", "run": "run"}


def encode_progress(done: Number, total: Number | None, note: str) -> str:
    r"""Return a progress as its field holds it; the server adds the time.

    >>> encode_progress(1, 3, "half\x00way")
    '{"done":1,"total":3,"note":"half\\u0000way"}'
    """
    while True:
        told = {"done": done, "total": total, "note": note}
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode("utf-8", "backslashreplace")) <= LONGEST_PROGRESS:
            return text.encode("utf-8", "backslashreplace").decode()
        note = note[: len(note) * 3 // 4]


def decode_progress(text: bytes | str | None) -> Progress | None:
    """Return the progress in *text*; None where it can't be read: it may hold anything.

    >>> decode_progress(b'{"done":1,"total":3,"note":"x"}')
    Progress(done=1, total=3, note='x', at=None)
    >>> decode_progress(b"[1]")
    """
    try:
        told = cast("dict[str, Any]", json.loads(text or b""))
        done, total = _number(told["done"]), told.get("total")
        note = told.get("note")
        return Progress(
            done,
            None if total is None else _number(total),
            note if isinstance(note, str) else "",
            moment(told.get("at")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _number(value: object) -> Number:
    if not isinstance(value, int | float) or not abs(value) < LARGEST:
        raise TypeError(str(type(value)))
    return value


def decode_line(row: Sequence[bytes]) -> LogLine:
    """Return a line: its id, moment, source, level and text, as they are stored."""
    entry_id, at, source, level, text = (word.decode("utf-8", "backslashreplace") for word in row)
    return LogLine(entry_id, moment(at), _SOURCES.get(source, "log"), level, text)


def moment(seconds: float | str | None) -> datetime | None:
    """Return the moment so many seconds after 1970; None where that is none."""
    try:
        return datetime.fromtimestamp(float(seconds or ""), UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None
