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

from workhorse.core.outcomes import Crashed, Outcome, TimedOut
from workhorse.core.settings import BATCH_SECONDS, REGISTER_EVERY
from workhorse.store import jobs
from workhorse.store.calls import Call, Plan, as_it_is, command
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_refused_login
from workhorse.worker import runner
from workhorse.worker.duties.duty import Duty, Timetable
from workhorse.worker.duties.roster import roster
from workhorse.worker.ledger import Ledger, LedgerBusyError, Slot
from workhorse.worker.lifecycle import Shutdown, describe_exit, set_title, woken_by_signals
from workhorse.worker.logs import say
from workhorse.worker.options import WorkerOptions
from workhorse.worker.outbox import Outbox
from workhorse.worker.patience import backoff, can_wait, tell
from workhorse.worker.pickup import PickedUp, pick_up, settle_ended
from workhorse.worker.presence import Member, Presence
from workhorse.worker.process import spawn

_IDLE_TICK: Final = 0.1
_BUSY_TICK: Final = BATCH_SECONDS
_SHOW_EVERY: Final = 1.0
"""Seconds between two looks at whether a worker became busy or idle."""
_STALLED: Final = 2.0
"""Seconds in which a worker between two jobs makes no step: it is stopped, or its log is."""
_FORK_SPARE: Final = 5.0
"""Seconds that a worker which forks its jobs gets to enforce their limits itself."""
_LAST_WORDS: Final = 10.0
"""Seconds, after the last worker has ended, in which what it left behind can still be told."""


