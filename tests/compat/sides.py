"""The two sides of a mixed fleet, as processes and bursts that tests start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import redis

from tests.support.servers import ROOT
from workhorse import SimpleWorker, Worker

Kind = Literal["simple", "fork", "supervisor"]
KINDS: tuple[Kind, ...] = ("simple", "fork", "supervisor")


class RQError(Exception):
    """What RQ raised on its side; the message begins with the name of its class."""


class RQSide:
    """RQ in a process of its own, which does one thing after the other."""

    def __init__(self, python: Path, url: str) -> None:
        self.url = url
        self._process = subprocess.Popen(
            [python, "-m", "tests.compat.rq_side.driver", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )

    def __call__(self, do: str, **words: Any) -> Any:
        """Have the driver's method *do* called and return what it returned. Raises RQError."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"do": do, **words}) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, f"RQ's side ended with code {self._process.wait()}; its stderr says why"
        answer = json.loads(line)
        if "error" in answer:
            raise RQError(answer["error"])
        return answer["value"]

    def facts(self, job_id: str, **words: Any) -> dict[str, Any]:
        """Return all that RQ tells of a job."""
        return cast("dict[str, Any]", self("fetch", job_id=job_id, **words))

    def close(self) -> None:
        self._process.communicate()


def environment() -> dict[str, str]:
    """Return this process's environment without what would lead one side into the other."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def work_off(kind: Kind, url: str, *queues: str, serializer: str = "pickle") -> None:
    """Run one of our workers in a burst."""
    names = queues or ("default",)
    if kind == "supervisor":
        command = our_worker(url, *names, "--burst", "--num-workers", "2", "--quiet")
        subprocess.run([*command, "--serializer", serializer], check=True, cwd=ROOT, timeout=50)
        return
    worker_class = SimpleWorker if kind == "simple" else Worker
    with redis.Redis.from_url(url) as connection:
        worker = worker_class(list(names), connection=connection, serializer=serializer)
        worker.work(burst=True, logging_level="CRITICAL")


def our_worker(url: str, *words: str) -> list[str]:
    """Return the command that runs our worker."""
    return [sys.executable, "-m", "workhorse.cli", "worker", "--url", url, *words]


@contextmanager
def running(command: Sequence[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* meanwhile, and end it in order."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)
    try:
        yield process
        process.terminate()
        process.wait(20)
    finally:
        process.kill()
        process.wait()
