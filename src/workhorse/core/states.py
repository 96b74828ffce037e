"""The life of a job, as data.

Every legal move of a job is one row of ``TRANSITIONS``. No other module, and no
Lua script, decides where a job may go: the scripts are given the rows of their
own event when they are loaded. ``tests/contract/test_transitions.py`` replays
each row, and each missing row, against the scripts on real servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from workhorse.core.errors import IllegalTransitionError


class State(StrEnum):
    """Where a job is. The values are those of RQ 3.0 on the wire."""

    CREATED = "created"
    QUEUED = "queued"
    STARTED = "started"
    SCHEDULED = "scheduled"
    DEFERRED = "deferred"
    RATE_LIMITED = "rate_limited"
    READY_TO_ENQUEUE = "ready_to_enqueue"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    CANCELED = "canceled"


class Event(StrEnum):
    """What can happen to a job. The same word names the script, the log line and the metric."""

    ENQUEUE = "enqueue"
    START = "start"
    """A queue with ``is_async=False`` runs the job itself, without a worker."""
    SCHEDULE = "schedule"
    """A new job waits for its time."""
    DEFER = "defer"
    """A new job waits for others."""
    LIMIT = "limit"
    """A new job waits for a place among those with its key."""
    FORWARD = "forward"
    """Its time has come."""
    PROMOTE = "promote"
    """Those that it waited for are done."""
    ADMIT = "admit"
    """A place is free."""
    CLAIM = "claim"
    SUCCEED = "succeed"
    REPEAT = "repeat"
    """It succeeded, and is to run again."""
    RETRY = "retry"
    FAIL = "fail"
    STOP = "stop"
    RELEASE = "release"
    RECOVER = "recover"
    RECONCILE = "reconcile"
    """It was in no place, and is put back where its state says."""
    CANCEL = "cancel"
    REQUEUE = "requeue"
    DELETE = "delete"


ENDED = (State.FINISHED, State.FAILED, State.STOPPED, State.CANCELED)
"""The states that a job leaves only when a person or a producer asks for it."""

_NEW = (None, State.CREATED, *ENDED)
"""What a job id may be when it is enqueued: unknown, saved by hand, or ended (it begins anew)."""

_WAITING = (
    State.QUEUED,
    State.SCHEDULED,
    State.DEFERRED,
    State.READY_TO_ENQUEUE,
    State.RATE_LIMITED,
)

_DEFERRED = (State.DEFERRED, State.READY_TO_ENQUEUE)
"""The second is RQ's: its worker has seen that the parents are done, and is to queue the job."""

_PROMOTED = (State.QUEUED, State.SCHEDULED, State.RATE_LIMITED)

_PUT_BACK = (State.QUEUED, State.SCHEDULED, State.STARTED, State.RATE_LIMITED)
"""Where a job may be found missing. The others wait for what only RQ's processes do."""

TRANSITIONS: Mapping[tuple[State | None, Event], tuple[State | None, ...]] = MappingProxyType(
    {
        **{(state, Event.ENQUEUE): (State.QUEUED,) for state in _NEW},
        **{(state, Event.START): (State.STARTED,) for state in _NEW},
        **{(state, Event.SCHEDULE): (State.SCHEDULED,) for state in _NEW},
        **{(state, Event.DEFER): (State.DEFERRED,) for state in _NEW},
        **{(state, Event.LIMIT): (State.RATE_LIMITED,) for state in _NEW},
        (State.SCHEDULED, Event.FORWARD): (State.QUEUED, State.RATE_LIMITED),
        **{(state, Event.PROMOTE): _PROMOTED for state in _DEFERRED},
        (State.RATE_LIMITED, Event.ADMIT): (State.QUEUED,),
        (State.QUEUED, Event.CLAIM): (State.STARTED,),
        (State.STARTED, Event.SUCCEED): (State.FINISHED,),
        (State.STARTED, Event.REPEAT): (State.QUEUED, State.SCHEDULED),
        (State.STARTED, Event.RETRY): (State.QUEUED, State.SCHEDULED),
        (State.STARTED, Event.FAIL): (State.FAILED,),
        (State.STARTED, Event.STOP): (State.STOPPED,),
        (State.STARTED, Event.RELEASE): (State.QUEUED,),
        (State.STARTED, Event.RECOVER): (State.QUEUED, State.FAILED),
        **{(state, Event.RECONCILE): (state,) for state in _PUT_BACK},
        **{(state, Event.CANCEL): (State.CANCELED,) for state in (*_WAITING, State.STARTED)},
        **{(state, Event.REQUEUE): (State.QUEUED, State.RATE_LIMITED) for state in ENDED},
        **{(state, Event.DELETE): (None,) for state in State},
    }
)
"""(state, event) -> the states it may lead to. None is a job that does not exist."""


def after(state: State | None, event: Event, to: State | None = None) -> State | None:
    """Return the state that *event* leads to; *to* chooses where a row offers several.

    >>> after(State.STARTED, Event.SUCCEED).value
    'finished'
    >>> after(State.STARTED, Event.RETRY, to=State.SCHEDULED).value
    'scheduled'
    >>> after(State.FINISHED, Event.CLAIM)
    Traceback (most recent call last):
        ...
    workhorse.core.errors.IllegalTransitionError: a finished job cannot be moved by claim
    """
    targets = TRANSITIONS.get((state, event), ())
    if to in targets:
        return to
    if to is None and len(targets) == 1:
        return targets[0]
    raise IllegalTransitionError(state, event, to)
