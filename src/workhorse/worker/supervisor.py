"""The process that watches. It starts worker processes, and runs no user code itself.

A job can block, leak, segfault or hang: from here it is still seen, its lease extended, its
limit enforced, and what a dead worker held is settled, judged or given back at once.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from workhorse.core.outcomes import Crashed, Outcome, TimedOut
from workhorse.core.settings import BATCH_SECONDS, REGISTER_EVERY
from workhorse.store import jobs
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_passing, is_refused_login
from workhorse.worker import runner
from workhorse.worker.duties.duty import Timetable
from workhorse.worker.duties.forward import Forward
from workhorse.worker.duties.recover import Recover
from workhorse.worker.duties.sweep import Sweep
from workhorse.worker.executors.fork import ForkExecutor
from workhorse.worker.executors.inline import InlineExecutor
from workhorse.worker.ledger import Ledger, LedgerBusyError, Slot
from workhorse.worker.lifecycle import Shutdown, describe_exit, die_with_parent, set_title
from workhorse.worker.logs import say
from workhorse.worker.loop import Loop
from workhorse.worker.options import WorkerOptions
from workhorse.worker.patience import backoff
from workhorse.worker.pickup import PickedUp, pick_up, settle_ended
from workhorse.worker.presence import Member, Presence

_IDLE_TICK: Final = 0.1
_BUSY_TICK: Final = BATCH_SECONDS
_YOUNG: Final = 5.0
"""A worker that dies within these seconds is started again later and later."""


@dataclass(slots=True)
class _Process:
    """One worker process, and what the supervisor knows of it."""

    member: Member
    started_at: float
    lightened: float = 0.0
    """When the job was entered behind which nothing waits any more."""
    killed_as: Outcome | None = None


@dataclass(slots=True)
class _Vacancy:
    """A worker to start again."""

    name: str
    at: float
    deaths: int


@dataclass(slots=True)
class _Outbox:
    """Operations that must reach the server, in order, however long it is away."""

    waiting: list[tuple[Callable[[], Plan[Any]], Callable[[Any], None]]] = field(
        default_factory=list[tuple[Callable[[], Plan[Any]], Callable[[Any], None]]]
    )
    attempt: int = 0
    not_before: float = 0.0


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
        self._outbox = _Outbox()
        self._kept_at = 0.0
        self._stop_told = 0
        self._stopping_since = 0.0
        self._crashed = False

    def run(self) -> int:
        """Work; return the exit code: 0 when all that was begun has ended in order."""
        options = self._options
        set_title(f"workhorse: supervisor {options.name}")
        self._store = Store(options.connect())
        self._refuse_bad_login()
        wakeup, ring = os.pipe()
        for end in (wakeup, ring):
            os.set_blocking(end, False)  # noqa: FBT003 - the system call's own form
        before = signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        chld = signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.freeze()  # so that workers share our memory longer
        say("boot", f"supervisor {options.name} started: {self._count} x "
            f"{options.isolation} on {', '.join(options.queues)}", pid=os.getpid(),
            processes=self._count, isolation=options.isolation, queues=list(options.queues))  # fmt: skip
        now = time.monotonic()
        keys = options.keys
        recover_every = min(5.0, options.lease / 2)
        duties = (
            Forward(self._store, keys),
            Recover(self._store, keys, every=recover_every),
            Sweep(self._store, keys),
        )
        self._timetable = Timetable(duties, now=now)
        try:
            with self._shutdown.on_signals():
                for number in range(1, self._count + 1):
                    name = options.name if self._count == 1 else f"{options.name}-{number}"
                    self._start(name)
                self._supervise(wakeup)
        finally:
            signal.set_wakeup_fd(before)
            signal.signal(signal.SIGCHLD, chld)
            os.close(wakeup)
            os.close(ring)
            self._kill_all(signal.SIGKILL)
        say("exit", f"supervisor {options.name} ended", pid=os.getpid())
        return 0

    def _refuse_bad_login(self) -> None:
        with suppress(ServerError):
            try:
                self._store.client.execute_command("PING")
            except ServerError as error:
                if is_refused_login(error):
                    raise
                raise

    def _supervise(self, wakeup: int) -> None:
        while self._processes or self._vacancies or self._outbox.waiting:
            busy = any(p.member.ledger.is_busy() for p in self._processes.values())
            select.select([wakeup], [], [], _BUSY_TICK if busy else _IDLE_TICK)
            with suppress(BlockingIOError):
                os.read(wakeup, 1024)
            now = time.monotonic()
            self._reap(now)
            self._stop(now)
            self._refill(now)
            for process in list(self._processes.values()):
                with suppress(LedgerBusyError):
                    self._watch(process, now)
            self._send(now)
            self._tend(now)
            if self._given_up(now):
                break

    # Worker processes

    def _start(self, name: str) -> None:
        ledger = Ledger()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _be_worker(replace(self._options, name=name), ledger, parent)
        process = _Process(Member(name, pid, ledger), time.monotonic())
        self._processes[pid] = process
        self._kept_at = 0.0  # show it at once
        say("spawn", f"worker {name} started (pid {pid})", worker=name, pid=pid)

    def _refill(self, now: float) -> None:
        due = [vacancy for vacancy in self._vacancies if vacancy.at <= now]
        self._vacancies = [vacancy for vacancy in self._vacancies if vacancy.at > now]
        if self._shutdown.requested:
            self._vacancies.clear()
            return
        for vacancy in due:
            self._start(vacancy.name)

    def _reap(self, now: float) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if process := self._processes.pop(pid, None):
                self._bury(process, status, now)

    def _bury(self, process: _Process, status: int, now: float) -> None:
        """Pick up what a worker that ended still held, and start it again if it crashed."""
        member, name = process.member, process.member.name
        ended_well = status == 0
        if ended_well:
            say("exit", f"worker {name} ended (pid {member.pid})", worker=name, pid=member.pid)
        else:
            self._lament(process, status)
            young = now - process.started_at < _YOUNG and not process.killed_as
            deaths = self._deaths[name] = self._deaths.get(name, 0) + 1 if young else 0
            self._vacancies.append(_Vacancy(name, now + (backoff(deaths) if young else 0), deaths))
        outcome = process.killed_as or Crashed(describe_exit(status))
        token, held = member.ledger.token(), member.ledger.held()
        member.ledger.close()
        options = self._options
        self._post(
            lambda: pick_up(options, name, token, held, outcome, sent_at=time.monotonic()),
            _tell_picked_up,
        )
        self._post(lambda: _one(self._presence.deregister(member)), _ignore)

    def _lament(self, process: _Process, status: int) -> None:
        member = process.member
        running = [held.job for held in member.ledger.held() if held.slot is Slot.ENTERED]
        what = ", ".join(f"{job.queue}: {job.description} ({job.job_id})" for job in running)
        level = logging.WARNING if running or process.killed_as else logging.ERROR
        say("crash", f"worker {member.name} (pid {member.pid}) is gone: {describe_exit(status)}; "
            + (f"it ran {what}" if running else "it ran no job"), level=level,
            worker=member.name, pid=member.pid, running=[job.job_id for job in running])  # fmt: skip

    # Watching jobs

    def _watch(self, process: _Process, now: float) -> None:
        """Enforce the time limit of the running job, and let nothing wait behind a slow one."""
        ledger = process.member.ledger
        since = ledger.entered_since()
        if since is None or now - since < BATCH_SECONDS or process.killed_as:
            return
        entered = [held for held in ledger.held() if held.slot is Slot.ENTERED]
        if not entered or entered[0].entered_at != since:
            return
        if process.lightened != since:
            process.lightened = since
            self._lighten(process)
        limit = runner.time_limit(entered[0].job.timeout)
        spare = self._options.timeout_grace + (5 if self._options.isolation == "fork" else 0)
        if limit is not None and now - since > limit + spare:
            text = f"killed: the job did not end within {limit:g} seconds and {spare:g} of grace"
            self._kill(process, TimedOut(text))

    def _lighten(self, process: _Process) -> None:
        taken = process.member.ledger.take_back(Slot.HELD, Slot.ENDED)
        if taken:
            options, name = self._options, process.member.name
            self._post(lambda: settle_ended(options, name, taken, sent_at=time.monotonic()), _ignore)

    def _kill(self, process: _Process, outcome: Outcome) -> None:
        process.killed_as = outcome
        with suppress(ProcessLookupError):
            os.killpg(process.member.pid, signal.SIGKILL)

    # Keeping claims and duties

    def _tend(self, now: float) -> None:
        if now < self._outbox.not_before:
            return
        try:
            if now - self._kept_at >= min(REGISTER_EVERY, self._options.extend_every):
                self._kept_at = now
                self._keep()
            for duty in self._timetable.due(now):
                report = duty.run_once(now)
                for line in report.lines:
                    say(duty.name, line, level=logging.WARNING)
        except ServerError as error:
            self._hold_off(error, now)

    def _keep(self) -> None:
        """Extend every lease and show every worker, in one round trip."""
        calls: list[Any] = []
        extended: list[_Process] = []
        for process in self._processes.values():
            calls.append(self._presence.register(process.member))
            with suppress(LedgerBusyError):
                if call := self._presence.extend(process.member):
                    calls.append(call)
                    extended.append(process)
        replies = [reply for reply in self._store.run_many(calls) if isinstance(reply, list)]
        for process, lost in zip(extended, replies, strict=True):
            for execution in lost:
                self._lose(process, execution)

    def _lose(self, process: _Process, execution: jobs.Execution) -> None:
        """End a run whose lease is another's or nobody's: it was canceled, deleted or recovered."""
        with suppress(LedgerBusyError):
            process.member.ledger.take_back_one(execution.execution_id)
            for held in process.member.ledger.held():
                if held.job.execution_id == execution.execution_id and held.slot is Slot.ENTERED:
                    say("lose", f"{execution.queue}: job {execution.job_id} is not ours any more "
                        "(canceled, deleted or recovered): ending its run",
                        level=logging.WARNING, job_id=execution.job_id)  # fmt: skip
                    self._kill(process, Crashed("its lease was lost"))

    def _post(self, make: Callable[[], Plan[Any]], then: Callable[[Any], None]) -> None:
        self._outbox.waiting.append((make, then))

    def _send(self, now: float) -> None:
        """Send what waits in the outbox. Every operation may be sent twice."""
        box = self._outbox
        while box.waiting and now >= box.not_before:
            make, then = box.waiting[0]
            try:
                result = self._store.run(make())
            except ServerError as error:
                self._hold_off(error, now)
                return
            box.attempt = 0
            del box.waiting[0]
            then(result)

    def _hold_off(self, error: ServerError, now: float) -> None:
        if not is_passing(error):
            raise error
        box = self._outbox
        box.not_before = now + backoff(box.attempt)
        if box.attempt == 0:
            say("disconnect", f"the server does not answer, trying on: {error}",
                level=logging.WARNING, error=str(error))  # fmt: skip
        box.attempt += 1

    # Stopping

    def _stop(self, now: float) -> None:
        requests = self._shutdown.requests
        if requests == self._stop_told:
            return
        first = self._stop_told == 0
        self._stop_told = requests
        if first:
            self._stopping_since = now
            say("stop", "stopping: no new jobs; running ones may end (again to stop at once)")
            self._kill_all(signal.SIGTERM)
        if requests > 1:
            self._stop_at_once("stopping at once: running jobs go back to their queues")

    def _given_up(self, now: float) -> bool:
        """Return whether to end although something waits: the server is away, and time is up."""
        if not self._stop_told:
            return False
        waited = now - self._stopping_since
        if self._processes and waited > self._options.shutdown_grace and self._stop_told == 1:
            self._stop_told = 2
            self._stop_at_once("the grace period is over: running jobs go back to their queues")
        late = waited > self._options.shutdown_grace + 10 or self._shutdown.at_once and waited > 10
        return not self._processes and bool(self._outbox.waiting) and late

    def _stop_at_once(self, message: str) -> None:
        say("stop", message, level=logging.WARNING)
        for process in self._processes.values():
            self._kill(process, Crashed("its worker was told to stop at once"))

    def _kill_all(self, number: signal.Signals) -> None:
        for pid in self._processes:
            with suppress(ProcessLookupError):
                if number is signal.SIGKILL:
                    os.killpg(pid, number)
                else:
                    os.kill(pid, number)


def _be_worker(options: WorkerOptions, ledger: Ledger, parent: int) -> NoReturn:
    """Be a worker process, from the fork to its end."""
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(parent)
        set_title(f"workhorse: worker {options.name}")
        sys.path[:0] = [path for path in options.paths if path not in sys.path]
        shutdown = Shutdown()
        executor = ForkExecutor() if options.isolation == "fork" else InlineExecutor()
        with shutdown.on_signals():
            Loop(options, Store(options.connect()), ledger, executor, shutdown).run()
        code = 0
    except BaseException:  # noqa: BLE001 - the end of a process: tell why, then leave
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _one(call: Any) -> Plan[Any]:
    return (yield from call)


def _ignore(result: Any) -> None:
    del result


def _tell_picked_up(picked: PickedUp) -> None:
    for job, verdict in picked.judged:
        say(str(verdict.event), f"{job.queue}: Job {verdict.to} ({job.job_id}): {verdict.error}",
            level=logging.WARNING, job_id=job.job_id, to=str(verdict.to))  # fmt: skip
    if picked.released:
        say("release", f"gave {picked.released} unrun jobs back", jobs=picked.released)
