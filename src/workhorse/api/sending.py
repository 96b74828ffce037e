"""New jobs on their way to the server, and an error that says what became of them.

A call to the server ends in one of three ways: it is answered, it is refused for certain, or
the connection is lost and nobody knows. A producer must be told which, and whatever it was,
sending the same jobs again stores each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from workhorse.store import jobs
from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.faults import (
    EnqueueRefusedError,
    EnqueueUnknownError,
    advice,
    is_lost,
    is_server_error,
)
from workhorse.store.jobs import Enqueued
from workhorse.wire.keys import Keys
from workhorse.wire.records import JobRecord

J = TypeVar("J")

_AT_ONCE = 5
"""Script calls in one round trip: a thousand jobs."""
_IDS_TOLD = 3
_MOST_EDGES = 1000
"""Jobs, and jobs that they wait for, in one script call."""


class Sending(Generic[J]):
    """Some *records* to store and queue; *then* makes what is returned of each and its answer."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        records: Sequence[JobRecord],
        then: Callable[[JobRecord, Enqueued, int], J],
    ) -> None:
        self._store = store
        self._keys = keys
        self._slices = slices(records)
        self._answers: dict[int, Enqueued] = {}
        self._then = then

    def send(self) -> list[J]:
        """Send what has no answer yet; return all, in their order.

        Raises EnqueueRefusedError or EnqueueUnknownError; what was stored before stays.
        """
        unanswered = self._unanswered()
        for at in range(0, len(unanswered), _AT_ONCE):
            self._send(unanswered[at : at + _AT_ONCE])
        return [made for number in range(len(self._slices)) for made in self._made(number)]

    def _unanswered(self) -> list[int]:
        return [number for number in range(len(self._slices)) if number not in self._answers]

    def _send(self, numbers: Sequence[int]) -> None:
        calls = [self._call(self._slices[number]) for number in numbers]
        try:
            replies = self._store.try_many(calls)
        except Exception as error:
            self._explain([error])
            raise
        for number, call, reply in zip(numbers, calls, replies, strict=True):
            if not isinstance(reply, Exception):
                self._answers[number] = call.parse(reply)
        if errors := [reply for reply in replies if isinstance(reply, Exception)]:
            self._explain(errors)
            raise errors[0]

    def _call(self, records: Sequence[JobRecord]) -> Call[Enqueued]:
        front = {record.id for record in records if record.enqueue_at_front}
        return jobs.enqueue(self._keys, records, at_front=front)

    def _made(self, number: int) -> list[J]:
        answer = self._answers[number]
        records = self._slices[number]
        return [self._then(record, answer, at) for at, record in enumerate(records)]

    def _explain(self, errors: Sequence[Exception]) -> None:
        """Raise an error of ours where it is certain what *errors* mean."""
        lost = next((error for error in errors if is_lost(error)), None)
        error = lost or errors[0]
        told = advice(error)
        if not is_server_error(error) or (lost is None and told is None):
            return
        ids = [record.id for number in self._unanswered() for record in self._slices[number]]
        if lost is not None:
            raise EnqueueUnknownError(
                f"the connection was lost, and perhaps the server has {_named(ids)}, perhaps not "
                f"({error}). send_again() of this error is safe",
                ids,
                self.send,
            ) from error
        raise EnqueueRefusedError(
            f"the server refused {_named(ids)}: nothing of it is stored; {told} ({error}). "
            "send_again() of this error sends it again",
            ids,
            self.send,
        ) from error


def slices(records: Sequence[JobRecord]) -> list[Sequence[JobRecord]]:
    """Return *records* in parts, each for one call: ``jobs.MANY`` jobs, or as many edges, at most.

    A job that waits for more is alone.
    """
    found: list[Sequence[JobRecord]] = []
    start, weight = 0, 0
    for at, record in enumerate(records):
        weight += 1 + len(record.parents.ids)
        if at - start == jobs.MANY or (weight > _MOST_EDGES and at > start):
            found.append(records[start:at])
            start, weight = at, 1 + len(record.parents.ids)
    if records:
        found.append(records[start:])
    return found


def _named(ids: Sequence[str]) -> str:
    """Return some jobs as an error names them.

    >>> _named(["a"]), _named(["a", "b", "c", "d"])
    ('job a', '4 jobs: a, b, c ...')
    """
    if len(ids) == 1:
        return f"job {ids[0]}"
    more = " ..." if len(ids) > _IDS_TOLD else ""
    return f"{len(ids)} jobs: {', '.join(ids[:_IDS_TOLD])}{more}"
