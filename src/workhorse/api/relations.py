"""Whom a job waits for, and who waits for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from workhorse.api.connection import default_keys
from workhorse.api.snapshot import JobSnapshot
from workhorse.core.dependencies import Awaited, is_met
from workhorse.core.ids import check_job_id
from workhorse.store import dependents, jobs
from workhorse.store.drivers import Client, Store
from workhorse.store.pipelines import put_on
from workhorse.wire.payload import Serializer


class JobRelations(JobSnapshot):
    """What a ``Job`` tells of its parents, the jobs of its ``depends_on``, and its children."""

    @property
    def _store(self) -> Store:
        raise NotImplementedError

    @property
    def connection(self) -> Any:
        """The client this job talks through."""
        raise NotImplementedError

    @classmethod
    def fetch(
        cls,
        id: str,  # noqa: A002 - RQ's name
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> Self:
        """Return the job with this id. Raises NoSuchJobError."""
        raise NotImplementedError

    @classmethod
    def fetch_many(
        cls,
        job_ids: Iterable[str],
        connection: Client | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> list[Any]:
        """Return the jobs with these ids, in their order, None for one that is missing."""
        raise NotImplementedError

    @property
    def dependency_ids(self) -> list[str]:
        """The ids of all that it depends on, done or not, in the order that was given."""
        return list(self.record.parents.ids)

    @property
    def dependency(self) -> Self | None:
        """The first job that it depends on, fetched; None for none. Raises NoSuchJobError."""
        ids = self.record.parents.ids
        return type(self).fetch(ids[0], self.connection, self.serializer) if ids else None

    @property
    def dependencies_key(self) -> str:
        """The set of those whose end it was not told yet."""
        return self._keys.dependencies(self.id)

    @property
    def dependents_key(self) -> str:
        """The set of the jobs that wait for this one."""
        return self._keys.dependents(self.id)

    @classmethod
    def dependents_key_for(cls, job_id: str) -> str:
        """Return the key of the set of the jobs that wait for the job with this id."""
        return default_keys().dependents(check_job_id(job_id))

    @property
    def dependent_ids(self) -> list[str]:
        """The ids of the jobs that wait for this one, sorted; asks the server."""
        return self._store.run(dependents.children(self._keys, self.id))

    @property
    def allow_dependency_failures(self) -> bool:
        """Whether it runs though a job that it depends on failed."""
        return self.record.parents.on_failure == "run"

    @property
    def enqueue_at_front(self) -> bool:
        """Whether it goes to the front of its queue when its turn comes."""
        return self.record.enqueue_at_front or self.record.parents.at_front

    def fetch_dependencies(
        self,
        watch: bool = False,  # noqa: FBT001, FBT002 - as in RQ
        pipeline: Any = None,
    ) -> list[Self]:
        """Return the jobs that it depends on, without those that are gone. One round trip.

        With *watch* their keys are watched by *pipeline*, a client's transaction, first.
        """
        ids = self.record.parents.ids
        if watch and pipeline is not None and ids:
            pipeline.watch(*(self._keys.job(job_id) for job_id in ids))
        found = type(self).fetch_many(ids, self.connection, self.serializer)
        return [job for job in found if job is not None]

    def dependencies_are_met(
        self,
        parent_job: JobSnapshot | None = None,
        pipeline: Any = None,
        exclude_job_id: str | None = None,
        refresh_job_status: bool = True,  # noqa: FBT001, FBT002 - as in RQ
    ) -> bool:
        """Return whether nothing is left to wait for; asks the server.

        *parent_job* counts as it says of itself, unless its status is to be refreshed. The job
        with *exclude_job_id* does not count. With a *pipeline*, a client's transaction, the keys
        of all that it depends on are watched.
        """
        if pipeline is not None and self.record.parents.ids:
            pipeline.watch(*(self._keys.job(job_id) for job_id in self.record.parents.ids))
        rule = self.record.parents.on_failure
        return all(
            is_met(parent_job.record.status, rule)
            if parent_job is not None and parent_job.id == each.job_id and not refresh_job_status
            else is_met(each.state, rule)
            for each in self._awaited()
            if each.job_id != exclude_job_id
        )

    def waits_for(self) -> list[Awaited]:
        """Return the jobs whose end it waits for, and what became of them; empty for none.

        Each is shown as text, as in "7, which failed".
        """
        return self._awaited()

    def _awaited(self) -> list[Awaited]:
        return self._store.run(dependents.awaited(self._keys, self.id))

    def delete_dependents(self, pipeline: Any = None) -> None:
        """Delete the jobs that wait for this one; those that wait for them hear of it.

        With a *pipeline* those that wait now are deleted when it is executed.
        """
        if pipeline is None:
            self._store.run(dependents.delete_children(self._keys, self.id))
        elif ids := self.dependent_ids:
            put_on(pipeline, [jobs.delete(self._keys, ids)])
