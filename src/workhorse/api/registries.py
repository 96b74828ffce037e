"""The registries of a queue: which of its jobs run, wait, ended, and how. RQ's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from workhorse.api.follow_ups import check_moment
from workhorse.api.job import Job
from workhorse.api.queue_content import QueueContent, id_of
from workhorse.api.registry import JobRegistry
from workhorse.core.errors import InvalidJobOperation, NoSuchJobError, UnsupportedOptionError
from workhorse.core.ids import new_token
from workhorse.core.states import State
from workhorse.store import jobs, recover, registries
from workhorse.store.calls import Call
from workhorse.store.pipelines import put_on


class EndedRegistry(JobRegistry):
    """A registry whose entries expire."""

    def cleanup(
        self,
        timestamp: float | None = None,
        exception_handlers: list[Callable[..., Any]] | None = None,
    ) -> None:
        """Remove the entries that expired, as the sweep does a moment later."""
        del timestamp, exception_handlers
        self._store.run(registries.sweep_all(self._keys, self.kind, self.name))


class WaitingRegistry(JobRegistry):
    """A registry of jobs that were not run yet: what is taken off is canceled."""

    def _removal(self, job_id: str) -> Call[Any]:
        return jobs.cancel(
            self._keys, job_id, token=new_token(), waiting_in=self.name, waiting_as=self.states[0]
        )


class StartedJobRegistry(JobRegistry):
    """The jobs that workers hold: they run, or are next. An entry names job and execution.

    A job is in it at most once, unless RQ's workers run it.
    """

    kind = "lease"
    states = (State.STARTED,)
    hint = "Workers claim jobs; Queue.enqueue hands one to them"

    def _has(self, job_id: str) -> bool:
        return self._store.run(registries.is_started(self._keys, self.name, job_id))

    def _ids(self, entries: Iterable[bytes]) -> list[str]:
        return [each.job_id for each in registries.listed(entries)]

    @staticmethod
    def parse_job_id(entry: str | bytes) -> str:
        """Return the job's id in an entry."""
        text = jobs.text(entry) if isinstance(entry, bytes) else entry
        return registries.listed([text.encode()])[0].job_id

    def get_job_and_execution_ids(
        self,
        start: int = 0,
        end: int = -1,
        desc: bool = False,  # noqa: FBT001, FBT002 - as in RQ
        cleanup: bool = True,  # noqa: FBT001, FBT002 - as in RQ
    ) -> list[tuple[str, str]]:
        """Return pairs of a job's id and the execution that holds it; see ``get_job_ids``."""
        del cleanup
        found = registries.listed(self._entries(start, end, desc=desc))
        return [(each.job_id, each.execution_id) for each in found]

    def get_expiration_time(self, job: Job | str) -> datetime:
        """Refuse: leases are renewed. See ``job.get_executions()`` for when it was heard of."""
        raise UnsupportedOptionError(
            f"job {id_of(job)} holds a lease, which is renewed; see job.get_executions()"
        )

    def remove(
        self,
        job: Job | str,
        pipeline: Any = None,
        delete_job: bool = False,  # noqa: FBT001, FBT002 - as in RQ
    ) -> bool:
        """Refuse: who runs a job must be told. Raises InvalidJobOperation."""
        del pipeline, delete_job
        raise InvalidJobOperation(
            f"job {id_of(job)} runs: end it by job.stop(), job.cancel() or job.delete()"
        )

    def cleanup(
        self,
        timestamp: float | None = None,
        exception_handlers: list[Callable[..., Any]] | None = None,
    ) -> None:
        """Recover the jobs whose worker died, as any supervisor does within seconds."""
        del timestamp, exception_handlers
        seen = jobs.SLICE
        while seen >= jobs.SLICE:
            seen = self._store.run(recover.recover(self._keys, self.name)).seen


class FinishedJobRegistry(EndedRegistry):
    """The jobs that succeeded and are still kept."""

    kind = "finished"
    states = (State.FINISHED,)
    hint = "Queue(is_async=False) runs a job here and now; its worker finishes any other"


class FailedJobRegistry(EndedRegistry):
    """The jobs that failed for good, and those that were stopped."""

    kind = "failed"
    states = (State.FAILED, State.STOPPED)
    hint = "A job fails when its code raises, and is stopped by job.stop()"


class DeferredJobRegistry(WaitingRegistry):
    """The jobs that wait for others."""

    kind = "deferred"
    states = (State.DEFERRED,)
    hint = "Queue.enqueue(..., depends_on=...) has a job wait for others"


class ReadyJobRegistry(WaitingRegistry):
    """The jobs that RQ's workers are about to queue, because what they waited for is done."""

    kind = "ready"
    states = (State.READY_TO_ENQUEUE,)
    hint = "Jobs come here from RQ's workers only; ours queue them at once"


class CanceledJobRegistry(JobRegistry):
    """The jobs that were canceled. They stay until somebody deletes or requeues them."""

    kind = "canceled"
    states = (State.CANCELED,)
    hint = "job.cancel() cancels one"


class ScheduledJobRegistry(WaitingRegistry):
    """The jobs that wait for their time."""

    kind = "scheduled"
    states = (State.SCHEDULED,)
    hint = "Queue.enqueue_at, enqueue_in and schedule_job schedule one"

    def schedule(self, job: Job, scheduled_datetime: datetime, pipeline: Any = None) -> None:
        """Change when a scheduled job is due; a naive datetime is of this machine's zone.

        Raises InvalidJobOperation if it is not scheduled in this queue (``Queue.schedule_job``
        schedules a new one), NoSuchJobError if it is gone.
        """
        due = check_moment("scheduled_datetime", scheduled_datetime)
        call = registries.reschedule(self._keys, self.name, job.id, due=due)
        if pipeline is not None:
            put_on(pipeline, [call])
            return
        state = self._store.run(call)
        if state is None:
            raise NoSuchJobError(job.id)
        if state is not State.SCHEDULED or job.id not in self:
            raise InvalidJobOperation(
                f"job {job.id} does not wait for its time in queue {self.name!r}: it is {state} "
                "(Queue.schedule_job schedules a new one)"
            )

    def get_scheduled_time(self, job_or_id: Job | str) -> datetime:
        """Return when a job is due, aware, in UTC. Raises NoSuchJobError if it is not here."""
        return self.get_expiration_time(job_or_id)

    def get_jobs_to_enqueue(
        self, timestamp: float | None = None, chunk_size: int = 1000
    ) -> list[str]:
        """Return the ids of jobs that are due now, or at *timestamp*: *chunk_size* at most."""
        return self.get_jobs_to_schedule(timestamp, chunk_size)

    def get_jobs_to_schedule(
        self, timestamp: float | None = None, chunk_size: int = 1000
    ) -> list[str]:
        """Return what ``get_jobs_to_enqueue`` does; RQ's other name."""
        most = datetime.now(UTC).timestamp() if timestamp is None else timestamp
        plan = registries.by_score(
            self._keys, self.kind, self.name, least=0, most=most, at_most=chunk_size
        )
        return registries.texts(self._store.run(plan))


BaseRegistry = JobRegistry
"""RQ's name for what all registries share."""


def clean_registries(queue: QueueContent, exception_handlers: Any = None) -> None:
    """Clean up every registry of *queue*, as supervisors do by themselves all the time."""
    del exception_handlers
    for kind in (FinishedJobRegistry, StartedJobRegistry, FailedJobRegistry):
        kind(queue=queue).cleanup()
