"""Rate limits, to look at: who has a place, who waits, and how many places there are."""

from __future__ import annotations

from typing import Any, Self

from workhorse.api.connection import client_of, default_keys, link_to
from workhorse.api.job import Job
from workhorse.core.errors import InvalidOptionError
from workhorse.core.limits import RateLimit, limit_name
from workhorse.store import limits
from workhorse.store.drivers import Client


class RateLimitRegistry:
    """The jobs with one key of a ``RateLimit``: those that have a place, and those that wait.

    Reading changes nothing. *key* is any key, also of a limit that is not in use.
    """

    def __init__(self, key: str, connection: Client | str | None = None) -> None:
        self.key = RateLimit(key, 1).key
        self._link = link_to(connection)
        self._keys = default_keys()

    @classmethod
    def all(cls, connection: Client | str | None = None) -> list[Self]:
        """Return every limit that is in use: one that has jobs queued, running or waiting."""
        link = link_to(connection)
        found = link.store.run(limits.known_keys(default_keys()))
        return [cls(key, connection) for key in found]

    @classmethod
    def from_job(cls, job: Job) -> Self:
        """Return the limit of *job*. Raises InvalidOptionError if it has none."""
        if not job.rate_limit_key:
            raise InvalidOptionError(f"job {job.id} has no rate limit")
        return cls(job.rate_limit_key, job.connection)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"

    @property
    def connection(self) -> Any:
        """The client this registry talks through."""
        return client_of(self._link.store)

    @property
    def config_key(self) -> str:
        """The hash with its concurrency."""
        return self._keys.limit(limit_name(self.key))

    @property
    def allowed_key(self) -> str:
        """The sorted set of jobs that have a place."""
        return self._keys.allowed(limit_name(self.key))

    @property
    def rate_limited_key(self) -> str:
        """The sorted set of jobs that wait for one."""
        return self._keys.limited(limit_name(self.key))

    @property
    def concurrency(self) -> int:
        """How many jobs may have a place; 0 while the limit is not in use."""
        return self._link.store.run(limits.concurrency(self._keys, self.key))

    def get_allowed_job_ids(self) -> list[str]:
        """Return the jobs that have a place, in the order in which they got it."""
        return self._link.store.run(limits.with_place(self._keys, self.key))

    def get_rate_limited_job_ids(self) -> list[str]:
        """Return the jobs that wait for a place, the next one first."""
        return self._link.store.run(limits.waiting(self._keys, self.key))

    def get_allowed_job_count(self) -> int:
        """Return how many jobs have a place."""
        return self._link.store.run(limits.count_with_place(self._keys, self.key))

    def get_rate_limited_job_count(self) -> int:
        """Return how many jobs wait for a place."""
        return self._link.store.run(limits.count_waiting(self._keys, self.key))

    def register(self, concurrency: int) -> None:
        """Let so many jobs have a place from now on, and admit those that fit.

        It holds until a job with another concurrency comes, or the limit is not in use any more.
        """
        limit = RateLimit(self.key, concurrency)
        self._link.store.run(limits.set_concurrency(self._keys, limit.key, limit.concurrency))

    def cleanup(self) -> int:
        """Free places that no job needs any more; return how many jobs were admitted.

        Supervisors do this all the time; nobody has to call it.
        """
        return self._link.store.run(limits.admit_all(self._keys, self.key))
