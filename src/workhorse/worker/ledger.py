"""Shared memory in which a worker writes what it holds, and its supervisor reads it.

It outlives the worker: after any kill -9 it says exactly which jobs were claimed, which one
was entered, and how those ended that were not settled yet. Its one rule: a job is entered, and
taken back, under the lock; so a job that the supervisor gave back to its queue is never run.

Whatever is written becomes true by its last store, of one byte: a writer that is killed in the
middle has written nothing. A dead worker may have left the lock taken: see ``seize``.
"""

from __future__ import annotations

import marshal
import math
import mmap
import multiprocessing
import os
import struct
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import IntEnum
from operator import attrgetter
from typing import Any, Final, cast

from workhorse.core.settings import BATCH_JOBS
from workhorse.core.verdicts import Policy
from workhorse.store.jobs import Settlement
from workhorse.wire.claimed import Claimed, Told, decode_extras

_TOKEN_AT: Final = 0  # of the last claim, 24 bytes
_COUNT_AT: Final = 24  # jobs in the batch, one byte
_LEFT_AT: Final = 25  # 1 when the worker has ended in order, one byte
_STOP_AT: Final = 26  # 1 when the worker is to stop, one byte
_SUSPENDED_AT: Final = 27  # 1 while the worker may take no jobs, one byte
_HEAD: Final = struct.Struct("<IId")  # bytes of the batch, end of the verdicts, touched at
_HEAD_AT: Final = 32
_END: Final = struct.Struct("<Id")  # the part of the head that an ended job changes
_END_AT: Final = _HEAD_AT + 4
_TOUCHED: Final = struct.Struct("<d")
_TOUCHED_AT: Final = _HEAD_AT + 8
_NUMBER: Final = struct.Struct("<I")
_RUNS_AT: Final = 48  # jobs that were entered, ever
_CHILD_AT: Final = 52  # process of the job that runs, where that is not the worker's own
_SLOTS_AT: Final = 64
_SLOT: Final = struct.Struct(
    "<BBxxIdII"
)  # state, stop asked, limit, entered at, verdict: place, length
_ENTERED: Final = struct.Struct("<d")
_CALLING: Final = struct.Struct("<Id")  # the limit of what is called, and when that began
_VERDICT: Final = struct.Struct("<II")
_BATCH_AT: Final = _SLOTS_AT + _SLOT.size * BATCH_JOBS
_AREA: Final = 1 << 20
_VERDICTS_AT: Final = _BATCH_AT + _AREA
_SIZE: Final = _VERDICTS_AT + _AREA

_PATIENCE: Final = 0.05
"""Seconds that the other process's few instructions under the lock may take."""
_DESCRIBED: Final = 200
"""Characters of a description that are kept: it only serves the log here."""


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
    LARGE = 5
    """It ended; its verdict has no room here, and only the worker can settle it."""
    CALLING = 6
    """It ended; its verdict is in the ledger, or settled already, and its callbacks run."""


_IS_HELD: Final = int(Slot.HELD)
_IS_ENTERED: Final = int(Slot.ENTERED)
_IS_ENDED: Final = int(Slot.ENDED)
_IS_DONE: Final = int(Slot.DONE)
_IS_CALLING: Final = int(Slot.CALLING)


@dataclass(frozen=True, slots=True)
class Held:
    """One job of a worker's batch as the ledger has it. Its arguments are not in it."""

    number: int
    job: Claimed
    slot: Slot
    entered_at: float
    """By the monotonic clock, which the processes of a machine share."""
    settlement: Settlement | None
    """Where the slot is ENDED, or CALLING and not settled already."""
    stop_asked: bool = False
    """A person wants it ended."""
    call_limit: float | None = None
    """Seconds that its callbacks may take; None for no limit."""

    @property
    def is_settled(self) -> bool:
        """Whether all that is left of it are its callbacks."""
        return self.slot is Slot.CALLING and self.settlement is None

    @property
    def runs(self) -> bool:
        """Whether code of the user's runs now: the job's, or its callbacks'."""
        return self.slot in (Slot.ENTERED, Slot.CALLING)


