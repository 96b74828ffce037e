"""Workers, as scripts hold them, and as monitors see them. ``workhorse worker`` needs neither."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar, Final

from workhorse.api.classes import choose_class
from workhorse.api.connection import client_of, default_keys, link_to, store_of
from workhorse.api.current import use_job_class
from workhorse.api.job import Job
from workhorse.api.options import check_bytes, check_lost, refuse_unknown
from workhorse.api.queue import Queue
from workhorse.api.registered import RegisteredWorker, WorkerStatus
from workhorse.api.worker_handlers import ExceptionHandlers, check_handlers
from workhorse.core import settings
from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import check_queue_name
from workhorse.core.verdicts import OnLost
from workhorse.store import views
from workhorse.store.connections import separate
from workhorse.store.drivers import Client
from workhorse.wire.payload import Serializer, choose_serializer
from workhorse.worker import logs
from workhorse.worker.callbacks import Handler
from workhorse.worker.lifecycle import Shutdown
from workhorse.worker.options import Isolation, WorkerOptions
from workhorse.worker.standalone import work
from workhorse.worker.time_limits import stop_now
from workhorse.worker.turns import Strategy

__all__ = (
    "DequeueStrategy", "RandomWorker", "RegisteredWorker", "RoundRobinWorker", "SimpleWorker",
    "Worker", "WorkerStatus",
)  # fmt: skip
_REFUSED: Final = {
    "work_horse_killed_handler": "the process that sees a job die runs no code of yours; give "
    "jobs an on_failure callback, which is called then, too",
}
"""Options of RQ's workers that are refused rather than ignored, and why."""


class DequeueStrategy(StrEnum):
    """From which of its queues a worker takes jobs first, each time that it takes some."""

    DEFAULT = "default"
    """The order in which it was given them, always."""
    ROUND_ROBIN = "round_robin"
    """The one that follows the queue that it took from last."""
    RANDOM = "random"


