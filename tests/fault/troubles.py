"""Servers in trouble, and fleets that wait for them, as several files of tests need them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.support import servers
from tests.support.faults import Life, Started
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse.store.server import server_binary

KEEPING = ("--appendonly", "yes", "--appendfsync", "always")


@dataclass
class Restartable:
    """A server that can be killed and started again, on the data that it has kept or on none."""

    folder: Path
    _running: ExitStack = field(default_factory=ExitStack)
    _turns: threading.Lock = field(default_factory=threading.Lock)

    @property
    def socket(self) -> Path:
        return self.folder / "server.sock"

    def start(self, *options: str) -> RunningServer:
        made = servers.started("own", server_binary(), self.folder, *options)
        with self._turns:
            return self._running.enter_context(made)

    def kill(self) -> None:
        with self._turns:
            self._running.close()


def idle(life: Life, supervisor: Started, processes: int = 1) -> list[int]:
    """Return a supervisor's workers when they wait for jobs."""
    wait_until(lambda: len(supervisor.workers) == processes)
    wait_until(lambda: life.client.info("clients")["blocked_clients"] >= processes)
    return supervisor.workers


@contextmanager
def again_and_again(what: Callable[[], object]) -> Iterator[None]:
    """Do something every few milliseconds within the block."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(0.02):
            what()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def fill(life: Life) -> list[str]:
    """Queue jobs until the server has no memory left; return those that it took."""
    taken: list[str] = []
    with suppress(redis.ResponseError):
        while len(taken) < 10_000:
            job = f"job{len(taken)}"
            life.enqueue("give_much", job, 100, meta=b"x" * 40_000)
            taken.append(job)
    # The buffers of these calls counted, and are given back at any moment: leave no room
    # where they were.
    limit = int(life.client.config_get("maxmemory")["maxmemory"])
    life.client.config_set("maxmemory", limit - 500_000)
    return taken


def is_busy(server: RunningServer) -> bool:
    try:
        with server.client() as client:
            client.set_retry(ClientRetry(NoBackoff(), 0))
            client.ping()
    except redis.ResponseError as error:
        return "BUSY" in str(error) or "busy" in str(error)
    return False
