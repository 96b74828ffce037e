"""Claim, run, judge, settle; until told to stop. One worker process is one of these."""

from __future__ import annotations

import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from workhorse.core.callbacks import After
from workhorse.core.ids import GrowingTokens
from workhorse.core.outcomes import Crashed, Returned, Stopped
from workhorse.core.pacing import Pace, next_batch
from workhorse.core.settings import BATCH_SECONDS, BELL_SECONDS, FORWARD_EVERY
from workhorse.core.verdicts import Verdict, judge
from workhorse.store import dependents, jobs, workers
from workhorse.store.callbacks import set_callback_error, with_problem
from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_of_data
from workhorse.wire.claimed import Claimed
from workhorse.worker import callbacks, runner
from workhorse.worker.ends import Ends
from workhorse.worker.executors.protocol import Called, Ended, Executor
from workhorse.worker.ledger import Ledger, Slot
from workhorse.worker.lifecycle import Shutdown
from workhorse.worker.logs import JobLog, say, tell_dropped
from workhorse.worker.options import WorkerOptions
from workhorse.worker.patience import insist, pause, tell
from workhorse.worker.presence import executions_of
from workhorse.worker.turns import Turns

_COLLECT_FOR: Final = 0.25
"""Seconds between two looks around while a job runs elsewhere."""
_MOMENT: Final = 0.02
"""The same, while anything waits behind that job."""


class _GaveUp(Exception):  # noqa: N818 - not an error
    """The server is away, we were told to stop, and there is nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Where the jobs of one claim are."""

    waiting: deque[tuple[int, Claimed]]
    running: dict[str, tuple[int, Claimed]]


