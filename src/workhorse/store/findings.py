"""What may be wrong with a job or a key, and the rules by which it is seen. Pure: no I/O here.

``audit`` reads what these rules judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from workhorse.core.states import ENDED, State
from workhorse.wire.keys import KeyName


class Kind(StrEnum):
    """What is wrong."""

    LOST = "lost"
    """A live job is in no place: nobody will run it."""
    TWICE = "twice"
    """A job is in more than one place."""
    MISPLACED = "misplaced"
    """A job is in one place, but not where its state belongs."""
    UNFENCED = "unfenced"
    """A started job's execution is not the one that holds its lease."""
    UNCOUNTED = "uncounted"
    """A queued or started job has no place in its rate limit: more than it allows may run."""
    ORPHAN = "orphan"
    """An entry of a list, a registry or a lease has no job."""
    LEFTOVER = "leftover"
    """A key has neither an owner nor an expiry: it stays for ever."""
    UNLISTED = "unlisted"
    """Jobs of a queue that is not listed: they are neither forwarded nor recovered. Or a group."""
    BROKEN = "broken"
    """Jobs were set aside, because they could not be handled."""
    MISSHAPEN = "misshapen"
    """A key, or a state, is not of a kind that we know."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is not as it should be. Names may hold anything; show them harmlessly."""

    kind: Kind
    key: str
    id: str
    """The job's, where there is one."""
    explanation: str


HOMES: Final[Mapping[State, tuple[str, ...]]] = MappingProxyType(
    {
        State.CREATED: (),  # saved by hand, and nowhere yet
        State.QUEUED: ("queue", "intermediate"),
        State.STARTED: ("lease", "lapsed"),
        State.SCHEDULED: ("scheduled",),
        State.DEFERRED: ("deferred",),
        State.READY_TO_ENQUEUE: ("ready",),
        State.RATE_LIMITED: ("limited",),
        State.FINISHED: ("finished",),
        State.FAILED: ("failed",),
        State.STOPPED: ("failed",),
        State.CANCELED: ("canceled",),
    }
)
"""Where a job in each state belongs: kinds of keys, and a lease that was not recovered yet."""

LISTS: Final = frozenset({"queue", "intermediate"})
SORTED_SETS: Final = frozenset(
    {
        "lease", "scheduled", "deferred", "ready", "finished", "failed", "canceled", "limited",
        "allowed",
    }
)  # fmt: skip
SWEPT: Final = frozenset({"finished", "failed"})
"""Registries whose entries have an expiry of their own, after which the next sweep takes them."""

PERMANENT: Final = frozenset(
    {
        *LISTS, *SORTED_SETS, "queues", "bell", "broken", "workers", "workers_of", "suspended",
        "paused", "totals", "durations", "audit",
        "groups", "group", "limits", "limit", "promoting", "cron_schedulers", "cron_jobs",
        "cron_due", "cron_entry",
    }
)  # fmt: skip
"""Keys that stay, by design. Of the others some are a job's, and the rest must expire."""
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(LISTS | {"bell", "broken", "ended"}, "list"),
        **dict.fromkeys(
            SORTED_SETS | {"executions", "paused", "causes", "failed_of", "tag"}, "zset"
        ),
        **dict.fromkeys(("queues", "workers", "workers_of", "dependents", "dependencies"), "set"),
        **dict.fromkeys(("groups", "group", "tags"), "set"),
        **dict.fromkeys(
            ("worker", "execution", "promoting", "totals", "durations", "cause"), "hash"
        ),
        **dict.fromkeys(("results", "audit", "log"), "stream"),
        **dict.fromkeys(("history", "history_of"), "string"),
        "histories": "zset",
    }
)
"""What keys must be, where they are read by that kind of command."""
OF_A_JOB: Final = frozenset({"results", "log", "dependents", "dependencies"})
NEEDS_ITS_QUEUE: Final = frozenset({"queue", "lease", "scheduled"})
UNLISTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(NEEDS_ITS_QUEUE, "holds jobs of a queue that is not listed"),
        "group": "a group that is not listed: it is never swept",
    }
)
"""Keys whose owner must be listed, and what it means where it is not."""


class Place(NamedTuple):
    """Where a job is: in the key *kind* of *queue* (or of a limit)."""

    kind: str
    queue: bytes
    detail: bytes = b""
    """Of a lease, the execution; ``past`` where a registry's time for it is over."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a job in one moment."""

    job_id: bytes
    exists: bool
    status: str
    queue: bytes
    execution: bytes
    expires: bool
    indexed: frozenset[bytes]
    places: tuple[Place, ...]
    limit: bytes = b""
    """The key of its rate limit."""


class Fault(NamedTuple):
    """What is wrong with a job, and in which place, if it is one place."""

    kind: Kind
    explanation: str
    place: Place | None = None


