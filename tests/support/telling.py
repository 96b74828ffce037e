"""Jobs that tell of themselves: of their progress, and by what they log and print."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import redis

from workhorse import Job, get_current_job, report_progress

LOG = logging.getLogger("tests.telling")


def here() -> Job:
    """Return the job that calls this."""
    job = get_current_job()
    assert job is not None
    return job


def count_to(total: int) -> int:
    job = here()
    for done in range(1, total + 1):
        job.progress(done, total, f"step {done}")
    return total


def count_and_fail(total: int) -> None:
    count_to(total)
    print("about to fail")
    print("no end of line", end="")
    raise ValueError("no more")


def report(*told: Any) -> None:
    report_progress(*told)


def progress_with(**told: Any) -> None:
    here().progress(**told)


def tell_and_wait_for(path: str) -> None:
    """Tell of a half, and wait for a file."""
    print("waiting")
    here().progress(1, 2, "waiting")
    while not Path(path).exists():
        time.sleep(0.01)
    print("goes on")


def tell_and_die() -> None:
    """Tell, see that it arrived, and kill the process that runs this."""
    job = here()
    print("last words")
    job.progress(7)
    while not (job.log_lines() and job.get_progress()):
        time.sleep(0.01)
    os.kill(os.getpid(), 9)


def say_much() -> None:
    """Write in every way that is heard."""
    print("printed")
    print("to stderr", file=sys.stderr)
    sys.stdout.writelines(["in ", "pieces\n"])
    sys.stdout.write("10 %\r20 %\r100 %\n")
    LOG.warning("logged %s", "words")
    LOG.info("informed")
    LOG.debug("not wanted")
    logging.getLogger().error("of the root")
    LOG.warning("%d", "no number")
    try:
        dict[str, int]()["inner"]
    except KeyError:
        LOG.exception("caught")


def print_in_threads() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(print, "in a thread").result()
    job = here()
    thread = threading.Thread(target=job.progress, args=(3, 4))
    thread.start()
    thread.join()

    async def task() -> None:
        print("in a task")

    asyncio.run(task())


def print_in_a_fork() -> None:
    pid = os.fork()
    if not pid:
        print("of a fork")
        here().progress(5)
        report_progress(6)
        os._exit(0)
    os.waitpid(pid, 0)
    print("of the job")


def print_lines(count: int) -> None:
    for number in range(count):
        print(number)


def print_at_once(count: int) -> None:
    print("\n".join(map(str, range(count))))


def print_long(length: int) -> None:
    print("x" * length)
    print("\x1b[2J<b>\ud800\x00")


def cut_the_cable(path: str) -> None:
    """Stop the server that is to hear of this, and go on."""
    here().progress(1)
    server: Any = redis.Redis.from_url(path)
    server.execute_command("CLIENT", "PAUSE", 1500, "WRITE")
    began = time.monotonic()
    for done in range(2, 1000):
        here().progress(done)
        print(done)
    assert time.monotonic() - began < 1


def in_a_callback(job: Job, connection: Any, *more: Any) -> None:
    del connection, more
    job.progress(99)
    report_progress(99)
    print("called back")


def enqueue_within(url: str) -> None:
    """Run another job within this one."""
    from workhorse import Queue  # noqa: PLC0415 - the job's own

    print("before")
    Queue("low", connection=url, is_async=False).enqueue(count_to, 2, job_id="inner")
    print("after")
    here().progress(1)


def tell_all(text: str) -> None:
    """Tell *text* in every way."""
    here().progress(1, 2, text)
    print(text)
    LOG.warning("%s", text)


def tell_and_fail_at_once() -> None:
    """Tell, see that it arrived, so that nothing is about to be sent; tell more, and raise."""
    job = here()
    print("first")
    while not job.log_lines():
        time.sleep(0.001)
    print("last")
    job.progress(1, 2)
    raise ValueError("no more")
