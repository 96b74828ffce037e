"""Short lives of a few jobs, each with a proxy and keys of its own, that something breaks into.

Supervisors are real processes. They are forked from one that has imported everything (the
*nursery*), because a sweep over every call of a life needs hundreds of them.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

import redis
from redis.sentinel import Sentinel

import workhorse
from tests.support.proxy import Proxy, Seen
from tests.support.servers import ROOT
from tests.support.waiting import wait_until
from workhorse.core.states import ENDED, State
from workhorse.store import jobs, results, scripts, views
from workhorse.store.connections import connect, separate
from workhorse.store.drivers import Store
from workhorse.wire.entries import ResultRecord
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, PickleSerializer, describe, encode_call
from workhorse.wire.records import JobRecord
from workhorse.worker import logs
from workhorse.worker.options import WorkerOptions
from workhorse.worker.supervisor import Supervisor

FULL = os.environ.get("WORKHORSE_SWEEP") == "full"
"""Sweeps take every call of a life, rather than a part of them."""


def part_of(numbers: Iterable[int], share: int) -> list[int]:
    """Return *numbers*, or one in *share* of them, spread out, where the sweep is not full."""
    every = list(numbers)
    return every if FULL else every[::share]


# The nursery


def be_nursery() -> None:
    """Fork a supervisor for each line on stdin, and tell on stdout which began and ended."""
    importlib.import_module("tests.fault.jobs")  # which no job is to spend its time limit on
    wakeup, ring = os.pipe()
    for end in (wakeup, ring):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    children: set[int] = set()
    told = bytearray()
    while True:
        ready, _, _ = select.select([0, wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 1024)
            _tell_ended(children)
        if 0 in ready:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                break
            told += chunk
            while b"\n" in told:
                line, _, rest = bytes(told).partition(b"\n")
                told[:] = rest
                children.add(_fork(json.loads(line), wakeup, ring))
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


def _tell_ended(children: set[int]) -> None:
    for child in list(children):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            children.remove(child)
            _tell(pid=child, code=os.waitstatus_to_exitcode(status))


def _tell(**facts: int) -> None:
    os.write(1, f"{json.dumps(facts)}\n".encode())


def _fork(told: dict[str, Any], *ours: int) -> int:
    pid = os.fork()
    if pid == 0:
        _be_supervisor(told, ours)
    _tell(pid=pid)
    return pid


def _be_supervisor(told: dict[str, Any], theirs: Iterable[int]) -> NoReturn:
    code = 70
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGHUP):  # tests may run under nohup
            signal.signal(number, signal.SIG_DFL)
        for descriptor in theirs:
            os.close(descriptor)
        log = os.open(told.pop("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        logs.set_up("text")
        os.environ.update(told.pop("environment", {}))
        processes = told.pop("processes")
        if die_at := told.pop("die_at", None):
            _die_at(*die_at)
        url, sentinels = told.pop("url"), told.pop("sentinels", None)
        options = WorkerOptions(
            connect=partial(separate, _by_sentinel(**sentinels))
            if sentinels
            else partial(connect, url, for_worker=True),
            keys=Keys(told.pop("prefix")),
            queues=tuple(told.pop("queues")),
            paths=(str(ROOT), *told.pop("paths", ())),
            **told,
        )
        code = Supervisor(options, processes).run()
    finally:
        os._exit(code)


def _by_sentinel(ports: list[int], service: str) -> Any:
    make: Any = Sentinel  # redis-py does not type it
    return make([("127.0.0.1", port) for port in ports], socket_timeout=1).master_for(service)


def _die_at(event: str, once: str, victims: str) -> None:
    """Have the first worker that comes to an event of Python's own (``sys.audit``) die of it."""
    supervisor, died = os.getpid(), Path(once)

    def die(happened: str, _: tuple[Any, ...]) -> None:
        if happened != event or os.getpid() == supervisor or died.exists():
            return
        died.touch()
        if victims == "machine":
            os.kill(supervisor, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)


