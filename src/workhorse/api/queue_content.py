"""What a queue holds, as its producers and the people on call see it. Nothing here changes it."""

from __future__ import annotations

from typing import Any

from workhorse.api.job import Job
from workhorse.core.ids import check_job_id
from workhorse.store import views
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Serializer
from workhorse.wire.records import JobRecord


class QueueContent:
    """The jobs that wait in a ``Queue``."""

    name: str
    job_class: type[Job]
    serializer: Serializer
    _keys: Keys

    @property
    def connection(self) -> Any:
        """The client this queue talks through."""
        raise NotImplementedError

    @property
    def _store(self) -> Store:
        raise NotImplementedError

    def _job(self, record: JobRecord) -> Job:
        raise NotImplementedError

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True

    @property
    def key(self) -> str:
        """The key of the list of waiting ids on the server."""
        return self._keys.queue(self.name)

    @property
    def count(self) -> int:
        """How many jobs wait."""
        return self._store.run(views.queue_length(self._keys, self.name))

    def is_empty(self) -> bool:
        """Return whether no job waits."""
        return self.count == 0

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Return ids of waiting jobs, the next one first."""
        call = views.queue_ids(self._keys, self.name, offset=offset, length=length)
        return self._store.run(call)

    @property
    def job_ids(self) -> list[str]:
        """The ids of all waiting jobs, the next one first."""
        return self.get_job_ids()

    def get_jobs(self, offset: int = 0, length: int = -1) -> list[Job]:
        """Return waiting jobs, the next one first, in two round trips."""
        ids = self.get_job_ids(offset, length)
        found = self._store.run_many([views.job(self._keys, job_id) for job_id in ids])
        return [self._job(record) for record in found if record is not None]

    @property
    def jobs(self) -> list[Job]:
        """All waiting jobs, the next one first."""
        return self.get_jobs()

    def fetch_job(self, job_id: str) -> Job | None:
        """Return the job with this id; None if there is none, or it belongs to another queue."""
        record = self._store.run(views.job(self._keys, check_job_id(job_id)))
        if record is None or record.origin != self.name:
            return None
        return self._job(record)

    def get_job_position(self, job_or_id: Job | str) -> int | None:
        """Return how many jobs wait before this one; None if it does not wait here."""
        return self._store.run(views.queue_position(self._keys, self.name, id_of(job_or_id)))


def id_of(job_or_id: Job | str) -> str:
    """Return the id of a job that was given as one, or by its id."""
    return job_or_id.id if isinstance(job_or_id, Job) else check_job_id(job_or_id)
