"""Schedulers that are killed again and again, while minutes pass on a clock of the test's own.

A program: `python -m tests.fault.cron_storm SOCKET BEGIN SECONDS SEED`. It says how many died.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import NoReturn

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.cron import Cron

CLOCK = "clock-of-the-test"
SCHEDULERS = 3
STEP = 1.0
_PAUSE = 0.004


def connect(path: str) -> redis.Redis:
    return redis.Redis(unix_socket_path=path, retry=Retry(NoBackoff(), 0))


def fire_on(path: str) -> NoReturn:
    """Be a scheduler until killed: fire what is due by the clock of the test."""
    client = connect(path)
    duty = Cron(Store(client), Keys())
    while True:
        told = client.get(CLOCK)
        assert isinstance(told, bytes)
        duty.run_once(0.0, at=float(told))


def start(path: str) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            fire_on(path)
        finally:
            os._exit(1)
    return pid


def storm(path: str, begin: float, seconds: float, seed: int) -> int:
    dice = random.Random(seed)  # noqa: S311 - dice that fall the same way again
    client = connect(path)
    client.set(CLOCK, begin)
    client.close()  # not for the forks
    running = [start(path) for _ in range(SCHEDULERS)]
    killed = 0
    try:
        with connect(path) as clock:
            now = begin
            while now < begin + seconds:
                now += STEP
                clock.set(CLOCK, now)
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
    died = storm(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.write(f"{died}\n")