class Worker(ExceptionHandlers):
    """One worker process that runs each job in a fork of itself, as RQ's.

    For a script of your own (that imports what its jobs need first); ``workhorse worker`` is
    faster, watches over several processes, and needs no code. *queues* are names or Queues,
    the most urgent first; connection and serializer are those of the first Queue,
    where they are not given. *on_lost* and *max_starts* are for jobs that don't say, nor their
    queue: see ``Queue.enqueue``. No job runs longer than *max_job_timeout*. A result of more than
    *max_result_bytes*, serialized, is not stored; a text that says so stands in for it. Times are
    in seconds. *maintenance_interval* and *job_monitoring_interval* are RQ's and change nothing:
    what they are for is done all the time.

    *exception_handlers* are called with (job, type, value, traceback) when a job raised, in its
    process, one after the other until one returns False; dotted names will do. With
    *disable_default_exception_handler* the log has no tracebacks of failed jobs; they are kept
    among the failed all the same. With *capture_logs* what jobs log and write is kept with them,
    unless they say otherwise: see ``Job.log_lines``.
    """

    isolation: ClassVar[Isolation] = "fork"
    dequeue_strategy: ClassVar[Strategy] = "default"

    def __init__(  # noqa: PLR0913 - RQ's signature
        self,
        queues: Queue | str | Sequence[Queue | str],
        name: str | None = None,
        default_result_ttl: int = settings.RESULT_TTL,
        connection: Client | str | None = None,
        *,
        worker_ttl: int | None = None,
        default_worker_ttl: int | None = None,
        job_class: type[Job] | str | None = None,
        queue_class: type[Queue] | str | None = None,
        serializer: Serializer | str | None = None,
        log_job_description: bool = True,
        maintenance_interval: float | None = None,
        job_monitoring_interval: float | None = None,
        lease: float = settings.LEASE,
        on_lost: OnLost | None = None,
        max_starts: int | None = None,
        max_job_timeout: int | None = None,
        max_result_bytes: int = settings.RESULT_BYTES,
        exception_handlers: Handler | Sequence[Handler] | None = None,
        disable_default_exception_handler: bool = False,
        capture_logs: bool = False,
        **unknown: Any,
    ) -> None:
        del maintenance_interval, job_monitoring_interval
        refuse_unknown(unknown, refused=_REFUSED, where=type(self).__name__)
        several = _several(queues)
        first, connection, serializer = _as_first(several, connection, serializer)
        self._link, self._shutdown = link_to(connection), Shutdown(stop_now)
        self._choose_classes(job_class or _class_of(first), queue_class)
        options = WorkerOptions(
            connect=self._connect,
            queues=_names_of(several),
            keys=default_keys(),
            serializer=choose_serializer(serializer),
            isolation=self.isolation,
            result_ttl=default_result_ttl,
            worker_ttl=worker_ttl or default_worker_ttl or settings.WORKER_TTL,
            lease=lease,
            **check_lost(on_lost, max_starts)._asdict(),
            max_job_timeout=max_job_timeout,
            max_result_bytes=check_bytes("max_result_bytes", max_result_bytes),
            describe_jobs=log_job_description,
            exception_handlers=check_handlers(exception_handlers),
            capture_logs=capture_logs,
            tells_tracebacks=not disable_default_exception_handler,
            dequeue_strategy=self.dequeue_strategy,
        )
        self._options = options if name is None else replace(options, name=name)

    def _choose_classes(
        self, job_class: type[Job] | str | None, queue_class: type[Queue] | str | None
    ) -> None:
        self._job_class = choose_class("job_class", job_class, Job)
        chosen = choose_class("queue_class", queue_class, Queue)
        self._queue = partial(chosen, job_class=self._job_class)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._options.queues)}, name={self.name!r})"

    @property
    def name(self) -> str:
        """The name it registers by."""
        return self._options.name

    @property
    def key(self) -> str:
        """The key of its hash on the server."""
        return self._options.keys.worker(self.name)

    @property
    def connection(self) -> Any:
        """The client it was made with; its jobs are claimed through one of its own."""
        return client_of(self._link.store)

    def _connect(self) -> Any:
        return separate(self.connection)

    @property
    def queues(self) -> list[Queue]:
        """Its queues, the most urgent first."""
        options = self._options
        return [
            self._queue(name, self.connection, serializer=options.serializer)
            for name in options.queues
        ]

    def queue_names(self) -> list[str]:
        """Return the names of its queues, the most urgent first."""
        return list(self._options.queues)

    def queue_keys(self) -> list[str]:
        """Return the keys of its queues on the server, the most urgent first."""
        return [self._options.keys.queue(name) for name in self._options.queues]

    def work(  # noqa: PLR0913 - RQ's signature
        self,
        burst: bool = False,  # noqa: FBT001, FBT002 - positional in RQ
        logging_level: str | int | None = None,
        date_format: str = "%H:%M:%S",
        *,
        max_jobs: int | None = None,
        max_idle_time: float | None = None,
        with_scheduler: bool = False,
        log_format: str = "text",
        dequeue_strategy: DequeueStrategy | Strategy | None = None,
    ) -> bool:
        """Work until SIGTERM or SIGINT, until *max_jobs* ran, or in a *burst* until nothing waits.

        Returns whether any job ran. Scheduled jobs are moved by every worker: *with_scheduler* is
        RQ's and changes nothing. Logs to the terminal at *logging_level* where the program has not
        set up logging itself, as text, as "json", or in a format of ``logging``. A
        *dequeue_strategy* other than "default" gives each queue its turn: see DequeueStrategy.
        """
        del with_scheduler
        strategy = check_strategy(dequeue_strategy or self._options.dequeue_strategy)
        if logging_level is not None or not logging.getLogger("workhorse").hasHandlers():
            logs.set_up(log_format, level=_level(logging_level), datefmt=date_format)
        use_job_class(self._job_class)
        told = replace(
            self._options, burst=burst, max_jobs=max_jobs, max_idle_time=max_idle_time,
            dequeue_strategy=strategy,
        )  # fmt: skip
        return work(told, self._shutdown) > 0

    def request_stop(self) -> None:
        """Ask it to stop, from a thread or a signal handler: running jobs may end."""
        self._shutdown.request()

    # Those that are registered

    @classmethod
    def all(
        cls,
        connection: Client | str | None = None,
        job_class: type[Job] | str | None = None,
        queue_class: type[Queue] | str | None = None,
        queue: Queue | None = None,
        serializer: Serializer | str | None = None,
    ) -> list[RegisteredWorker]:
        """Return the workers that are alive, ours and RQ's; those of *queue* where it is given.

        The other arguments are for the jobs and queues that they tell of.
        """
        store = store_of(connection if queue is None else queue.connection)
        keys = default_keys()
        names = store.run(views.worker_names(keys, queue.name if queue else None))
        records = store.look_at([views.worker(keys, name) for name in names])
        link = link_to(store.client)
        return [
            RegisteredWorker(each, link, job_class, queue_class, serializer)
            for each in records
            if each and not each.death
        ]

    @classmethod
    def all_keys(
        cls, connection: Client | str | None = None, queue: Queue | None = None
    ) -> list[str]:
        """Return the keys of the workers that are alive, for ``find_by_key``."""
        return [worker.key for worker in cls.all(connection, queue=queue)]

    @classmethod
    def count(cls, connection: Client | str | None = None, queue: Queue | None = None) -> int:
        """Return how many workers are alive."""
        return len(cls.all(connection, queue=queue))

    @classmethod
    def find_by_key(
        cls,
        worker_key: str,
        connection: Client | str | None = None,
        job_class: type[Job] | str | None = None,
        queue_class: type[Queue] | str | None = None,
        serializer: Serializer | str | None = None,
    ) -> RegisteredWorker | None:
        """Return the worker whose hash is at *worker_key*, or None.

        The other arguments are for the jobs and queues that it tells of.
        """
        keys = default_keys()
        if not worker_key.startswith(keys.worker("")):
            raise InvalidOptionError(
                f"not the key of a worker: {worker_key!r} (expected {keys.worker('<name>')})"
            )
        link = link_to(connection)
        record = link.store.run(views.worker(keys, keys.worker_name(worker_key)))
        if record is None:
            return None
        return RegisteredWorker(record, link, job_class, queue_class, serializer)