class LedgerBusyError(Exception):
    """The other process did not let go of the lock in time (it may be stopped)."""


class Ledger:
    """One worker's batch. Made by the supervisor before the fork."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)
        self._lock = multiprocessing.get_context("fork").Lock()
        self.clear()

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()

    # What the worker does.

    def ask(self, token: str) -> None:
        """Note the claim that is about to be sent: what it takes is ours even if we die now."""
        self._memory[_TOKEN_AT : _TOKEN_AT + 24] = token.encode()

    def hold(self, jobs: Sequence[Claimed], *, now: float) -> int:
        """Write down a new batch; return how many of *jobs* there was room for, one at least."""
        fitting = min(len(jobs), BATCH_JOBS)
        batch = marshal.dumps([_pack(job) for job in jobs[:fitting]])
        while len(batch) > _AREA:
            brief = fitting == 1
            fitting = max(fitting // 2, 1)
            batch = marshal.dumps([_pack(job, brief=brief) for job in jobs[:fitting]])
        memory = self._memory
        with self._lock:
            memory[_BATCH_AT : _BATCH_AT + len(batch)] = batch
            held = _SLOT.pack(Slot.HELD, 0, 0, 0.0, 0, 0)
            memory[_SLOTS_AT : _SLOTS_AT + _SLOT.size * fitting] = held * fitting
            _HEAD.pack_into(memory, _HEAD_AT, len(batch), _VERDICTS_AT, now)
            memory[_COUNT_AT] = fitting
        return fitting

    def enter(self, number: int, *, now: float) -> bool:
        """Note that job *number* begins; False if it was taken back and must not be run."""
        memory, at = self._memory, _SLOTS_AT + _SLOT.size * number
        with self._lock:
            free = memory[at] == _IS_HELD
            if free:
                runs = _NUMBER.unpack_from(memory, _RUNS_AT)[0]
                _NUMBER.pack_into(memory, _RUNS_AT, runs + 1)
                _ENTERED.pack_into(memory, at + 8, now)
                memory[at] = _IS_ENTERED
        return free

    def end(self, number: int, settlement: Settlement, *, now: float) -> bool:
        """Note how job *number* ended; False if there is no room and it must be settled now.

        Needs no lock: nobody else touches the slot of a job that runs.
        """
        at = _SLOTS_AT + _SLOT.size * number
        has_room = self._write_verdict(at, settlement, now)
        self._memory[at] = _IS_ENDED if has_room else Slot.LARGE
        return has_room

    def call(
        self, number: int, settlement: Settlement, limit: float | None, *, now: float
    ) -> bool:
        """Note how job *number* ended, and that its callbacks begin, for *limit* seconds.

        False if there is no room and it must be settled first: see ``call_settled``.
        """
        at = _SLOTS_AT + _SLOT.size * number
        if not self._write_verdict(at, settlement, now):
            self._memory[at] = Slot.LARGE
            return False
        self._note_call(at, limit, now)
        return True

    def call_settled(self, number: int, limit: float | None, *, now: float) -> None:
        """Note that the callbacks of job *number* begin, which is settled."""
        at = _SLOTS_AT + _SLOT.size * number
        with self._lock:
            _VERDICT.pack_into(self._memory, at + 16, 0, 0)
            self._note_call(at, limit, now)

    def _note_call(self, at: int, limit: float | None, now: float) -> None:
        seconds = 0 if limit is None else min(math.ceil(limit), 1 << 31)
        _CALLING.pack_into(self._memory, at + 4, seconds, now)
        self._memory[at] = _IS_CALLING

    def _write_verdict(self, at: int, settlement: Settlement, now: float) -> bool:
        memory, verdict = self._memory, marshal.dumps(tuple(settlement))
        size = len(verdict)
        start = _NUMBER.unpack_from(memory, _END_AT)[0]
        if start + size > _SIZE:
            return False
        memory[start : start + size] = verdict
        _END.pack_into(memory, _END_AT, start + size, now)
        _VERDICT.pack_into(memory, at + 16, start, size)
        return True

    def forget(self, numbers: Sequence[int]) -> None:
        """Note that these jobs are settled."""
        with self._lock:
            for number in numbers:
                self._memory[_SLOTS_AT + _SLOT.size * number] = _IS_DONE

    def is_done(self, number: int) -> bool:
        """Return whether the supervisor took job *number* over."""
        return self._memory[_SLOTS_AT + _SLOT.size * number] == _IS_DONE

    def is_stop_asked(self, number: int | None = None) -> bool:
        """Return whether job *number*, or else the one that runs, is wanted ended."""
        memory = self._memory
        if number is not None:
            return memory[_SLOTS_AT + _SLOT.size * number + 1] == 1
        slots = range(_SLOTS_AT, _SLOTS_AT + _SLOT.size * memory[_COUNT_AT], _SLOT.size)
        return any(memory[at] == _IS_ENTERED and memory[at + 1] == 1 for at in slots)

    def clear(self) -> None:
        """Note that the whole batch is settled."""
        with self._lock:
            self._memory[_COUNT_AT] = 0
            _HEAD.pack_into(self._memory, _HEAD_AT, 0, _VERDICTS_AT, 0.0)

    def note_child(self, pid: int) -> None:
        """Note the process, and process group, of the job that runs; 0 for none."""
        _NUMBER.pack_into(self._memory, _CHILD_AT, pid)

    def is_told_to_stop(self) -> bool:
        """Return whether the supervisor wants the worker to end."""
        return self._memory[_STOP_AT] == 1

    def note_suspended(self, suspended: bool) -> None:  # noqa: FBT001 - what is noted
        """Note whether the worker may take no jobs: work, or each of its queues, is paused."""
        self._memory[_SUSPENDED_AT] = int(suspended)

    def is_suspended(self) -> bool:
        """Return whether the worker may take no jobs, as of its last claim."""
        return self._memory[_SUSPENDED_AT] == 1

    def leave(self) -> None:
        """Note that the worker ends, and means to: a job can't pretend so by ``os._exit(0)``."""
        self._memory[_LEFT_AT] = 1

    # What the supervisor does, and a worker that is its own supervisor.

    def seize(self) -> None:
        """Take the ledger of a worker that died, and with it the lock that it may have left."""
        self._lock = multiprocessing.get_context("fork").Lock()

    def tell_to_stop(self) -> None:
        """Ask the worker to end, also one whose job took its signals for itself."""
        self._memory[_STOP_AT] = 1

    def token(self) -> str | None:
        """Return the token of the last claim that was sent, None before the first."""
        return self._memory[_TOKEN_AT : _TOKEN_AT + 24].rstrip(b"\0").decode() or None

    def has_left(self) -> bool:
        """Return whether the worker ended in order."""
        return self._memory[_LEFT_AT] == 1

    def runs(self) -> int:
        """Return how many jobs were entered since the worker began."""
        return int(_NUMBER.unpack_from(self._memory, _RUNS_AT)[0])

    def child(self) -> int:
        """Return the process group of the job that runs, 0 where that is the worker's own."""
        return int(_NUMBER.unpack_from(self._memory, _CHILD_AT)[0])

    def held(self) -> list[Held]:
        """Return the jobs of the batch that are not done. Raises LedgerBusyError."""
        with self._locked():
            return self._read()

    def is_busy(self) -> bool:
        """Return whether there is a batch, without waiting for the lock."""
        return self._memory[_COUNT_AT] > 0

    def entered_since(self) -> float | None:
        """Return when the job that runs was entered, or its callbacks were; without the lock.

        None if none runs.
        """
        memory = self._memory
        for number in range(memory[_COUNT_AT]):
            at = _SLOTS_AT + _SLOT.size * number
            if memory[at] in (_IS_ENTERED, _IS_CALLING):
                return float(_ENTERED.unpack_from(memory, at + 8)[0])
        return None

    def touched_at(self) -> float | None:
        """Return when the batch was held or a job of it ended last, None if there is none."""
        if not self.is_busy():
            return None
        return float(_TOUCHED.unpack_from(self._memory, _TOUCHED_AT)[0]) or None

    def take_back(self, *slots: Slot, patience: float | None = _PATIENCE) -> list[Held]:
        """Return the jobs that are in *slots*, and make them nobody's. Raises LedgerBusyError.

        A worker itself has no reason to hurry: it waits with a *patience* of None.
        """
        with self._locked(patience):
            taken = [held for held in self._read() if held.slot in slots]
            for held in taken:
                self._memory[_SLOTS_AT + _SLOT.size * held.number] = _IS_DONE
        return taken

    def take_back_one(self, execution_id: str) -> None:
        """Make one execution nobody's, if it was not entered. Raises LedgerBusyError."""
        with self._locked():
            for held in self._read():
                if held.job.execution_id == execution_id and held.slot is Slot.HELD:
                    self._memory[_SLOTS_AT + _SLOT.size * held.number] = _IS_DONE

    def ask_stop(self, execution_id: str) -> Slot | None:
        """Note that an execution is wanted ended; return its slot. Raises LedgerBusyError.

        One that is HELD is taken back. None for one that has ended, or is not known.
        """
        with self._locked():
            for held in self._read():
                is_meant = held.job.execution_id == execution_id
                if is_meant and (held.runs or held.slot is Slot.HELD):
                    at = _SLOTS_AT + _SLOT.size * held.number
                    self._memory[at + 1] = 1
                    if held.slot is Slot.HELD:
                        self._memory[at] = _IS_DONE
                    return held.slot
        return None

    def _read(self) -> list[Held]:
        memory = self._memory
        count, length = memory[_COUNT_AT], _NUMBER.unpack_from(memory, _HEAD_AT)[0]
        if not count:
            return []
        batch: list[Any] = marshal.loads(memory[_BATCH_AT : _BATCH_AT + length])  # noqa: S302 - our own
        found: list[Held] = []
        for number, packed in enumerate(batch):
            state, stop_asked, limit, entered_at, where, size = _SLOT.unpack_from(
                memory, _SLOTS_AT + _SLOT.size * number
            )
            if state == _IS_DONE:
                continue
            has_verdict = state in (_IS_ENDED, _IS_CALLING) and size
            ended = memory[where : where + size] if has_verdict else None
            settlement = Settlement(*marshal.loads(ended)) if ended else None  # noqa: S302 - our own
            job = _unpack(packed)
            slot, stop = Slot(state), bool(stop_asked)
            found.append(Held(number, job, slot, entered_at, settlement, stop, limit or None))
        return found

    @contextmanager
    def _locked(self, patience: float | None = _PATIENCE) -> Generator[None]:
        if not self._lock.acquire(timeout=patience):
            raise LedgerBusyError(os.getpid())
        try:
            yield
        finally:
            self._lock.release()


