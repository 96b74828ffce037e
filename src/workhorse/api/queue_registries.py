"""Where else a queue's jobs are, besides its list; and RQ's ways into its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, cast

from workhorse.api.connection import default_keys
from workhorse.api.job import Job
from workhorse.api.queue_content import QueueContent
from workhorse.api.registries import (
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ReadyJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from workhorse.core.errors import InvalidOptionError
from workhorse.store.drivers import Client
from workhorse.wire.payload import Serializer


class QueueRegistries(QueueContent):
    """The registries of a ``Queue``, each made when it is asked for."""

    @classmethod
    def from_queue_key(
        cls,
        queue_key: str,
        connection: Client | str | None = None,
        job_class: type[Job] | str | None = None,
        serializer: Serializer | str | None = None,
        death_penalty_class: Any = None,
    ) -> Self:
        """Return the queue whose list is at *queue_key*. Raises InvalidOptionError."""
        del death_penalty_class
        try:
            name = default_keys().queue_name(queue_key)
        except ValueError as error:
            raise InvalidOptionError(str(error)) from None
        make = cast("Any", cls)
        return cast("Self", make(name, connection, job_class=job_class, serializer=serializer))

    @property
    def started_job_registry(self) -> StartedJobRegistry:
        """Its jobs that workers hold."""
        return StartedJobRegistry(queue=self)

    @property
    def finished_job_registry(self) -> FinishedJobRegistry:
        """Its jobs that succeeded."""
        return FinishedJobRegistry(queue=self)

    @property
    def failed_job_registry(self) -> FailedJobRegistry:
        """Its jobs that failed, or were stopped."""
        return FailedJobRegistry(queue=self)

    @property
    def deferred_job_registry(self) -> DeferredJobRegistry:
        """Its jobs that wait for others."""
        return DeferredJobRegistry(queue=self)

    @property
    def ready_job_registry(self) -> ReadyJobRegistry:
        """Its jobs that RQ's workers are about to queue."""
        return ReadyJobRegistry(queue=self)

    @property
    def scheduled_job_registry(self) -> ScheduledJobRegistry:
        """Its jobs that wait for their time."""
        return ScheduledJobRegistry(queue=self)

    @property
    def canceled_job_registry(self) -> CanceledJobRegistry:
        """Its jobs that were canceled."""
        return CanceledJobRegistry(queue=self)

    @property
    def intermediate_queue_key(self) -> str:
        """The key of the list in which RQ's workers keep what they are about to start."""
        return self._keys.registry("intermediate", self.name)

    def compact(self) -> None:
        """Do nothing: ids whose jobs are gone are dropped when they are reached.

        RQ's renames the list for the while, and loses it where it is killed then.
        """

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say, for RQ's ways into its list, what there is instead."""
            hint = f": {_INSTEAD[name]}" if name in _INSTEAD else ""
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}{hint}")


_INSTEAD: Final = {
    "push_job_id": "an id on the list alone makes no queued job; use enqueue_job for a new job, "
    "job.requeue for one that has ended",
    "pop_job_id": "a job that is taken off the list without a lease is lost with the process that "
    "took it; run SimpleWorker([queue]).work(burst=True, max_jobs=1)",
}
