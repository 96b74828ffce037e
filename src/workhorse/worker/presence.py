"""What keeps a worker's claims valid and makes it visible: extended leases and registration."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from workhorse._version import __version__
from workhorse.store import jobs, workers
from workhorse.store.calls import Call
from workhorse.worker.ledger import Ledger
from workhorse.worker.options import Host, WorkerOptions


@dataclass(slots=True)
class Member:
    """One worker process as its supervisor (or itself, without one) sees it."""

    name: str
    pid: int
    ledger: Ledger
    held: list[jobs.Execution] = field(default_factory=list[jobs.Execution])
    """What was extended last."""
    shown: str = ""
    """What it was said to do last: busy, idle or suspended."""

    @property
    def state(self) -> str:
        """What it does now."""
        if self.ledger.is_busy():
            return "busy"
        return "suspended" if self.ledger.is_suspended() else "idle"


def local_address() -> str:
    """Return this host's address as monitors show it, or an empty text if it has none."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""


class Presence:
    """Makes the calls that say "still here" for some workers of this machine."""

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._host = Host()
        self._address = local_address()

    def register(self, member: Member) -> Call[bool]:
        """Return the call that shows *member* to everybody."""
        options = self._options
        member.shown = member.state
        fields = workers.describe_worker(
            queues=options.queues,
            pid=member.pid,
            hostname=self._host.hostname,
            ip_address=self._address,
            version=__version__,
            python_version=self._host.python_version,
            state=member.shown,
        )
        ttl = options.worker_ttl + 60  # as RQ
        return workers.register(options.keys, member.name, options.queues, fields, ttl=ttl)

    def extend(self, member: Member) -> Call[jobs.Extended] | None:
        """Return the call that extends all that *member* holds, None where that is nothing.

        Raises LedgerBusyError.
        """
        if not member.ledger.is_busy():
            return None
        member.held = [
            jobs.Execution(held.job.job_id, held.job.execution_id, held.job.queue)
            for held in member.ledger.held()
            if not held.is_settled
        ]
        if not member.held:
            return None
        options = self._options
        return jobs.extend(options.keys, member.held, worker=member.name, lease=options.lease)

    def deregister(self, member: Member) -> Call[Any]:
        """Return the call that takes *member* off the list."""
        options = self._options
        return workers.deregister(options.keys, member.name, options.queues)


def executions_of(claimed: Sequence[Any]) -> list[jobs.Execution]:
    """Return the executions that hold *claimed* jobs."""
    return [jobs.Execution(job.job_id, job.execution_id, job.queue) for job in claimed]
