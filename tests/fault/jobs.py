"""What the jobs of fault tests do. Each writes in a local file when it begins and when it ends."""

from __future__ import annotations

import ctypes
import faulthandler
import hashlib
import itertools
import os
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from workhorse import JobStoppedException, get_current_job


def write(journal: str, line: str, pid: int | None = None) -> None:
    """Append a line and a process, ours without one; it is whole whoever else writes."""
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{line} {pid or os.getpid()}\n".encode())
    os.close(handle)


def work(journal: str, job_id: str) -> None:
    write(journal, f"begin {job_id}")
    write(journal, f"end {job_id}")


def give(journal: str, job_id: str) -> str:
    work(journal, job_id)
    return f"{job_id}'s value"


def fail(journal: str, job_id: str) -> None:
    work(journal, job_id)
    raise ValueError(job_id)


def save(journal: str, job_id: str) -> None:
    """Speak to the server in the middle."""
    write(journal, f"begin {job_id}")
    job = get_current_job()
    assert job is not None
    job.meta = {"half": "done"}
    job.save_meta()
    write(journal, f"end {job_id}")


def save_and_die_once(journal: str, job_id: str) -> object:
    """Save something, and be killed; in the run after that, return what was saved."""
    write(journal, f"begin {job_id}")
    job = get_current_job()
    assert job is not None
    if not job.meta:
        job.meta = {"half": "done"}
        job.save_meta()
        os.kill(os.getpid(), signal.SIGKILL)
    return job.meta


def stop_itself_once(journal: str, job_id: str) -> str:
    """Ask for our own end, which comes too late; in the run after that, fail."""
    write(journal, f"begin {job_id}")
    job = get_current_job()
    assert job is not None
    if job.meta:
        raise ValueError(job_id)
    job.meta = {"stopped": True}
    job.save_meta()
    job.stop()
    return "done"


def linger(journal: str, job_id: str, seconds: float) -> None:
    write(journal, f"begin {job_id}")
    time.sleep(seconds)
    write(journal, f"end {job_id}")


def wait_for(journal: str, job_id: str, file: str) -> None:
    """End when *file* exists."""
    write(journal, f"begin {job_id}")
    while not Path(file).exists():
        time.sleep(0.01)
    write(journal, f"end {job_id}")


def give_much(journal: str, job_id: str, size: int) -> bytes:
    work(journal, job_id)
    return b"x" * size


def die(journal: str, job_id: str) -> None:
    write(journal, f"begin {job_id}")
    os.kill(os.getpid(), signal.SIGKILL)


def clean_up(journal: str, job_id: str) -> None:
    """Go on until somebody asks for the end, and then clean up."""
    write(journal, f"begin {job_id}")
    try:
        time.sleep(60)
    finally:
        write(journal, f"end {job_id}")


def refuse_to_end(journal: str, job_id: str) -> None:
    """Go on, whoever asks for the end."""
    write(journal, f"begin {job_id}")
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001 - this is what it is for
            write(journal, f"end {job_id}")


def finish_when_asked(journal: str, job_id: str) -> str:
    """Take the request for the end as one to hurry up."""
    write(journal, f"begin {job_id}")
    try:
        time.sleep(60)
    except JobStoppedException:
        write(journal, f"end {job_id}")
    return "done"


def wait_for_own(journal: str, job_id: str, folder: str) -> int:
    """End when the file named after our process exists; return that process."""
    write(journal, f"begin {job_id}")
    while not Path(folder, str(os.getpid())).exists():
        time.sleep(0.01)
    write(journal, f"end {job_id}")
    return os.getpid()


def environment(journal: str, job_id: str, *names: str) -> list[str | None]:
    work(journal, job_id)
    return [os.environ.get(name) for name in names]


# Jobs that do not end, each in another way


def _spin() -> None:
    while True:
        pass


def _eat() -> None:
    """Leave no step at which an exception could get out: each job is interrupted once."""
    while True:
        with suppress(BaseException):
            while True:
                time.sleep(0.01)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


def _block_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    time.sleep(60)


def _join_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(60,), daemon=False)
    thread.start()
    thread.join()


def _change_group() -> None:
    """Leave the process group in which we are to be killed."""
    os.setpgid(0, os.getpgid(os.getppid()))
    _eat()


HANGS: dict[str, Callable[[], Any]] = {
    "sleep": lambda: time.sleep(60),
    "spin": _spin,
    "regex": lambda: re.match("(a+)+$", "a" * 60 + "b"),  # holds the GIL, looks for signals
    "libc": lambda: ctypes.CDLL(None).sleep(60),  # gives the GIL away
    "libc with the GIL": lambda: ctypes.PyDLL(None).sleep(60),
    "thread": _join_thread,
    "hash": lambda: hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2**31 - 1),  # without the GIL
    "sum": lambda: sum(itertools.repeat(1)),  # with it
    "eat": _eat,
    "ignore signals": _ignore_signals,
    "block signals": _block_signals,
    "other group": _change_group,
}


