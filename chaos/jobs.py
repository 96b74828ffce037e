"""What the jobs do. Each writes in a local file when it begins and when it ends.

A record stands between line ends and closes with a dot: one that a kill cuts off spoils no other.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from workhorse import Retry
from workhorse.wire.claimed import Claimed
from workhorse.worker.runner import CURRENT

FOLDER: Final = "WORKHORSE_CHAOS"
"""The variable that says where; it also marks every process below a supervisor as ours."""

_files: Final[dict[str, int]] = {}


class StumbledError(Exception):
    """What a job raises that is to fail."""


def nothing() -> None:
    """Do nothing."""
    with _told():
        pass


def give(number: int) -> str:
    """Return *number*, and whose run it was."""
    with _told() as job:
        return f"{number} by {job.execution_id}"


def linger(number: int, seconds: float) -> str:
    """Sleep, and return the same."""
    with _told() as job:
        time.sleep(seconds)
        return f"{number} by {job.execution_id}"


def stumble() -> None:
    """Raise as long as there are retries left."""
    with _told() as job:
        pass
    if job.policy.retries_left:
        raise StumbledError(f"{job.policy.retries_left} retries left")


def ask(tries: int, interval: int) -> Retry | None:
    """Ask for *tries* more runs, one after another."""
    with _told() as job:
        pass
    return Retry(tries, interval) if job.policy.asked_retries < tries else None


def fail() -> None:
    """Raise."""
    with _told():
        pass
    raise StumbledError("as it was told")


def die(*, by_signal: bool) -> None:
    """Take this process down."""
    with _told():
        if by_signal:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(7)


@contextmanager
def _told() -> Generator[Claimed]:
    """Write down that the job begins, and that it ends."""
    running = CURRENT.get()
    if running is None:
        raise RuntimeError("only a worker runs this")
    job = running.job
    _write(running.worker, "begin", job)
    yield job
    _write(running.worker, "end", job)


def _write(worker: str, word: str, job: Claimed) -> None:
    file = _files.get(worker)
    if file is None:
        path = os.path.join(os.environ[FOLDER], worker)  # noqa: PTH118 - pathlib takes its time
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = _files[worker] = os.open(path, flags, 0o600)
    attempt = f"{job.policy.retries_left or 0}.{job.policy.asked_retries}"
    said = (word, job.job_id, job.execution_id, attempt, os.getpid(), f"{time.monotonic():.6f}")
    os.write(file, f"\n{' '.join(map(str, said))} .\n".encode())
