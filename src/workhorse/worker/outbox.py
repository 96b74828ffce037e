"""What a supervisor must still tell the server, in order, however long the server is away."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workhorse.store.calls import Operation
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.worker.logs import say
from workhorse.worker.patience import can_wait, tell


@dataclass(frozen=True, slots=True)
class _Letter:
    make: Callable[[], Operation[Any]]
    then: Callable[[Any], None]


def _ignore(result: Any) -> None:
    del result


class Outbox:
    """Sends operations one after the other. Each may be sent twice.

    One that the server refuses for good is told and dropped: what it was about is recovered
    when its lease lapses, and those behind it must not wait for ever.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._letters: deque[_Letter] = deque()
        self._attempt = 0
        self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._letters)

    def post(
        self, make: Callable[[], Operation[Any]], then: Callable[[Any], None] = _ignore
    ) -> None:
        """Have the operation that *make* returns carried out, and its result given to *then*.

        *then* gets None where the operation was dropped.
        """
        self._letters.append(_Letter(make, then))

    def is_open(self, now: float) -> bool:
        """Return whether the server should be asked anything, or is left alone for a while."""
        return now >= self._not_before

    def send(self, now: float) -> None:
        """Send what waits."""
        while self._letters and self.is_open(now):
            letter = self._letters[0]
            try:
                result = self._store.run(letter.make())
            except ServerError as error:
                if can_wait(error):
                    self.hold_off(error, now)
                    return
                say("refuse", f"the server refuses what a worker left behind: {error}",
                    level=logging.ERROR, error=str(error))  # fmt: skip
                result = None
            else:
                self.note_answer()
            self._letters.popleft()
            letter.then(result)

    def hold_off(self, error: ServerError, now: float) -> None:
        """Leave the server alone for a while, because of *error*."""
        self._not_before = now + tell(error, self._attempt)
        self._attempt += 1

    def note_answer(self) -> None:
        """Note that the server answered."""
        if self._attempt:
            say("reconnect", "the server is back")
        self._attempt = 0
