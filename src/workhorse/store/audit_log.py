"""What people did, or tried to do, in a dashboard: the newest ten thousand times."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from workhorse.store.calls import Arguments, Call, script
from workhorse.store.pages import shown
from workhorse.wire.keys import Keys

KEPT: Final = 10_000
"""How many entries there are at most; a server cuts off the older ones a hundred at a time."""
LONGEST: Final = 2000
"""Characters that are kept of a field."""

Outcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did, or tried."""

    who: str
    """The user's name; empty for nobody."""
    role: str
    action: str
    target: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the form said, without its token and without secrets."""
    outcome: Outcome
    told: str = ""
    """What the user was told."""
    address: str = ""
    """Where the request came from."""
    id: str = ""
    """Its place in the log; of what is not there yet, empty."""
    at: datetime | None = None
    """When, by the server's clock."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, the newest first."""

    entries: list[AuditEntry]
    total: int
    before: str
    """The cursor of the page after this one; empty where there is none."""


_FIELDS: Final = ("who", "role", "action", "target", "outcome", "told", "address")
_CURSOR: Final = re.compile(r"\d{1,20}-\d{1,20}")


def note(keys: Keys, entry: AuditEntry, token: str) -> Call[bool]:
    """Write *entry*; False where one with this *token* was written already."""
    target = {name[:_NAME]: text[:LONGEST] for name, text in entry.target.items()}
    told = {
        "who": entry.who,
        "role": entry.role,
        "action": entry.action,
        "target": json.dumps(target, ensure_ascii=False)[:_WHOLE],
        "outcome": entry.outcome,
        "told": entry.told[:LONGEST],
        "address": entry.address,
    }
    fields = [word.encode("utf-8", "backslashreplace") for pair in told.items() for word in pair]
    args: Arguments = {"token": token, "kept": KEPT, "fields": fields}
    return script("note", keys, args, parse=bool)


_NAME: Final = 100
_WHOLE: Final = 4 * LONGEST


def entries(keys: Keys, *, before: str = "", length: int = 50) -> Call[AuditPage]:
    """Return *length* entries: the newest, or those older than the cursor *before*.

    A cursor that is none is passed over.
    """
    args: Arguments = {
        "before": before if _CURSOR.fullmatch(before) else "",
        "length": length,
        "longest": 2 * _WHOLE,
        "names": _FIELDS,
    }

    def parse(reply: list[Any]) -> AuditPage:
        total, *rows = reply
        found = [_entry(row) for row in rows]
        return AuditPage(found, total, found[-1].id if len(found) == length else "")

    return script("entries", keys, args, parse=parse)


def _entry(row: list[bytes]) -> AuditEntry:
    entry_id, *values = (shown(value) for value in row)
    told = dict(zip(_FIELDS, values, strict=True))
    outcome = told["outcome"]
    return AuditEntry(
        who=told["who"],
        role=told["role"],
        action=told["action"],
        target=_target(told["target"]),
        outcome="done" if outcome == "done" else "refused" if outcome == "refused" else "failed",
        told=told["told"],
        address=told["address"],
        id=entry_id,
        at=_moment(entry_id),
    )


def _target(text: str) -> dict[str, str]:
    """Return the fields of a form; what was cut, or is another's, as it is."""
    try:
        found: Any = json.loads(text or "{}")
    except ValueError:
        found = text
    if not isinstance(found, dict):
        return {"": text}
    return {str(name): str(value) for name, value in cast("dict[object, object]", found).items()}


def _moment(entry_id: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