@dataclass
class Started:
    """A supervisor that the nursery forked."""

    pid: int
    log_path: Path
    _ended: Callable[[int], int | None]

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def workers(self) -> list[int]:
        """Its processes, the oldest first."""
        return children_of(self.pid)

    def code(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._ended(self.pid)

    def end(self, within: float = 30) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        wait_until(lambda: self.code() is not None, within=within)
        code = self.code()
        assert code is not None
        return code

    def end_or_kill(self, within: float = 30) -> int | None:
        """Return its exit code, None where it had to be killed for it."""
        try:
            return self.end(within)
        except AssertionError:
            self.kill_all()
            return None

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def stop(self) -> int:
        """End it in order, once it takes signals."""
        wait_until(lambda: "started" in self.log)
        self.send(signal.SIGTERM)
        return self.end()

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to it, its workers and their jobs."""
        for pid in [self.pid, *descendants_of(self.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_all(self) -> None:
        """End it and all that belongs to it: what becomes of a machine that dies."""
        self.send_all(signal.SIGKILL)


class Nursery:
    """Starts supervisors, in a few milliseconds each. All end with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.faults"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The package that is tested here, which need not be the one in this folder.
            env={**os.environ, "PYTHONPATH": f"{Path(workhorse.__file__).parents[1]}:{ROOT}"},
            start_new_session=True,
        )
        self._codes: dict[int, int | None] = {}
        self._order = threading.Lock()
        self._born = threading.Semaphore(0)
        self._last = 0
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()
        self._listener.join(5)

    def start(self, told: dict[str, Any], log_path: Path) -> Started:
        stdin = self._process.stdin
        assert stdin is not None
        with self._order:
            stdin.write(f"{json.dumps({**told, 'log': str(log_path)})}\n".encode())
            stdin.flush()
            assert self._born.acquire(timeout=30)
            return Started(self._last, log_path, self._codes.get)

    def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        for line in stdout:
            facts = json.loads(line)
            self._codes[facts["pid"]] = facts.get("code")
            if "code" not in facts:
                self._last = facts["pid"]
                self._born.release()


def children_of(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in found]


def descendants_of(pid: int) -> list[int]:
    """Return a process's children and all that come from them, children first."""
    children = children_of(pid)
    return children + [one for child in children for one in descendants_of(child)]


def is_running(pid: int) -> bool:
    return _stat(pid)[0] != "Z"


