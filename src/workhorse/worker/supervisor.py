"""The process that watches. It starts worker processes, and runs no user code itself.

A job can block, leak, segfault or hang: from here it is still seen, its lease extended, its
limit enforced, and what a dead worker held is settled, judged or given back at once.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from workhorse.core.errors import ConnectionChoiceError
from workhorse.core.health import Pulse
from workhorse.core.outcomes import Crashed
from workhorse.core.settings import BATCH_SECONDS, REGISTER_EVERY
from workhorse.store import jobs
from workhorse.store.calls import Call, as_it_is, command
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_refused_login
from workhorse.store.fitness import refuse_unfit
from workhorse.wire.commands import Kind
from workhorse.worker.commands import Commands, Stops
from workhorse.worker.duties.duty import Timetable
from workhorse.worker.duties.roster import roster
from workhorse.worker.health import Health
from workhorse.worker.ledger import Ledger, LedgerBusyError
from workhorse.worker.lifecycle import (
    Shutdown,
    describe_exit,
    peak_of,
    set_title,
    woken_by_signals,
)
from workhorse.worker.logs import say
from workhorse.worker.notify import ServiceManager
from workhorse.worker.options import WorkerOptions
from workhorse.worker.outbox import Outbox
from workhorse.worker.patience import backoff, can_wait, tell
from workhorse.worker.pickup import PickedUp, pick_up
from workhorse.worker.presence import Member, Presence
from workhorse.worker.process import spawn
from workhorse.worker.watched import Watched

_IDLE_TICK: Final = 0.1
_BUSY_TICK: Final = BATCH_SECONDS
_SHOW_EVERY: Final = 1.0
"""Seconds between two looks at whether a worker became busy or idle."""
_CLOCKS_APART: Final = 5.0
"""Seconds that a clock may be wrong without a word."""
_LAST_WORDS: Final = 10.0
"""Seconds, after the last worker has ended, in which what it left behind can still be told."""


@dataclass(slots=True)
class _Vacancy:
    """A worker to start again."""

    name: str
    at: float
    max_jobs: int | None


class Supervisor:
    """Runs *processes* workers until they have ended or it is told to stop."""

    def __init__(self, options: WorkerOptions, processes: int) -> None:
        self._options = options
        self._count = processes
        self._shutdown = Shutdown()
        self._presence = Presence(options)
        self._processes: dict[int, Watched] = {}
        self._vacancies: list[_Vacancy] = []
        self._deaths: dict[str, int] = {}
        self._kept_at = self._shown_at = 0.0
        self._stop_told = 0
        self._stopping_since = 0.0
        self._in_order = True
        self._is_shown = False
        self._gave_back = False
        self._commands = Commands(options.connect, options.keys)
        self._stops = Stops(options.keys)
        self._health = Health(options.health)

    def run(self) -> int:
        """Work; return the exit code: 0 when all that was begun has ended in order."""
        self._manager = ServiceManager(os.environ)
        with self._shutdown.on_signals():  # first of all: process 1 is sent nothing it won't take
            return self._run()

    def _run(self) -> int:
        options = self._options
        set_title(f"workhorse: supervisor {options.name}")
        self._store = Store(options.connect())
        self._outbox = Outbox(self._store)
        try:
            self._look_at_server()
            refuse_unfit(self._store)
        except (ServerError, ConnectionChoiceError) as error:
            say("refuse", f"the server does not let us in: {error}", level=logging.ERROR,
                error=str(error))  # fmt: skip
            return 1
        self._health.bind()
        self._compare_clocks()
        self._timetable = Timetable(roster(self._store, options), now=time.monotonic())
        gc.collect()
        gc.freeze()  # so that workers share our memory longer
        try:
            with woken_by_signals() as wakeup:
                self._tell(time.monotonic())
                self._start_all()
                self._supervise(wakeup)
        finally:
            gc.unfreeze()
            self._end_all()
            self._commands.close()
            self._health.end()
        say("exit", f"supervisor {options.name} ended", pid=os.getpid(), in_order=self._in_order)
        return 0 if self._in_order else 1

    def _start_all(self) -> None:
        options = self._options
        say("boot", f"supervisor {options.name} started: {self._count} x {options.isolation} on "
            f"{', '.join(options.queues)}", pid=os.getpid(), processes=self._count,
            isolation=options.isolation, queues=list(options.queues))  # fmt: skip
        for number in range(1, self._count + 1):
            name = options.name if self._count == 1 else f"{options.name}-{number}"
            self._start(name, options.max_jobs)

    def _look_at_server(self) -> None:
        """Raise the ServerError of a server that won't let us in; one that is away may come."""
        try:
            self._store.run(command("PING", parse=as_it_is))
        except ServerError as error:
            if is_refused_login(error):
                raise

    def _compare_clocks(self) -> None:
        """Warn of a clock that is wrong, this machine's or the server's: people compare logs."""
        with suppress(ServerError):
            seconds, micros = self._store.run(command("TIME", parse=as_it_is))
            off = time.time() - float(seconds) - float(micros) / 1e6
            if abs(off) > _CLOCKS_APART:
                say("clock", f"this machine's clock and the server's are {abs(off):.0f} seconds "
                    "apart: the times in this log are wrong, or those of the server",
                    level=logging.WARNING, seconds=round(off))  # fmt: skip

    def _supervise(self, wakeup: int) -> None:
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        while self._processes or self._vacancies or self._outbox:
            poll.poll(1000 * self._rest_for(time.monotonic()))
            with suppress(BlockingIOError):
                os.read(wakeup, 1024)
            now = time.monotonic()
            self._reap()
            self._stop(now)
            self._refill(now)
            for process in list(self._processes.values()):
                process.look(now)
            self._outbox.send(now)
            self._obey(now)
            self._tend(now)
            self._tell(now)
            if self._has_given_up(now):
                self._in_order = False
                say("stop", "the server is away: what is not settled is recovered when its lease "
                    "lapses", level=logging.ERROR)  # fmt: skip
                break

    def _rest_for(self, now: float) -> float:
        """Return the seconds until something is to be looked at again."""
        busy = any(p.member.ledger.is_busy() for p in self._processes.values())
        tick = _BUSY_TICK if busy or self._vacancies else _IDLE_TICK
        if not self._outbox.is_open(now):
            return tick
        return min(tick, self._timetable.awaited_in(now))

    # Worker processes

    def _start(self, name: str, max_jobs: int | None) -> None:
        ledger = Ledger()
        try:
            pid = spawn(self._options, name, ledger, max_jobs=max_jobs, let_go=self._let_go)
        except OSError as error:
            ledger.close()
            say("spawn", f"can't start worker {name}: {error}", level=logging.ERROR, worker=name)
            self._vacate(name, max_jobs, ran=False)
            return
        self._processes[pid] = Watched(
            self._options, self._outbox, Member(name, pid, ledger), self._note_given_back, max_jobs
        )
        self._kept_at = 0.0  # show it at once
        say("spawn", f"worker {name} started (pid {pid})", worker=name, pid=pid)

    def _let_go(self) -> None:
        """In a worker: close what is its supervisor's."""
        for process in self._processes.values():
            process.member.ledger.close()
        if close := getattr(self._store.client, "close", None):
            close()
        self._commands.close()
        self._health.close()

    def _refill(self, now: float) -> None:
        due = [vacancy for vacancy in self._vacancies if vacancy.at <= now]
        self._vacancies = [vacancy for vacancy in self._vacancies if vacancy.at > now]
        if self._shutdown.requested:
            self._vacancies.clear()
            return
        for vacancy in due:
            self._start(vacancy.name, vacancy.max_jobs)

    def _note_given_back(self) -> None:
        self._gave_back = True

    def _vacate(self, name: str, max_jobs: int | None, *, ran: bool) -> None:
        """Start a worker again: at once if a job took it down, else later and later."""
        deaths = self._deaths[name] = 0 if ran else self._deaths.get(name, -1) + 1
        wait = 0.0 if ran else backoff(deaths)
        self._vacancies.append(_Vacancy(name, time.monotonic() + wait, max_jobs))

    def _reap(self) -> None:
        for pid in list(self._processes):
            try:
                ended, status, usage = os.wait4(pid, os.WNOHANG)
                how = describe_exit(status, peak_of(usage)) if ended else ""
            except ChildProcessError:  # reaped by a program that we are embedded in
                ended, how = pid, "its process has ended, and nobody knows how"
            if ended:
                self._bury(self._processes.pop(pid), how)
        if os.getpid() == 1:  # orphans of jobs are ours to reap
            self._reap_orphans()

    def _reap_orphans(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and (
                found.si_pid not in self._processes
            ):
                os.waitpid(found.si_pid, os.WNOHANG)

    def _bury(self, process: Watched, how: str) -> None:
        """Pick up what a worker that ended still held, and start it again if it crashed."""
        member, options = process.member, self._options
        name, ledger = member.name, member.ledger
        ledger.seize()
        token, held, runs = ledger.token(), ledger.held(), ledger.runs()
        crashed = not ledger.has_left()
        if crashed:
            process.kill_rest()
            self._lament(process, how)
        else:
            say("exit", f"worker {name} ended (pid {member.pid})", worker=name, pid=member.pid)
        ledger.close()
        outcome = process.killed_as or Crashed(how)
        chance = random.random()  # noqa: S311 - one, however often the same is sent
        self._outbox.post(
            lambda: pick_up(
                options, name, token, held, outcome, sent_at=time.monotonic(), chance=chance
            ),
            _tell_picked_up,
        )

        def replace_it(_: Any) -> None:
            # Only now: its successor has its name, and a claim of that would hide its last one.
            left = None if process.max_jobs is None else process.max_jobs - runs
            # A burst's worker may have found its queue empty just before its jobs were back.
            gave_back, self._gave_back = self._gave_back and options.burst, False
            if (crashed or gave_back) and (left is None or left > 0):
                self._vacate(name, left, ran=runs > 0)

        self._outbox.post(lambda: self._presence.deregister(member), replace_it)

    def _lament(self, process: Watched, how: str) -> None:
        member = process.member
        running = [held.job for held in member.ledger.held() if held.runs]
        what = ", ".join(f"{job.queue}: {job.description} ({job.job_id})" for job in running)
        level = logging.WARNING if running or process.killed_as else logging.ERROR
        ran = f"it ran {what}" if running else "it ran no job"
        why = process.why_killed() or how
        say("crash", f"worker {member.name} (pid {member.pid}) is gone: {why}; {ran}",
            level=level, worker=member.name, pid=member.pid,
            running=[job.job_id for job in running])  # fmt: skip

    # Keeping claims and duties

    def _tend(self, now: float) -> None:
        if not self._outbox.is_open(now):
            return
        try:
            if now - self._kept_at >= min(REGISTER_EVERY, self._options.extend_every):
                self._keep()
                self._kept_at = self._shown_at = now
                self._is_shown = True
                self._outbox.note_answer()
                if self._stops.pass_on(self._store, [p.member for p in self._processes.values()]):
                    self._kept_at = 0.0
            elif now - self._shown_at >= _SHOW_EVERY:
                self._shown_at = now
                self._show()
            self._timetable.run_due(now, kept_until=self._kept_at + self._options.lease / 2)
        except ServerError as error:
            self._outbox.hold_off(error, now)

    def _show(self) -> None:
        """Show the workers that do something else than what was shown last."""
        members = [process.member for process in self._processes.values()]
        changed = [member for member in members if member.shown != member.state]
        self._store.run_many([self._presence.register(member) for member in changed])

    def _keep(self) -> None:
        """Extend every lease and show every worker, in one round trip."""
        calls: list[Call[Any]] = []
        extended: dict[int, Watched] = {}
        for process in self._processes.values():
            calls.append(self._presence.register(process.member))
            with suppress(LedgerBusyError):
                if call := self._presence.extend(process.member):
                    extended[len(calls)] = process
                    calls.append(call)
        try:
            replies = self._store.run_many(calls)
        except ServerError as error:
            if can_wait(error):
                raise
            tell(error, 0)  # the other calls have been applied
            return
        for number, process in extended.items():
            told: jobs.Extended = replies[number]
            with suppress(LedgerBusyError):  # they are told again
                for execution in told.lost:
                    process.lose(execution)
                for execution, grace in told.stop:
                    process.stop(execution, grace)

    # What people ask for

    def _obey(self, now: float) -> None:
        """Heed commands; what they say of jobs is found when the leases are extended."""
        if not self._outbox.is_open(now):
            return
        processes = {each.member.name: each for each in self._processes.values()}
        for told in self._commands.heard(processes):
            watched = processes[told.worker]
            if told.kind is Kind.SHUTDOWN:
                say("stop", f"worker {told.worker} was told to stop", worker=told.worker)
                watched.member.ledger.tell_to_stop()
                os.kill(watched.member.pid, signal.SIGTERM)
            elif told.kind is Kind.KILL_HORSE:
                watched.kill_job(now)
            else:
                self._kept_at = 0.0
                self._stops.note(told)

    # Stopping

    def _stop(self, now: float) -> None:
        """Pass on requests to stop: the first as one, any further as the last."""
        requests = self._shutdown.requests
        if requests and not self._stop_told:
            self._stop_told, self._stopping_since = 1, now
            say("stop", "stopping: no new jobs; running ones may end (again to stop at once)")
            for pid, process in self._processes.items():
                process.member.ledger.tell_to_stop()
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        if self._stop_told != 1:
            return
        if requests > 1:
            self._stop_at_once(now, "stopping at once: running jobs go back to their queues")
        elif self._processes and now - self._stopping_since > self._options.shutdown_grace:
            self._stop_at_once(now, "the grace period is over: running jobs go back")

    def _stop_at_once(self, now: float, message: str) -> None:
        self._stop_told, self._stopping_since = 2, now
        self._in_order = self._in_order and not self._processes
        say("stop", message, level=logging.WARNING)
        for process in self._processes.values():
            process.kill(Crashed("its worker was told to stop at once"))

    def _has_given_up(self, now: float) -> bool:
        """Return whether to end although something is not told: the server stays away."""
        if not self._stop_told or self._processes or not self._outbox:
            return False
        patience = _LAST_WORDS if self._stop_told > 1 else self._options.shutdown_grace
        return now - self._stopping_since > patience

    def _tell(self, now: float) -> None:
        """Tell the service manager, and who asks after its health, how things are."""
        if not self._manager.listens and not self._health.listens:
            return
        pulse = Pulse(
            now,
            wanted=self._count,
            running=len(self._processes),
            busy=sum(process.member.ledger.is_busy() for process in self._processes.values()),
            is_heard=self._outbox.is_open(now),
            is_shown=self._is_shown,
            is_stopping=self._stop_told > 0,
        )
        if self._health.listens:
            self._health.tell(pulse, self._let_go)
        if self._manager.listens:
            self._tell_manager(pulse)

    def _tell_manager(self, pulse: Pulse) -> None:
        status = f"{pulse.running} workers, {pulse.busy} busy"
        status = status if pulse.is_heard else "the server does not answer"
        self._manager.tell(
            pulse.beat_at,
            f"stopping: {status}" if pulse.is_stopping else status,
            is_ready=pulse.running == pulse.wanted and pulse.is_shown,
            is_stopping=pulse.is_stopping,
        )

    def _end_all(self) -> None:
        """Leave no process behind, whatever happened."""
        for process in self._processes.values():
            process.kill_rest()
        for pid in self._processes:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _tell_picked_up(picked: PickedUp | None) -> None:
    if picked is None:
        return
    for job, verdict in picked.judged:
        say(str(verdict.event), f"{job.queue}: Job {verdict.to} ({job.job_id}): {verdict.error}",
            level=logging.WARNING, job_id=job.job_id, to=str(verdict.to))  # fmt: skip
    if picked.released:
        say("release", f"gave {picked.released} unrun jobs back", jobs=picked.released)