def hang(journal: str, job_id: str, how: str) -> None:
    write(journal, f"begin {job_id}")
    HANGS[how]()
    write(journal, f"end {job_id}")


def leave_child(journal: str, job_id: str) -> None:
    """Start a process, tell which, and end before it does."""
    write(journal, f"child {job_id}", subprocess.Popen(["sleep", "60"]).pid)
    work(journal, job_id)


def hang_with_child(journal: str, job_id: str, how: str) -> None:
    """Start a process first, and tell which."""
    child = subprocess.Popen(["sleep", "60"])
    write(journal, f"child {job_id}", child.pid)
    hang(journal, job_id, how)


class SlowToRead:
    """An argument whose reading takes a minute."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.sleep, (60,)


def heed(journal: str, job_id: str) -> str:
    """Heed the limit, and return something."""
    write(journal, f"begin {job_id}")
    try:
        time.sleep(60)
    finally:
        return "cleaned up"  # noqa: B012


def take_signals(journal: str, job_id: str) -> None:
    """Change what our process does on signals, as some libraries do, and leave it so."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    work(journal, job_id)


# Jobs that take their process down


def segfault(journal: str, job_id: str) -> None:
    faulthandler.disable()
    write(journal, f"begin {job_id}")
    ctypes.string_at(0)


def leave(journal: str, job_id: str, code: int) -> None:
    write(journal, f"begin {job_id}")
    os._exit(code)


def be_killed_after_it(journal: str, job_id: str, how: str) -> None:
    """Have our process killed once it has told how we ended."""

    def die(status: int) -> NoReturn:
        del status
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    os._exit = die
    work(journal, job_id)
    if how == "fails":
        raise ValueError(job_id)


def abort(journal: str, job_id: str) -> None:
    write(journal, f"begin {job_id}")
    os.abort()


def eat_memory(journal: str, job_id: str) -> None:
    """Take more memory than the process may have."""
    write(journal, f"begin {job_id}")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    held = 1024 * int(Path("/proc/self/statm").read_text().split()[0]) * 4
    resource.setrlimit(resource.RLIMIT_AS, (held + 50_000_000, hard))
    hoard = [b"x" * 10_000_000 for _ in range(1000)]
    write(journal, f"end {job_id} {len(hoard)}")


def kill_ancestors(journal: str, job_id: str, names: str) -> None:
    """Kill the worker and its supervisor, and so all that is theirs."""
    write(journal, f"begin {job_id}")
    pid = os.getpid()
    found: list[int] = []
    while len(found) < 8 and (pid := _parent_of(pid)) > 1:
        found.append(pid)
    supervisors = [one for one in found if names in Path(f"/proc/{one}/comm").read_text()]
    for one in supervisors:
        os.kill(one, signal.SIGKILL)
    time.sleep(60)


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def threads(journal: str, job_id: str) -> list[int]:
    """Return how many threads each of our ancestors has that is a process of Workhorse's."""
    write(journal, f"begin {job_id}")
    pid = os.getpid()
    found: list[int] = []
    while "workhorse:" in Path(f"/proc/{(pid := _parent_of(pid))}/comm").read_text():
        found.append(len(list(Path(f"/proc/{pid}/task").iterdir())))
    write(journal, f"end {job_id}")
    return found


class _Hostile:
    """A result whose own code raises when it is pickled."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> str:
        raise self._error


def give_unserializable(journal: str, job_id: str, kind: str) -> object:
    """Return what no serializer takes."""
    work(journal, job_id)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return {
        "a lambda": lambda: None,
        "deep": deep,
        "it raises": _Hostile(ValueError("not for\nsending")),
        "it exits": _Hostile(SystemExit(3)),
        "it interrupts": _Hostile(KeyboardInterrupt()),
    }[kind]


class _SilentError(Exception):
    """Has no text: the attempt to make one raises."""

    def __str__(self) -> str:
        raise SystemExit(4)


def fail_oddly(journal: str, job_id: str, kind: str) -> None:
    work(journal, job_id)
    if kind == "silent":
        raise _SilentError
    if kind == "huge":
        raise ValueError("x" * 100_000_000)
    raise ValueError(
        {
            "nul": "a\0b",
            "surrogate": "half \ud800 a character",
            "not utf-8": b"caf\xe9".decode("utf-8", "surrogateescape"),
            "forged": "no\n12:34:56 q: Job OK (forged)\r\x1b[2J\u2028\x9b31m",
        }[kind]
    )
