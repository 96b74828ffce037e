"""What a script could not handle: told in the log where its reply is read, whoever called it.

A script sets an id aside whose data it can't handle, or passes over a whole queue, and says so
in rows of its reply: queue, id ('' for the queue), reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final, cast

from workhorse.wire.keys import Keys

LOG: Final = logging.getLogger("workhorse.store")

_AT_ONCE: Final = 10
"""Rows of one reply that are told one by one."""
_LONGEST: Final = 255
"""Characters shown of an id, which may have been made to fill a log line alone."""
_AGAIN_AFTER: Final = 600.0
"""Seconds after which a queue that still can't be worked is told again."""
_REMEMBERED: Final = 1000
_told: Final[dict[tuple[str, str], float]] = {}


def tell_broken(keys: Keys, rows: Sequence[Sequence[bytes]]) -> None:
    """Log what *rows* say: each id, as far as they are few; a queue once in ten minutes."""
    aside = [[_text(word) for word in row] for row in rows if row[1]]
    for queue, job_id, reason in aside[:_AT_ONCE]:
        _say(f"{queue}: job {job_id[:_LONGEST]!r} can't be handled and is set aside in "
             f"{keys.broken(queue)}: {reason}", queue, job_id, reason)  # fmt: skip
    if len(aside) > _AT_ONCE:
        _say(f"set {len(aside) - _AT_ONCE} more jobs aside", jobs=len(aside) - _AT_ONCE)
    for row in rows:
        queue, job_id, reason = (_text(word) for word in row)
        if not job_id and _is_news(queue, reason):
            _say(f"{queue}: a key of this queue is of another kind than it should be, and keeps "
                 f"its jobs (workhorse doctor --audit shows which): {reason}", queue,
                 reason=reason)  # fmt: skip


def forget_told() -> None:
    """Have every queue told again that can't be worked; for tests."""
    _told.clear()


def without_broken(keys: Keys, reply: Sequence[Any]) -> list[Any]:
    """Return what *reply* says of each item, once the rows of broken ones behind it are told."""
    rows = [cast("Sequence[bytes]", word) for word in reply if _is_row(word)]
    if rows:
        tell_broken(keys, rows)
    return [word for word in reply if not _is_row(word)]


def _is_row(word: Any) -> bool:
    return isinstance(word, list) and len(cast("Sequence[Any]", word)) == _ROW


_ROW: Final = 3


def _is_news(queue: str, reason: str) -> bool:
    now = time.monotonic()
    if now - _told.get((queue, reason), float("-inf")) < _AGAIN_AFTER:
        return False
    if len(_told) >= _REMEMBERED:
        _told.clear()
    _told[queue, reason] = now
    return True


def _say(
    message: str, queue: str = "", job_id: str = "", reason: str = "", **data: object
) -> None:
    told = {"queue": queue, "job_id": job_id, "reason": reason, **data}
    LOG.error("%s", message, extra={"event": "broken", "data": told})


def _text(word: bytes) -> str:
    return word.decode("utf-8", "backslashreplace")