class SimpleWorker(Worker):
    """One worker process that runs its jobs itself: for tests and debuggers.

    Its claims last as long as each job's time limit, because it can't extend them meanwhile.
    """

    isolation: ClassVar[Isolation] = "inline"


class RoundRobinWorker(Worker):
    """A ``Worker`` that gives its queues turns: who was served last comes last."""

    dequeue_strategy: ClassVar[Strategy] = "round_robin"


class RandomWorker(Worker):
    """A ``Worker`` that takes from its queues in another order each time."""

    dequeue_strategy: ClassVar[Strategy] = "random"


def _several(queues: Queue | str | Sequence[Queue | str]) -> list[Queue | str]:
    several = [queues] if isinstance(queues, str | Queue) else list(queues)
    if not several:
        raise InvalidOptionError("a worker needs a queue: give names, as in Worker(['default'])")
    return several


def _names_of(queues: Sequence[Queue | str]) -> tuple[str, ...]:
    return tuple(q.name if isinstance(q, Queue) else check_queue_name(q) for q in queues)


def _class_of(queue: Queue | None) -> type[Job] | None:
    return None if queue is None else queue.job_class


def _as_first(
    queues: Sequence[Queue | str],
    connection: Client | str | None,
    serializer: Serializer | str | None,
) -> tuple[Queue | None, Client | str | None, Serializer | str | None]:
    """Return the first Queue, a connection and a serializer: as given, else those of that."""
    queue = next((one for one in queues if isinstance(one, Queue)), None)
    if queue is not None:
        connection = queue.connection if connection is None else connection
        serializer = queue.serializer if serializer is None else serializer
    return queue, connection, serializer


def check_strategy(strategy: str) -> Strategy:
    """Return *strategy* if there is such a one."""
    for known in ("default", "round_robin", "random"):
        if strategy == known:
            return known
    raise InvalidOptionError(
        f"dequeue_strategy is {strategy!r}: give one of {', '.join(DequeueStrategy)}"
    )


def _level(level: str | int | None) -> int:
    if level is None:
        return logging.INFO
    if isinstance(level, int):
        return level
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise InvalidOptionError(f"not a logging level: {level!r} (use DEBUG, INFO, WARNING, ...)")
    return number
