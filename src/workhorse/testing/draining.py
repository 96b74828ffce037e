"""Run what waits, here and now, as a worker would."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from workhorse.api.connection import client_of, default_keys, store_of
from workhorse.api.job import Job
from workhorse.api.queue import Queue
from workhorse.core.ids import check_queue_name
from workhorse.core.states import ENDED, State
from workhorse.core.verdicts import Verdict
from workhorse.store import clock, views
from workhorse.store.connections import separate
from workhorse.store.drivers import Client, Store
from workhorse.testing.errors import EndlessDrainError, JobFailedError
from workhorse.testing.recording import Record
from workhorse.testing.servers import needed_server, server_in_use
from workhorse.testing.time_travel import pass_time
from workhorse.wire.claimed import Claimed
from workhorse.wire.payload import Serializer, choose_serializer
from workhorse.worker.duties.cron import Cron
from workhorse.worker.duties.roster import roster
from workhorse.worker.executors.inline import InlineExecutor
from workhorse.worker.ledger import Ledger
from workhorse.worker.lifecycle import Shutdown
from workhorse.worker.loop import Loop
from workhorse.worker.options import WorkerOptions

WORKER: Final = "testing"
"""The name of the worker of jobs that are drained."""
_NOT_HERE: Final = frozenset({"checkup", "reconcile", "cron", "sample"})
"""Duties that look after a server for months, or show it; and cron, whose time is the tests'."""
_SHOWN: Final = 3


def drain(
    *queues: Queue | str, scheduled: bool = False, raise_errors: bool = True, limit: int = 1000
) -> list[Job]:
    """Run jobs in this process until nothing is left that is due; return those that ran.

    Those of *queues*, the most urgent first, or without any of all queues. Retries that need not
    wait are followed, dependents, repeats, and what jobs enqueue. With *scheduled* also what waits
    for its time: whenever nothing else is left, the clock is moved to the next one's.

    A job that has failed for good ends it with JobFailedError, whose cause is what was raised,
    unless *raise_errors* is False. EndlessDrainError is raised after *limit* runs. Jobs run in the
    order of a worker, each with its time limit and ``get_current_job()``; each is in the list
    once, as it is then.
    """
    found = server_in_use()
    given = next((queue for queue in queues if isinstance(queue, Queue)), None)
    if found is None and given is not None:
        store = store_of(given.connection)
        draining = Draining(store, partial(separate, client_of(store)), Record())
    else:
        found = needed_server("drain()")
        draining = Draining(found.store, found.connect, found.record)
    draining.names = [_name(queue) for queue in queues]
    for queue in queues:
        if isinstance(queue, Queue):
            draining.serializers[queue.name] = queue.serializer
    draining.raise_errors = raise_errors
    draining.limit = limit
    apart_from_asyncio(partial(draining.run, scheduled=scheduled))
    return draining.jobs()


def apart_from_asyncio(run: Callable[[], None]) -> None:
    """Call *run*, in a thread of its own where this one runs an event loop.

    A job that is a coroutine function needs an event loop of its own.
    """
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:  # noqa: SLF001 - documented; the other one raises
        run()
        return
    raised: list[BaseException] = []

    def catching() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that called
            raised.append(error)

    thread = threading.Thread(target=catching, name="workhorse-testing")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


