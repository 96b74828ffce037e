"""Jobs that wait for others: what is told them when those end. No I/O here; see drivers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from workhorse.core.dependencies import Awaited
from workhorse.core.states import State
from workhorse.store.broken import without_broken
from workhorse.store.calls import Call, Plan, as_it_is, command, page, script
from workhorse.wire.keys import Keys

PAGE: Final = 100
"""Jobs that wait for others, on one page of the walk through them."""
WAITING_ROOMS: Final = ("deferred", "ready")
"""Registries of such jobs; the second holds those that an RQ worker was about to queue."""


class JobId(NamedTuple):
    """One job, named by whatever its key says, wherever and however it is."""

    job_id: bytes
    within: str = ""
    states: tuple[str, ...] = ()


class Child(NamedTuple):
    """One job that waits for others."""

    queue: str
    job_id: bytes


@dataclass(frozen=True, slots=True)
class Reconsidered:
    """What a second look at jobs that wait for others found."""

    looked: int
    """How many were looked at; ask for the others again."""
    changed: list[str]
    """Those that were promoted, canceled or forgotten."""


def promote(keys: Keys) -> Call[int]:
    """Tell children that their parents ended, where they were too many for one call.

    Returns how many were looked at, a few hundred at most: 0 once there is nothing to do.
    """
    return script("promote", keys, {}, parse=lambda reply: int(without_broken(keys, reply)[0]))


def reconsider(keys: Keys, children: Sequence[Child]) -> Call[Reconsidered]:
    """Look again at jobs that wait for others: they may never have been told, or have expired.

    Our scripts tell each child in the step in which its parent ends. RQ's take several steps.
    """

    def parse(reply: list[Any]) -> Reconsidered:
        looked, *changed = without_broken(keys, reply)
        return Reconsidered(looked, [word.decode("utf-8", "backslashreplace") for word in changed])

    return script("reconsider", keys, {}, children, parse=parse)


def is_used(keys: Keys, room: str, queue: str) -> Call[bool]:
    """Return whether jobs of *queue* are in one of the WAITING_ROOMS; it may be misshapen."""
    return command("TYPE", keys.registry(room, queue), parse=lambda kind: kind == b"zset")


def waiting_page(
    keys: Keys, room: str, queue: str, cursor: bytes
) -> Call[tuple[bytes, list[Child]]]:
    """Return the next cursor, b"0" after the last page, and the jobs of one page."""

    def parse(reply: Any) -> tuple[bytes, list[Child]]:
        following, found = page(reply)
        if found and isinstance(found[0], tuple):  # redis-py has read it already
            return following, [Child(queue, job_id) for job_id, _ in found]
        return following, [Child(queue, job_id) for job_id in found[::2]]

    key = keys.registry(room, queue)
    return command("ZSCAN", key, cursor or b"0", "COUNT", PAGE, parse=parse)


def children(keys: Keys, job_id: str) -> Call[list[str]]:
    """Return the ids of the jobs that wait for this one, sorted."""
    return command("SMEMBERS", keys.dependents(job_id), parse=_sorted)


def unmet_parents(keys: Keys, job_id: str) -> Call[list[str]]:
    """Return the ids of those whose end a waiting job was not told yet, sorted."""
    return command("SMEMBERS", keys.dependencies(job_id), parse=_sorted)


def awaited(keys: Keys, job_id: str) -> Plan[list[Awaited]]:
    """Return those that a job waits for, sorted by their ids.

    One without a hash that does not know the job as its child was done long ago.
    """
    found: list[Awaited] = []
    for parent in (yield from unmet_parents(keys, job_id)):
        at_now = yield from state(keys, parent)
        if at_now is not None or (yield from _has_child(keys, parent, job_id)):
            found.append(Awaited(parent, at_now))
    return found


def _has_child(keys: Keys, parent: str, child: str) -> Call[bool]:
    return command("SISMEMBER", keys.dependents(parent), child, parse=bool)


def delete_children(keys: Keys, job_id: str) -> Plan[int]:
    """Delete all that wait for a job, page by page; return how many."""
    deleted = 0
    while some := (yield from _some_children(keys, job_id)):
        yield from script("delete", keys, {}, [JobId(each) for each in some], parse=as_it_is)
        yield from command("SREM", keys.dependents(job_id), *some, parse=int)
        deleted += len(some)
    return deleted


def _some_children(keys: Keys, job_id: str) -> Call[list[bytes]]:
    return command("SRANDMEMBER", keys.dependents(job_id), PAGE, parse=list[bytes])


def state(keys: Keys, job_id: str) -> Call[State | None]:
    """Return a job's state; None for one that is gone, or whose state is none that we know."""

    def parse(reply: bytes | None) -> State | None:
        try:
            return State((reply or b"").decode())
        except ValueError:
            return None

    return command("HGET", keys.job(job_id), "status", parse=parse)


def _sorted(reply: Iterable[bytes]) -> list[str]:
    return sorted(word.decode("utf-8", "backslashreplace") for word in reply)
