"""What test jobs do. They tell of themselves in local files, never on the server under test."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from workhorse.core.errors import JobTimeoutException
from workhorse.core.retry import Retry


def nothing() -> None:
    pass


def add(left: int, right: int) -> int:
    return left + right


async def add_later(left: int, right: int) -> int:
    await asyncio.sleep(0)
    return left + right


def fail(text: str) -> None:
    raise ValueError(text)


def exit_python(code: int) -> None:
    sys.exit(code)


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


def unserializable() -> Any:
    return threading.Lock()


class Unspeakable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raise_unspeakable() -> None:
    raise Unspeakable


def ask_for_retry() -> Retry:
    return Retry(max=1)


def raise_retry(text: str) -> None:
    """Ask for another run, and say what for."""
    try:
        fail(text)
    except ValueError as error:
        raise Mine from error


class Mine(Retry):
    """A Retry of the user's own, which only the job's process knows."""

    def __init__(self) -> None:
        super().__init__(2, 60, jitter=0.5)


class NoRetry(Retry):
    """One that says nothing."""

    def __init__(self) -> None:
        """Forget to begin."""


class OfRQ:
    """A Retry of RQ 3.0, as a job sees it that was written for it."""

    max = 3
    intervals = (10, 30)
    enqueue_at_front = True


OfRQ.__module__, OfRQ.__name__ = "rq.job", "Retry"


def ask_again(times: int, by: str) -> Retry:
    """Ask for another run *times* times, by a return or a raise."""
    retry = Retry(times)
    if by == "raise":
        raise retry
    return retry


def return_retry(kind: str) -> Any:
    return globals()[kind]()


def raise_no_retry() -> None:
    raise NoRetry


def raise_sold_out() -> None:
    raise SoldOutError("no more left")


def retry_when_late(seconds: float) -> None:
    try:
        time.sleep(seconds)
    except JobTimeoutException as error:
        raise Retry(1) from error


def fail_when_late(seconds: float) -> None:
    try:
        time.sleep(seconds)
    except JobTimeoutException as error:
        raise SoldOutError("late") from error


def text_of(size: int) -> bytes:
    return b"x" * size


def note(path: str, text: str) -> None:
    """Append a line; a line is whole whoever else writes."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


def note_and_sleep(path: str, text: str, seconds: float) -> None:
    note(path, text)
    time.sleep(seconds)
    note(path, f"{text} ended")


def note_and_wait_for(path: str, text: str, other: str) -> None:
    """End when the file *other* exists."""
    note(path, text)
    while not Path(other).exists():
        time.sleep(0.01)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def sleep_and_catch_exceptions(seconds: float) -> None:
    with suppress(Exception):  # what careless jobs do
        time.sleep(seconds)


def eat_everything(path: str, seconds: float) -> None:
    """Ignore the soft limit and signals."""
    note(path, "began")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(BaseException):
            time.sleep(seconds)
    note(path, "ended")


def leave(path: str, code: int) -> None:
    note(path, "left")
    os._exit(code)


def segfault(path: str) -> None:
    faulthandler.disable()  # pytest's: it would fill the test's output
    note(path, "segfault")
    ctypes.string_at(0)


def kill_own_process(path: str) -> None:
    note(path, "killed")
    os.kill(os.getpid(), signal.SIGKILL)


def take_memory_and_die(megabytes: int) -> None:
    """Be killed while having much memory, as by the kernel that has none left."""
    taken = bytearray(os.urandom(1_000_000) * megabytes)
    os.kill(os.getpid(), signal.SIGKILL)
    del taken


def start_child_and(path: str, what: str) -> None:
    """Start a process that holds all our files open, tell its pid, and end badly or never."""
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    note(path, str(child.pid))
    if what == "leave":
        os._exit(1)
    eat_everything(path, 60)


def leave_an_orphan(path: str) -> None:
    """Have a process that outlives its parent, and then ends."""
    shell = subprocess.run(
        ["sh", "-c", "sleep 0.2 & echo $!"], check=True, stdout=subprocess.PIPE, text=True
    )
    note(path, shell.stdout.strip())


def fork_and_raise(path: str) -> str:
    """Have a forked process come back from the job, too: it must not go on as a worker."""
    pid = os.fork()
    if pid == 0:
        note(path, "child")
        raise ValueError("in the child")
    _, status = os.waitpid(pid, 0)
    return f"child ended with {os.waitstatus_to_exitcode(status)}"


def use_a_pool() -> list[int]:
    """Leave a pool by its context: that sends SIGTERM to its processes and waits for them.

    Not before both run: a signal in the middle of a fork is lost to any handler in Python.
    """
    context = multiprocessing.get_context("fork")
    both_run = context.Barrier(2)
    with context.Pool(2, initializer=both_run.wait) as pool:
        return pool.map(abs, [-1, -2])


def has_imported(module: str) -> bool:
    """Return whether *module* was imported before."""
    return module in sys.modules


def import_module(module: str) -> None:
    """Import *module*."""
    importlib.import_module(module)


def read_json(text: str) -> Any:
    return json.loads(text)


class SoldOutError(LookupError):
    """An exception of the user's own."""
