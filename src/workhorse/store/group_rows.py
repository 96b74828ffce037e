"""Groups as people look at them: how many of their jobs are in which state. Reads only.

What is counted of a large group is bounded, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from workhorse.store.calls import Arguments, Call, Plan, script
from workhorse.store.pages import shown
from workhorse.wire.keys import Keys

SLICE: Final = 500
"""Members, about, that one call counts of each group."""
MOST: Final = 5000
"""Members, about, that are counted of one group."""


class _Place(NamedTuple):
    group: str
    cursor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A group, and what was counted of it."""

    name: str
    total: int
    """Its members, those whose jobs are gone since the last sweep too."""
    counted: int
    """How many of them were looked at."""
    states: Mapping[str, int]
    """How many of those are in which state; '' for jobs that are gone."""
    cursor: bytes
    """Where to go on; b"0" where all were looked at."""
    ids: Sequence[str]
    """Those that were looked at last."""


def group_rows(keys: Keys, groups: Sequence[str]) -> Call[list[GroupRow]]:
    """Return a row for each group, of which ``SLICE`` members were counted."""
    return _slices(keys, [_Place(name, b"0") for name in groups])


def group_row(keys: Keys, group: str) -> Plan[GroupRow]:
    """Return a row for one group, of which ``MOST`` members were counted."""
    states: Counter[str] = Counter()
    counted, cursor = 0, b"0"
    while True:
        (row,) = yield from _slices(keys, [_Place(group, cursor)])
        states.update(row.states)
        counted, cursor = counted + row.counted, row.cursor
        if cursor == b"0" or counted >= MOST:
            break
    return GroupRow(
        name=group, total=row.total, counted=counted, states=states, cursor=cursor, ids=row.ids
    )


def some_members(keys: Keys, group: str, cursor: bytes) -> Call[GroupRow]:
    """Return some members of a group from *cursor* on; b"0" for the first."""
    call = _slices(keys, [_Place(group, cursor)], count=50)
    return Call(call.words, lambda reply: call.parse(reply)[0], call.source)


def _slices(keys: Keys, places: Sequence[_Place], count: int = SLICE) -> Call[list[GroupRow]]:
    def parse(reply: list[Any]) -> list[GroupRow]:
        return [_row(place.group, row) for place, row in zip(places, reply, strict=True)]

    args: Arguments = {"count": count}
    return script("group_states", keys, args, places, parse=parse)


def _row(name: str, row: list[Any]) -> GroupRow:
    cursor, total, ids, *told = row
    states = {shown(state): int(many) for state, many in zip(told[::2], told[1::2], strict=True)}
    return GroupRow(
        name=name,
        total=int(total),
        counted=len(ids),
        states=states,
        cursor=cursor,
        ids=[shown(job_id) for job_id in ids],
    )
