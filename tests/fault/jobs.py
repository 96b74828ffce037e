"""What the jobs of fault tests do. Each writes in a local file when it begins and when it ends."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import time
from pathlib import Path

from workhorse import JobStoppedException, get_current_job


def write(journal: str, line: str) -> None:
    """Append a line and our process; it is whole whoever else writes."""
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{line} {os.getpid()}\n".encode())
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


def kill(journal: str, job_id: str, how: str) -> None:
    """Take this process down."""
    write(journal, f"begin {job_id}")
    match how:
        case "segfault":
            faulthandler.disable()
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case _:  # as the kernel does when memory runs out
            os.kill(os.getpid(), signal.SIGKILL)


def kill_supervisor(journal: str, job_id: str, file: str) -> None:
    """Kill the process that is named in *file*, once it is there."""
    write(journal, f"begin {job_id}")
    while not Path(file).exists():
        time.sleep(0.01)
    os.kill(int(Path(file).read_text()), signal.SIGKILL)
    time.sleep(60)
