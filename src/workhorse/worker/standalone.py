"""One worker without a supervisor: in a script, a test, or where RQ's ``Worker`` was.

With the fork executor its own process runs no user code, so it extends its leases itself.
Inline it can't while a job runs: its claims cover each job's whole time limit.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from contextlib import nullcontext, suppress
from typing import Any, Final

from workhorse.core.settings import REGISTER_EVERY
from workhorse.store import jobs
from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.store.fitness import refuse_unfit
from workhorse.wire.commands import Kind
from workhorse.worker.commands import HEARD_WITHIN, Commands, Stops
from workhorse.worker.duties.duty import Timetable
from workhorse.worker.duties.roster import roster
from workhorse.worker.executors.protocol import Executor
from workhorse.worker.ledger import Ledger, Slot
from workhorse.worker.lifecycle import Shutdown
from workhorse.worker.logs import say
from workhorse.worker.loop import Loop
from workhorse.worker.options import WorkerOptions
from workhorse.worker.patience import backoff, can_wait, tell
from workhorse.worker.presence import Member, Presence
from workhorse.worker.process import executor_for

_SHOW_EVERY: Final = 1.0
"""Seconds after which it is told again that the worker became busy or idle."""


class Upkeep:
    """What a supervisor would do for its worker, done by the worker between other things."""

    def __init__(
        self,
        options: WorkerOptions,
        store: Store,
        ledger: Ledger,
        executor: Executor,
        shutdown: Shutdown,
    ) -> None:
        self._options = options
        self._store = store
        self._executor = executor
        self._shutdown = shutdown
        self._commands = Commands(options.connect, options.keys)
        self._stops = Stops(options.keys)
        self._member = Member(options.name, os.getpid(), ledger)
        self._presence = Presence(options)
        self._kept_at = self._shown_at = self._not_before = float("-inf")
        self._timetable = Timetable(roster(store, options), now=time.monotonic())

    def tick(self) -> None:
        """Do what is due. While the server is away it waits for the next tick."""
        now = time.monotonic()
        if now < self._not_before:
            return
        try:
            self._obey()
            if now - self._kept_at >= min(REGISTER_EVERY, self._options.extend_every):
                self._keep()
                self._kept_at = self._shown_at = now
                if self._stops.pass_on(self._store, [self._member]):
                    self._kept_at = float("-inf")
            elif self._member.shown != self._member.state and now - self._shown_at >= _SHOW_EVERY:
                self._store.run(self._presence.register(self._member))
                self._shown_at = now
            self._timetable.run_due(now, kept_until=self._kept_at + self._options.lease / 2)
        except ServerError as error:
            # Where it is away, the loop tells so.
            self._not_before = now + (backoff(0) if can_wait(error) else tell(error, 0))

    def awaited(self) -> float:
        """Return the seconds until ``tick`` is to be called again; infinity for no moment."""
        now = time.monotonic()
        return math.inf if now < self._not_before else self._timetable.awaited_in(now)

    def _obey(self) -> None:
        for command in self._commands.heard([self._member.name]):
            if command.kind is Kind.SHUTDOWN:
                self._shutdown.request()
            elif command.kind is Kind.KILL_HORSE:
                self._kill_job()
            else:
                self._kept_at = float("-inf")
                self._stops.note(command)

    def _kill_job(self) -> None:
        ledger = self._member.ledger
        child, since = ledger.child(), ledger.entered_since()
        if child and since is not None and time.monotonic() - since >= HEARD_WITHIN:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)

    def _keep(self) -> None:
        calls: list[Call[Any]] = [self._presence.register(self._member)]
        if extend := self._presence.extend(self._member):
            calls.append(extend)
        told = self._store.run_many(calls)[-1]
        if not isinstance(told, jobs.Extended):
            return
        for execution, grace in told.stop:
            slot = self._member.ledger.ask_stop(execution.execution_id)
            if slot is Slot.HELD:
                options = self._options
                self._store.run(jobs.release(options.keys, [execution], worker=options.name))
            elif slot is not None:
                say("stop", f"{execution.queue}: ending job {execution.job_id}, as it was asked "
                    "for", job_id=execution.job_id)  # fmt: skip
                self._executor.stop(execution.execution_id, grace=grace)
        for execution in told.lost:
            say("lose", f"{execution.queue}: job {execution.job_id} is not ours any more "
                "(canceled, deleted or recovered): ending its run",
                level=logging.WARNING, job_id=execution.job_id)  # fmt: skip
            self._member.ledger.take_back_one(execution.execution_id)
            self._executor.stop(execution.execution_id)

    def leave(self) -> None:
        """Take the worker off the list."""
        self._commands.close()
        with suppress(ServerError):
            self._store.run(self._presence.deregister(self._member))


def work(options: WorkerOptions, shutdown: Shutdown) -> int:
    """Work in this process until told to stop, or in a burst until the queues are empty.

    Returns how many jobs ended; raises ConnectionChoiceError for a server that can't be used.
    Takes SIGTERM and SIGINT as *shutdown* requests where it runs
    in the main thread.
    """
    store = Store(options.connect())
    refuse_unfit(store)
    ledger = Ledger()
    inline = options.isolation == "inline"
    executor = executor_for(options, ledger)
    upkeep = Upkeep(options, store, ledger, executor, shutdown)
    awaited = upkeep.awaited if options.scheduler else None
    loop = Loop(
        options, store, ledger, executor, shutdown, tick=upkeep.tick, awaited=awaited,
        whole_run=inline,
    )  # fmt: skip
    in_main = threading.current_thread() is threading.main_thread()
    say("boot", f"worker {options.name} started (pid {os.getpid()}), {options.isolation} on "
        f"{', '.join(options.queues)}", worker=options.name, pid=os.getpid())  # fmt: skip
    try:
        with shutdown.on_signals() if in_main else nullcontext():
            return loop.run()
    finally:
        upkeep.leave()
        executor.close()
        ledger.close()
        say("exit", f"worker {options.name} ended", worker=options.name)
