"""Why jobs failed: those that failed of one cause are listed together. See ``core.failures``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from workhorse.core.settings import CAUSE_KEPT
from workhorse.store.calls import Arguments, Call, Plan, command, script
from workhorse.store.pages import LONGEST, MOST, lenient, shown
from workhorse.wire.codec import float_or_none, int_or_none
from workhorse.wire.keys import Keys

OTHER: Final = "other"
"""The id of what is left over, where there are too many causes to list them all."""
PAGE: Final = 200
"""Jobs that a sweep looks at in one call, of each end of a cause."""

_FIELDS: Final = ("function", "error", "message", "place", "first_at", "last_at", "seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseRow:
    """A cause, and how many jobs failed of it. What can't be read is None or empty."""

    id: str
    function: str
    error: str
    """The exception's class, or what happened instead."""
    message: str
    """The exception's words, of the job that failed last."""
    place: str
    """The file and function that raised it; empty where there is no traceback."""
    queues: list[str]
    """The first twenty of them, sorted."""
    count: int
    """Jobs that failed of it and can be tried again, or expired since the last sweep."""
    seen: int
    """How often it happened in all, since ``first_at``."""
    first_at: float | None
    """In seconds since 1970."""
    last_at: float | None


@dataclass(frozen=True, slots=True)
class CausePage:
    """Some of the causes."""

    rows: list[CauseRow]
    total: int
    """How many causes there are in all, of that queue where one was given."""
    ungrouped: int | None
    """Failed jobs without a known cause: RQ's workers ran them, or a person stopped them. None
    where a queue was given: that is not known."""


def causes(keys: Keys, offset: int = 0, length: int = 25, queue: str = "") -> Call[CausePage]:
    """Return *length* causes after *offset*, those first that jobs failed of last.

    With *queue* only those that jobs of it failed of; their counts are of all queues.
    """
    args: Arguments = {
        "offset": max(0, offset),
        "length": min(length, MOST),
        "queue": queue,
        "longest": LONGEST,
        "fields": _FIELDS,
    }
    return script("causes", keys, args, parse=_page)


def cause(keys: Keys, cause_id: str) -> Plan[CauseRow | None]:
    """Return one cause, though no job of it may be left; None where it is not known (any more)."""
    key = keys.cause(cause_id)
    values: list[Any] = yield from command("HMGET", key, *_FIELDS, parse=list)
    if not any(values):
        return None
    count = yield from command("ZCARD", keys.failed_of(cause_id), parse=int)
    names: list[Any] = yield from command("HKEYS", key, parse=list)
    queues = [name[len(_OF_QUEUE) :] for name in names if name.startswith(_OF_QUEUE)]
    cut = [(value or b"")[:LONGEST] for value in values]
    return _row([cause_id.encode(), count, *cut, queues])


_OF_QUEUE: Final = b"queue:"


def _page(reply: list[Any]) -> CausePage:
    total, ungrouped, *rows = reply
    return CausePage([_row(row) for row in rows], total, None if ungrouped == b"" else ungrouped)


def _row(row: list[Any]) -> CauseRow:
    cause_id, count, function, error, message, place, first_at, last_at, seen, queues = row
    return CauseRow(
        id=shown(cause_id),
        function=shown(function),
        error=shown(error),
        message=shown(message),
        place=shown(place),
        queues=sorted(map(shown, queues)),
        count=count,
        seen=lenient(int_or_none, seen) or count,
        first_at=lenient(float_or_none, first_at),
        last_at=lenient(float_or_none, last_at),
    )


def some_names(keys: Keys, cursor: bytes) -> Call[tuple[bytes, list[str]]]:
    """Return the ids of all causes, a thousand and one at most, as the only page."""
    del cursor
    return command(
        "ZRANGE", keys.causes(), 0, -1, parse=lambda reply: (b"0", [shown(each) for each in reply])
    )


def sweep_page(keys: Keys, cause: str, cursor: bytes) -> Call[tuple[bytes, int]]:
    """Take jobs off a cause that are gone or run again; return the next page, and how many went.

    A cause without jobs is forgotten an hour after the last one failed of it.
    """

    def parse(reply: list[Any]) -> tuple[bytes, int]:
        following, removed = reply
        return following, int(removed)

    args: Arguments = {"id": cause, "cursor": cursor, "count": PAGE, "forget_after": CAUSE_KEPT}
    return script("sweep_cause", keys, args, parse=parse)
