"""RQ's cron: ``register`` in a file, ``CronScheduler``, ``CronJob``; on entries of the server."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

from workhorse.api import cron_config
from workhorse.api.connection import client_of, default_keys, link_to, store_of
from workhorse.api.cron import Cron
from workhorse.api.cron_job import CronJob
from workhorse.core.errors import SchedulerNotFound, WorkhorseError
from workhorse.core.settings import RESULT_TTL
from workhorse.store import cron as store
from workhorse.store.drivers import Client, Store
from workhorse.wire.codec import Value, date_from_text, date_to_text
from workhorse.worker.duties.cron import Cron as Duty
from workhorse.worker.lifecycle import Shutdown
from workhorse.worker.scheduling import Scheduling

LOG = logging.getLogger("workhorse")

_LONGEST_SLEEP: Final = 60.0


def register(  # noqa: PLR0913, PLR0917 - RQ's signature
    func: Callable[..., Any] | str,
    queue_name: str,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    interval: float | None = None,
    cron: str | None = None,
    job_timeout: int | str | None = None,
    result_ttl: int | str | None = RESULT_TTL,
    ttl: int | str | None = None,
    failure_ttl: int | str | None = None,
    meta: Mapping[str, Any] | None = None,
    webhooks: Any = None,
    name: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Register a function in a configuration file, for ``workhorse cron`` to load.

    Takes what ``Cron.add`` takes besides. Nothing is sent before the whole file was read.
    """
    told = {
        "func": func, "queue_name": queue_name, "args": args, "kwargs": kwargs,
        "interval": interval, "cron": cron, "job_timeout": job_timeout, "result_ttl": result_ttl,
        "ttl": ttl, "failure_ttl": failure_ttl, "meta": meta, "webhooks": webhooks, "name": name,
        **options,
    }  # fmt: skip
    cron_config.REGISTERED.append(told)
    return told


