"""The two sides of the comparison, each as the commands a user would run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.producer import QUEUE

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Side:
    """One package in the Python that has it."""

    package: str
    python: Path
    source: Path | None = None
    """Where the package is imported from, if that is not where its Python has it."""

    @property
    def environment(self) -> dict[str, str]:
        """What its processes find around them."""
        found = dict(os.environ)
        return found if self.source is None else found | {"PYTHONPATH": str(self.source)}

    def produce(self, url: str, what: str, number: int, *more: str) -> dict[str, Any]:
        """Have the producer do *what* in a process of its own; return what it measured."""
        program = [str(self.python), "-m", "bench.producer"]
        command = [*program, self.package, url, what, str(number), *more]
        said = subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        )
        measured: dict[str, Any] = json.loads(said.stdout)
        return measured

    def version(self) -> str:
        """Return the version of the package."""
        code = f"from importlib.metadata import version; print(version({self.package!r}))"
        said = subprocess.run(
            [self.python, "-c", code], check=True, capture_output=True, text=True
        )
        return said.stdout.strip()


@dataclass(frozen=True)
class Contender:
    """A kind of worker, and the producer whose jobs it runs."""

    name: str
    producer: Side
    words: tuple[str, ...]
    """Its command, without the server's URL."""

    def command(self, url: str, *more: str) -> list[str]:
        """Return the command line on the server at *url*."""
        return [*self.words, "--url", url, "--quiet", *more, QUEUE]


@dataclass(frozen=True)
class Contenders:
    """Everybody who runs."""

    ours: Side
    rq: Side

    @property
    def inline1(self) -> Contender:
        """Our default: jobs run in the worker process."""
        return self._ours("ours, 1 process")

    @property
    def inline2(self) -> Contender:
        """The same with two processes."""
        return self._ours("ours, 2 processes", "--num-workers", "2")

    @property
    def fork1(self) -> Contender:
        """Each job in a process of its own, as RQ's Worker has it."""
        return self._ours("ours, 1 process, isolation fork", "--isolation", "fork")

    @property
    def on_rqs_jobs(self) -> Contender:
        """Jobs that RQ's producer enqueued: results go to streams, where its readers look."""
        words = self.inline2.words
        return Contender("ours, 2 processes, on RQ's jobs", self.rq, words)

    @property
    def rq_worker(self) -> Contender:
        """RQ's default."""
        return self._rq("RQ Worker", "rq.Worker")

    @property
    def rq_simple(self) -> Contender:
        """RQ without a fork for each job."""
        return self._rq("RQ SimpleWorker", "rq.SimpleWorker")

    def _ours(self, name: str, *words: str) -> Contender:
        program = (str(self.ours.python), "-m", "workhorse.cli", "worker")
        return Contender(name, self.ours, (*program, *words))

    def _rq(self, name: str, worker_class: str) -> Contender:
        program = str(self.rq.python.with_name("rq"))
        return Contender(name, self.rq, (program, "worker", "--worker-class", worker_class))


def both(rq_python: Path) -> Contenders:
    """Return all contenders: ours in this Python, RQ in its own."""
    return Contenders(Side("workhorse", Path(sys.executable)), Side("rq", rq_python))