def _pack(job: Claimed, *, brief: bool = False) -> tuple[Any, ...]:
    """Return what judging and settling need of *job*; *brief* for one of outlandish size."""
    policy = _told(job.policy)
    if brief:
        policy = tuple(map(_shortened, policy))
    return (
        job.queue, job.job_id, job.execution_id, job.description[:_DESCRIBED], job.timeout,
        job.result_ttl, job.failure_ttl, job.result_in, policy, _extras_told(job, brief=brief),
    )  # fmt: skip


def _extras_told(job: Claimed, *, brief: bool) -> Told | None:
    if job.extras is None:
        return None
    told = job.extras.told
    return tuple(v if v and len(v) < _BRIEF else None for v in told) if brief else told


_BRIEF: Final = 1000
"""Bytes of an extra field that a job of outlandish size may keep."""


def _shortened(told: object) -> object:
    return cast("tuple[object, ...]", told)[:100] if isinstance(told, tuple) else told


_told: Final[Callable[[Policy], tuple[Any, ...]]] = attrgetter(*(f.name for f in fields(Policy)))
"""Returns all that a policy says, in the order in which ``Policy`` takes it."""


def _unpack(packed: tuple[Any, ...]) -> Claimed:
    queue, job_id, execution_id, description, timeout, *rest = packed
    result_ttl, failure_ttl, result_in, policy, told = rest
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
        extras=decode_extras(told) if told else None,
    )
