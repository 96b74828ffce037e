"""Shared memory in which a worker writes what it holds, and its supervisor reads it.

It outlives the worker: after any kill -9 it says exactly which jobs were claimed, which one
was entered, and how those ended that were not settled yet. Its one rule: a job is entered, and
taken back, under the lock; so a job that the supervisor gave back to its queue is never run.

The lock is a POSIX record lock, which the kernel frees when its holder dies.
"""

from __future__ import annotations

import fcntl
import marshal
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from workhorse.core.settings import BATCH_JOBS
from workhorse.core.verdicts import Policy
from workhorse.store.jobs import Settlement
from workhorse.wire.records import Claimed

_HEAD: Final = struct.Struct("<24sHxxII")  # claim token, jobs, bytes of the batch, end of verdicts
_SLOT: Final = struct.Struct("<B7xdII")  # state, entered at, where its verdict is, how long that is
_SLOTS_AT: Final = 64
_BATCH_AT: Final = _SLOTS_AT + _SLOT.size * BATCH_JOBS
_AREA: Final = 1 << 20
_VERDICTS_AT: Final = _BATCH_AT + _AREA
_SIZE: Final = _VERDICTS_AT + _AREA


class Slot(IntEnum):
    """What became of a job of the batch so far."""

    HELD = 1
    """Claimed; no user code of it ran."""
    ENTERED = 2
    """Its user code began, and no outcome is known."""
    ENDED = 3
    """Its verdict is in the ledger and waits to be settled."""
    DONE = 4
    """Settled, or taken back: nobody's business any more."""


@dataclass(frozen=True, slots=True)
class Held:
    """One job of a worker's batch as the ledger has it. Its arguments are not in it."""

    number: int
    job: Claimed
    slot: Slot
    entered_at: float
    """By the monotonic clock, which the processes of a machine share."""
    settlement: Settlement | None


class LedgerBusyError(Exception):
    """The other process did not let go of the lock in time (it may be stopped)."""