def judge(sight: Sight) -> list[Fault]:
    """Return what is wrong with a job.

    >>> nowhere = Sight(b"j", True, "queued", b"q", b"", False, frozenset(), ())
    >>> [fault.kind.value for fault in judge(nowhere)]
    ['lost']
    """
    if not sight.exists:
        return [
            Fault(Kind.ORPHAN, "it has an entry here, and there is no such job", place)
            for place in sight.places
            if not _is_over(place)
        ]
    if not sight.status:
        why = "a job's hash without a state, and it never expires"
        return [] if sight.expires else [Fault(Kind.LEFTOVER, why)]
    try:
        state = State(sight.status)
    except ValueError:
        return [Fault(Kind.MISSHAPEN, f"{sight.status!r} is no state of a job")]
    places = [place for place in sight.places if place.kind != "allowed"]
    here = [place for place in places if _is_home(sight, state, place)]
    elsewhere = [p for p in places if p not in here and not _is_over(p)]
    return _judge_places(sight, state, here, elsewhere) + _judge_limit(sight, state)


def _judge_limit(sight: Sight, state: State) -> list[Fault]:
    """Return what is wrong with the places that a job has in rate limits."""
    given = [place for place in sight.places if place.kind == "allowed"]
    if state not in _COUNTED:
        why = f"{state.value}, and has a place in rate limit"
        return [Fault(Kind.MISPLACED, f"{why} {shown(p.queue)!r}", p) for p in given]
    if sight.limit and not given:
        why = f"{state.value}, and has no place in its rate limit {shown(sight.limit)!r}"
        return [Fault(Kind.UNCOUNTED, why)]
    return []


_COUNTED: Final = (State.QUEUED, State.STARTED)


def _judge_places(
    sight: Sight, state: State, here: list[Place], elsewhere: list[Place]
) -> list[Fault]:
    is_live = state not in ENDED and state is not State.CREATED
    fault = None
    if len(here) + len(elsewhere) > 1:
        fault = Fault(Kind.TWICE, f"{state.value}, and in {_told(here + elsewhere)}")
    elif elsewhere and state is State.STARTED and elsewhere[0].kind == "lease":
        why = f"its execution is {shown(sight.execution)}, and not that of {_told(elsewhere)}"
        fault = Fault(Kind.UNFENCED, why)
    elif elsewhere:
        fault = Fault(Kind.MISPLACED, f"{state.value}, and in {_told(elsewhere)}", elsewhere[0])
    elif is_live and not here and not _is_recoverable(sight, state):
        fault = Fault(Kind.LOST, f"{state.value}, and in no place")
    elif state in ENDED and not here and not sight.expires:
        why = f"{state.value}, in no registry, and it never expires"
        fault = Fault(Kind.LEFTOVER, why)
    return [fault] if fault else []


def _is_recoverable(sight: Sight, state: State) -> bool:
    """Return whether recover will find the job, by a lease of whatever execution."""
    return state is State.STARTED and any(place.kind == "lapsed" for place in sight.places)


def _is_home(sight: Sight, state: State, place: Place) -> bool:
    """Return whether *place* is where the job belongs.

    An execution is vouched for by the hash, where we claimed the job, or by RQ's index.
    """
    if place.kind not in HOMES[state]:
        return False
    if state is State.STARTED:
        known = {sight.execution, *sight.indexed}
        return place.queue == sight.queue and (place.detail in known or not place.detail)
    return place.kind == "limited" or place.queue == sight.queue


def _is_over(place: Place) -> bool:
    """Return whether the next recover or sweep takes an entry away."""
    return place.kind == "lapsed" or (place.kind in SWEPT and place.detail == b"past")


def _told(places: Iterable[Place]) -> str:
    """Return *places* in words."""
    return " and ".join(
        sorted(f"{p.kind} {shown(p.queue)} {shown(p.detail)}".rstrip() for p in places)
    )


class KeyFacts(NamedTuple):
    """What was seen of a key that is no job's hash."""

    type: str
    ttl: int
    has_job: bool
    is_listed: bool
    has_waiters: bool = False
    """Of a set of dependents: whether jobs wait for one that is gone, and may come again."""


def judge_key(name: KeyName | None, facts: KeyFacts) -> Fault | None:
    """Return what is wrong with a key that is no job's hash; None as *name*: nobody's."""
    template = name.template if name else ""
    expected = TYPES.get(template, facts.type)
    fault = None
    if facts.type == "none":
        pass  # gone meanwhile
    elif facts.type != expected:
        fault = Fault(Kind.MISSHAPEN, f"a {facts.type} where a {expected} belongs")
    elif template == "broken":
        fault = Fault(Kind.BROKEN, "jobs that could not be handled are set aside here")
    elif template in UNLISTED and not facts.is_listed:
        fault = Fault(Kind.UNLISTED, UNLISTED[template])
    elif (
        template in PERMANENT
        or facts.ttl != -1
        or facts.has_waiters
        or (template in OF_A_JOB and facts.has_job)
    ):
        pass
    else:
        whose = "its job is gone" if template in OF_A_JOB else "nobody owns it"
        fault = Fault(Kind.LEFTOVER, f"{whose}, and it never expires")
    return fault


def shown(word: bytes) -> str:
    """Return the text of *word*, whatever is in it."""
    return word.decode("utf-8", "backslashreplace")
