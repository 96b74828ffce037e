"""The processes of a run: the server, two supervisors, the producers. All end with it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import workhorse
from chaos.cable import Cable
from chaos.jobs import FOLDER
from chaos.plan import Mix
from tests.support.faults import children_of, descendants_of
from workhorse.store.server import server_binary

ROOT: Final = Path(__file__).parents[1]
_TETHER: Final = (sys.executable, "-I", "-S", str(ROOT / "chaos" / "tether.py"))
_STARTED: Final = re.compile(r"worker (\S+) started \(pid (\d+)\)")


def start(command: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a program that dies with us, and hears nothing of a Ctrl-C that is ours."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*_TETHER, str(os.getpid()), *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # The package that is tested here, which need not be the one in this folder.
            env={
                **os.environ,
                "PYTHONPATH": f"{Path(workhorse.__file__).parents[1]}:{ROOT}",
                **environment,
            },
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a program of ours, if it runs."""
    if process is not None:
        process.kill()
        process.communicate()


class Server:
    """A Valkey that writes everything to disk before it answers, and can be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "server.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_there(self) -> bool:
        """Return whether its process runs; it may be reading its data yet."""
        return self._process is not None

    def client(self) -> redis.Redis:
        """Return a connection past every cable, which tries nothing twice."""
        return redis.Redis(
            unix_socket_path=str(self.socket),
            protocol=2,
            socket_timeout=30,
            retry=Retry(NoBackoff(), 0),
        )

    def start(self) -> None:
        """Start it on the data that it has; see ``answers``."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self._folder),
            "logfile": str(self._folder / "server.log"),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = start([str(server_binary()), *words], self._folder / "server.log")

    def answers(self) -> bool:
        """Return whether it takes commands."""
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """Kill -9."""
        end(self._process)
        self._process = None


@dataclass
class Side:
    """One supervisor after another, in one place."""

    name: str
    isolation: str
    processes: int
    lease: float
    cable: Cable
    folder: Path
    queues: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    turns: int = 0
    stopped: bool = False
    """Whether its supervisor is stopped by a signal."""
    told_to_end: bool = False

    @property
    def prefix(self) -> str:
        """What its supervisor is called now, and the names of its workers begin with."""
        return f"{self.name}.{self.turns}."

    @property
    def log(self) -> Path:
        """What it says now."""
        return self.folder / f"supervisor-{self.prefix}log"

    @property
    def workers(self) -> list[int]:
        """Its processes."""
        return children_of(self.process.pid) if self.process else []

    @property
    def is_up(self) -> bool:
        """Return whether it works: with workers, not stopped, not told to end."""
        return bool(self.workers) and not self.stopped and not self.told_to_end

    def start(self) -> None:
        """Start the next supervisor."""
        self.turns += 1
        self.stopped = self.told_to_end = False
        command = [
            sys.executable, "-m", "workhorse.cli", "worker", *self.queues,
            "--url", f"unix://{self.cable.path}",
            "--name", self.prefix,
            "--num-workers", str(self.processes),
            "--isolation", self.isolation,
            "--lease", str(self.lease),
            "--path", str(ROOT),
        ]  # fmt: skip
        self.process = start(command, self.log, **{FOLDER: str(self.folder / "journal")})

    def send(self, number: signal.Signals) -> None:
        """Send its supervisor a signal."""
        if self.process:
            self.process.send_signal(number)

    def has_ended(self) -> int | None:
        """Return how its supervisor ended, once; None if it runs or was seen ended before."""
        code = self.process.poll() if self.process else None
        if code is not None and self.process:
            self.process.communicate()
            self.process = None
        return code

    def below(self, pid: int) -> list[int]:
        """Return what came from one of its processes."""
        return descendants_of(pid)

    def all_below(self) -> list[int]:
        """Return what came from its supervisor."""
        return descendants_of(self.process.pid) if self.process else []

    def name_of(self, worker: int) -> str:
        """Return the name of the worker with this process; of all, if it can't be found out."""
        found = _STARTED.finditer(self.log.read_text(errors="replace"))
        return {int(one[2]): str(one[1]) for one in found}.get(worker, self.prefix)


class Held:
    """A process that gets signals for as long as it is the same process, not its successor."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._handle: int | None = None
        with suppress(ProcessLookupError):
            self._handle = os.pidfd_open(pid)

    def __del__(self) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def is_still(self) -> bool:
        """Return whether it does nothing any more: it has ended, or is stopped."""
        try:
            facts = Path(f"/proc/{self._pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        return facts.rpartition(")")[2].split()[0] in "TZX"


@dataclass
class Producers:
    """Processes that enqueue jobs."""

    mix: Mix
    folder: Path
    cable: Cable
    number: int = 2
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def start(self, jobs: int, rate: float) -> None:
        """Have *jobs* enqueued at *rate*."""
        for first in range(self.number):
            share = len(range(first, jobs, self.number))
            command = [
                sys.executable, "-m", "chaos.producer", f"unix://{self.cable.path}",
                json.dumps(asdict(self.mix)),
                str(first), str(self.number), str(share), str(rate / self.number),
            ]  # fmt: skip
            self.processes.append(start(command, self._log(first)))

    def tell_to_end(self) -> None:
        """Have them end with what they are about."""
        for process in self.processes:
            if process.stdin:
                process.stdin.close()
                process.stdin = None

    def are_done(self) -> bool:
        """Return whether all have ended. Raises RuntimeError if one broke."""
        codes = [process.poll() for process in self.processes]
        for first, code in enumerate(codes):
            if code:
                raise RuntimeError(f"a producer broke:\n{self._log(first).read_text()}")
        return all(code == 0 for code in codes)

    def enqueued(self) -> list[int]:
        """Return the numbers of all jobs that were enqueued, as they told at their end."""
        return sorted(
            number
            for first in range(self.number)
            for number in range(first, first + self._count(first) * self.number, self.number)
        )

    def sent_again(self) -> int:
        """Return how many calls they had to send again."""
        return sum(self._told(first)[1] for first in range(self.number))

    def _count(self, first: int) -> int:
        return self._told(first)[0]

    def _told(self, first: int) -> tuple[int, int]:
        count, again = self._log(first).read_text().splitlines()[-1].split()
        return int(count), int(again)

    def _log(self, first: int) -> Path:
        return self.folder / f"producer-{first}.log"


def left_over(folder: Path) -> list[int]:
    """Return processes that came from a supervisor of this run, and still run."""
    mark = f"{FOLDER}={folder / 'journal'}".encode()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def wait_for_none_left(folder: Path, within: float) -> list[int]:
    """Return those of ``left_over`` that are still there after a while."""
    until = time.monotonic() + within
    while (left := left_over(folder)) and time.monotonic() < until:
        time.sleep(0.05)
    return left
