"""Jobs that are like a query, found a bounded number at a time: no registry is ever loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from workhorse.core.errors import InvalidOptionError
from workhorse.core.queries import Moment, Query
from workhorse.core.states import State
from workhorse.store import failures, limits, overview, pages, views
from workhorse.store.calls import Arguments, Call, Plan, command, script
from workhorse.store.pages import JobRow, Place, shown
from workhorse.wire.glance import UNKNOWN
from workhorse.wire.keys import Keys

PAGE: Final = 50
"""Jobs that one call returns."""
MOST_LOOKED_AT: Final = 5000
"""Jobs that one call looks at: some tens of milliseconds of the server's time, in slices."""
_FIRST_SLICE: Final = 100
SLICE: Final = 1000
"""Jobs that a step looks at."""
_QUEUES_AT_ONCE: Final = 200
_MOST_LIMITS: Final = 1000
LATE: Final = 1e11
"""More than any offset, or any second of our time, is."""

_PLACES: Final[dict[State, Place]] = {
    State.STARTED: "started",
    State.FAILED: "failed",
    State.QUEUED: "queued",
    State.SCHEDULED: "scheduled",
    State.RATE_LIMITED: "limited",
    State.DEFERRED: "deferred",
    State.READY_TO_ENQUEUE: "ready",
    State.STOPPED: "failed",
    State.CANCELED: "canceled",
    State.FINISHED: "finished",
}
"""Where jobs in each state are, in the order in which people look for them."""
_KINDS: Final[tuple[Place, ...]] = (*dict.fromkeys(_PLACES.values()), "failed_of", "tag")


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the jobs that are like a query."""

    rows: list[JobRow]
    cursor: str
    """Where to go on; empty at the end."""
    looked_at: int
    """How many jobs were looked at since the beginning."""
    total: int
    """How many there were to look at then."""


class Room(NamedTuple):
    """A place of a name, and how many jobs are in it."""

    place: Place
    name: str
    size: int

    @property
    def order(self) -> tuple[int, str]:
        """What rooms are sorted by."""
        return _KINDS.index(self.place), self.name


class Spot(NamedTuple):
    """How far a search has come."""

    place: str = ""
    name: str = ""
    offset: int = 0
    looked_at: int = 0
    total: int = 0
    now: float = 0.0
    """When it began, by the server's clock."""


@dataclass(frozen=True, slots=True)
class Search:
    """A query, and where jobs that are like it may be."""

    query: Query
    rooms: Sequence[Room] = ()
    causes: frozenset[str] | None = None
    """What a failed job's cause must be one of; None for whatever it is."""
    after: datetime | None = None
    before: datetime | None = None

    def means(self, row: JobRow) -> bool:
        """Return whether a job is like the query."""
        query, made = self.query, row.created_at
        name = "" if row.function == UNKNOWN else row.function.lower()
        if not row.status or (made is None and (self.after or self.before)):
            return False
        return (
            (not query.status or row.status in query.status)
            and (not query.queue or row.queue in query.queue)
            and (not query.tag or any(tag in query.tag for tag in row.tags))
            and (not query.id or row.id in query.id)
            and (not query.func or any(part.lower() in name for part in query.func))
            and (not query.word or any(w == row.id or w.lower() in name for w in query.word))
            and (self.causes is None or (row.cause in self.causes and row.status == "failed"))
            and (self.after is None or made is None or made >= self.after)
            and (self.before is None or made is None or made <= self.before)
        )

    def first_shows(self, row: JobRow, room: Room) -> bool:
        """Return whether *room* is the first in which the search comes upon a job."""
        shared = [tag for tag in sorted(self.query.tag) if tag in row.tags]
        return room.place != "tag" or shared[:1] == [room.name]


