"""What can be done to jobs, as calls. No I/O here; see drivers.

Each function is one script of the same name, and each may be sent again after a lost reply.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

from workhorse.core.failures import cause_of
from workhorse.core.limits import limit_name
from workhorse.core.settings import CLAIM_BYTES, FAILURE_TTL
from workhorse.core.states import ENDED, Event, State
from workhorse.core.verdicts import OnLost, Verdict
from workhorse.store.broken import tell_broken, without_broken
from workhorse.store.calls import Arguments, Call, Plan, script
from workhorse.store.dependents import promote
from workhorse.wire.claimed import (
    EXTRA_FIELDS,
    FIELDS_TO_RUN,
    Claimed,
    decode_claimed,
    verdict_entry,
    verdict_fields,
)
from workhorse.wire.codec import Value, date_from_text
from workhorse.wire.glance import function_of
from workhorse.wire.keys import Keys
from workhorse.wire.records import JobRecord, encode, tags_to_json

MANY: Final = 200
"""Jobs in one script call of ``enqueue_many``: a few milliseconds of the server's time."""

CYCLE: Final = "cycle"
"""Why a job is refused that is to wait for others which wait for it."""

SLICE: Final = 100
"""Jobs that a duty moves in one call."""


class Enqueued(NamedTuple):
    """What became of jobs that were enqueued."""

    at: datetime | None
    """The server's time."""
    states: list[State]
    """For each job where it waits, or the state of another job with its id."""
    refused: list[str]
    """For each job '' if it is stored, else why not: another job's state, or "cycle"."""


class NewJob(NamedTuple):
    """One job for ``enqueue``."""

    job_id: str
    token: str
    queue: str
    at_front: int
    ttl: int
    asks: str
    """What there is to it besides a queue, in JSON; empty for nothing."""
    fields: list[Value]


class Execution(NamedTuple):
    """One execution that holds, or held, a job."""

    job_id: str
    execution_id: str
    queue: str


class QueueName(NamedTuple):
    """One queue."""

    queue: str


class JobId(NamedTuple):
    """One job."""

    job_id: str


class MeantJob(NamedTuple):
    """One job, if it is in the queue *within* and one of *states*; whatever it is, by default."""

    job_id: str
    within: str = ""
    states: Sequence[State] = ()


def enqueue(
    keys: Keys, records: Sequence[JobRecord], *, at_front: Container[str] = ()
) -> Call[Enqueued]:
    """Store new jobs and queue them, in their order; each once, however often this is sent.

    Jobs whose id is in *at_front* go before those that wait. Atomic for all *records*
    together; keep it to ``MANY``.
    """
    items = [
        NewJob(
            record.id,
            record.token,
            record.origin,
            int(record.id in at_front),
            record.ttl or 0,
            _asks(record),
            encode(record),
        )
        for record in records
    ]
    return script(
        "enqueue", keys, {}, items, parse=lambda reply: read_enqueued(without_broken(keys, reply))
    )


def _asks(record: JobRecord) -> str:
    if not record.unique and not record.waits_first:
        return ""
    told = {
        "unique": record.unique,
        "parents": record.parents.ids,
        "group": record.group_id,
        "tags": tags_to_json(record.tags),
        "due_in": record.due_in,
        "limit": limit_name(record.rate_limit_key or ""),
    }
    return json.dumps({name: value for name, value in told.items() if value} or {"waits": True})


def read_enqueued(reply: list[bytes]) -> Enqueued:
    """Return what a script that enqueues answered."""
    stamp, *words = reply
    states: list[State] = []
    refused: list[str] = []
    for word in words:
        if word in (b"", b"again"):
            states.append(State.QUEUED)
            refused.append("")
        elif word.startswith(b"="):
            states.append(State(word[1:].decode()))
            refused.append("")
        else:
            states.append(State.CREATED)
            refused.append(word.decode())
    return Enqueued(date_from_text(stamp), states, refused)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim took."""

    jobs: list[Claimed]
    dropped: list[tuple[str, str, str]]
    """Ids that were on a queue and could not be started: queue, id, and the job's state, or
    '' where there is no such job (deleted, or past its ttl)."""
    suspended: bool
    set_aside: int = 0
    """How many ids were taken off a queue and could not be handled."""


def claim(  # noqa: PLR0913 - one for each input of the script
    keys: Keys,
    queues: Sequence[str],
    *,
    worker: str,
    token: str,
    count: int,
    lease: float,
    whole_run: bool = False,
    on_lost: OnLost | None = None,
    max_starts: int | None = None,
) -> Call[Claim]:
    """Take up to *count* jobs from *queues* in their order, leased to *worker*.

    Sent again with the same *token* it returns the same jobs, as far as they are still held.
    With *whole_run* a lease lasts at least for its job's time limit, for a worker that can't
    extend it while the job runs. *on_lost* and *max_starts* are kept with jobs that have none.
    """
    args: Arguments = {
        "worker": worker,
        "token": token,
        "count": count,
        "lease": lease,
        "whole_run": int(whole_run),
        "most_bytes": CLAIM_BYTES,
        "on_lost": on_lost or "",
        "max_starts": max_starts or "",
        "fields": FIELDS_TO_RUN,
        "extras": EXTRA_FIELDS,
    }
    items = [QueueName(name) for name in queues]
    return script("claim", keys, args, items, parse=lambda reply: _claim(keys, reply))


def claimed_before(keys: Keys, *, worker: str, token: str) -> Call[Claim]:
    """Return what *worker*'s claim with *token* took and still holds; takes nothing."""
    return claim(keys, (), worker=worker, token=token, count=0, lease=0)