def parent_of(pid: int) -> int:
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """Return a process's state and its parent; those of a dead one where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return ["Z", "0"]


# Lives


def load_scripts(client: Any) -> None:
    """Have the server know every script, so that no call is sent twice for that."""
    for name in scripts.names():
        client.script_load(scripts.load(name).source)


@dataclass
class Life:
    """Some jobs on queue "q" and their supervisors, which reach the server through a proxy."""

    server: Path
    nursery: Nursery
    prefix: str
    started: list[Started] = field(default_factory=list[Started])

    def __post_init__(self) -> None:
        self.keys = Keys(self.prefix)
        self.client: Any = redis.Redis(unix_socket_path=str(self.server), protocol=2)
        self.store = Store(self.client)
        self.proxy = Proxy(self.server)
        self.folder = Path(tempfile.mkdtemp(prefix="workhorse-life-"))
        self.journal = self.folder / "journal"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for supervisor in self.started:
            if supervisor.code() is None:
                supervisor.kill_all()
        self.proxy.close()
        self.client.close()
        shutil.rmtree(self.folder)

    def call(self, name: str, job_id: str, *args: object) -> Call:
        """Return a call of one of our jobs' functions."""
        return Call(f"tests.fault.jobs.{name}", None, (str(self.journal), job_id, *args), {})

    def record(self, name: str, job_id: str, *args: object, **fields: Any) -> JobRecord:
        """Return a job that calls one of our functions."""
        call = self.call(name, job_id, *args)
        settings: dict[str, Any] = {
            "data": encode_call(call, PickleSerializer()),
            "origin": "q",
            "description": describe(call),
            "result_in": "hash",
            "timeout": 60,
            **fields,
        }
        return JobRecord(id=job_id, **settings)

    def enqueue(self, name: str, job_id: str, *args: object, **fields: Any) -> None:
        """Queue a job past the proxy."""
        record = self.record(name, job_id, *args, **fields)
        assert not any(self.store.run(jobs.enqueue(self.keys, [record])).refused)

    def start(self, processes: int = 1, *, url: str | None = None, **options: Any) -> Started:
        """Start a supervisor; return it at once."""
        told = {
            "url": url or self.proxy.url,
            "prefix": self.prefix,
            "processes": processes,
            "queues": ["q"],
            **options,
        }
        log_path = self.folder / f"supervisor{len(self.started)}.log"
        log_path.touch()
        self.started.append(self.nursery.start(told, log_path))
        return self.started[-1]

    def drain(self, **options: Any) -> Started:
        """Run a supervisor until the queue is empty; it must end in order."""
        supervisor = self.start(burst=True, **options)
        assert supervisor.end() == 0, supervisor.log
        return supervisor

    def is_supervisor(self, call: Seen) -> bool:
        """Return whether a supervisor makes *call*, rather than a worker or a job."""
        return parent_of(call.pid) == self.nursery.pid

    def all_dead(self) -> bool:
        """Return whether every process that ever called has ended."""
        return not any(
            is_running(call.pid) for call in self.proxy.calls if call.pid != os.getpid()
        )

    def held(self) -> set[str]:
        """Return the jobs that are leased."""
        return set(_members(self.client, self.keys.lease("q").encode()))

    def let_leases_lapse(self) -> None:
        """Have time pass for every lease that is held now."""
        key = self.keys.lease("q")
        for member in self.client.zrange(key, 0, -1):
            self.client.zadd(key, {member: time.time() - 1}, xx=True)

    @property
    def lines(self) -> list[str]:
        """What jobs have written: begin or end, and the job."""
        return [" ".join(line.split()[:2]) for line in self._written()]

    def begun(self) -> Counter[str]:
        """Return how often each job's code began."""
        begun = [line for line in self._written() if line.startswith("begin")]
        return Counter(line.split(" ", 1)[1].rpartition(" ")[0] for line in begun)

    def process_of(self, job_id: str) -> int:
        """Return the process in which a job's code began last."""
        words = [line.split() for line in self._written()]
        return [int(pid) for what, job, pid in words if (what, job) == ("begin", job_id)][-1]

    def children(self) -> dict[str, int]:
        """Return the processes that jobs said they started."""
        words = [line.split() for line in self._written() if line.startswith("child ")]
        return {" ".join(job): int(pid) for _, *job, pid in words}

    def _written(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def field(self, job_id: str, name: str) -> str | None:
        value = self.store.run(views.job_field(self.keys, job_id, name))
        return None if value is None else value.decode()

    def state(self, job_id: str) -> str | None:
        return self.field(job_id, "status")

    def starts(self, job_id: str) -> int:
        """Return how often it was entered without an outcome."""
        return int(self.field(job_id, "starts") or 0)

    def results(self, job_id: str) -> list[ResultRecord]:
        return self.store.run(results.runs(self.keys, job_id))

    def wait_for(self, *job_ids: str, state: str | None = None, within: float = 20) -> None:
        """Return when all have ended, or are in *state*."""
        wanted = {state} if state else {str(ended) for ended in ENDED}
        wait_until(lambda: {self.state(job_id) for job_id in job_ids} <= wanted, within=within)

    def value(self, job_id: str) -> Any:
        """Return what a job's hash has as its result, None without one."""
        stored = self.store.run(views.job_field(self.keys, job_id, "result"))
        return stored and pickle.loads(stored)

    def waiting(self) -> list[str]:
        """Return the jobs on the queue, the next first."""
        return self.store.run(views.queue_ids(self.keys, "q"))

    def leases(self) -> int:
        return int(self.client.zcard(self.keys.lease("q")))

    def logs(self) -> str:
        return "\n".join(f"-- {one.pid}\n{one.log}" for one in self.started)

    def audit(self) -> list[str]:
        return audit(self.client, self.keys)

    def assert_clean(self) -> None:
        """Check that every job is in one place, and that nobody holds any."""
        assert self.leases() == 0, self.logs()
        assert self.audit() == [], self.logs()


# The auditor

_PLACES = {
    State.QUEUED: "queue",
    State.STARTED: "wip",
    State.SCHEDULED: "scheduled",
    State.DEFERRED: "deferred",
    State.FINISHED: "finished",
    State.FAILED: "failed",
    State.STOPPED: "failed",
    State.CANCELED: "canceled",
}
_COUNTERS = {"totals", "durations", "causes", "cause", "failed_of"}
_FOR_EVER = {"queues", "queue", "bell", "broken", "workers", *_COUNTERS, *_PLACES.values()}


def audit(client: Any, keys: Keys) -> list[str]:
    """Return what is wrong with the jobs on a server on which nothing happens now.

    Every job is in exactly the place that its state means, every place names jobs that
    exist, and every other key belongs to a job or expires.
    """
    found: list[str] = []
    places: dict[str, list[str]] = {}
    states: dict[str, str] = {}
    for raw in client.scan_iter(f"{keys.prefix}:*", count=1000):
        key = raw.decode()
        _, kind, *rest = key.split(":")
        name = ":".join(rest)
        if kind == "job" and rest[0]:
            states[name] = (client.hget(raw, "status") or b"").decode()
        elif kind in _PLACES.values():
            for job_id in _members(client, raw):
                places.setdefault(job_id, []).append(kind)
        elif kind not in _FOR_EVER and client.ttl(raw) == -1:
            owned = kind == "results" and client.exists(keys.job(name))
            found += [] if owned else [f"{key} belongs to nothing and does not expire"]
    for job_id in states.keys() | places.keys():
        state, where = states.get(job_id), places.get(job_id, [])
        if state is None or where != [_PLACES.get(State(state))]:
            found.append(f"{job_id} is {state} and in {where}")
    return sorted(found)


def _members(client: Any, key: bytes) -> list[str]:
    kind = client.type(key)
    raw = client.lrange(key, 0, -1) if kind == b"list" else client.zrange(key, 0, -1)
    is_lease = key.split(b":")[1] == b"wip"
    return [(one.rpartition(b":")[0] if is_lease else one).decode() for one in raw]


if __name__ == "__main__":
    be_nursery()
