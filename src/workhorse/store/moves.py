"""What a person does to many jobs at once, as calls: run again, remove, give to another queue.

Each is one script, which leaves alone what is not as it is meant any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from workhorse.core.states import State
from workhorse.store.broken import without_broken
from workhorse.store.calls import Arguments, Call, script
from workhorse.store.jobs import MeantJob, state_of, states_of
from workhorse.wire.keys import Keys


class Moved(NamedTuple):
    """What became of a job that was to go to another queue."""

    was: State | None
    """The state it is in; None if there is no such job, or it is not as it was meant."""
    is_moved: bool
    """False too where it is in that queue already, unless it went to the front of it."""


def move(  # noqa: PLR0913 - one for each input of the script
    keys: Keys,
    job_id: str,
    to: str,
    *,
    token: str = "",
    at_front: bool = False,
    within: str = "",
    states: Sequence[State] = (),
) -> Call[Moved]:
    """Give a job to the queue *to*: it keeps its state, and in a registry its time.

    One that runs stays, and so does one that an RQ worker is about to start. A queued one goes
    to the end of its new queue, or *at_front*, in its own queue too. Only if it is in the queue
    *within* and in one of *states*, where they are given. Sent again with the same *token*, it
    gets the first answer.
    """
    meant = [MeantJob(job_id, within, states)]
    found = move_many(keys, meant, to, token=token, at_front=at_front)
    return Call(found.words, lambda reply: found.parse(reply)[0], found.source)


def move_many(
    keys: Keys, meant: Sequence[MeantJob], to: str, *, token: str, at_front: bool = False
) -> Call[list[Moved]]:
    """Give jobs to another queue, each as ``move`` does; keep it to ``jobs.MANY``."""
    args: Arguments = {"to": to, "token": token, "at_front": int(at_front)}

    def parse(reply: list[Any]) -> list[Moved]:
        words = without_broken(keys, reply)
        return [Moved(state_of(word.removeprefix(b"=")), word[:1] == b"=") for word in words]

    return script("move", keys, args, meant, parse=parse)


def requeue_many(keys: Keys, meant: Sequence[MeantJob], *, token: str) -> Call[list[State | None]]:
    """Run ended jobs again, each as ``jobs.requeue``; return the states they were in."""
    args: Arguments = {"token": token, "at_front": 0, "is_strict": 0}
    return script("requeue", keys, args, meant, parse=lambda reply: states_of(keys, reply))


def delete_many(keys: Keys, meant: Sequence[MeantJob]) -> Call[list[State | None]]:
    """Remove jobs, each as ``jobs.delete``; return the states they were in."""
    return script("delete", keys, {}, meant, parse=lambda reply: states_of(keys, reply))
