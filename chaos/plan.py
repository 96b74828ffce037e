"""What a seed decides: what each job does, and which faults come in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Final

QUEUES: Final = ("chaos-high", "chaos-low")
_SHARE_OF_HIGH: Final = 0.2


class Kind(StrEnum):
    """What a job does: a function of ``chaos.jobs``."""

    NOTHING = "nothing"
    GIVE = "give"
    """Returns its number, and whose run it was."""
    LINGER = "linger"
    """Sleeps for a while, and returns the same."""
    STUMBLE = "stumble"
    """Raises as often as its Retry allows, then returns."""
    ASK = "ask"
    """Returns a Retry a few times, then None."""
    FAIL = "fail"
    """Raises each time."""
    DIE = "die"
    """Takes its process down each time: a poison pill."""


_KINDS: Final[Mapping[Kind, float]] = MappingProxyType(
    {
        Kind.GIVE: 0.130,
        Kind.STUMBLE: 0.025,
        Kind.ASK: 0.010,
        Kind.FAIL: 0.015,
        Kind.DIE: 0.002,
    }
)


@dataclass(frozen=True, slots=True)
class Spec:
    """One job, as the seed has it."""

    number: int
    kind: Kind
    queue: str
    seconds: float
    """What one that lingers sleeps."""
    tries: int
    """Further tries of one that stumbles, asks or fails."""
    interval: int
    """Seconds between them."""
    by_signal: bool
    """How one dies: by SIGKILL, or by ``os._exit``."""

    @property
    def gives(self) -> bool:
        """Return whether it has a result."""
        return self.kind in (Kind.GIVE, Kind.LINGER)

    @property
    def fails(self) -> bool:
        """Return whether it is to end failed; all others are to finish."""
        return self.kind in (Kind.FAIL, Kind.DIE)


def number_of(identity: str) -> int:
    """Return the number of the job with this id."""
    return int(identity.rpartition("-")[2])


@dataclass(frozen=True, slots=True)
class Mix:
    """What the jobs of a seed are. Most do nothing.

    >>> Mix(1).spec(2) == Mix(1).spec(2), Mix(1).spec(2) == Mix(2).spec(2)
    (True, False)
    >>> Mix(7).job_id(12), number_of("chaos-7-12")
    ('chaos-7-12', 12)
    """

    seed: int
    slow: float = 0.01
    """The share of jobs that linger."""
    longest: float = 0.5
    """Seconds that they linger at most; a tenth of it at least."""

    def job_id(self, number: int) -> str:
        """Return the id of a job."""
        return f"chaos-{self.seed}-{number}"

    def spec(self, number: int) -> Spec:
        """Return what a job is."""
        dice = Random(f"job {self.seed} {number}")
        shares = {**_KINDS, Kind.LINGER: self.slow}
        shares[Kind.NOTHING] = 1 - sum(shares.values())
        kind = dice.choices(list(shares), list(shares.values()))[0]
        return Spec(
            number,
            kind,
            queue=QUEUES[dice.random() > _SHARE_OF_HIGH],
            seconds=dice.uniform(self.longest / 10, self.longest),
            tries=dice.randint(0 if kind is Kind.FAIL else 1, 3),
            interval=dice.choice((0, 0, 1, 2)),
            by_signal=dice.random() < 0.5,  # noqa: PLR2004 - a coin
        )


class Fault(StrEnum):
    """What is done to them, in the words of the report."""

    KILL_WORKER = "kill -9 a worker"
    KILL_HELPER = "kill -9 a forker or a job"
    KILL_SUPERVISOR = "kill -9 a supervisor"
    TERM_SUPERVISOR = "SIGTERM a supervisor"
    STOP_WORKER = "stop a worker"
    STOP_SUPERVISOR = "stop a supervisor"
    STOP_MACHINE = "stop a supervisor and all below"
    KILL_SERVER = "kill -9 the server"
    PARTITION = "keep a side from the server"
    CUT = "cut a side's connections"
    CLIENT_KILL = "CLIENT KILL TYPE normal"
    SCRIPT_FLUSH = "SCRIPT FLUSH"


HARMLESS: Final = frozenset(
    {Fault.TERM_SUPERVISOR, Fault.CUT, Fault.CLIENT_KILL, Fault.SCRIPT_FLUSH}
)
"""Faults that must not cost any job its run."""

STOPS: Final = frozenset({Fault.STOP_WORKER, Fault.STOP_SUPERVISOR, Fault.STOP_MACHINE})

_WEIGHTS: Final[Mapping[Fault, float]] = MappingProxyType(
    {
        Fault.KILL_WORKER: 6,
        Fault.KILL_HELPER: 3,
        Fault.KILL_SUPERVISOR: 2,
        Fault.TERM_SUPERVISOR: 2,
        Fault.STOP_WORKER: 2,
        Fault.STOP_SUPERVISOR: 1,
        Fault.STOP_MACHINE: 2,
        Fault.KILL_SERVER: 1,
        Fault.PARTITION: 1,
        Fault.CUT: 3,
        Fault.CLIENT_KILL: 2,
        Fault.SCRIPT_FLUSH: 1,
    }
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to come. Numbers between 0 and 1 choose among what is there at the time."""

    fault: Fault
    after: float
    """Of the mean gap, since the fault before."""
    side: int
    pick: float
    lasting: float


def script(seed: int) -> Iterator[Planned]:
    """Yield faults for ever: one of each first, at its longest; then as their weights have it.

    >>> first, again = script(3), script(3)
    >>> [next(first) for _ in range(20)] == [next(again) for _ in range(20)]
    True
    """
    dice = Random(f"script {seed}")
    deck = list(Fault)
    dice.shuffle(deck)
    while True:
        lasting = 0.99 if deck else dice.random() ** 2
        fault = deck.pop() if deck else dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        yield Planned(
            fault,
            after=dice.uniform(0.2, 1.8),
            side=dice.randrange(2),
            pick=dice.random(),
            lasting=lasting,
        )
