"""Groups of jobs: RQ's sets of their ids. No I/O here; see drivers."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from workhorse.core.states import State
from workhorse.store import jobs
from workhorse.store.calls import Arguments, Call, Plan, command, page, script
from workhorse.wire.keys import Keys

PAGE: Final = 500
"""Members, or groups, that one command looks at."""


def names(keys: Keys) -> Plan[list[str]]:
    """Return the groups that are listed, sorted."""
    found = yield from _scan(keys.groups())
    return sorted(jobs.text(name) for name in found)


def some_names(keys: Keys, cursor: bytes) -> Call[tuple[bytes, list[str]]]:
    """Return where the next page of groups begins, and the groups of this one."""

    def parse(reply: Any) -> tuple[bytes, list[str]]:
        following, found = page(reply)
        return following, [jobs.text(name) for name in found]

    return command("SSCAN", keys.groups(), cursor, "COUNT", PAGE, parse=parse)


def exists(keys: Keys, group: str) -> Call[bool]:
    """Return whether a group has a member."""
    return command("EXISTS", keys.group(group), parse=bool)


def count(keys: Keys, group: str) -> Call[int]:
    """Return how many members a group has, those whose jobs are gone since the last sweep too."""
    return command("SCARD", keys.group(group), parse=int)


def members(keys: Keys, group: str) -> Plan[list[str]]:
    """Return the ids of all members, in pages; in no order."""
    found = yield from _scan(keys.group(group))
    return [jobs.text(job_id) for job_id in found]


def states(keys: Keys, group: str, job_ids: list[str]) -> list[Call[State | None]]:
    """Return a call for each job that tells its state; None if it is gone, or in another group."""

    def parse(reply: list[bytes | None]) -> State | None:
        state, its_group = reply
        if state is None or its_group is None or jobs.text(its_group) != group:
            return None
        return jobs.state_of(state)

    return [
        command("HMGET", keys.job(job_id), "status", "group_id", parse=parse) for job_id in job_ids
    ]


def count_states(found: list[State | None]) -> dict[State, int]:
    """Return how many jobs are in each state, in the order of a job's life."""
    counted = Counter(state for state in found if state is not None)
    return {state: counted[state] for state in State if counted[state]}


def leave(keys: Keys, group: str, job_id: str) -> Call[bool]:
    """Take a job off a group; True if it was a member."""
    return script("leave_group", keys, {"group": group, "job_id": job_id}, parse=bool)


def sweep_page(keys: Keys, group: str, cursor: bytes) -> Call[tuple[bytes, int]]:
    """Take members whose jobs are gone off a group; return the next page, and how many went."""

    def parse(reply: list[Any]) -> tuple[bytes, int]:
        following, removed = reply
        return following, int(removed)

    args: Arguments = {"group": group, "cursor": cursor, "count": PAGE}
    return script("sweep_group", keys, args, parse=parse)


def sweep(keys: Keys, group: str) -> Plan[int]:
    """Take all members whose jobs are gone off a group; return how many."""
    removed, cursor = 0, b""
    while cursor != b"0":
        cursor, some = yield from sweep_page(keys, group, cursor or b"0")
        removed += some
    return removed


def _scan(key: str) -> Plan[list[bytes]]:
    found: dict[bytes, None] = {}
    cursor = b""
    while cursor != b"0":
        call = command("SSCAN", key, cursor or b"0", "COUNT", PAGE, parse=page)
        cursor, some = yield from call
        found |= dict.fromkeys(some)
    return list(found)