class CronScheduler:
    """Keeps the entries of a configuration on the server, and fires what is due, anybody's.

    Any number of them, and of workers, may run: each slot is fired once. What is registered is
    stored by ``start``, ``enqueue_jobs`` or ``publish``. Entries that a configuration file had
    and has no more are removed then.
    """

    def __init__(
        self,
        connection: Client | str | None = None,
        logging_level: str | int = logging.INFO,
        name: str = "",
    ) -> None:
        self._link = link_to(connection)
        self._keys = default_keys()
        self._cron = Cron(connection)
        self._jobs: list[CronJob] = []
        self._is_published = False
        self.shutdown = Shutdown()
        """Ends ``start``, by its ``request()``, where no signal can."""
        self.hostname = socket.gethostname()
        self.pid = os.getpid()
        self.name = name or f"{self.hostname}:{self.pid}:{uuid.uuid4().hex[:6]}"
        self.config_file = ""
        self.created_at = datetime.now(UTC)
        self.log = LOG
        if self.log.level == logging.NOTSET:
            self.log.setLevel(logging_level)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CronScheduler) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def _store(self) -> Store:
        return self._link.store

    @property
    def connection(self) -> Any:
        """The client that it talks through."""
        return client_of(self._store)

    @property
    def key(self) -> str:
        """The key of what it shows of itself."""
        return self._keys.cron_scheduler(self.name)

    # What is to happen

    def register(  # noqa: PLR0913, PLR0917 - RQ's signature
        self,
        func: Callable[..., Any] | str,
        queue_name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        interval: float | None = None,
        cron: str | None = None,
        job_timeout: int | str | None = None,
        result_ttl: int | str | None = RESULT_TTL,
        ttl: int | str | None = None,
        failure_ttl: int | str | None = None,
        meta: Mapping[str, Any] | None = None,
        webhooks: Any = None,
        name: str = "",
        **options: Any,
    ) -> CronJob:
        """Register a function, to be stored by ``publish`` or ``start``.

        Where a name is taken, by another call of the same function, "#2" and so on follow it.
        """
        job = CronJob(
            queue_name, func, None, args, kwargs, interval, cron, job_timeout, result_ttl, ttl,
            failure_ttl, meta, webhooks, name, **options,
        )  # fmt: skip
        taken = {other.name for other in self._jobs}
        number = 2
        plain = job.name
        while job.name in taken:
            job.name = f"{plain}#{number}"
            number += 1
        job.record = dataclasses.replace(job.record, name=job.name)
        self._jobs.append(job)
        self._is_published = False
        return job

    def get_jobs(self) -> list[CronJob]:
        """Return what was registered."""
        return self._jobs

    def load_config_from_file(self, config_path: str) -> None:
        """Register what a file registers: a dotted name, a relative or an absolute path.

        Raises InvalidOptionError, or another error of ours, and registers nothing, where
        anything in it is wrong.
        """
        told = cron_config.load(config_path)
        before = list(self._jobs)
        try:
            for each in told:
                self.register(each.pop("func"), each.pop("queue_name"), **each)
        except WorkhorseError:
            self._jobs = before
            raise
        self.config_file = config_path
        self.log.info("registered %d cron entries of %s", len(told), config_path)

    def publish(self) -> None:
        """Store what was registered, and remove what its file had and has no more.

        What the server knows of an entry stays: a restart fires nothing. So does what was
        edited there, until the file says another thing of it than before.
        """
        source = cron_config.source_of(self.config_file) if self.config_file else ""
        for job in self._jobs:
            record = dataclasses.replace(job.record, source=source)
            owner = self._store.run(store.source_of(self._keys, job.name))
            if owner not in ("", source):
                self.log.error(
                    "cron entry %s belongs to %s and stays as it is: give this one another name",
                    job.name, owner,
                )  # fmt: skip
                continue
            job.note(self._cron.put(record).record)
        if source:
            self._remove_others(source)
        self._is_published = True

    def _remove_others(self, source: str) -> None:
        own = {job.name for job in self._jobs}
        names = [name for name in self._store.run(store.names(self._keys)) if name not in own]
        owners = self._store.look_at([store.source_of(self._keys, name) for name in names])
        gone = [name for name, owner in zip(names, owners, strict=True) if owner == source]
        if gone:
            self._cron.delete(*gone)
            self.log.warning("removed cron entries that %s has no more: %s", source,
                             ", ".join(gone))  # fmt: skip

    # What happens

    def start(self) -> None:
        """Store what was registered, and fire and forward until SIGTERM or SIGINT.

        A server that is away is waited for.
        """
        self.log.info("cron scheduler %s started", self.name)
        work = Scheduling(self._store, self._keys, show=self._shown, hide=self._hidden)
        work.run(self.shutdown, prepare=self.publish)

    def enqueue_jobs(self) -> list[CronJob]:
        """Fire what is due now, anybody's; return those of its own that this call fired."""
        if not self._is_published:
            self.publish()
        duty = Duty(self._store, self._keys)
        duty.run_once(0)
        fired = set(duty.fired)
        self._refresh()
        return [job for job in self._jobs if job.name in fired]

    def calculate_sleep_interval(self) -> float:
        """Return the seconds until the first of its entries is due, a minute at most."""
        now = time.time()
        due = [job.next_enqueue_time.timestamp() - now for job in self._jobs
               if job.next_enqueue_time]  # fmt: skip
        return max(0.0, min([*due, _LONGEST_SLEEP]))

    def _refresh(self) -> None:
        calls = [store.readable_entry(self._keys, job.name) for job in self._jobs]
        for job, record in zip(self._jobs, self._store.look_at(calls), strict=True):
            if record is not None:
                job.note(record)

    # What monitors see

    def register_birth(self) -> None:
        """Show it as alive."""
        self.save()

    def heartbeat(self) -> None:
        """Show it as alive, and what it knows of its entries."""
        self.save()

    def save(self, pipeline: Any = None) -> None:
        """Show it as alive, and its entries as they are on the server."""
        del pipeline
        self._store.run_many(self._shown())

    def register_death(self, pipeline: Any = None) -> None:
        """Take it off the list."""
        del pipeline
        self._store.run_many(self._hidden())

    @property
    def last_heartbeat(self) -> datetime | None:
        """Its last sign of life; None if it is gone."""
        return self._store.run(store.last_seen(self._keys, self.name))

    def to_dict(self) -> dict[str, str]:
        """Return what monitors see of it."""
        return {
            "hostname": self.hostname,
            "pid": str(self.pid),
            "name": self.name,
            "created_at": date_to_text(self.created_at),
            "config_file": self.config_file,
            "cron_jobs": json.dumps([job.to_dict() for job in self._jobs]),
        }

    def restore(self, raw_data: Mapping[str, str]) -> None:
        """Take over what a scheduler shows of itself."""
        self.hostname = raw_data.get("hostname", "")
        self.pid = int(raw_data.get("pid") or 0)
        self.name = raw_data.get("name") or self.name
        self.created_at = date_from_text(raw_data.get("created_at")) or self.created_at
        self.config_file = raw_data.get("config_file", "")
        self._jobs = [
            CronJob.from_dict(each) for each in json.loads(raw_data.get("cron_jobs") or "[]")
        ]

    def _shown(self) -> list[Any]:
        self._refresh()
        told: list[Value] = [word for pair in self.to_dict().items() for word in pair]
        seen_at = self._store.run(store.now(self._keys))
        return store.show_scheduler(self._keys, self.name, told, seen_at=seen_at)

    def _hidden(self) -> list[Any]:
        return store.hide_scheduler(self._keys, self.name)

    @classmethod
    def fetch(cls, name: str, connection: Client | str | None = None) -> Self:
        """Return a scheduler by its name. Raises SchedulerNotFound."""
        told = store_of(connection).run(store.scheduler(default_keys(), name))
        if not told:
            raise SchedulerNotFound(f"no cron scheduler {name!r} has shown itself lately")
        found = cls(connection, name=name)
        found.restore(told)
        return found

    @classmethod
    def all(cls, connection: Client | str | None = None, cleanup: bool = True) -> list[Self]:  # noqa: FBT001, FBT002 - RQ's
        """Return the schedulers that showed themselves in the last two minutes."""
        del cleanup  # nothing is removed by looking; those that are gone are left out
        server, keys = store_of(connection), default_keys()
        since = server.run(store.now(keys)) - store.SCHEDULER_TTL
        names = server.run(store.schedulers(keys, seen_since=since))
        found: list[Self] = []
        for name in names:
            if told := server.run(store.scheduler(keys, name)):
                scheduler = cls(connection, name=name)
                scheduler.restore(told)
                found.append(scheduler)
        return found


def create_cron(connection: Client | str | None = None) -> CronScheduler:
    """Return a scheduler with what was registered since the last call."""
    scheduler = CronScheduler(connection)
    told = [dict(each) for each in cron_config.REGISTERED]
    cron_config.REGISTERED.clear()
    for each in told:
        scheduler.register(each.pop("func"), each.pop("queue_name"), **each)
    return scheduler