def search(keys: Keys, query: Query, cursor: str = "", *, length: int = PAGE) -> Plan[Found]:
    """Return some of the jobs that are like *query*, *length* at most, and where to go on.

    Where there is an index (an id, a tag, the cause of a failure) only what is in it is looked
    at, else the places of the queues and states that are asked for, the newest jobs of each
    first. Each call looks at ``MOST_LOOKED_AT`` at most, and may find none of them: go on until
    the cursor is empty. What moves meanwhile may be found twice, or missed.
    """
    spot = read_spot(cursor)
    sought = yield from prepare(keys, query, spot)
    meant = yield from by_name(keys, sought, cursor)
    if meant is not None:
        return Found(meant, "", len(meant), len(meant))
    spot = yield from started_at(keys, sought, spot)
    rows: list[JobRow] = []
    until = spot.looked_at + MOST_LOOKED_AT
    while spot.place and spot.looked_at < until and len(rows) < length:
        most = _FIRST_SLICE if not rows and spot.looked_at + MOST_LOOKED_AT == until else SLICE
        most = min(most, until - spot.looked_at)
        some, spot = yield from look(keys, sought, spot, length - len(rows), most)
        rows += some
    return Found(rows, write_spot(spot), spot.looked_at, spot.total)


def by_name(keys: Keys, sought: Search, cursor: str) -> Plan[list[JobRow] | None]:
    """Return what is found by its id; None where that is not asked for, and more is to be done."""
    query = sought.query
    if cursor or not (query.id or query.word):
        return None
    named = yield from pages.rows(keys, query.id or query.word)
    meant = [row for row in named if sought.means(row)]
    return meant if query.id or meant else None


def read_spot(cursor: str) -> Spot:
    """Return what ``write_spot`` made a text of. Raises InvalidOptionError."""
    if not cursor:
        return Spot()
    try:
        place, name, offset, looked_at, total, now = json.loads(cursor)
        spot = Spot(str(place), str(name), int(offset), int(looked_at), int(total), float(now))
        if spot.place in _KINDS and 0 <= spot.offset < LATE and 0 <= spot.now < LATE:
            return spot
    except (ValueError, TypeError, OverflowError):
        pass
    raise InvalidOptionError(f"not a cursor of a search: {cursor[:100]!r}; begin it anew")


def write_spot(spot: Spot) -> str:
    """Return a spot as text; empty for the end."""
    return json.dumps(spot) if spot.place else ""


def prepare(keys: Keys, query: Query, spot: Spot) -> Plan[Search]:
    """Return *query* with all that a search needs to know of the server."""
    now = spot.now or (yield from command("TIME", parse=moment_of))
    after, before = _absolute(query.after, now), _absolute(query.before, now)
    causes = yield from _causes_like(keys, query)
    known = None if causes is None else frozenset(causes)
    bare = Search(query, (), known, after, before)
    if query.id:
        return bare
    if causes is not None:
        rooms = [Room("failed_of", cause, size) for cause, size in sorted(causes.items())]
    elif query.tag:
        rooms = [Room("tag", tag, 0) for tag in sorted(set(query.tag))]
    else:
        rooms = sorted((yield from _rooms(keys, query)), key=lambda room: room.order)
    return replace(bare, rooms=rooms)


def started_at(keys: Keys, sought: Search, spot: Spot) -> Plan[Spot]:
    """Return where a search begins, or goes on: at the next place, where one is gone."""
    if not spot.place:
        unknown = [room for room in sought.rooms if not room.size]
        sizes = [room.size for room in sought.rooms] + (yield from _sizes(keys, unknown))
        now = yield from command("TIME", parse=moment_of)
        return _room_at(sought, Spot(total=sum(sizes), now=now), 0)
    here = (_KINDS.index(spot.place), spot.name)
    for number, room in enumerate(sought.rooms):
        if room.order == here:
            return spot
        if room.order > here:
            return _room_at(sought, spot, number)
    return _room_at(sought, spot, len(sought.rooms))


def _room_at(sought: Search, spot: Spot, number: int) -> Spot:
    if number >= len(sought.rooms):
        return spot._replace(place="", name="", offset=0)
    room = sought.rooms[number]
    return spot._replace(place=room.place, name=room.name, offset=0)


def look(
    keys: Keys, sought: Search, spot: Spot, length: int, most: int
) -> Plan[tuple[list[JobRow], Spot]]:
    """Look at *most* more jobs of one place; return those that are meant, and where to go on."""
    number = next(n for n, room in enumerate(sought.rooms) if room[:2] == spot[:2])
    room = sought.rooms[number]
    (looked, candidates), size = yield from _candidates(keys, sought, room, spot.offset, most)
    rows: list[JobRow] = []
    at = 0
    while at < len(candidates) and len(rows) < length:
        some = candidates[at : at + min(length - len(rows), pages.MOST)]
        at += len(some)
        told = yield from pages.rows(keys, [job_id for _, job_id in some])
        rows += [row for row in told if sought.means(row) and sought.first_shows(row, room)]
    if at < len(candidates):
        looked = candidates[at - 1][0]
    spot = spot._replace(offset=spot.offset + looked, looked_at=spot.looked_at + looked)
    if not looked or spot.offset >= size:
        spot = _room_at(sought, spot, number + 1)
    return rows, spot