class Loop:
    """One worker: takes jobs in batches sized by time, and settles them with the next claim.

    *tick* is called between jobs, while one runs elsewhere, and while idle; where *awaited* is
    given, ten times a second then, and when the seconds are over that it returns. With *whole_run*
    claims cover a job's whole time limit, because nobody can extend them meanwhile. One that
    is *watched* may leave what it can't settle in its ledger, for its supervisor. *tell_end* is
    called with each job that ended and the verdict on it, before that is settled.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        options: WorkerOptions,
        store: Store,
        ledger: Ledger,
        executor: Executor,
        shutdown: Shutdown,
        *,
        tick: Callable[[], None] = lambda: None,
        awaited: Callable[[], float] | None = None,
        whole_run: bool = False,
        watched: bool = False,
        tell_end: Callable[[Claimed, Verdict], None] = lambda job, verdict: None,  # noqa: ARG005 - for nobody
    ) -> None:
        self._options = options
        self._store = store
        self._ledger = ledger
        self._executor = executor
        self._shutdown = shutdown
        self._tick = tick
        self._awaited = awaited
        self._order = Turns(options.queues, options.dequeue_strategy, random.sample)
        self._whole_run = whole_run
        self._watched = watched
        self._tell_end = tell_end
        self._pace = Pace()
        self._tokens = GrowingTokens()
        self._size = 1
        self._log = JobLog(describe=options.describe_jobs, tracebacks=options.tells_tracebacks)
        self._ends = Ends(options, ledger, self._insist)
        self._calling: dict[str, callbacks.Calling] = {}
        self._asked_at = 0.0
        self._idle_since = time.monotonic()
        self._asked_alone = True
        self.jobs_run = 0

    def run(self) -> int:
        """Work until told to stop (or, in a burst, until the queues are empty).

        Returns how many jobs ended. Nothing is left behind: what was claimed and not run is
        back on its queue.
        """
        try:
            while not self._is_over():
                self._tick()
                claim = self._claim()
                if claim.jobs:
                    self._work(claim.jobs)
                    self._idle_since = time.monotonic()
                elif not claim.dropped and not claim.set_aside:
                    if self._options.burst:
                        # Beside ends it may have been carried out before one that retries its job:
                        # a server that forgot its scripts is sent some of a trip again.
                        if self._asked_alone and not self._promote():
                            break
                        continue
                    self._rest(suspended=claim.suspended)
            self._ends.settle()
        except _GaveUp:
            say("stop", "stopping although the server is away", level=logging.WARNING)
        self._log.sum_up(now=None)
        return self.jobs_run

    def _is_over(self) -> bool:
        if self._shutdown.requested:
            return True
        idle_for = time.monotonic() - self._idle_since
        longest = self._options.max_idle_time
        return self._jobs_left() == 0 or (longest is not None and idle_for > longest)

    def _jobs_left(self) -> int | None:
        most = self._options.max_jobs
        return None if most is None else max(0, most - self.jobs_run)

    # Claim

    def _claim(self) -> jobs.Claim:
        """Settle what ended and claim the next batch, in one round trip."""
        token = self._tokens.next()
        self._asked_alone = not self._ends
        count = self._size if not self._whole_run else 1
        if (left := self._jobs_left()) is not None:
            count = min(count, left)
        self._ledger.ask(token)
        self._asked_at = time.monotonic()
        options = self._options
        claim_call = jobs.claim(
            options.keys,
            self._order.next(),
            worker=options.name,
            token=token,
            count=count,
            lease=options.lease,
            whole_run=self._whole_run,
            on_lost=options.on_lost,
            max_starts=options.max_starts,
        )
        try:
            claim = self._ends.settle_and(claim_call)
        except ServerError as error:
            self._wait_out(error)
            return jobs.Claim([], [], suspended=False)
        self._ledger.clear()
        if claim.jobs:
            self._order.took_from(claim.jobs[-1].queue)
        self._note_suspended(suspended=claim.suspended)
        tell_dropped(claim.dropped)
        return claim

    def _promote(self) -> bool:
        """Return whether children of ended parents may have been queued: there were many."""
        try:
            return bool(self._insist(lambda: [dependents.promote(self._options.keys)])[0])
        except ServerError as error:
            tell(error, 0)
            return False

    def _rest(self, *, suspended: bool) -> None:
        """Sleep until a queue's bell rings, but not long: RQ's producers ring none."""
        self._log.sum_up(now=time.monotonic())
        self._executor.collect(0)
        if suspended:
            pause(BELL_SECONDS, self._tick)
            return
        options = self._options
        try:
            self._await_bell()
        except ServerError as error:
            if not is_of_data(error):
                self._wait_out(error)
                return
            # A bell that is no list. It holds nothing of value, and is made anew.
            with suppress(ServerError):
                self._insist(lambda: [workers.remove_bells(options.keys, options.queues)])

    def _await_bell(self) -> None:
        options = self._options
        # A server counts in tenths of a second, and rounds up.
        seconds = BELL_SECONDS if self._awaited is None else FORWARD_EVERY / 2
        call = workers.await_bell(options.keys, options.queues, seconds=seconds)
        until = time.monotonic() + BELL_SECONDS
        while not self._is_over():
            awaited = self._awaited() if self._awaited else math.inf
            if awaited < FORWARD_EVERY:
                time.sleep(awaited)  # a bell that rings meanwhile is heard then
            elif self._insist(lambda: [call])[0]:
                return
            if time.monotonic() >= until:
                return
            self._tick()

    def _note_suspended(self, *, suspended: bool) -> None:
        if suspended != self._ledger.is_suspended():
            self._ledger.note_suspended(suspended)
            say("suspend" if suspended else "resume", f"worker {self._options.name}: "
                f"{'suspended: takes no jobs' if suspended else 'takes jobs again'}",
                worker=self._options.name)  # fmt: skip

    def _wait_out(self, error: ServerError) -> None:
        """Wait a while: something is wrong on the server that a person must mend."""
        pause(tell(error, 0), self._between_rests)

    # Work

    def _work(self, claimed: Sequence[Claimed]) -> None:
        began, before = time.monotonic(), self.jobs_run
        if (longest := self._options.max_job_timeout) is not None:
            claimed = [runner.capped(job, longest) for job in claimed]
        held = self._ledger.hold(claimed, now=began)
        if held < len(claimed):
            self._release(claimed[held:])
        batch = Batch(deque(enumerate(claimed[:held])), {})
        slowest = 0.0
        while batch.waiting or batch.running:
            if batch.waiting and (self._shutdown.requested or self._overslept()):
                self._take_back(batch)
            while batch.waiting and self._executor.free_slots:
                self._begin(batch, *batch.waiting.popleft())
            hurry = batch.waiting or self._ends
            for told in self._executor.collect(_MOMENT if hurry else _COLLECT_FOR):
                slowest = max(slowest, self._hear(told, batch))
            if batch.running:
                self._look_around(batch)
        seconds = time.monotonic() - began
        ran = self.jobs_run - before
        self._size = next_batch(self._size, jobs=ran, seconds=seconds, slowest=slowest)

    def _hear(self, told: Ended | Called, batch: Batch) -> float:
        """Take note of what an executor tells; return how long that took, in seconds."""
        number, job = batch.running[told.execution_id]
        seconds = 0.0
        if isinstance(told, Called):
            self._end_call(job, told.problem)
        else:
            seconds = told.ended_at - told.started_at
            self._end(told, number, job)
        if told.execution_id not in self._calling:
            del batch.running[told.execution_id]
        return seconds

    def _overslept(self) -> bool:
        """Return whether what was claimed may be another's by now: we were stopped, or starved."""
        return time.monotonic() - self._asked_at > self._options.lease

    def _begin(self, batch: Batch, number: int, job: Claimed) -> None:
        now = time.monotonic()
        if self._ends and (
            now - self._ends.first_at > BATCH_SECONDS or not self._pace.is_short(_label(job))
        ):
            self._ends.settle()
            now = time.monotonic()
        if not self._ledger.enter(number, now=now):
            return
        self._log.started(job, now=now)
        batch.running[job.execution_id] = (number, job)
        options = self._options
        run = callbacks.run_with(options, job)
        limit = runner.time_limit(job.timeout)
        kill_after = None if limit is None else limit + options.timeout_grace
        self._executor.start(job.execution_id, run, kill_after=kill_after)

    def _end(self, ended: Ended, number: int, job: Claimed) -> None:
        outcome = ended.outcome
        if self._ledger.is_stop_asked(number) and not isinstance(outcome, Returned):
            text = "" if isinstance(outcome, Crashed) else outcome.traceback
            outcome = Stopped(text)  # whatever else its end looked like
        chance = random.random()  # noqa: S311 - spreads retries, guards nothing
        verdict = judge(outcome, job.policy, chance=chance)
        after = None
        if ended.waits:
            after = callbacks.after_of(job, outcome, verdict, self._options.exception_handlers)
        settlement = jobs.settlement(
            job,
            verdict,
            result_ttl=self._options.result_ttl,
            started_at=ended.started_at,
            ended_at=ended.ended_at,
            called=after is not None and bool(after.callback),
        )
        seconds = ended.ended_at - ended.started_at
        self._pace.learn(_label(job), seconds)
        self.jobs_run += 1
        self._tell_end(job, verdict)
        self._log.ended(
            job, now=ended.ended_at, seconds=seconds, error=verdict.error, to=verdict.to
        )
        if isinstance(outcome, Returned) and outcome.replaced:
            self._log.replaced(job, outcome.replaced)
        if after:
            self._call(callbacks.Calling(number, settlement), job, after)
            return
        if ended.waits:
            self._executor.go_on(job.execution_id, None, kill_after=None)
        self._ends.add(number, settlement, now=ended.ended_at)

    def _call(self, calling: callbacks.Calling, job: Claimed, after: After) -> None:
        """Have callbacks called, now that nothing can change how the job ended.

        That is in the ledger, for a process that dies of them; else it is settled first.
        """
        self._ends.settle()
        number, settlement = calling.number, calling.settlement
        now = time.monotonic()
        in_ledger = not self._whole_run and self._ledger.call(
            number, settlement, after.limit, now=now
        )
        if not in_ledger:
            self._ends.add(number, with_problem(settlement, ""), now=now)
            self._ends.settle()
            self._ledger.call_settled(number, after.limit, now=now)
        self._calling[job.execution_id] = replace(calling, is_settled=not in_ledger)
        kill_after = after.limit and after.limit + self._options.timeout_grace
        self._executor.go_on(job.execution_id, after, kill_after=kill_after)

    def _end_call(self, job: Claimed, problem: str) -> None:
        """Note what callbacks did, and have the end of their job settled."""
        calling = self._calling.pop(job.execution_id)
        if problem:
            self._log.miscalled(job, problem)
        if not calling.is_settled:
            settlement = with_problem(calling.settlement, problem)
            self._ends.add(calling.number, settlement, now=time.monotonic())
            return
        self._ledger.forget([calling.number])
        if problem:
            call = set_callback_error(self._options.keys, job, problem)
            with suppress(ServerError):
                self._insist(lambda: [call])

    def _look_around(self, batch: Batch) -> None:
        """While a job runs elsewhere: nobody waits behind it, and a second signal ends it."""
        self._tick()
        if self._shutdown.at_once:
            self._abandon(batch)
        elif batch.waiting:
            self._take_back(batch)
        if self._ends:
            self._ends.settle()

    def _take_back(self, batch: Batch) -> None:
        """Give the jobs that were not entered back to the front of their queues."""
        batch.waiting.clear()
        taken = self._ledger.take_back(Slot.HELD, patience=None)
        self._release([held.job for held in taken])

    def _abandon(self, batch: Batch) -> None:
        """End the running jobs now and have them judged as lost."""
        self._take_back(batch)
        now = time.monotonic()
        began = self._ledger.entered_since() or now
        self._executor.close()
        for execution_id, (number, job) in list(batch.running.items()):
            if execution_id in self._calling:
                self._end_call(job, "its worker was told to stop at once")
                continue
            outcome = Crashed("its worker was told to stop at once")
            self._end(Ended(execution_id, outcome, began, now), number, job)
        batch.running.clear()

    def _release(self, claimed: Sequence[Claimed]) -> None:
        if claimed:
            options = self._options
            executions = executions_of(claimed)
            call = jobs.release(options.keys, executions, worker=options.name)
            try:
                self._insist(lambda: [call])
            except ServerError as error:
                tell(error, 0)
            say("release", f"gave {len(claimed)} unrun jobs back", jobs=len(claimed))

    def _insist(self, make_calls: Callable[[], Sequence[Call[Any]]]) -> list[Any]:
        return insist(self._store, make_calls, between=self._between)

    def _between(self) -> None:
        """Give up, while the server is away, if there is nothing to wait for."""
        self._tick()
        if self._shutdown.at_once or (
            self._shutdown.requested and (self._watched or not self._ends)
        ):
            raise _GaveUp

    def _between_rests(self) -> None:
        self._tick()
        if self._shutdown.requested:
            raise _GaveUp


def _label(job: Claimed) -> str:
    """Return the function's name, as far as the description tells it; for expectations only."""
    return job.description.partition("(")[0]
