"""Groups: jobs that are enqueued together, and looked at together."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final, Self

from workhorse.api.classes import choose_class
from workhorse.api.connection import client_of, default_keys, link_to, store_of
from workhorse.api.job import Job
from workhorse.api.options import EnqueueData
from workhorse.api.queue import Queue
from workhorse.core.errors import NoSuchGroupError
from workhorse.core.ids import check_group_name, check_job_id, is_queue_name
from workhorse.core.states import State
from workhorse.store import groups, views
from workhorse.store.drivers import Client
from workhorse.store.pipelines import put_on
from workhorse.wire.payload import Serializer, choose_serializer

_AT_ONCE: Final = 500
"""Jobs that are fetched in one round trip."""


class Group:
    """Jobs with one name for all of them. A group is there while it has a job that is kept.

    Without a *name* one is made up. Members may be of any queue, also of RQ's clients. A job
    that was deleted, or expired, is counted and returned no more; supervisors take its id off
    within minutes. *job_class* and *serializer* are those of the jobs it returns.
    """

    def __init__(
        self,
        connection: Client | str | None = None,
        name: str | None = None,
        *,
        job_class: type[Job] | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> None:
        self.name = check_group_name(name) if name is not None else uuid.uuid4().hex
        self.job_class = choose_class("job_class", job_class, Job)
        self.serializer = choose_serializer(serializer)
        self._link = link_to(connection)
        self._keys = default_keys()

    @classmethod
    def create(cls, connection: Client | str | None = None, name: str | None = None) -> Self:
        """Return a group; it begins with its first job."""
        return cls(connection, name)

    @classmethod
    def fetch(cls, name: str, connection: Client | str | None = None) -> Self:
        """Return the group with this name. Raises NoSuchGroupError if it has no member."""
        group = cls(connection, name)
        if not store_of(connection).run(groups.exists(default_keys(), name)):
            raise NoSuchGroupError(name)
        return group

    @classmethod
    def all(cls, connection: Client | str | None = None) -> list[Self]:
        """Return all groups, by name."""
        names = store_of(connection).run(groups.names(default_keys()))
        return [cls(connection, name) for name in names if is_queue_name(name)]

    @classmethod
    def get_key(cls, name: str) -> str:
        """Return the key of the set of a group's jobs."""
        return default_keys().group(name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def key(self) -> str:
        """The key of the set of its jobs."""
        return self._keys.group(self.name)

    @property
    def connection(self) -> Any:
        """The client that it talks through."""
        return client_of(self._link.store)

    # Its jobs

    def enqueue_many(
        self, queue: Queue, job_datas: Iterable[EnqueueData], pipeline: Any = None
    ) -> list[Job]:
        """Queue many calls as members; see ``Queue.enqueue_many``. RQ executes the *pipeline*."""
        return queue.enqueue_many(job_datas, pipeline=pipeline, group_id=self.name)

    @property
    def count(self) -> int:
        """How many members it has; one command. Those gone since the last sweep are among them."""
        return self._link.store.run(groups.count(self._keys, self.name))

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True

    def get_job_ids(self) -> list[str]:
        """Return the ids of its members, sorted; read in pages."""
        return sorted(self._link.store.run(groups.members(self._keys, self.name)))

    def get_jobs(self) -> list[Job]:
        """Return its jobs, by id; read in pages. Those that are gone are left out."""
        found: list[Job] = []
        ids = self.get_job_ids()
        for at in range(0, len(ids), _AT_ONCE):
            calls = [views.job(self._keys, job_id) for job_id in ids[at : at + _AT_ONCE]]
            found += [
                self.job_class.of_record(record, self._link, self._keys, self.serializer)
                for record in self._link.store.run_many(calls)
                if record is not None and record.group_id == self.name
            ]
        return found

    def count_by_status(self) -> dict[State, int]:
        """Return how many of its jobs are in each state, those without any left out.

        Read in pages: of a group that is worked on it is no picture of one moment.
        """
        ids = self.get_job_ids()
        found: list[State | None] = []
        for at in range(0, len(ids), _AT_ONCE):
            calls = groups.states(self._keys, self.name, ids[at : at + _AT_ONCE])
            found += self._link.store.run_many(calls)
        return groups.count_states(found)

    def delete_job(self, job_id: str, pipeline: Any = None) -> None:
        """Take a job off the group; the job itself goes on."""
        call = groups.leave(self._keys, self.name, check_job_id(job_id))
        if pipeline is not None:
            put_on(pipeline, [call])
            return
        self._link.store.run(call)

    # What supervisors do by themselves

    def cleanup(self) -> None:
        """Take off what is gone, as supervisors do within minutes."""
        self._link.store.run(groups.sweep(self._keys, self.name))

    @classmethod
    def clean_registries(cls, connection: Client | str | None = None) -> None:
        """Clean up all groups."""
        for group in cls.all(connection):
            group.cleanup()