def _candidates(
    keys: Keys, sought: Search, room: Room, offset: int, most: int
) -> Call[tuple[tuple[int, list[tuple[int, str]]], int]]:
    """Return how many were looked at, who of them may be meant; and the place's size."""
    query = sought.query
    args: Arguments = {
        "place": pages.KEYS.get(room.place, room.place),
        "name": room.name,
        "offset": offset,
        "length": most,
        "after": _to_the_second(sought.after),
        "before": _to_the_second(sought.before),
        "state_of": [state.value for state in query.status],
        "queue_of": query.queue,
        "func": [part.lower() for part in query.func],
        "word": [word.lower() for word in query.word],
    }

    def parse(reply: list[Any]) -> tuple[tuple[int, list[tuple[int, str]]], int]:
        size, looked, *found = reply
        return (looked, [(number, shown(job_id)) for number, job_id in found]), size

    return script("search", keys, args, parse=parse)


def _sizes(keys: Keys, rooms: Sequence[Room]) -> Plan[list[int]]:
    found: list[int] = []
    for room in rooms:
        looked = yield from _candidates(keys, Search(Query()), room, 0, 1)
        found.append(looked[1])
    return found


def _rooms(keys: Keys, query: Query) -> Plan[list[Room]]:
    """Return the places that are not empty of the queues and states that are asked for."""
    kinds = {_PLACES[state] for state in query.status or _PLACES if state in _PLACES}
    names = sorted(set(query.queue)) or (yield from views.queue_names(keys))
    found: list[Room] = []
    for at in range(0, len(names), _QUEUES_AT_ONCE):
        some = names[at : at + _QUEUES_AT_ONCE]
        for row in (yield from overview.queues(keys, some)):
            sizes: dict[Place, int | None] = {
                "started": row.started, "failed": row.failed, "queued": row.queued,
                "scheduled": row.scheduled, "deferred": row.deferred,
                "canceled": row.canceled, "finished": row.finished,
            }  # fmt: skip
            found += [Room(k, row.name, size) for k, size in sizes.items() if size and k in kinds]
    if State.READY_TO_ENQUEUE in query.status:  # RQ's alone, and few
        found += [Room("ready", name, 0) for name in names]
    if "limited" in kinds:
        found += yield from _limited(keys)
    return found


def _limited(keys: Keys) -> Plan[list[Room]]:
    """Return the rate limits that jobs wait for; of very many only some."""
    found: list[Room] = []
    cursor, seen = b"", 0
    while cursor != b"0" and seen < _MOST_LIMITS:
        cursor, names = yield from limits.some_names(keys, cursor or b"0")
        seen += len(names)
        found += [Room("limited", shown(name), 0) for name in names]
    sizes = yield from _sizes(keys, found)
    return [room._replace(size=size) for room, size in zip(found, sizes, strict=True) if size]


def _causes_like(keys: Keys, query: Query) -> Plan[dict[str, int] | None]:
    """Return the causes that *query* means, and how many jobs failed of each; 0 if not known.

    None where it says nothing of them.
    """
    if not query.error:
        return dict.fromkeys(query.cause, 0) if query.cause else None
    found: dict[str, int] = {}
    offset, total = 0, 1
    while offset < total:
        some = yield from failures.causes(keys, offset, pages.MOST)
        found |= {
            row.id: row.count
            for row in some.rows
            if any(text.lower() in f"{row.error}: {row.message}".lower() for text in query.error)
            and (not query.cause or row.id in query.cause)
        }
        offset, total = offset + pages.MOST, some.total
    return found


def _absolute(moment: Moment | None, now: float) -> datetime | None:
    if not isinstance(moment, timedelta):
        return moment
    try:
        return datetime.fromtimestamp(now, UTC) - moment
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _to_the_second(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat()[:19] if moment else ""


def moment_of(reply: list[bytes]) -> float:
    """Return the server's time, in seconds since 1970, of its answer to TIME."""
    seconds, micros = reply
    return int(seconds) + int(micros) / 1_000_000
