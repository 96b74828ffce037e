"""Real servers for tests, each on its own unix socket, ended however the test run ends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
REDIS62 = ROOT / ".servers" / "redis-6.2" / "redis-server"  # `make test` puts it there

# The server's parent: it kills the server as soon as its own stdin closes, which the kernel does
# for us when the test run ends, kill -9 included.
KEEPER = '"$@" & server=$!; cat >/dev/null; kill -9 "$server" 2>/dev/null; wait'


@dataclass(frozen=True)
class RunningServer:
    """A server of the test run."""

    name: str
    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "server.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    @property
    def pid(self) -> int:
        with self.client() as client:
            return int(client.info("server")["process_id"])

    def client(self) -> redis.Redis:
        """Return a new connection; close it, or use it in a `with` statement."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def answers(self) -> bool:
        with suppress(redis.ConnectionError), self.client() as client:
            return bool(client.ping())
        return False


@contextmanager
def running(name: str, binary: Path, *options: str) -> Iterator[RunningServer]:
    """Start *binary* in a new folder, yield it once it answers, and kill it at the end."""
    # Not pytest's tmp_path: a socket's path may have about 100 bytes.
    folder = Path(tempfile.mkdtemp(prefix="workhorse-test-"))
    try:
        with started(name, binary, folder, *options) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def started(name: str, binary: Path, folder: Path, *options: str) -> Iterator[RunningServer]:
    """Start *binary* on the data that *folder* holds, for tests that start it again later."""
    server = RunningServer(name, folder)
    files = ("--dir", str(folder), "--unixsocket", str(server.socket), "--port", "0")
    quiet = ("--logfile", str(folder / "server.log"), "--save", "", "--appendonly", "no")
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, "keeper", str(binary), *files, *quiet, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends the tests first, then their servers
    )
    try:
        wait_until(server.answers)
        yield server
    finally:
        keeper.communicate()


def find_redis7() -> Path | None:
    """Return the first redis-server on PATH that is a 7.x; a virtual environment may hide it."""
    for folder in os.get_exec_path():
        found = shutil.which("redis-server", path=folder)
        if found and version_of(Path(found)).startswith("7."):
            return Path(found)
    return None


def version_of(binary: Path) -> str:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"v=(\S+)", said.stdout)
    return match[1] if match else ""
