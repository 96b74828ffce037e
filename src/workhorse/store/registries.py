"""The sorted sets that list the jobs of a queue by their states. Reads change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

from workhorse.core.states import State
from workhorse.store import jobs
from workhorse.store.broken import without_broken
from workhorse.store.calls import Arguments, Call, Plan, command, script
from workhorse.wire.keys import Keys, split_lease

Kind = Literal["lease", "finished", "failed", "deferred", "ready", "scheduled", "canceled"]

PAGE: Final = 1000
"""Entries that one command reads: a fraction of a millisecond of the server's time."""


SWEPT: Final = 1000
"""Entries of a registry that ``sweep`` removes in one call."""


class Listed(NamedTuple):
    """An entry: a job, and for the leases the execution that holds it."""

    job_id: str
    execution_id: str


def count(keys: Keys, kind: Kind, queue: str) -> Call[int]:
    """Return how many entries there are."""
    return command("ZCARD", keys.registry(kind, queue), parse=int)


def members(
    keys: Keys, kind: Kind, queue: str, *, start: int, end: int, desc: bool
) -> Plan[list[bytes]]:
    """Return the entries from *start* to *end*, both included, as ZRANGE counts; in pages."""
    first, last = start, end
    if first < 0 or last < 0:
        size = yield from count(keys, kind, queue)
        first = max(0, first + size) if first < 0 else first
        last = last + size if last < 0 else last
    verb = "ZREVRANGE" if desc else "ZRANGE"
    found: list[bytes] = []
    while first <= last:
        upto = min(last, first + PAGE - 1)
        some = yield from command(verb, keys.registry(kind, queue), first, upto, parse=list[bytes])
        found += some
        if len(some) < PAGE:
            break
        first = upto + 1
    return list(dict.fromkeys(found))


def by_score(
    keys: Keys, kind: Kind, queue: str, *, least: float, most: float, at_most: int | None = None
) -> Plan[list[bytes]]:
    """Return the entries with scores from *least* to *most*, lowest first; in pages."""
    found: list[bytes] = []
    while at_most is None or len(found) < at_most:
        page = PAGE if at_most is None else min(PAGE, at_most - len(found))
        some = yield from command(
            "ZRANGEBYSCORE", keys.registry(kind, queue), least, most, "LIMIT", len(found), page,
            parse=list[bytes],
        )  # fmt: skip
        found += some
        if len(some) < page:
            break
    return list(dict.fromkeys(found))


def score(keys: Keys, kind: Kind, queue: str, job_id: str) -> Call[float | None]:
    """Return the score of a job's entry; None if there is none."""
    return command("ZSCORE", keys.registry(kind, queue), job_id, parse=_float_or_none)


def is_started(keys: Keys, queue: str, job_id: str) -> Plan[bool]:
    """Return whether an execution holds the job: its own, or one of RQ's index."""
    own = yield from command("HGET", keys.job(job_id), "execution_id", parse=_or_nothing)
    indexed = yield from command("ZRANGE", keys.executions(job_id), 0, PAGE - 1, parse=list[bytes])
    for execution in dict.fromkeys((own, *indexed)):
        member = b"%s:%s" % (job_id.encode(), execution) if execution else job_id.encode()
        held = yield from command("ZSCORE", keys.lease(queue), member, parse=_float_or_none)
        if held is not None:
            return True
    return False


def unlist(
    keys: Keys, kind: Kind, queue: str, job_id: str, *, longest: int, token: str = ""
) -> Call[bool]:
    """Take an ended job off its registry; its hash stays until it expires, *longest* at most.

    Sent again with the same *token*, it gets the first answer.
    """
    args: Arguments = {
        "registry": kind,
        "queue": queue,
        "job_id": job_id,
        "longest": longest,
        "token": token,
    }
    return script("unlist", keys, args, parse=bool)


def reschedule(keys: Keys, queue: str, job_id: str, *, due: float) -> Call[State | None]:
    """Change when a scheduled job is due; return its state, None if there is none."""
    args: Arguments = {"queue": queue, "job_id": job_id, "due": due}
    return script("reschedule", keys, args, parse=jobs.state_of)


def sweep(
    keys: Keys, queues: Iterable[str], *, kinds: Sequence[str] = ("finished", "failed")
) -> Call[list[int]]:
    """Remove expired entries of registries of these *kinds*; return how many for each queue.

    At most ``SWEPT`` of each registry go in one call.
    """
    items = [jobs.QueueName(name) for name in queues]
    args: Arguments = {"limit": SWEPT, "kinds": kinds}
    return script("sweep", keys, args, items, parse=lambda reply: without_broken(keys, reply))


def sweep_all(keys: Keys, kind: Kind, queue: str) -> Plan[int]:
    """Remove all that has expired from one registry, in slices; return how many entries."""
    removed, last = 0, SWEPT
    while last >= SWEPT:
        (last,) = yield from sweep(keys, [queue], kinds=(kind,))
        removed += last
    return removed


def listed(entries: Iterable[bytes]) -> list[Listed]:
    """Return leases as jobs and executions."""
    found = (split_lease(entry) for entry in entries)
    return [Listed(jobs.text(job_id), jobs.text(execution)) for job_id, execution in found]


def texts(entries: Iterable[bytes]) -> list[str]:
    """Return entries that are ids."""
    return [jobs.text(entry) for entry in entries]


def _float_or_none(reply: Any) -> float | None:
    return None if reply is None else float(reply)


def _or_nothing(reply: bytes | None) -> bytes:
    return reply or b""
