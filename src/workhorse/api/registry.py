"""What all registries of a queue share: how they are read, and what may be done to their jobs.

Reading one changes nothing, and costs what is read of it. RQ's own clean up when they are read,
and may end jobs and run callbacks in the process that only wanted to count them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from workhorse.api.classes import choose_class, class_at
from workhorse.api.connection import client_of, default_keys, link_to
from workhorse.api.job import Job
from workhorse.api.queue_content import QueueContent, id_of
from workhorse.core import settings
from workhorse.core.errors import InvalidJobOperation, NoSuchJobError
from workhorse.core.ids import check_queue_name, new_token
from workhorse.core.states import State
from workhorse.store import jobs, registries, views
from workhorse.store.calls import Call
from workhorse.store.drivers import Client, Store
from workhorse.store.pipelines import put_on
from workhorse.store.registries import Kind
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Serializer, choose_serializer

_AT_ONCE: Final = 500
"""Jobs that are fetched in one round trip."""


class JobRegistry:
    """What all registries share. Made by a queue's name, or from a *queue*, whose server it uses.

    *job_class* is the class of the jobs it returns, or its dotted name.
    """

    kind: ClassVar[Kind]
    states: ClassVar[tuple[State, ...]]
    """The states of the jobs in it."""
    hint: ClassVar[str]
    """How a job comes here, for whoever wants to add one by hand."""

    def __init__(
        self,
        name: str = settings.QUEUE,
        connection: Client | str | None = None,
        job_class: type[Job] | str | None = None,
        queue: QueueContent | None = None,
        serializer: Serializer | str | None = None,
        death_penalty_class: Any = None,
    ) -> None:
        del death_penalty_class  # RQ's, for what reading a registry runs there
        if queue is not None:
            name, connection = queue.name, queue.connection
            serializer, job_class = queue.serializer, job_class or queue.job_class
        self.name = check_queue_name(name)
        self.serializer = choose_serializer(serializer)
        self.job_class = choose_class("job_class", job_class, Job)
        self._link = link_to(connection)
        self._keys: Keys = default_keys()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobRegistry) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say, for RQ's way to write into a registry, what there is instead."""
            hint = ""
            if name == "add":
                hint = f": what a job says and where it is must agree. {self.hint}"
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}{hint}")

    @property
    def key(self) -> str:
        """The key of its sorted set on the server."""
        return self._keys.registry(self.kind, self.name)

    @property
    def connection(self) -> Any:
        """The client that it is read through."""
        return client_of(self._store)

    @property
    def _store(self) -> Store:
        return self._link.store

    def get_queue(self) -> Any:
        """Return its queue."""
        queue = class_at("workhorse.api.queue.Queue")
        return queue(
            self.name, self.connection, job_class=self.job_class, serializer=self.serializer
        )

    # Read

    @property
    def count(self) -> int:
        """How many entries it has. One command, however many there are."""
        return self._store.run(registries.count(self._keys, self.kind, self.name))

    def get_job_count(self, cleanup: bool = True) -> int:  # noqa: FBT001, FBT002 - as in RQ
        """Return ``count``; *cleanup* is RQ's and changes nothing."""
        del cleanup
        return self.count

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True

    def __contains__(self, item: object) -> bool:
        job_id = item.id if isinstance(item, Job) else item
        return isinstance(job_id, str) and self._has(job_id)

    def _has(self, job_id: str) -> bool:
        call = registries.score(self._keys, self.kind, self.name, job_id)
        return self._store.run(call) is not None

    def get_job_ids(
        self,
        start: int = 0,
        end: int = -1,
        desc: bool = False,  # noqa: FBT001, FBT002 - as in RQ
        cleanup: bool = True,  # noqa: FBT001, FBT002 - as in RQ
    ) -> list[str]:
        """Return the ids of jobs from rank *start* to *end*, both included; all by default.

        Those that expire, or are due, first come first; with *desc* last. A thousand in each
        command: of a long registry it is no picture of one moment. *cleanup* changes nothing.
        """
        del cleanup
        return self._ids(self._entries(start, end, desc=desc))

    def _ids(self, entries: Iterable[bytes]) -> list[str]:
        return registries.texts(entries)

    def _entries(self, start: int, end: int, *, desc: bool) -> list[bytes]:
        plan = registries.members(
            self._keys, self.kind, self.name, start=start, end=end, desc=desc
        )
        return self._store.run(plan)

    def get_jobs(
        self,
        start: int = 0,
        end: int = -1,
        desc: bool = False,  # noqa: FBT001, FBT002 - as in RQ
    ) -> list[Job]:
        """Return the jobs themselves; those that are gone meanwhile are left out.

        Two round trips, and one more for each five hundred jobs.
        """
        ids = self.get_job_ids(start, end, desc)
        found: list[Job | None] = []
        for at in range(0, len(ids), _AT_ONCE):
            calls = [views.job(self._keys, job_id) for job_id in ids[at : at + _AT_ONCE]]
            found += [
                record and self.job_class.of_record(
                    record, self._link, self._keys, self.serializer
                )
                for record in self._store.run_many(calls)
            ]  # fmt: skip
        return [job for job in found if job is not None]

    def get_expired_job_ids(self, timestamp: float | None = None) -> list[str]:
        """Return jobs whose entries expired, or lapsed, or are due, before now or *timestamp*."""
        most = datetime.now(UTC).timestamp() if timestamp is None else timestamp
        plan = registries.by_score(self._keys, self.kind, self.name, least=0, most=most)
        return self._ids(self._store.run(plan))

    def get_expiration_time(self, job: Job | str) -> datetime:
        """Return when a job's entry expires (is due, was added: what orders this registry).

        The last moment there is for one that never does. Raises NoSuchJobError if it is not here.
        """
        score = self._store.run(registries.score(self._keys, self.kind, self.name, id_of(job)))
        if score is None:
            raise NoSuchJobError(id_of(job))
        try:
            return datetime.fromtimestamp(score, UTC)
        except (OverflowError, ValueError, OSError):
            return datetime.max.replace(tzinfo=UTC)

    @staticmethod
    def parse_job_id(entry: str | bytes) -> str:
        """Return the job's id in an entry."""
        return jobs.text(entry) if isinstance(entry, bytes) else entry

    # Change

    def remove(
        self,
        job: Job | str,
        pipeline: Any = None,
        delete_job: bool = False,  # noqa: FBT001, FBT002 - as in RQ
    ) -> bool:
        """Take a job off; return whether it was here. With *delete_job* it is deleted, too.

        An ended job stays until it expires, a year at most. A job that waits here is canceled:
        in RQ it stays in a limbo. With a *pipeline* the answer is among its replies.
        """
        job_id = id_of(job)
        if delete_job:
            if pipeline is None and not self._has(job_id):
                return False
            call: Call[Any] = jobs.delete(self._keys, [job_id])
        else:
            call = self._removal(job_id)
        if pipeline is not None:
            put_on(pipeline, [call])
            return True
        return self._was_here(self._store.run(call))

    def _removal(self, job_id: str) -> Call[Any]:
        return registries.unlist(
            self._keys,
            self.kind,
            self.name,
            job_id,
            longest=settings.FAILURE_TTL,
            token=new_token(),
        )

    def _was_here(self, reply: object) -> bool:
        return bool(reply)

    def requeue(
        self,
        job_or_id: Job | str,
        at_front: bool = False,  # noqa: FBT001, FBT002 - as in RQ
        pipeline: Any = None,
    ) -> Job:
        """Run an ended job of this registry again and return it; in one step.

        Raises InvalidJobOperation if it is not in this registry, and NoSuchJobError if it is gone.
        """
        job_id = id_of(job_or_id)
        call = jobs.requeue(
            self._keys, job_id, token=new_token(), at_front=at_front, queue=self.name,
            states=self.states,
        )  # fmt: skip
        if pipeline is not None:
            put_on(pipeline, [call])
            return self._job(job_or_id)
        was = self._store.run(call)
        if was is None and not self.job_class.exists(job_id, self.connection):
            raise NoSuchJobError(job_id)
        if was not in self.states:
            told = f"it is {was}" if was else "it is of another queue"
            raise InvalidJobOperation(f"job {job_id} is not in {self.key}: {told}")
        job = self._job(job_or_id)
        job.refresh()
        return job

    def _job(self, job_or_id: Job | str) -> Job:
        if isinstance(job_or_id, Job):
            return job_or_id
        return self.job_class(job_or_id, self.connection, self.serializer)

    def cleanup(
        self,
        timestamp: float | None = None,
        exception_handlers: list[Callable[..., Any]] | None = None,
    ) -> None:
        """Do what supervisors do by themselves, now and for this registry; nothing, for most.

        The arguments are RQ's and change nothing: the server's clock says what has expired.
        """
        del timestamp, exception_handlers
