"""A server for tests: nothing of it is left when the process that started it has ended."""

from __future__ import annotations

import subprocess
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import redis

from workhorse.store.connections import connect
from workhorse.store.server import ServerDidNotStartError, server_binary

# The server's parent. It kills the server as soon as its own stdin closes, which the kernel sees
# to when the process that started it ends, whatever ends it; and removes what it left.
_KEEPER: Final = """
folder=$1; shift; "$@" & server=$!
cat >/dev/null
kill -9 "$server" 2>/dev/null; wait; rm -rf "$folder"
"""
_READY_WITHIN: Final = 30.0  # seconds
_LOOK_EVERY: Final = 0.005  # seconds


class ScratchServer:
    """A real Valkey in a temporary folder, in memory only. Raises NoServerBinaryError without one.

    It ends with ``stop``, or with this process.
    """

    def __init__(self) -> None:
        binary = server_binary()
        # A folder of a short path: a socket's may have about 100 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="workhorse-"))
        self._log = self._folder / "server.log"
        socket = self._folder / "server.sock"
        self.url = f"unix://{quote(str(socket))}"
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "logfile": str(self._log),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "keeper", str(self._folder), str(binary), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends the tests first, then their server
        )
        try:
            self._await()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and remove all that it left. Stopped twice, it stays so."""
        self._keeper.communicate()

    def _await(self) -> None:
        client: Any = connect(self.url, for_worker=True)
        deadline = time.monotonic() + _READY_WITHIN
        try:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError as error:
                    if time.monotonic() > deadline:
                        log = self._log.read_text(errors="replace") if self._log.exists() else ""
                        raise ServerDidNotStartError(
                            f"the server for tests did not start; its log says: {log[-2000:]!r}"
                        ) from error
                else:
                    return
                time.sleep(_LOOK_EVERY)
        finally:
            client.close()


def fake_client() -> Any:
    """Return a client of a server that only pretends, within this process: fakeredis's.

    Raises ModuleNotFoundError without ``fakeredis`` and ``lupa``, which runs its scripts.
    """
    import_module("lupa")  # fakeredis does not say that it is missing
    fakeredis: Any = import_module("fakeredis")
    return fakeredis.FakeRedis(server=fakeredis.FakeServer(server_type="valkey"))