def _claim(keys: Keys, reply: list[Any]) -> Claim:
    rows, dropped, suspended, *broken = reply
    for each in broken:  # none, where an earlier claim is told again
        tell_broken(keys, each)
    taken: list[Claimed] = []
    for row in rows:
        try:
            taken.append(decode_claimed(row))
        except UnicodeDecodeError:  # its lease lapses, and `recover` sets it aside
            dropped.append((*row[:2], State.STARTED.encode()))
    return Claim(
        jobs=taken,
        dropped=[(text(queue), text(job_id), text(state)) for queue, job_id, state in dropped],
        suspended=bool(suspended),
        set_aside=sum(1 for rows in broken for _, job_id, _ in rows if job_id),
    )


class Settled(StrEnum):
    """What became of a verdict."""

    APPLIED = "applied"
    ALREADY = "already"
    """An earlier sending of the same verdict was applied."""
    REFUSED = "refused"
    """The lease is another's, or nobody's: the job was recovered or canceled meanwhile."""
    GONE = "gone"
    """The job was deleted meanwhile; nothing was written."""
    BROKEN = "broken"
    """Keys of the job, or of its queue, are of another kind than they should be: it was not
    applied, or not in full. The job was set aside, which is told already."""


class Settlement(NamedTuple):
    """One verdict for ``settle``: what follows from how an execution ended."""

    job_id: str
    execution_id: str
    queue: str
    event: str
    to: str
    started_at: float
    """By the sender's monotonic clock, as ``ended_at`` and ``settle``'s *sent_at*."""
    ended_at: float
    ttl: int
    due_in: float
    at_front: int
    follow: str
    function_name: str
    failure: str
    """Why it failed, as JSON, where it did for good."""
    fields: list[Value]
    entry: list[Value]


def settlement(
    job: Claimed,
    verdict: Verdict,
    *,
    result_ttl: int,
    started_at: float = 0,
    ended_at: float = 0,
    called: bool = False,
) -> Settlement:
    """Return *verdict* on *job*, whose callback was *called* or is left to another job.

    *result_ttl* is the default, in seconds.
    """
    ttl = result_ttl if job.result_ttl is None else job.result_ttl
    if verdict.to is not State.FINISHED and verdict.event is not Event.REPEAT:
        ttl = FAILURE_TTL if job.failure_ttl is None else job.failure_ttl
    function = function_of(job.description, job.data)
    return Settlement(
        job.job_id,
        job.execution_id,
        job.queue,
        verdict.event.value,
        verdict.to.value,
        started_at,
        ended_at,
        ttl,
        verdict.due_in,
        int(verdict.at_front),
        job.extras.followers(called=called) if job.extras else "",
        function,
        _cause(function, verdict),
        verdict_fields(verdict, result_in=job.result_in),
        verdict_entry(verdict, result_in=job.result_in),
    )


def _cause(function: str, verdict: Verdict) -> str:
    if verdict.to is not State.FAILED:
        return ""
    return json.dumps(cause_of(function, verdict.error)._asdict())


def settle(
    keys: Keys, settlements: Sequence[Settlement], *, worker: str, sent_at: float
) -> Call[list[Settled]]:
    """Apply verdicts to jobs that *worker* holds; *sent_at* is now by its monotonic clock."""
    args: Arguments = {"worker": worker, "sent_at": sent_at}
    return script("settle", keys, args, settlements, parse=lambda reply: settled(keys, reply))


def settled(keys: Keys, reply: list[Any]) -> list[Settled]:
    """Return what became of each verdict, and tell of those that were broken."""
    return [Settled(word.decode()) for word in without_broken(keys, reply)]


