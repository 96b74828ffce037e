"""What is done to all jobs of a place, of a cause, of a search: a slice a call, no job twice.

Each function does one slice and says how far it came; its caller goes on until it is over, and
shows its progress meanwhile::

    part = run(retry_some(keys, where))
    while part.rest:
        part = run(retry_some(keys, part.rest))

What is not as it was meant any more (it was tried again, or has been claimed) is left alone, and
counted. Jobs that come there meanwhile, because they failed again, are left too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import check_queue_name, new_token
from workhorse.core.queries import Query
from workhorse.core.states import ENDED, TRANSITIONS, Event, State
from workhorse.store import jobs, moves, pages, schedule, search
from workhorse.store.calls import Call, Plan, command
from workhorse.store.jobs import MeantJob
from workhorse.store.pages import JobRow, Place
from workhorse.wire.keys import Keys

LIMIT: Final = 100
"""Jobs in a slice: some milliseconds of the server's time."""
_ENDED_PLACES: Final = frozenset(("finished", "failed", "canceled"))
_OF_A_QUEUE: Final = frozenset(
    ("queued", "started", "scheduled", "deferred", "ready", *_ENDED_PLACES)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which jobs: those of a place, or with one of these ids, or those that are like a query."""

    place: Place | None = None
    name: str = ""
    """Of the place: a queue, a limit, a cause's id or a tag."""
    ids: Sequence[str] = ()
    query: Query | None = None
    cursor: str = ""
    """How far it came; empty for the beginning."""


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one slice."""

    done: int
    """Jobs that it was done to."""
    left: int
    """Jobs that were left alone: they are not in a state any more in which it can be done."""
    looked_at: int
    """Jobs that were looked at since the beginning."""
    total: int
    """How many there were then."""
    rest: Where | None
    """Where to go on; None at the end."""


class _Progress(NamedTuple):
    """What a cursor says of all but a query."""

    began: float
    offset: int
    looked_at: int
    total: int


Act = Callable[[Sequence[MeantJob]], Plan[int]]


@dataclass(frozen=True, slots=True)
class _Deed:
    """What is done, to jobs in which states, and where they are no more once it is done."""

    act: Act
    states: frozenset[State]
    leaves: frozenset[str]
    to: str = ""
    """A queue whose jobs are passed over."""
    ended_before: bool = False
    """Only runs that ended before it began: or what fails again is tried again without end."""


def retry_some(keys: Keys, where: Where, limit: int = LIMIT) -> Plan[Part]:
    """Run some ended jobs again, each once, and say what became of them."""
    token = new_token()

    def act(meant: Sequence[MeantJob]) -> Plan[int]:
        found = yield from moves.requeue_many(keys, meant, token=token)
        return _matching(meant, found)

    leaves = _ENDED_PLACES | {"failed_of"}
    return _some(keys, where, limit, _Deed(act, frozenset(ENDED), leaves, ended_before=True))


def delete_some(keys: Keys, where: Where, limit: int = LIMIT) -> Plan[Part]:
    """Remove some jobs, and say what became of them; of a query those that run, too."""

    def act(meant: Sequence[MeantJob]) -> Plan[int]:
        found = yield from moves.delete_many(keys, meant)
        return _matching(meant, found)

    leaves = _OF_A_QUEUE | {"limited", "allowed", "failed_of", "tag"}
    return _some(keys, where, limit, _Deed(act, frozenset(State), leaves))


def cancel_some(keys: Keys, where: Where, limit: int = LIMIT) -> Plan[Part]:
    """Cancel some jobs that have not ended, and say what became of them."""
    token = new_token()

    def cancel(job: MeantJob, state: State) -> Call[State | None]:
        return jobs.cancel(keys, job.job_id, token=token, waiting_in=job.within, waiting_as=state)

    leaves = (_OF_A_QUEUE - _ENDED_PLACES) | {"limited", "allowed"}
    return _some(keys, where, limit, _Deed(_one_by_one(cancel), _states_of(Event.CANCEL), leaves))


def move_some(keys: Keys, where: Where, limit: int = LIMIT, *, to: str) -> Plan[Part]:
    """Give some jobs to another queue, in their order, and say what became of them.

    Those that run stay. Raises InvalidNameError for what is no name of a queue.
    """
    token, queue = new_token(), check_queue_name(to)

    def act(meant: Sequence[MeantJob]) -> Plan[int]:
        found = yield from moves.move_many(keys, meant, queue, token=token)
        return sum(moved.is_moved for moved in found)

    states = _states_of(Event.CANCEL) | frozenset(ENDED)
    deed = _Deed(act, states - {State.STARTED}, _OF_A_QUEUE, to=queue)
    return _some(keys, where, limit, deed)


def hasten_some(keys: Keys, where: Where, limit: int = LIMIT) -> Plan[Part]:
    """Have some jobs run now that wait for their time, or for others; say what became of them."""
    token = new_token()

    def hasten(job: MeantJob, state: State) -> Call[State | None]:
        del state
        return schedule.hasten(keys, job.job_id, token=token)

    states = frozenset({State.SCHEDULED, State.DEFERRED, State.READY_TO_ENQUEUE})
    deed = _Deed(_one_by_one(hasten), states, frozenset(("scheduled", "deferred")))
    return _some(keys, where, limit, deed)


def stop_some(keys: Keys, where: Where, limit: int = LIMIT) -> Plan[Part]:
    """Have some running jobs ended, as ``jobs.stop`` does, and say how many were asked to."""
    token = new_token()

    def stop(job: MeantJob, state: State) -> Call[State | None]:
        del state
        return jobs.stop(keys, job.job_id, token=token)

    deed = _Deed(_one_by_one(stop), frozenset({State.STARTED}), frozenset())
    return _some(keys, where, limit, deed)


def _one_by_one(do: Callable[[MeantJob, State], Call[State | None]]) -> Act:
    """Return what does *do* to each job, and counts those that were still in their state."""

    def act(meant: Sequence[MeantJob]) -> Plan[int]:
        done = 0
        for job in meant:
            (state,) = job.states
            was = yield from do(job, state)
            done += was is state
        return done

    return act


def _states_of(event: Event) -> frozenset[State]:
    return frozenset(state for state, each in TRANSITIONS if each is event and state is not None)


def _matching(meant: Sequence[MeantJob], found: Sequence[State | None]) -> int:
    return sum(state in each.states for each, state in zip(meant, found, strict=True))


def _some(keys: Keys, where: Where, limit: int, deed: _Deed) -> Plan[Part]:
    most = max(1, min(limit, jobs.MANY))
    if where.query is not None:
        return (yield from _of_query(keys, where, where.query, most, deed))
    progress = yield from _progress(where)
    if where.place is None:
        rows = yield from pages.rows(keys, where.ids[progress.offset : progress.offset + most])
        total = len(where.ids)
        looked = min(most, total - progress.offset)
    else:
        page = yield from pages.page(
            keys, where.place, where.name, offset=progress.offset, length=most, backwards=False
        )
        rows, total = page.rows, page.total
        looked = max(0, min(most, total - progress.offset))
    done, _ = yield from _do(rows, deed, progress.began)
    gone = done if where.place in deed.leaves else 0
    following = progress._replace(
        offset=progress.offset + looked - gone,
        looked_at=progress.looked_at + looked,
        total=progress.total or total,
    )
    is_over = not looked or following.offset >= total - gone
    rest = None if is_over else replace(where, cursor=json.dumps(following))
    return Part(done, len(rows) - done, following.looked_at, following.total, rest)


def _of_query(keys: Keys, where: Where, query: Query, most: int, deed: _Deed) -> Plan[Part]:
    spot = search.read_spot(where.cursor)
    sought = yield from search.prepare(keys, query, spot)
    named = yield from search.by_name(keys, sought, where.cursor)
    if named is not None:
        done, tried = yield from _do(named, deed, (yield from _now()))
        return Part(done, tried - done, len(named), len(named), None)
    spot = yield from search.started_at(keys, sought, spot)
    if not spot.place:
        return Part(0, 0, spot.looked_at, spot.total, None)
    rows, following = yield from search.look(keys, sought, spot, most, search.SLICE)
    done, tried = yield from _do(rows, deed, spot.now)
    if following[:2] == spot[:2] and spot.place in deed.leaves:
        following = following._replace(offset=max(0, following.offset - done))
    cursor = search.write_spot(following)
    rest = replace(where, cursor=cursor) if cursor else None
    return Part(done, tried - done, following.looked_at, following.total, rest)


def _do(rows: Sequence[JobRow], deed: _Deed, began: float) -> Plan[tuple[int, int]]:
    """Do it to those that are as they must be; return to how many, and to how many it could be."""
    meant = [
        MeantJob(row.id, row.queue, (State(row.status),))
        for row in rows
        if row.status in deed.states
        and row.queue != deed.to
        and not (deed.ended_before and _is_after(row.ended_at, began))
    ]
    return ((yield from deed.act(meant)) if meant else 0), len(meant)


def _is_after(moment: datetime | None, began: float) -> bool:
    return moment is not None and moment.timestamp() > began


def _progress(where: Where) -> Plan[_Progress]:
    if not where.cursor:
        return _Progress((yield from _now()), 0, 0, 0)
    try:
        began, offset, looked_at, total = json.loads(where.cursor)
        progress = _Progress(float(began), int(offset), int(looked_at), int(total))
        if 0 <= progress.offset < search.LATE:
            return progress
    except (ValueError, TypeError, OverflowError):
        pass
    raise InvalidOptionError(f"not a cursor of a change of many jobs: {where.cursor[:100]!r}")


def _now() -> Call[float]:
    return command("TIME", parse=search.moment_of)
