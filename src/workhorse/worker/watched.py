"""One worker process as its supervisor sees it: what it holds, and when it must end."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from workhorse.core.outcomes import Crashed, Outcome, Stopped, TimedOut
from workhorse.core.settings import BATCH_SECONDS
from workhorse.store import jobs
from workhorse.worker import runner
from workhorse.worker.commands import HEARD_WITHIN
from workhorse.worker.ledger import Held, LedgerBusyError, Slot
from workhorse.worker.logs import say
from workhorse.worker.options import WorkerOptions
from workhorse.worker.outbox import Outbox
from workhorse.worker.pickup import settle_ended
from workhorse.worker.presence import Member

_STALLED: Final = 2.0
"""Seconds in which a worker between two jobs makes no step: it is stopped, or its log is."""
_FORK_SPARE: Final = 5.0
"""Seconds that a worker which forks its jobs gets to enforce their limits itself."""


class Watched:
    """A worker process. Looked at many times a second; ended when it must be.

    *on_give_back* is called when unrun jobs of it go back to their queues.
    """

    def __init__(
        self,
        options: WorkerOptions,
        outbox: Outbox,
        member: Member,
        on_give_back: Callable[[], None],
        max_jobs: int | None,
    ) -> None:
        self.member = member
        self.max_jobs = max_jobs
        self.killed_as: Outcome | None = None
        self._options = options
        self._outbox = outbox
        self._on_give_back = on_give_back
        self._lightened = 0.0  # when the job was entered behind which nothing waits any more
        self._busy_since: float | None = None
        self._kill_at: dict[str, float] = {}

    def look(self, now: float) -> None:
        """Enforce the time limit of the running job, and let nothing wait behind a slow one."""
        if self.killed_as:
            return
        try:
            self._look_into(now)
            self._busy_since = None
        except LedgerBusyError:
            self._busy_since = self._busy_since or now
            if now - self._busy_since > self._options.lease / 3:
                # What it holds could not be extended: end it while all of that is still ours.
                self.kill(Crashed("its worker was stopped in the middle of a step"))

    def _look_into(self, now: float) -> None:
        ledger = self.member.ledger
        if self._kill_at:
            self._end_stopped(now)
        since = ledger.entered_since()
        if since is None:
            touched = ledger.touched_at()
            if touched and now - touched > _STALLED:
                self._lighten(Slot.HELD)
            return
        if now - since < BATCH_SECONDS:
            return
        if self._lightened != since:
            self._lighten(Slot.HELD, Slot.ENDED)
            self._lightened = since
        running = [held for held in ledger.held() if held.runs]
        if running and running[0].entered_at == since:
            self._enforce_limit(running[0], now - since)

    def _enforce_limit(self, held: Held, ran: float) -> None:
        calls = held.slot is Slot.CALLING
        limit = held.call_limit if calls else runner.time_limit(held.job.timeout)
        grace = self._options.timeout_grace
        spare = _FORK_SPARE if self._options.isolation == "fork" else 0
        if limit is not None and ran > limit + grace + spare:
            what = "what is called after the job" if calls else "the job"
            text = f"killed: {what} did not end within {limit:g} seconds and {grace:g} of grace"
            self.kill(TimedOut(text))

    def _lighten(self, *slots: Slot) -> None:
        taken = self.member.ledger.take_back(*slots)
        if taken:
            self._on_give_back()
            options, name = self._options, self.member.name
            self._outbox.post(lambda: settle_ended(options, name, taken, sent_at=time.monotonic()))

    def kill(self, outcome: Outcome) -> None:
        """End it and all that it started; the job that runs has ended in *outcome*."""
        self.killed_as = outcome
        self.kill_rest()
        with suppress(ProcessLookupError):  # one whose job took it to another group
            os.kill(self.member.pid, signal.SIGKILL)

    def why_killed(self) -> str | None:
        """Return why it was ended, in words; None where nobody here did it."""
        match self.killed_as:
            case Crashed(detail):
                return detail
            case TimedOut(text):
                return text
            case Stopped():
                return "killed, because a person wants its job ended"
            case _:
                return None

    def lose(self, execution: jobs.Execution) -> None:
        """End a run whose lease is another's or nobody's: canceled, deleted or recovered."""
        ledger = self.member.ledger
        ledger.take_back_one(execution.execution_id)
        for held in ledger.held():
            if held.job.execution_id == execution.execution_id and held.slot is Slot.ENTERED:
                say("lose", f"{execution.queue}: job {execution.job_id} is not ours any more "
                    "(canceled, deleted or recovered): ending its run",
                    level=logging.WARNING, job_id=execution.job_id)  # fmt: skip
                self.kill(Crashed("its lease was lost"))

    def stop(self, execution: jobs.Execution, grace: float) -> None:
        """End a run that a person wants ended: by an exception first, where it has time."""
        if execution.execution_id in self._kill_at:
            return
        slot = self.member.ledger.ask_stop(execution.execution_id)
        if slot is Slot.HELD:
            call = jobs.release(self._options.keys, [execution], worker=self.member.name)
            self._outbox.post(lambda: call)
        elif slot is not None:
            within = f" within {grace:g} seconds" if grace else ""
            say("stop", f"{execution.queue}: ending job {execution.job_id}{within}, as it was "
                "asked for", job_id=execution.job_id, grace=grace)  # fmt: skip
            self._kill_at[execution.execution_id] = time.monotonic() + grace
            if grace:
                with suppress(ProcessLookupError):
                    os.kill(self.member.ledger.child() or self.member.pid, signal.SIGALRM)

    def kill_job(self, now: float) -> None:
        """Kill the process of the job that runs, as ``kill -9``; not of one that just began."""
        ledger = self.member.ledger
        child = ledger.child()  # first: what is entered then is its job, or a newer one
        since = ledger.entered_since()
        if since is None or now - since < HEARD_WITHIN:
            return
        say("kill", f"worker {self.member.name} was told to kill its job", worker=self.member.name)
        if self._options.isolation == "inline":
            self.kill(Crashed("killed, because a person wants it (kill-horse)"))
        elif child:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)

    def _end_stopped(self, now: float) -> None:
        """Kill what was asked to stop and has had its time."""
        ledger = self.member.ledger
        child = ledger.child()  # first: what is entered then, and now, is its job
        running = {h.job.execution_id for h in ledger.held() if h.runs}
        for execution_id, at in list(self._kill_at.items()):
            if execution_id not in running:
                del self._kill_at[execution_id]
            elif at > now:
                continue
            elif self._options.isolation == "inline":
                self.kill(Stopped())
            elif child:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, signal.SIGKILL)

    def kill_rest(self) -> None:
        """Kill what a dead worker's job left running."""
        for group in (self.member.ledger.child(), self.member.pid):
            if group:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
