"""Callbacks and exception handlers of test jobs; they tell of themselves in local files."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

from workhorse import get_current_job


def _path(job: Any) -> Path:
    return Path(str(job.args[0]))


def _note(job: Any, words: str) -> None:
    with _path(job).open("a") as journal:
        journal.write(f"{words}\n")


def work(journal: str, what: str = "") -> str:
    """Be a job that does as it is told, and notes that it ran."""
    with Path(journal).open("a") as file:
        file.write(f"ran in {os.getpid()}\n")
    if what == "raise":
        raise ValueError("no such customer")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "sleep":
        time.sleep(60)
    return f"done {what}".strip()


def succeeded(job: Any, connection: Any, result: Any) -> None:
    assert connection.ping()
    current = get_current_job()
    assert current is not None
    assert current.id == job.id
    _note(job, f"success {result} in {os.getpid()} while {job.get_status()}")


def succeeded_slowly(job: Any, *more: Any) -> None:
    del more
    _note(job, "begins")
    time.sleep(0.03)
    _note(job, "ends")


async def succeeded_later(job: Any, connection: Any, result: Any) -> None:
    del connection
    _note(job, f"success {result}")


def failed(job: Any, connection: Any, kind: type, value: BaseException, frames: Any) -> None:
    assert connection.ping()
    last = frames.tb_frame.f_code.co_name if frames else "nowhere"
    _note(job, f"failure {kind.__name__}: {str(value).splitlines()[0]} at {last}")


def stopped(job: Any, connection: Any) -> None:
    assert connection.ping()
    _note(job, "stopped")


def raises(job: Any, *more: Any) -> None:
    del more
    _note(job, "raises")
    raise RuntimeError("the callback broke")


def exits(job: Any, *more: Any) -> None:
    del more
    _note(job, "exits")
    os._exit(0)


def segfaults(job: Any, *more: Any) -> None:
    del more
    _note(job, "segfaults")
    ctypes.string_at(0)


def forks(job: Any, *more: Any) -> None:
    del more
    _note(job, "forks")
    if os.fork() == 0:
        return


def sleeps(job: Any, *more: Any) -> None:
    del more
    _note(job, "sleeps")
    time.sleep(60)


def hangs(job: Any, *more: Any) -> None:
    """Wait in C code that no exception gets into."""
    del more
    _note(job, "hangs")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    ctypes.CDLL(None).sleep(60)


def handled(job: Any, kind: type, value: BaseException, frames: Any) -> None:
    assert frames is not None
    _note(job, f"handled {kind.__name__}: {value}")


def handled_alone(job: Any, *more: Any) -> bool:
    del more
    _note(job, "handled alone")
    return False