@dataclass
class Draining:
    """Some queues that are being drained; without *names* all."""

    store: Store
    connect: Callable[[], Client]
    record: Record
    names: Sequence[str] = ()
    raise_errors: bool = True
    limit: int = 1000
    serializers: dict[str, Serializer] = field(default_factory=dict[str, Serializer])
    ran: list[tuple[Claimed, Serializer]] = field(default_factory=list[tuple[Claimed, Serializer]])
    _failed: tuple[Claimed, Verdict] | None = None
    _raised: BaseException | None = None
    """By the newest run that raised anything."""

    def run(self, *, scheduled: bool = False) -> None:
        """Run what is due until nothing is; with *scheduled*, move the clock on until all ran."""
        while self._run_due() or (scheduled and self._move_clock()):
            pass

    def jobs(self) -> list[Job]:
        """Return what ran, each job once, in the order of their first runs, as they are now."""
        found: dict[str, Job] = {}
        for claimed, serializer in self.ran:
            if claimed.job_id not in found:
                found[claimed.job_id] = self._job(claimed, serializer)
        return list(found.values())

    def _job(self, claimed: Claimed, serializer: Serializer) -> Job:
        connection = client_of(self.store)
        known = next((job for job in self.record.jobs if job.id == claimed.job_id), None)
        job_class = Job if known is None else type(known)
        job = job_class.fetch_many([claimed.job_id], connection, serializer)[0]
        # Where there is none, its result, or its failure, was not to be kept.
        return job or known or Job(claimed.job_id, connection, serializer)

    def _queue_names(self) -> list[str]:
        return list(self.names) or self.store.run(views.queue_names(default_keys()))

    def _run_due(self) -> bool:
        """Run what is due; return whether anything was."""
        before = len(self.ran)
        self._fire()  # perhaps onto a queue that there was not before
        for serializer, names in self._by_serializer():
            self._work(serializer, names)
        return len(self.ran) > before

    def _fire(self) -> None:
        """Have cron entries fire that are due."""
        late = self.store.run(clock.moment(default_keys()))
        Cron(self.store, default_keys()).run_once(0, at=late)

    def _by_serializer(self) -> list[tuple[Serializer, list[str]]]:
        """Return the queues, grouped by what their jobs are written with, in their order."""
        groups: list[tuple[Serializer, list[str]]] = []
        for name in self._queue_names():
            known = self.serializers.get(name) or self.record.serializer_of(name)
            serializer = choose_serializer(known)
            names = next((names for one, names in groups if one == serializer), None)
            if names is None:
                groups.append((serializer, [name]))
            else:
                names.append(name)
        return groups

    def _work(self, serializer: Serializer, names: Sequence[str]) -> None:
        options = WorkerOptions(
            connect=self.connect,
            queues=tuple(names),
            name=WORKER,
            keys=default_keys(),
            serializer=serializer,
            burst=True,
            max_jobs=self.limit - len(self.ran) + 1,
            exception_handlers=(self._keep,),
        )
        shutdown, ledger = Shutdown(), Ledger()
        duties = [duty for duty in roster(self.store, options) if duty.name not in _NOT_HERE]

        def note(job: Claimed, verdict: Verdict) -> None:
            self.ran.append((job, serializer))
            if self.raise_errors and verdict.to in ENDED and verdict.to is not State.FINISHED:
                self._failed = job, verdict
            if self._failed or len(self.ran) > self.limit:
                shutdown.request()

        def tick() -> None:
            if isinstance(self._raised, KeyboardInterrupt):
                shutdown.request()
                return
            self._fire()
            for duty in duties:
                duty.run_once(0)

        try:
            Loop(
                options, self.store, ledger, InlineExecutor(), shutdown,
                tick=tick, whole_run=True, tell_end=note,
            ).run()  # fmt: skip
        finally:
            ledger.close()
        self._complain()

    def _keep(self, job: Job, kind: object, error: BaseException, frames: object) -> bool:
        """Keep what a run raised; an exception handler of the worker that is at work here."""
        del job, kind, frames
        self._raised = error
        return True

    def _complain(self) -> None:
        if isinstance(self._raised, KeyboardInterrupt):  # a person's, who wants the tests to end
            raise self._raised
        if self._failed:
            job, verdict = self._failed
            state, error = verdict.to.value, verdict.error
            raise JobFailedError(job.job_id, job.description, state, error, self._raised)
        if len(self.ran) > self.limit:
            last = ", ".join(job.description for job, _ in self.ran[-_SHOWN:])
            raise EndlessDrainError(
                f"{self.limit} jobs ran, and there are more; the last were {last}. Does each one "
                "enqueue another? Where so many are meant, give a greater limit="
            )

    def _move_clock(self) -> bool:
        """Move the clock to when the next job is due; return whether there is one."""
        keys = default_keys()
        wait = self.store.run(clock.until_next(keys, self._queue_names()))
        if wait is None:
            return False
        if wait > 0:
            pass_time(self.store, wait)
        return True


def _name(queue: Queue | str) -> str:
    return queue.name if isinstance(queue, Queue) else check_queue_name(queue)
