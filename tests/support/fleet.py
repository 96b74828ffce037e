"""Supervisors in processes of their own, and jobs for them, as the tests of workers need them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.servers import ROOT
from tests.support.waiting import wait_until
from workhorse.store import jobs, results, views
from workhorse.store.drivers import Store
from workhorse.wire.entries import ResultRecord
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, PickleSerializer, describe, encode_call
from workhorse.wire.records import JobRecord
from workhorse.worker import logs
from workhorse.worker.options import WorkerOptions
from workhorse.worker.runner import ServerAt
from workhorse.worker.supervisor import Supervisor

KEYS = Keys()
EMPTY: Mapping[str, str] = {}


_SPIN = "local till = os.clock() + ARGV[1] repeat until os.clock() > till"


def connect(path: str) -> redis.Redis:
    """Return a client that leaves it to its caller to try again, as a worker's own does."""
    return redis.Redis(
        unix_socket_path=path, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=60
    )


def supervise(told: dict[str, Any]) -> int:
    """Be a supervisor: what ``python -m tests.support.fleet`` does."""
    logs.set_up(told.pop("log_format"))
    processes, path = told.pop("processes"), told.pop("socket")
    options = WorkerOptions(
        connect=ServerAt(f"unix://{path}"), paths=(str(ROOT),), **{"queues": ("q",), **told}
    )
    return Supervisor(options, processes).run()


@dataclass
class RunningSupervisor:
    """A supervisor in a process, and a process group, of its own."""

    process: subprocess.Popen[bytes]
    log_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def workers(self) -> list[int]:
        """Its processes, the oldest first."""
        return children(self.pid)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, within: float = 20) -> int:
        """Wait for its end; return its exit code."""
        return self.process.wait(within)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.end()


def children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in found]


def status(pid: int) -> str:
    """Return a process's state, one letter; Z where there is none (any more)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def is_running(pid: int) -> bool:
    return status(pid) != "Z"


def sleeps(pid: int) -> bool:
    """Return whether a process waits for something, after a moment in which it could run."""
    time.sleep(0.001)
    return status(pid) == "S"


@dataclass
class Fleet:
    """One server's jobs and supervisors. ``journal`` is where jobs tell of themselves."""

    socket: Path
    folder: Path
    started: list[RunningSupervisor] = field(default_factory=list[RunningSupervisor])

    def __post_init__(self) -> None:
        self.client = connect(str(self.socket))
        self.store = Store(self.client)
        self.journal = self.folder / "journal"

    def start(
        self,
        processes: int = 1,
        *,
        log_format: str = "text",
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] = EMPTY,
        **options: Any,
    ) -> RunningSupervisor:
        """Start a supervisor on queue "q", by the command *prefix*; return it at once."""
        told = {"processes": processes, "socket": str(self.socket), "log_format": log_format}
        paths = [environment.get("PYTHONPATH", ""), str(ROOT / "src"), str(ROOT)]
        log_path = self.folder / f"worker{len(self.started)}.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [
                    *prefix,
                    sys.executable,
                    "-m",
                    "tests.support.fleet",
                    json.dumps({**told, **options}),
                ],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, "PYTHONPATH": ":".join(paths)},
                start_new_session=True,
            )
        self.started.append(RunningSupervisor(process, log_path))
        return self.started[-1]

    def start_in(self, prefix: Sequence[str], **options: Any) -> RunningSupervisor:
        """Start a supervisor by a command; return it when a worker is there and idle."""
        supervisor = self.start(prefix=prefix, **options)
        wait_until(self.blocked)
        return supervisor

    def start_and_wait(self, processes: int = 1, **options: Any) -> RunningSupervisor:
        """Start a supervisor; return it when its workers are there and idle."""
        supervisor = self.start(processes, **options)
        wait_until(lambda: len(supervisor.workers) == processes)
        wait_until(lambda: self.blocked() >= processes)
        return supervisor

    def blocked(self) -> int:
        return int(self.client.info("clients")["blocked_clients"])

    def drain(self, processes: int = 1, within: float = 30, **options: Any) -> RunningSupervisor:
        """Run a supervisor until the queue is empty; it must end in order."""
        supervisor = self.start(processes, burst=True, **options)
        assert supervisor.end(within) == 0, supervisor.log
        return supervisor

    def enqueue(self, name: str, *args: Any, **fields: Any) -> str:
        return self.enqueue_many([(name, *args)], **fields)[0]

    def enqueue_many(self, calls: Sequence[tuple[Any, ...]], **fields: Any) -> list[str]:
        """Queue jobs in one step, so that one claim may take them together."""
        records = [self._record(name, args, fields) for name, *args in calls]
        assert not any(self.store.run(jobs.enqueue(KEYS, records)).refused)
        return [record.id for record in records]

    def _record(self, name: str, args: Sequence[Any], fields: dict[str, Any]) -> JobRecord:
        call = Call(f"tests.support.jobs.{name}", None, tuple(args), {})
        settings = {
            "id": str(uuid.uuid4()),
            "data": encode_call(call, PickleSerializer()),
            "origin": "q",
            "description": describe(call),
            "result_in": "hash",
            "timeout": 60,
            "created_at": datetime.now(UTC),
            **fields,
        }
        return JobRecord(**settings)

    def note(self, text: str) -> tuple[str, str, str]:
        """Return a call that writes *text* in the journal."""
        return ("note", str(self.journal), text)

    @property
    def noted(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def fetch(self, job_id: str, field: str) -> str | None:
        value = self.store.run(views.job_field(KEYS, job_id, field))
        return None if value is None else value.decode()

    def state(self, job_id: str) -> str | None:
        return self.fetch(job_id, "status")

    def wait_for(self, job_id: str, state: str, within: float = 20) -> None:
        wait_until(lambda: self.state(job_id) == state, within=within)

    def starts(self, job_id: str) -> int:
        """How often it was entered without an outcome."""
        return int(self.fetch(job_id, "starts") or 0)

    def results(self, job_id: str) -> list[ResultRecord]:
        return self.store.run(results.runs(KEYS, job_id))

    def error(self, job_id: str) -> str:
        return next(result.error or "" for result in self.results(job_id))

    def queued(self) -> list[str]:
        return self.store.run(views.queue_ids(KEYS, "q"))

    def keep_server_busy(self, seconds: float) -> None:
        """Return when the server has done nothing else for *seconds*."""
        with connect(str(self.socket)) as client:
            client.eval(_SPIN, 0, seconds)

    def is_server_busy(self) -> bool:
        """Return whether the server keeps somebody waiting for a twentieth of a second."""
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(0.05)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            try:
                return not connection.recv(100)
            except TimeoutError:
                return True

    def leases(self) -> int:
        return int(self.client.zcard("rq:wip:q"))


def of_server(path: Path) -> Iterator[Fleet]:
    """Yield a fleet on the server at *path*; at the end nothing of it runs any more."""
    with ExitStack() as stack:
        fleet = Fleet(path, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(fleet.client.close)
        try:
            yield fleet
        finally:
            for supervisor in fleet.started:
                supervisor.process.kill()
                supervisor.process.wait()


if __name__ == "__main__":
    sys.exit(supervise(json.loads(sys.argv[1])))
