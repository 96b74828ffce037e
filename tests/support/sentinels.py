"""A primary, its replica, and three Sentinels that watch them: real processes on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import redis
from redis.sentinel import Sentinel

from tests.support.servers import KEEPER, RunningServer, started
from tests.support.waiting import wait_until

SERVICE = "jobs"
HOST = "127.0.0.1"

_SENTINEL = f"""
port %d
bind {HOST}
sentinel monitor {SERVICE} {HOST} %d 2
sentinel down-after-milliseconds {SERVICE} 400
sentinel failover-timeout {SERVICE} 2000
"""


class Watched:
    """Two servers, the first of which begins as primary, and the ports of their Sentinels."""

    def __init__(self, binary: Path, folder: Path, stack: ExitStack) -> None:
        self._binary = binary
        self._folder = folder
        self._stack = stack
        self._running: dict[int, ExitStack] = {}
        self.servers: dict[int, RunningServer] = {}
        first = self._start(_free_port())
        second = self._start(_free_port(), "--replicaof", f"{HOST} {first}")
        self.sentinels = [self._watch(first) for _ in range(3)]
        self.wait_for_replica(first)
        assert second in self.servers

    def manager(self) -> Any:
        manager: Any = Sentinel  # redis-py does not type it
        return manager([(HOST, port) for port in self.sentinels], socket_timeout=1)

    def client(self, **options: Any) -> Any:
        """Return a client that asks the Sentinels for the primary."""
        return self.manager().master_for(SERVICE, **options)

    def primary(self) -> int:
        """Return the port of the server that most Sentinels call the primary."""
        told: list[int] = []
        for port in self.sentinels:
            with redis.Redis(HOST, port, socket_timeout=1) as sentinel:
                told.append(sentinel.sentinel_get_master_addr_by_name(SERVICE)[1])
        return max(told, key=told.count)

    def other(self) -> int:
        """Return the port of the server that is not primary."""
        primary = self.primary()
        return next(port for port in self.servers if port != primary)

    def wait_for_replica(self, primary: int) -> None:
        """Return when there is a replica in sync, and every Sentinel knows all that there is."""
        with self.servers[primary].client() as client:
            wait_until(lambda: client.info("replication")["connected_slaves"] == 1)
            wait_until(lambda: client.info("replication")["slave0"]["state"] == "online")
        for port in self.sentinels:
            with redis.Redis(HOST, port) as sentinel:
                wait_until(partial(_knows_all, sentinel, primary), 30)

    def fail_over(self) -> None:
        """Have the Sentinels exchange the two; connections to the old primary stay open.

        Sentinels leave that as it is for eight seconds; here it follows the new one at once.
        """
        before = self.primary()
        with redis.Redis(HOST, self.sentinels[0]) as sentinel:
            sentinel.sentinel_failover(SERVICE)
        self.wait_for_another(before)
        with self.servers[before].client() as client:
            client.replicaof(HOST, self.primary())

    def kill(self, port: int) -> None:
        self._running.pop(port).close()

    def start_again(self, port: int) -> None:
        """Start a server that was killed: the Sentinels make a replica of it."""
        self._start(port, "--replicaof", f"{HOST} {self.primary()}")
        self.wait_for_replica(self.primary())

    def wait_for_another(self, before: int) -> None:
        """Return when another server than *before* is primary."""
        wait_until(lambda: self.primary() != before, within=30)
        with self.servers[self.primary()].client() as client:
            wait_until(lambda: client.info("replication")["role"] == "master")

    def _start(self, port: int, *options: str) -> int:
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        running = self._stack.enter_context(ExitStack())
        told = ("--port", str(port), "--bind", HOST, "--repl-diskless-sync-delay", "0")
        server = started(str(port), self._binary, folder, *told, *options)
        self.servers[port] = running.enter_context(server)
        self._running[port] = running
        return port

    def _watch(self, primary: int) -> int:
        port = _free_port()
        config = self._folder / f"sentinel-{port}.conf"
        config.write_text(_SENTINEL % (port, primary))
        command = [str(self._binary), str(config), "--sentinel"]
        keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", *command],
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._stack.callback(keeper.communicate)
        wait_until(lambda: _answers(port))
        return port


@contextmanager
def watched(binary: Path) -> Iterator[Watched]:
    """Start all five, yield them when they know each other, and kill them at the end."""
    folder = Path(tempfile.mkdtemp(prefix="workhorse-test-"))
    try:
        with ExitStack() as stack:
            yield Watched(binary, folder, stack)
    finally:
        shutil.rmtree(folder)


def _knows_all(sentinel: Any, primary: int) -> bool:
    told = sentinel.sentinel_master(SERVICE)
    return (told["port"], told["num-slaves"], told["num-other-sentinels"], told["flags"]) == (
        primary, 1, 2, "master",
    )  # fmt: skip


def _answers(port: int) -> bool:
    with suppress(redis.ConnectionError), redis.Redis(HOST, port) as client:
        return bool(client.ping())
    return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
