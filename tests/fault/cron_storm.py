"""Schedulers that are killed again and again, while minutes pass by the server's clock.

A program: `python -m tests.fault.cron_storm SOCKET CLOCK BEGIN SECONDS SEED`. CLOCK is the file by
which the server's clock is moved (clock.c). It says how many died.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path
from typing import NoReturn

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.cron import Cron

SCHEDULERS = 3
STEP = 1.0
_PAUSE = 0.004


class MovedClock:
    """The clock of a server, in the hands of a test."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), struct.calcsize("d"))

    def set(self, moment: float) -> None:
        """Have the server's time be *moment* now, and go on from there."""
        struct.pack_into("d", self._ahead, 0, float(round(moment - time.time())))


def fire_on(path: str) -> NoReturn:
    """Be a scheduler until killed: fire what is due, without a pause."""
    client = redis.Redis(unix_socket_path=path, retry=Retry(NoBackoff(), 0))
    duty = Cron(Store(client), Keys())
    while True:
        duty.run_once(0.0)


def start(path: str) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            fire_on(path)
        finally:
            os._exit(1)
    return pid


def storm(path: str, clock: MovedClock, begin: float, seconds: float, seed: int) -> int:
    dice = random.Random(seed)  # noqa: S311 - dice that fall the same way again
    clock.set(begin)
    running = [start(path) for _ in range(SCHEDULERS)]
    killed, now = 0, begin
    try:
        while now < begin + seconds:
            now += STEP
            clock.set(now)
            time.sleep(dice.random() * _PAUSE)
            if dice.random() < 0.3:
                victim = running.pop(dice.randrange(len(running)))
                os.kill(victim, signal.SIGKILL)
                os.waitpid(victim, 0)
                killed += 1
                running.append(start(path))
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return killed


if __name__ == "__main__":
    died = storm(
        sys.argv[1], MovedClock(Path(sys.argv[2])), float(sys.argv[3]), float(sys.argv[4]),
        int(sys.argv[5]),
    )  # fmt: skip
    sys.stdout.write(f"{died}\n")
