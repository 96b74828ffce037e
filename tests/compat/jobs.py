"""Functions that both sides run as jobs. Imports neither RQ nor Workhorse at its top.

Each process has one of the two; a job that needs the current one asks ``_side``.
"""

from __future__ import annotations

import os
import time
from importlib import import_module, util
from pathlib import Path
from typing import Any


def _side() -> Any:
    """Return the package whose worker runs this."""
    return import_module("rq" if util.find_spec("rq") else "workhorse")


def add(a: int, b: int = 0) -> int:
    return a + b


def nothing() -> None:
    """Do nothing, for its result."""


def a_function() -> object:
    return open


def fail(message: str = "no such luck") -> None:
    raise ValueError(message)


def fail_times(times: int, counter: str) -> int:
    """Raise in the first *times* runs, counted in the file *counter*; then return the number."""
    run = _count(counter)
    if run <= times:
        raise RuntimeError(f"run {run} fails")
    return run


def ask_again(times: int, counter: str, maximum: int = 5, interval: int = 0) -> Any:
    """Return a ``Retry`` the first *times* runs; then the run's number."""
    run = _count(counter)
    return _side().Retry(max=maximum, interval=interval) if run <= times else run


def note(key: str, value: str) -> str:
    """Save a note in the job's meta; return which side ran it."""
    job = _side().get_current_job()
    job.meta[key] = value
    job.save_meta()
    return str(_side().__name__)


def note_span(path: str, name: str, seconds: float) -> None:
    """Write down when this began and when it ended."""
    begun = time.time()
    time.sleep(seconds)
    with Path(path).open("a") as log:
        log.write(f"{name} {begun} {time.time()}\n")


def side() -> str:
    return str(_side().__name__)


def who_am_i() -> list[str]:
    """Return what the job knows of itself."""
    job = _side().get_current_job()
    return [job.id, job.origin, job.func_name, str(job.get_status().value)]


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def sleep_with_note(seconds: float, begun: str) -> str:
    """Sleep after making the file *begun*, for tests that wait until the job runs."""
    Path(begun).write_text(str(os.getpid()))
    time.sleep(seconds)
    return "slept"


def die_first(begun: str, counter: str) -> int:
    """Hang in the first run, for a test that kills it; return the number of a later one."""
    run = _count(counter)
    if run == 1:
        Path(begun).write_text(str(os.getpid()))
        time.sleep(100)
    return run


def append(path: str, word: str, seconds: float = 0) -> None:
    """Append a line to a file that many processes append to at once."""
    if seconds:
        time.sleep(seconds)
    _append(path, f"{word} {side()}\n")


def append_order(path: str, word: str) -> None:
    _append(path, f"{word}\n")


class Account:
    """An object whose method is a job."""

    def __init__(self, balance: int) -> None:
        self.balance = balance

    def plus(self, amount: int) -> int:
        return self.balance + amount


def _append(path: str, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _count(counter: str) -> int:
    """Return which run this is, counting from one."""
    _append(counter, ".")
    return len(Path(counter).read_text())


def log_and_end(log: str, how: str = "") -> str:
    """End as *how* says: well, by an exception, or with the process."""
    if how == "die":
        os.kill(os.getpid(), 9)
    if how == "raise":
        raise ValueError(log)
    return how


def called_back(job: Any, connection: Any, *more: Any) -> None:
    """Note with what a callback of ``log_and_end`` was called."""
    connection.ping()
    told = more[0].__name__ if more and isinstance(more[0], type) else repr(more[:1])
    with Path(job.args[0]).open("a") as file:
        file.write(f"{told}\n")