@dataclass(frozen=True, slots=True)
class Extended:
    """What a worker must do about executions whose leases it extended."""

    lost: list[Execution]
    """Their jobs are another's, or nobody's: end them, and write nothing."""
    stop: list[tuple[Execution, float]]
    """A person wants them ended, within so many seconds."""


def extend(
    keys: Keys, executions: Sequence[Execution], *, worker: str, lease: float
) -> Call[Extended]:
    """Keep leases for *lease* more seconds; return what must end."""

    def parse(reply: list[bytes]) -> Extended:
        told = [(held, word) for held, word in zip(executions, reply, strict=True) if word]
        return Extended(
            lost=[held for held, word in told if word == b"lost"],
            stop=[(held, float(word)) for held, word in told if word != b"lost"],
        )

    return script("extend", keys, {"worker": worker, "lease": lease}, executions, parse=parse)


def release(keys: Keys, executions: Sequence[Execution], *, worker: str) -> Call[int]:
    """Give jobs that were not entered back to the front of their queues, in this order."""
    args: Arguments = {"worker": worker, "failure_ttl": FAILURE_TTL}
    return script(
        "release", keys, args, executions, parse=lambda reply: sum(without_broken(keys, reply))
    )


def cancel(
    keys: Keys,
    job_id: str,
    *,
    token: str = "",
    waiting_in: str = "",
    waiting_as: State = State.QUEUED,
    children: Literal["", "run"] = "",
) -> Call[State | None]:
    """Cancel a job; return the state it was in, None if there is none.

    Sent again with the same *token*, it gets the first answer, as ``requeue`` and ``stop`` do.
    With *waiting_in* only a job that is *waiting_as* in that queue counts; others are left alone.
    With *children* "run" those that wait for it go on as if it had finished.
    """
    args: Arguments = {
        "job_id": job_id,
        "token": token,
        "waiting_in": waiting_in,
        "waiting_as": waiting_as.value,
        "children": children,
    }
    return script(
        "cancel", keys, args, parse=lambda reply: state_of(without_broken(keys, reply)[0])
    )


def requeue(
    keys: Keys,
    job_id: str,
    *,
    token: str = "",
    at_front: bool = False,
    queue: str = "",
    states: Sequence[State] = ENDED,
) -> Call[State | None]:
    """Run an ended job again; return the state it was in, None if there is none.

    Only if it is in one of *states*, and of *queue*, where it is given.
    """
    items = [MeantJob(job_id, queue, states)]
    args: Arguments = {"token": token, "at_front": int(at_front), "is_strict": 1}
    return script("requeue", keys, args, items, parse=lambda reply: state_of(reply[0]))


def stop(
    keys: Keys, job_id: str, *, token: str = "", grace: float = 0, execution_id: str = ""
) -> Call[State | None]:
    """Have a running job ended, within *grace* seconds; return the state it was in.

    None if there is no such job; one that does not run is left alone. With *execution_id* None
    if it is not that run of ours which holds the job.
    """
    args: Arguments = {"job_id": job_id, "token": token, "grace": grace, "only": execution_id}
    return script("stop", keys, args, parse=state_of)


def delete(keys: Keys, job_ids: Iterable[str]) -> Call[list[State | None]]:
    """Remove jobs, running ones too; return the states they were in."""
    items = [MeantJob(job_id) for job_id in job_ids]
    return script("delete", keys, {}, items, parse=lambda reply: states_of(keys, reply))


def states_of(keys: Keys, reply: list[Any]) -> list[State | None]:
    """Return the states in the answer of a script for many jobs; None for no job."""
    return [state_of(word) for word in without_broken(keys, reply)]


def empty(keys: Keys, queue: str, *, keep_jobs: bool, forget: bool) -> Plan[int]:
    """Take all jobs off a queue and return how many: deleted, or canceled with *keep_jobs*.

    Those that are claimed meanwhile run; those that wait for them are told at the end. With
    *forget* the queue is taken off the list.
    """
    args: Arguments = {
        "queue": queue,
        "limit": MANY,
        "keep": int(keep_jobs),
        "forget": int(forget),
    }
    taken, last = 0, MANY
    while last == MANY:
        last = yield from script("empty", keys, args, parse=int)
        taken += last
    while (yield from promote(keys)):
        pass
    return taken


def state_of(word: bytes) -> State | None:
    """Return the state in a script's answer; None for no job."""
    return State(word.decode()) if word else None


def text(word: bytes) -> str:
    """Return *word* decoded, with what is not UTF-8 made visible."""
    return word.decode("utf-8", "backslashreplace")
