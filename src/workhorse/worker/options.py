"""What a worker is told: one value, passed from the command line or the API to every process."""

from __future__ import annotations

import os
import platform
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from workhorse.core import settings
from workhorse.core.verdicts import OnLost
from workhorse.store.drivers import Client
from workhorse.wire.keys import Keys
from workhorse.wire.payload import PickleSerializer, Serializer
from workhorse.worker.health import HealthOptions
from workhorse.worker.turns import Strategy

Isolation = Literal["inline", "fork"]


def _new_name() -> str:
    return f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:6]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Everything a worker needs to know. Times are in seconds."""

    connect: Callable[[], Client]
    """Opens a new connection to the server, for this process alone."""
    queues: tuple[str, ...] = (settings.QUEUE,)
    name: str = field(default_factory=_new_name)
    keys: Keys = field(default_factory=Keys)
    serializer: Serializer = field(default_factory=PickleSerializer)
    isolation: Isolation = "inline"
    burst: bool = False
    max_jobs: int | None = None
    max_idle_time: float | None = None
    result_ttl: int = settings.RESULT_TTL
    max_result_bytes: int = settings.RESULT_BYTES
    worker_ttl: int = settings.WORKER_TTL
    lease: float = settings.LEASE
    max_job_timeout: int | None = None
    """The longest time limit here, whatever a job's own is; None: each has its own."""
    timeout_grace: float = settings.TIMEOUT_GRACE
    shutdown_grace: float = settings.SHUTDOWN_GRACE
    on_lost: OnLost | None = None
    """What becomes of a lost run of a job that does not say, nor its queue."""
    max_starts: int | None = None
    """How many runs of such a job may be lost."""
    paths: tuple[str, ...] = ()
    """Folders from which jobs are imported, first in ``sys.path``."""
    describe_jobs: bool = True
    exception_handlers: tuple[Callable[..., Any] | str, ...] = ()
    """Called one after the other when a run raised, in the process that it ran in."""
    capture_logs: bool = False
    """Whether what jobs log and write is kept with them, where they don't say so themselves."""
    tells_tracebacks: bool = True
    """Whether the log has the tracebacks of runs that failed."""
    scheduler: bool = True
    """Whether its supervisor, or it itself, moves scheduled jobs, those of cron too."""
    health: HealthOptions | None = None
    """Where its supervisor answers health checks."""
    dequeue_strategy: Strategy = "default"
    """From which of its queues it takes jobs first."""

    @property
    def extend_every(self) -> float:
        """How often leases are extended: three extensions may be lost before one lapses."""
        return min(settings.EXTEND_EVERY, self.lease / 4)


@dataclass(frozen=True, slots=True)
class Host:
    """Where a worker runs, as monitors show it."""

    hostname: str = field(default_factory=socket.gethostname)
    python_version: str = field(default_factory=platform.python_version)
