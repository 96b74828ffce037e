"""How jobs that are in no place are found, and put back where their state says.

Our scripts leave none; a server that lost its newest writes does, and so do RQ's processes. A job
may only seem lost, while RQ moves it in several steps: the one rule is that nothing is put back
unless it was seen before, some time ago, and is still the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from workhorse.store.calls import Arguments, Call, Plan, command, page, script
from workhorse.store.drivers import Store
from workhorse.store.findings import Finding, Kind, shown
from workhorse.wire.keys import Keys

PAGE: Final = 200
"""Keys on one page of the walk through all jobs: about a millisecond of the server's time."""
SLICE: Final = 100
"""Jobs that are put back in one call."""
_MENDED: Final = frozenset({Kind.LOST, Kind.MISPLACED})

SEARCHED: Final = 100_000
"""Entries of lists that one call searches, a millisecond; a longer list is searched by itself."""


class JobKey(NamedTuple):
    """One job, named by whatever its key says."""

    job_id: bytes


class Sighting(NamedTuple):
    """A live job that seemed to be in no place, as it was then."""

    job_id: bytes
    status: bytes
    execution_id: bytes
    enqueued_at: bytes
    queue: bytes


@dataclass(frozen=True, slots=True)
class Mislaid:
    """What a look at some jobs saw."""

    looked: int
    """How many of them were looked at; ask for the others again."""
    unlisted: list[tuple[bytes, bytes]]
    """Queues of live jobs that are not in the list of queues, and a job of each."""
    sightings: list[Sighting]


class Reconciled(StrEnum):
    """What became of a job that seemed to be in no place."""

    APPLIED = "applied"
    """It was put back."""
    FOUND = "found"
    """It is in its queue's list, far from the front, and older than those before it."""
    REFUSED = "refused"
    """It is in another place, or has changed since it was seen."""
    LATER = "later"
    """Not looked at: ask again."""


def job_ids(keys: Keys, cursor: bytes) -> Call[tuple[bytes, list[bytes]]]:
    """Return the next cursor, b"0" after the last page, and the jobs of one page."""
    start = len(keys.job("").encode())

    def parse(reply: Any) -> tuple[bytes, list[bytes]]:
        following, found = page(reply)
        return following, [key[start:] for key in found]

    pattern = keys.pattern("job")
    words = ("SCAN", cursor, "MATCH", pattern, "COUNT", PAGE, "TYPE", "hash")
    return command(*words, parse=parse)


def mislaid(keys: Keys, ids: Iterable[bytes]) -> Call[Mislaid]:
    """Return which live jobs seem to be in no place. O(1) for each, however long a queue is."""

    def parse(reply: list[Any]) -> Mislaid:
        looked, unlisted, rows = reply
        queues = [(queue, job_id) for queue, job_id in unlisted]
        return Mislaid(looked, queues, [Sighting(*row) for row in rows])

    return script("mislaid", keys, {}, [JobKey(job_id) for job_id in ids], parse=parse)


def reconcile(keys: Keys, sightings: Sequence[Sighting]) -> Call[list[Reconciled]]:
    """Put jobs back that are still as they were seen, and in no place; each by itself.

    Queued ones to the front of their queue, the last of *sightings* before the others;
    scheduled ones as due; started ones with a lapsed lease, for ``recover`` to judge.
    """

    def parse(reply: list[bytes]) -> list[Reconciled]:
        return [Reconciled(word.decode()) for word in reply]

    args: Arguments = {"most": SEARCHED}
    return script("reconcile", keys, args, sightings, parse=parse)


def sight(keys: Keys, job_id: bytes) -> Call[Sighting]:
    """Return what is to be seen of a job now, wherever it is."""

    def parse(reply: list[bytes | None]) -> Sighting:
        status, execution_id, enqueued_at, queue = (word or b"" for word in reply)
        return Sighting(job_id, status, execution_id, enqueued_at, queue)

    key = keys.job("").encode() + job_id
    return command("HMGET", key, "status", "execution_id", "enqueued_at", "origin", parse=parse)


def list_queues(keys: Keys, queues: Iterable[bytes]) -> Call[int]:
    """Put *queues* into the list of queues; return how many were not in it."""
    start = keys.queue("").encode()
    return command("SADD", keys.queues(), *(start + queue for queue in queues), parse=int)


def mend(
    store: Store, keys: Keys, findings: Iterable[Finding], *, pause: Callable[[], None]
) -> list[Finding]:
    """Mend what can be mended of what an audit found, and return that, in the same order.

    Lost and misplaced jobs are put back, if they are the same after the *pause*; queues of jobs
    are listed. Raises what the client raises; what was mended by then stays so.
    """
    found = list(findings)
    lost = [one for one in found if one.kind in _MENDED]
    calls = [sight(keys, one.id.encode()) for one in lost]
    sightings = [seen for some in _slices(calls) for seen in store.run_many(some)]
    if lost:
        pause()
    # The newest first: what follows goes to the front of its queue, before it.
    order = sorted(sightings, key=lambda seen: seen.enqueued_at, reverse=True)
    applied = store.run(_put_back(keys, order))
    mended = {shown(seen.job_id) for seen in applied}
    unlisted = {one.key: name for one in found if (name := _queue_to_list(keys, one))}
    queues = {*unlisted.values(), *(seen.queue for seen in applied)}
    if queues:
        store.run(list_queues(keys, queues))
    return [one for one in found if one.key in unlisted or (one in lost and one.id in mended)]


def _put_back(keys: Keys, sightings: Sequence[Sighting]) -> Plan[list[Sighting]]:
    """Return those that were put back, however long the lists are that must be searched."""
    waiting, applied = list(sightings), list[Sighting]()
    while waiting:
        some = waiting[:SLICE]
        replies = yield from reconcile(keys, some)
        pairs = list(zip(some, replies, strict=True))
        applied += [seen for seen, reply in pairs if reply is Reconciled.APPLIED]
        later = [seen for seen, reply in pairs if reply is Reconciled.LATER]
        waiting = later + waiting[SLICE:]
    return applied


def _queue_to_list(keys: Keys, finding: Finding) -> bytes | None:
    name = keys.read(finding.key) if finding.kind is Kind.UNLISTED else None
    return name.parts["queue"].encode() if name else None


def _slices(calls: Sequence[Call[Sighting]]) -> list[Sequence[Call[Sighting]]]:
    return [calls[first : first + SLICE] for first in range(0, len(calls), SLICE)]


def told(seen: Sighting) -> str:
    """Return a line for people about a job that was put back."""
    what = f"{shown(seen.queue)}: {shown(seen.status)} job ({shown(seen.job_id)})"
    return f"{what} was in no place: put back"


def told_listed(queue: bytes) -> str:
    """Return a line for people about a queue that was listed again."""
    return f"{shown(queue)}: has jobs and was not in the list of queues: listed again"


def take_turn(keys: Keys, work: str, *, holder: str, seconds: int) -> Call[bool]:
    """Return whether *work* is *holder*'s to do, for *seconds* more. It protects nothing."""
    args: Arguments = {"work": work, "holder": holder, "seconds": seconds}
    return script("turn", keys, args, parse=bool)