@dataclass(slots=True)
class _Process:
    """One worker process, and what the supervisor knows of it."""

    member: Member
    max_jobs: int | None
    lightened: float = 0.0
    """When the job was entered behind which nothing waits any more."""
    killed_as: Outcome | None = None
    busy_since: float | None = None
    """Since when nobody but the worker gets at its ledger."""


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
        self._processes: dict[int, _Process] = {}
        self._vacancies: list[_Vacancy] = []
        self._deaths: dict[str, int] = {}
        self._kept_at = self._shown_at = 0.0
        self._stop_told = 0
        self._stopping_since = 0.0
        self._in_order = True
        self._gave_back = False

    def run(self) -> int:
        """Work; return the exit code: 0 when all that was begun has ended in order."""
        options = self._options
        set_title(f"workhorse: supervisor {options.name}")
        self._store = Store(options.connect())
        self._outbox = Outbox(self._store)
        try:
            self._look_at_server()
        except ServerError as error:
            say("refuse", f"the server does not let us in: {error}", level=logging.ERROR,
                error=str(error))  # fmt: skip
            return 1
        self._timetable = Timetable(roster(self._store, options), now=time.monotonic())
        gc.collect()
        gc.freeze()  # so that workers share our memory longer
        try:
            with woken_by_signals() as wakeup, self._shutdown.on_signals():
                self._start_all()
                self._supervise(wakeup)
        finally:
            gc.unfreeze()
            self._end_all()
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

    def _supervise(self, wakeup: int) -> None:
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        while self._processes or self._vacancies or self._outbox:
            busy = any(p.member.ledger.is_busy() for p in self._processes.values())
            poll.poll(1000 * (_BUSY_TICK if busy or self._vacancies else _IDLE_TICK))
            with suppress(BlockingIOError):
                os.read(wakeup, 1024)
            now = time.monotonic()
            self._reap()
            self._stop(now)
            self._refill(now)
            for process in list(self._processes.values()):
                self._watch(process, now)
            self._outbox.send(now)
            self._tend(now)
            if self._has_given_up(now):
                self._in_order = False
                say("stop", "the server is away: what is not settled is recovered when its lease "
                    "lapses", level=logging.ERROR)  # fmt: skip
                break

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
        self._processes[pid] = _Process(Member(name, pid, ledger), max_jobs)
        self._kept_at = 0.0  # show it at once
        say("spawn", f"worker {name} started (pid {pid})", worker=name, pid=pid)

    def _let_go(self) -> None:
        """In a worker: close what is its supervisor's."""
        for process in self._processes.values():
            process.member.ledger.close()
        if close := getattr(self._store.client, "close", None):
            close()

    def _refill(self, now: float) -> None:
        due = [vacancy for vacancy in self._vacancies if vacancy.at <= now]
        self._vacancies = [vacancy for vacancy in self._vacancies if vacancy.at > now]
        if self._shutdown.requested:
            self._vacancies.clear()
            return
        for vacancy in due:
            self._start(vacancy.name, vacancy.max_jobs)

    def _vacate(self, name: str, max_jobs: int | None, *, ran: bool) -> None:
        """Start a worker again: at once if a job took it down, else later and later."""
        deaths = self._deaths[name] = 0 if ran else self._deaths.get(name, -1) + 1
        wait = 0.0 if ran else backoff(deaths)
        self._vacancies.append(_Vacancy(name, time.monotonic() + wait, max_jobs))

    def _reap(self) -> None:
        for pid in list(self._processes):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # reaped by a program that we are embedded in
                ended, status = pid, 0
            if ended:
                self._bury(self._processes.pop(pid), status)
        if os.getpid() == 1:  # orphans of jobs are ours to reap
            self._reap_orphans()

    def _reap_orphans(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and (
                found.si_pid not in self._processes
            ):
                os.waitpid(found.si_pid, os.WNOHANG)

    def _bury(self, process: _Process, status: int) -> None:
        """Pick up what a worker that ended still held, and start it again if it crashed."""
        member, options = process.member, self._options
        name, ledger = member.name, member.ledger
        ledger.seize()
        token, held, runs = ledger.token(), ledger.held(), ledger.runs()
        crashed = not ledger.has_left()
        if crashed:
            self._kill_rest(member)
            self._lament(process, status)
        else:
            say("exit", f"worker {name} ended (pid {member.pid})", worker=name, pid=member.pid)
        ledger.close()
        outcome = process.killed_as or Crashed(describe_exit(status))
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

        self._outbox.post(lambda: _one(self._presence.deregister(member)), replace_it)

    def _kill_rest(self, member: Member) -> None:
        """Kill what a dead worker's job left running."""
        for group in (member.ledger.child(), member.pid):
            if group:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)

    def _lament(self, process: _Process, status: int) -> None:
        member = process.member
        running = [held.job for held in member.ledger.held() if held.slot is Slot.ENTERED]
        what = ", ".join(f"{job.queue}: {job.description} ({job.job_id})" for job in running)
        level = logging.WARNING if running or process.killed_as else logging.ERROR
        ran = f"it ran {what}" if running else "it ran no job"
        say("crash", f"worker {member.name} (pid {member.pid}) is gone: {describe_exit(status)}; "
            f"{ran}", level=level, worker=member.name, pid=member.pid,
            running=[job.job_id for job in running])  # fmt: skip

    # Watching jobs

    def _watch(self, process: _Process, now: float) -> None:
        """Enforce the time limit of the running job, and let nothing wait behind a slow one."""
        if process.killed_as:
            return
        try:
            self._look_into(process, now)
            process.busy_since = None
        except LedgerBusyError:
            process.busy_since = process.busy_since or now
            if now - process.busy_since > self._options.lease / 3:
                # What it holds could not be extended: end it while all of that is still ours.
                self._kill(process, Crashed("its worker was stopped in the middle of a step"))

    def _look_into(self, process: _Process, now: float) -> None:
        ledger = process.member.ledger
        since = ledger.entered_since()
        if since is None:
            touched = ledger.touched_at()
            if touched and now - touched > _STALLED:
                self._lighten(process, Slot.HELD)
            return
        if now - since < BATCH_SECONDS:
            return
        if process.lightened != since:
            self._lighten(process, Slot.HELD, Slot.ENDED)
            process.lightened = since
        entered = [held for held in ledger.held() if held.slot is Slot.ENTERED]
        if entered and entered[0].entered_at == since:
            self._enforce_limit(process, entered[0].job.timeout, now - since)

    def _enforce_limit(self, process: _Process, timeout: int | None, ran: float) -> None:
        limit = runner.time_limit(timeout)
        grace = self._options.timeout_grace
        spare = _FORK_SPARE if self._options.isolation == "fork" else 0
        if limit is not None and ran > limit + grace + spare:
            text = f"killed: the job did not end within {limit:g} seconds and {grace:g} of grace"
            self._kill(process, TimedOut(text))

    def _lighten(self, process: _Process, *slots: Slot) -> None:
        taken = process.member.ledger.take_back(*slots)
        if taken:
            self._gave_back = True
            options, name = self._options, process.member.name
            self._outbox.post(
                lambda: settle_ended(options, name, taken, sent_at=time.monotonic()), _ignore
            )

    def _kill(self, process: _Process, outcome: Outcome) -> None:
        process.killed_as = outcome
        self._kill_rest(process.member)

    # Keeping claims and duties

    def _tend(self, now: float) -> None:
        if not self._outbox.is_open(now):
            return
        try:
            if now - self._kept_at >= min(REGISTER_EVERY, self._options.extend_every):
                self._keep()
                self._kept_at = self._shown_at = now
                self._outbox.note_answer()
            elif now - self._shown_at >= _SHOW_EVERY:
                self._shown_at = now
                self._show()
            for duty in self._timetable.due(now):
                self._do(duty, now)
        except ServerError as error:
            self._outbox.hold_off(error, now)

    def _show(self) -> None:
        """Show the workers that do something else than what was shown last."""
        members = [process.member for process in self._processes.values()]
        changed = [member for member in members if member.shown != member.state]
        self._store.run_many([self._presence.register(member) for member in changed])

    def _do(self, duty: Duty, now: float) -> None:
        try:
            for line in duty.run_once(now).lines:
                say(duty.name, line, level=logging.WARNING)
        except ServerError as error:
            if can_wait(error):
                raise
            self._timetable.postpone(duty, now + tell(error, 0))

    def _keep(self) -> None:
        """Extend every lease and show every worker, in one round trip."""
        calls: list[Call[Any]] = []
        extended: dict[int, _Process] = {}
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
            for execution in replies[number]:
                with suppress(LedgerBusyError):
                    self._lose(process, execution)

    def _lose(self, process: _Process, execution: jobs.Execution) -> None:
        """End a run whose lease is another's or nobody's: canceled, deleted or recovered."""
        ledger = process.member.ledger
        ledger.take_back_one(execution.execution_id)
        for held in ledger.held():
            if held.job.execution_id == execution.execution_id and held.slot is Slot.ENTERED:
                say("lose", f"{execution.queue}: job {execution.job_id} is not ours any more "
                    "(canceled, deleted or recovered): ending its run",
                    level=logging.WARNING, job_id=execution.job_id)  # fmt: skip
                self._kill(process, Crashed("its lease was lost"))

    # Stopping

    def _stop(self, now: float) -> None:
        """Pass on requests to stop: the first as one, any further as the last."""
        requests = self._shutdown.requests
        if requests and not self._stop_told:
            self._stop_told, self._stopping_since = 1, now
            say("stop", "stopping: no new jobs; running ones may end (again to stop at once)")
            for pid in self._processes:
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
            self._kill(process, Crashed("its worker was told to stop at once"))

    def _has_given_up(self, now: float) -> bool:
        """Return whether to end although something is not told: the server stays away."""
        if not self._stop_told or self._processes or not self._outbox:
            return False
        patience = _LAST_WORDS if self._stop_told > 1 else self._options.shutdown_grace
        return now - self._stopping_since > patience

    def _end_all(self) -> None:
        """Leave no process behind, whatever happened."""
        for process in self._processes.values():
            self._kill_rest(process.member)
        for pid in self._processes:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _one(call: Call[Any]) -> Plan[Any]:
    return (yield from call)


def _ignore(result: Any) -> None:
    del result


def _tell_picked_up(picked: PickedUp | None) -> None:
    if picked is None:
        return
    for job, verdict in picked.judged:
        say(str(verdict.event), f"{job.queue}: Job {verdict.to} ({job.job_id}): {verdict.error}",
            level=logging.WARNING, job_id=job.job_id, to=str(verdict.to))  # fmt: skip
    if picked.released:
        say("release", f"gave {picked.released} unrun jobs back", jobs=picked.released)
