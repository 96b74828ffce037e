"""Carries out a seed's script on a stage, and writes down what was done to whom, and when.

Its one rule: the leases are read while nothing reaches the server by any cable, and what may cost
a job its run takes its effect before anything does again. So each run that may be lost is known
by name.
"""

from __future__ import annotations

import heapq
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import redis

from chaos.cable import Cut
from chaos.plan import HARMLESS, QUEUES, Fault, Planned
from chaos.processes import Held, Server, Side
from workhorse.wire.keys import Keys

_SAMPLE_EVERY: Final = 0.2
_TAKES_EFFECT: Final = 1.0
"""Seconds that a signal gets, at most: on a busy machine a process dies some time after it."""
_CUTS: Final = tuple(Cut)
_COMMANDS: Final = {
    Fault.CLIENT_KILL: ("CLIENT", "KILL", "TYPE", "normal"),
    Fault.SCRIPT_FLUSH: ("SCRIPT", "FLUSH"),
}


@dataclass
class Injected:
    """One fault that was carried out."""

    fault: Fault
    victim: str
    """The worker that it concerns, or with a dot at its end all of a supervisor; empty for all."""
    at: float
    leases: set[str] = field(default_factory=set[str])
    """What was held then, or was about to lapse while it lasted: job and execution."""
    until: float = 0.0
    """When it was over, of one that lasts."""

    def __str__(self) -> str:
        until = f"..{self.until:.3f}" if self.until else ""
        return f"{self.fault} ({self.victim or 'all'}) at {self.at:.3f}{until}"

    @property
    def may_lose(self) -> bool:
        """Return whether it may cost a job its run."""
        return self.fault not in HARMLESS

    def concerns(self, worker: str) -> bool:
        """Return whether runs of *worker* may be lost by it."""
        is_side = not self.victim or self.victim.endswith(".")
        is_hit = worker.startswith(self.victim) if is_side else worker == self.victim
        return self.may_lose and is_hit


