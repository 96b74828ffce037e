"""Jobs of a worker that have ended, until the server knows it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from workhorse.store import jobs
from workhorse.store.calls import Call
from workhorse.store.faults import ServerError
from workhorse.worker.ledger import Ledger
from workhorse.worker.logs import say, tell_unwritten
from workhorse.worker.options import WorkerOptions

Insist = Callable[[Callable[[], Sequence[Call[Any]]]], list[Any]]
"""Make calls and send them, again and again while the server is away; return their results."""

_NOT_WRITTEN: Final = (jobs.Settled.REFUSED, jobs.Settled.GONE)


class Ends:
    """What is to be settled, by the numbers that the jobs have in the ledger."""

    def __init__(self, options: WorkerOptions, ledger: Ledger, insist: Insist) -> None:
        self._options = options
        self._ledger = ledger
        self._insist = insist
        self._ended: list[tuple[int, jobs.Settlement]] = []
        self.first_at = 0.0
        """When the first of them ended, by the monotonic clock."""

    def __len__(self) -> int:
        return len(self._ended)

    def add(self, number: int, settlement: jobs.Settlement, *, now: float) -> None:
        """Keep an end, in the ledger too; one that has no room there is settled at once."""
        if not self._ended:
            self.first_at = now
        self._ended.append((number, settlement))
        if not self._ledger.end(number, settlement, now=now):
            self.settle()

    def settle(self) -> None:
        """Settle what ended, now."""
        if not self._ended:
            return
        try:
            replies = self._insist(self._calls)[0]
        except ServerError:
            self._settle_singly()
        else:
            self._note_settled(replies)

    def settle_and(self, claim: Call[jobs.Claim]) -> jobs.Claim:
        """Settle what ended and claim, in one round trip."""
        try:
            *settled, claimed = self._insist(lambda: [*self._calls(), claim])
        except ServerError:
            # Perhaps it was one of the ends that was refused; the claim may be sent again.
            self._settle_singly()
            claimed, settled = self._insist(lambda: [claim])[0], []
        if settled:
            self._note_settled(settled[0])
        found: jobs.Claim = claimed
        return found

    def _settle_singly(self) -> None:
        """Settle what ended, and drop what the server refuses for good, one job at a time."""
        waiting, self._ended = self._ended, []
        for ended in waiting:
            self._ended = [ended]
            try:
                self._note_settled(self._insist(self._calls)[0])
            except ServerError as error:
                job = ended[1]
                say("refuse", f"{job.queue}: the server refuses the end of {job.job_id}: {error}",
                    level=logging.ERROR, job_id=job.job_id, error=str(error))  # fmt: skip
                self._ledger.forget([ended[0]])
                self._ended = []

    def _calls(self) -> list[Call[list[jobs.Settled]]]:
        if not self._ended:
            return []
        settlements = [settlement for _, settlement in self._ended]
        keys, name = self._options.keys, self._options.name
        return [jobs.settle(keys, settlements, worker=name, sent_at=time.monotonic())]

    def _note_settled(self, replies: Sequence[jobs.Settled]) -> None:
        for (number, settlement), reply in zip(self._ended, replies, strict=True):
            if reply in _NOT_WRITTEN and not self._ledger.is_done(number):
                why = "it was deleted" if reply is jobs.Settled.GONE else "its lease was lost"
                tell_unwritten(settlement.queue, settlement.job_id, why, reply)
        self._ledger.forget([number for number, _ in self._ended])
        self._ended.clear()