class Ledger:
    """One worker's batch. Made by the supervisor before the fork."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)
        self._lock_file = tempfile.TemporaryFile(prefix="workhorse-ledger-")  # noqa: SIM115
        self._lock = self._lock_file.fileno()
        self.clear()

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        self._lock_file.close()

    # What the worker does.

    def ask(self, token: str) -> None:
        """Note the claim that is about to be sent: what it takes is ours even if we die now."""
        self._memory[:24] = token.encode()

    def hold(self, jobs: Sequence[Claimed]) -> int:
        """Write down a new batch; return how many of *jobs* there was room for."""
        fitting = len(jobs)
        while True:
            batch = marshal.dumps([_pack(job) for job in jobs[:fitting]])
            if len(batch) <= _AREA and fitting <= BATCH_JOBS:
                break
            fitting = min(fitting // 2, BATCH_JOBS)
        memory = self._memory
        with self._locked():
            memory[_BATCH_AT : _BATCH_AT + len(batch)] = batch
            held = _SLOT.pack(Slot.HELD, 0.0, 0, 0)
            memory[_SLOTS_AT : _SLOTS_AT + _SLOT.size * fitting] = held * fitting
            _HEAD.pack_into(memory, 0, memory[:24], fitting, len(batch), _VERDICTS_AT)
        return fitting

    def enter(self, number: int, *, now: float) -> bool:
        """Note that job *number* begins; False if it was taken back and must not be run."""
        at = _SLOTS_AT + _SLOT.size * number
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        free = self._memory[at] == Slot.HELD
        if free:
            _SLOT.pack_into(self._memory, at, Slot.ENTERED, now, 0, 0)
        fcntl.lockf(self._lock, fcntl.LOCK_UN)
        return free

    def end(self, number: int, settlement: Settlement) -> bool:
        """Note how job *number* ended; False if there is no room and it must be settled now."""
        verdict = marshal.dumps(tuple(settlement))
        at = _SLOTS_AT + _SLOT.size * number
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        token, count, batch, free = _HEAD.unpack_from(self._memory, 0)
        fits = free + len(verdict) <= _SIZE
        if fits:
            self._memory[free : free + len(verdict)] = verdict
            _HEAD.pack_into(self._memory, 0, token, count, batch, free + len(verdict))
            _SLOT.pack_into(self._memory, at, Slot.ENDED, 0.0, free, len(verdict))
        fcntl.lockf(self._lock, fcntl.LOCK_UN)
        return fits

    def forget(self, numbers: Sequence[int]) -> None:
        """Note that these jobs are settled."""
        with self._locked():
            for number in numbers:
                self._memory[_SLOTS_AT + _SLOT.size * number] = Slot.DONE

    def clear(self) -> None:
        """Note that the whole batch is settled."""
        with self._locked():
            _HEAD.pack_into(self._memory, 0, self._memory[:24], 0, 0, _VERDICTS_AT)

    # What the supervisor does, and a worker that is its own supervisor.

    def token(self) -> str | None:
        """Return the token of the last claim that was sent, None before the first."""
        return self._memory[:24].rstrip(b"\0").decode() or None

    def held(self) -> list[Held]:
        """Return the jobs of the batch that are not done. Raises LedgerBusyError."""
        with self._locked(patience=0.05):
            return self._read()

    def is_busy(self) -> bool:
        """Return whether there is a batch, without waiting for the lock."""
        return bool(_HEAD.unpack_from(self._memory, 0)[1])

    def entered_since(self) -> float | None:
        """Return when the job that runs was entered, None if none runs; without the lock."""
        memory = self._memory
        for number in range(_HEAD.unpack_from(memory, 0)[1]):
            at = _SLOTS_AT + _SLOT.size * number
            if memory[at] == Slot.ENTERED:
                return float(_SLOT.unpack_from(memory, at)[1])
        return None

    def take_back(self, *slots: Slot) -> list[Held]:
        """Return the jobs that are in *slots*, and make them nobody's. Raises LedgerBusyError."""
        with self._locked(patience=0.05):
            taken = [held for held in self._read() if held.slot in slots]
            for held in taken:
                self._memory[_SLOTS_AT + _SLOT.size * held.number] = Slot.DONE
        return taken

    def take_back_one(self, execution_id: str) -> None:
        """Make one execution nobody's, if it was not entered."""
        with self._locked(patience=0.05):
            for held in self._read():
                if held.job.execution_id == execution_id and held.slot is Slot.HELD:
                    self._memory[_SLOTS_AT + _SLOT.size * held.number] = Slot.DONE

    def _read(self) -> list[Held]:
        _, count, length, _ = _HEAD.unpack_from(self._memory, 0)
        if not count:
            return []
        batch: list[Any] = marshal.loads(self._memory[_BATCH_AT : _BATCH_AT + length])
        found: list[Held] = []
        for number, packed in enumerate(batch):
            at = _SLOTS_AT + _SLOT.size * number
            slot, entered_at, where, size = _SLOT.unpack_from(self._memory, at)
            if slot != Slot.DONE:
                ended = marshal.loads(self._memory[where : where + size]) if size else None
                settlement = Settlement(*ended) if ended else None
                found.append(Held(number, _unpack(packed), Slot(slot), entered_at, settlement))
        return found

    @contextmanager
    def _locked(self, patience: float | None = None) -> Iterator[None]:
        if patience is None:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
        else:
            self._lock_within(patience)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def _lock_within(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                return fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > until:
                    raise LedgerBusyError(os.getpid()) from None
                time.sleep(0.0005)


def _pack(job: Claimed) -> tuple[Any, ...]:
    policy = job.policy
    return (
        job.queue, job.job_id, job.execution_id, job.description, job.timeout, job.result_ttl,
        job.failure_ttl, job.result_in, policy.retries_left, policy.retry_intervals,
        policy.retry_at_front, policy.asked_retries, policy.starts, policy.on_lost,
        policy.max_starts,
    )  # fmt: skip


def _unpack(packed: tuple[Any, ...]) -> Claimed:
    queue, job_id, execution_id, description, timeout, result_ttl, failure_ttl, result_in, *policy = (
        packed
    )
    return Claimed(
        queue=queue,
        job_id=job_id,
        execution_id=execution_id,
        data=b"",
        description=description,
        timeout=timeout,
        result_ttl=result_ttl,
        failure_ttl=failure_ttl,
        policy=Policy(*policy),
        result_in=result_in,
    )