class Storm:
    """Faults, one after another, some of them lasting while others begin."""

    def __init__(
        self,
        server: Server,
        sides: tuple[Side, ...],
        gate: threading.Lock,
        planned: Iterator[Planned],
        *,
        gap: float,
    ) -> None:
        self.injected: list[Injected] = []
        self.unasked: list[str] = []
        """Supervisors that ended and were not made to."""
        self._server = server
        self._sides = sides
        self._gate = gate
        self._planned = planned
        self._gap = gap
        self._lease = sides[0].lease
        self._keys = Keys()
        self._direct: Any = server.client()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._lasting: list[Injected] = []
        self._known: dict[str, float] = {}
        self._sampled_at = 0.0
        self._ahead: Planned | None = next(planned)
        self._due = time.monotonic() + gap

    # The clock

    def tick(self, now: float) -> None:
        """Do what is due: the next fault, the end of others, new supervisors."""
        self._do_later(now)
        self._replace(now)
        self._sample(now)
        if self._ahead and now >= self._due:
            if self._do(self._ahead, now):
                self._ahead = next(self._planned, None)
            self._due = now + (self._ahead.after if self._ahead else 1) * self._gap

    def is_spent(self) -> bool:
        """Return whether no fault is to come, and none lasts."""
        return self._ahead is None and all(noted.until for noted in self._lasting)

    def calm(self) -> None:
        """Begin no more faults, and end those that last."""
        while self._later:
            self._do_later(self._later[0][0])

    def watch(self, now: float) -> None:
        """Have what must run run, after the storm."""
        self._do_later(now)
        self._replace(now)

    def close(self) -> None:
        """Let go of the server."""
        self._direct.close()

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._later, (moment, next(self._numbers), act))

    def _do_later(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()

    def _replace(self, now: float) -> None:
        for side in self._sides:
            asked = side.told_to_end
            code = side.has_ended()
            if code is None:
                continue
            if not asked or code not in (0, -signal.SIGKILL):
                self.unasked.append(f"{side.log.name} ended with {code}")
            self._at(now + self._lease * 0.3, side.start)

    # Faults

    def _do(self, planned: Planned, now: float) -> bool:
        """Carry a fault out, on the other side if need be; False if there is nobody for it."""
        sides = (self._sides[planned.side], self._sides[1 - planned.side])
        return any(self._do_to(side, planned, now) for side in sides)

    def _do_to(self, side: Side, planned: Planned, now: float) -> bool:
        until = now + self._lease * (0.1 + 1.7 * planned.lasting)
        match planned.fault:
            case Fault.KILL_SERVER:
                return self._read_leases() and self._kill_server(until)
            case Fault.PARTITION:
                return self._read_leases() and self._partition(side, until)
            case Fault.CUT:
                self._note(planned.fault, side)
                side.cable.cut(_CUTS[int(planned.pick * len(_CUTS))])
                done = True
            case Fault.CLIENT_KILL | Fault.SCRIPT_FLUSH:
                done = self._command(planned.fault)
            case _:
                done = side.is_up and self._to_processes(side, planned, until)
        return done

    def _to_processes(self, side: Side, planned: Planned, until: float) -> bool:
        """Send a supervisor, or what is below it, a signal; False if nobody is there."""
        supervisor = side.process
        match planned.fault:
            case Fault.KILL_WORKER | Fault.STOP_WORKER | Fault.KILL_HELPER:
                return self._to_worker(side, planned, until)
            case Fault.STOP_MACHINE if supervisor:
                self._stop(side, planned.fault, [supervisor.pid, *side.all_below()], until)
            case Fault.STOP_SUPERVISOR if supervisor:
                self._stop(side, planned.fault, [supervisor.pid], until)
            case _:
                self._end(side, planned.fault)
        return True

    def _to_worker(self, side: Side, planned: Planned, until: float) -> bool:
        workers = side.workers
        worker = workers[int(planned.pick * len(workers))] if workers else 0
        victims = [worker] if worker else []
        if worker and planned.fault is Fault.KILL_HELPER:
            victims = side.below(worker)
        if not victims:
            return False
        victim = Held(victims[int(planned.lasting * len(victims))])
        with self._gate:
            noted = self._note(planned.fault, side, side.name_of(worker))
            stops = planned.fault is Fault.STOP_WORKER
            victim.send(signal.SIGSTOP if stops else signal.SIGKILL)
            _wait_for([victim])
        if stops:
            self._lasts(noted, until, lambda: victim.send(signal.SIGCONT))
        return True

    def _end(self, side: Side, fault: Fault) -> None:
        below = [Held(pid) for pid in side.all_below()]
        with self._gate:
            self._note(fault, side)
            side.told_to_end = True
            side.send(signal.SIGTERM if fault is Fault.TERM_SUPERVISOR else signal.SIGKILL)
            if fault is Fault.KILL_SUPERVISOR:
                _wait_for(below)

    def _stop(self, side: Side, fault: Fault, pids: Sequence[int], until: float) -> None:
        victims = [Held(pid) for pid in pids]
        with self._gate:
            noted = self._note(fault, side)
            side.stopped = True
            for victim in victims:
                victim.send(signal.SIGSTOP)
            _wait_for(victims)

        def go_on() -> None:
            side.stopped = False
            for victim in reversed(victims):
                victim.send(signal.SIGCONT)

        self._lasts(noted, until, go_on)

    def _kill_server(self, until: float) -> bool:
        with self._gate:
            noted = self._note(Fault.KILL_SERVER)
            self._server.kill()
        self._lasts(noted, until, self._server.start)
        return True

    def _partition(self, side: Side, until: float) -> bool:
        if side.cable.is_partitioned:
            return False
        with self._gate:
            noted = self._note(Fault.PARTITION, side)
            side.cable.partition()
        self._lasts(noted, until, side.cable.heal)
        return True

    def _command(self, fault: Fault) -> bool:
        try:
            self._direct.execute_command(*_COMMANDS[fault])
        except redis.RedisError:
            return False
        self._note(fault)
        return True

    def _lasts(self, noted: Injected, until: float, end: Callable[[], None]) -> None:
        self._lasting.append(noted)

        def over() -> None:
            self._sampled_at = 0.0
            self._sample(time.monotonic())
            end()
            noted.until = time.monotonic()
            # Whoever lost sight of the server comes back to it a moment later.
            self._at(noted.until + 2 * self._lease, lambda: self._lasting.remove(noted))

        self._at(until, over)

    # What is held

    def _note(self, fault: Fault, side: Side | None = None, worker: str = "") -> Injected:
        noted = Injected(fault, worker or (side.prefix if side else ""), time.monotonic())
        if noted.may_lose:
            self._read_leases()
            noted.leases |= self._known.keys()
        self.injected.append(noted)
        return noted

    def _read_leases(self) -> bool:
        """Read what is held now; what was held last is still held when the server is away."""
        known: dict[str, float] = {}
        try:
            for queue in QUEUES:
                entries = self._direct.zrange(self._keys.lease(queue), 0, -1, withscores=True)
                known |= {member.decode(): float(lapses) for member, lapses in entries}
        except redis.RedisError:
            return False
        self._known = known
        return True

    def _sample(self, now: float) -> None:
        """While a fault lasts, add what nobody renews: somebody who died beside it had it."""
        if not self._lasting or now - self._sampled_at < _SAMPLE_EVERY:
            return
        self._sampled_at = now
        if self._read_leases():
            soon = time.time() + self._lease / 2
            lapsing = {lease for lease, lapses in self._known.items() if lapses < soon}
            for noted in self._lasting:
                noted.leases |= lapsing


def _wait_for(victims: Sequence[Held]) -> None:
    """Return when a signal has had its effect: until then its victim may go on, and claim."""
    until = time.monotonic() + _TAKES_EFFECT
    while not all(victim.is_still() for victim in victims) and time.monotonic() < until:
        time.sleep(0.001)
