"""``-c settings``: a module of RQ's kind, whose UPPERCASE names say which server, and more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, urlencode

import click

from workhorse.store.connections import VARIABLES, checked, choose_url, connect, redacted
from workhorse.store.drivers import Client
from workhorse.store.sentinel import PrimaryOf
from workhorse.worker.runner import ServerAt

_OF_URL: Final = ("REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD", "REDIS_SSL")
_OF_SSL: Final = ("CA_CERTS", "CERT_REQS", "CA_DATA", "KEYFILE", "CERTFILE")
_YES: Final = ("y", "yes", "t", "true", "1")
_NO: Final = ("n", "no", "f", "false", "0", "", "none")

config_option = click.option(
    "--config",
    "-c",
    envvar="RQ_CONFIG",
    metavar="MODULE",
    help="A Python module of settings, as RQ's: REDIS_URL, or REDIS_HOST, _PORT, _DB, _PASSWORD, "
    "_SSL ..., or SENTINEL; QUEUES, NAME, DICT_CONFIG. --url goes before it.",
)


@dataclass(frozen=True, slots=True)
class Server:
    """The server that a command uses."""

    connect: Callable[[], Client]
    """Opens a connection for a worker."""
    connection: Client | str
    """What a queue of the command is made with."""
    shown: str
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a module of settings says. Raises click.UsageError for what makes no sense."""

    source: str = ""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def queues(self) -> tuple[str, ...]:
        """The names in QUEUES."""
        queues = self.values.get("QUEUES") or ()
        if isinstance(queues, str) or not isinstance(queues, Sequence):
            raise self._error("QUEUES", "give a list of names")
        return tuple(cast("Sequence[str]", queues))

    @property
    def name(self) -> str | None:
        """NAME, that of the worker."""
        return self.values.get("NAME")

    @property
    def logging(self) -> dict[str, Any] | None:
        """DICT_CONFIG, for ``logging.config.dictConfig``."""
        found = self.values.get("DICT_CONFIG")
        if found is not None and not isinstance(found, dict):
            raise self._error("DICT_CONFIG", "give a dictionary")
        return cast("dict[str, Any] | None", found)

    @property
    def forgotten(self) -> list[str]:
        """What older versions of RQ read here, and nobody does any more."""
        return sorted(name for name in self.values if name.startswith("SENTRY_"))

    def server(self) -> Server | None:
        """Return the server that is named; None for none."""
        if sentinel := self.values.get("SENTINEL"):
            primary = self._primary(sentinel)
            return Server(primary, primary.client(), str(primary), f"SENTINEL in {self.source}")
        url = self.values.get("REDIS_URL")
        if url:
            return at(checked(str(url), f"REDIS_URL in {self.source}"), self.source)
        if any(self.values.get(name) for name in _OF_URL):
            return at(checked(self._url(), self.source), self.source)
        return None

    def _url(self) -> str:
        said = self.values.get
        has_ssl = self._truth("REDIS_SSL")
        port = str(said("REDIS_PORT") or 6379).rpartition(":")[
            2
        ]  # Kubernetes: tcp://10.0.0.1:6379
        password = f":{quote(str(said('REDIS_PASSWORD')), safe='')}@"
        asked = {
            f"ssl_{name.lower()}": said(f"REDIS_SSL_{name}")
            for name in _OF_SSL
            if has_ssl and said(f"REDIS_SSL_{name}")
        }
        return (
            f"redis{'s' if has_ssl else ''}://{password if said('REDIS_PASSWORD') else ''}"
            f"{said('REDIS_HOST') or 'localhost'}:{port}"
            f"/{said('REDIS_DB') or 0}{'?' if asked else ''}{urlencode(asked)}"
        )

    def _truth(self, name: str) -> bool:
        word = str(self.values.get(name, "")).lower()
        if word not in (*_YES, *_NO):
            raise self._error(name, "give True or False")
        return word in _YES

    def _primary(self, told: Any) -> PrimaryOf:
        if not isinstance(told, dict):
            raise self._error("SENTINEL", "give a dictionary")
        said = cast("dict[str, Any]", told).get
        instances = said("INSTANCES") or [("localhost", 26379)]
        options = {
            "db": said("DB"),
            "username": said("USERNAME"),
            "password": said("PASSWORD"),
            "socket_timeout": said("SOCKET_TIMEOUT"),
            "ssl": said("SSL"),
        }
        return PrimaryOf(
            service=said("MASTER_NAME") or "mymaster",
            sentinels=tuple((str(host), int(port)) for host, port in instances),
            options={
                **{name: value for name, value in options.items() if value is not None},
                **(said("CONNECTION_KWARGS") or {}),
            },
            sentinel_options=said("SENTINEL_KWARGS") or {},
        )

    def _error(self, name: str, what: str) -> click.UsageError:
        return click.UsageError(f"{name} in {self.source} is {self.values[name]!r}: {what}")


def read_settings(module: str | None, paths: Sequence[str] = (".",)) -> Settings:
    """Return the settings of *module*, which is looked for in *paths*, too.

    Without one, what the environment has by the same names, where it has REDIS_HOST and no URL.
    """
    if module is None:
        has_url = any(os.environ.get(name) for name in VARIABLES)
        if has_url or not os.environ.get("REDIS_HOST"):
            return Settings()
        return Settings("the environment", {name: os.environ.get(name) for name in _OF_URL})
    known = list(sys.path)
    sys.path[:0] = [str(Path(path).resolve()) for path in paths]
    try:
        found = import_module(module)
    except ImportError as error:
        raise click.UsageError(
            f"--config {module}: {error} (give a module's name: settings, not settings.py)"
        ) from error
    finally:
        sys.path[:] = known
    values = {name: value for name, value in vars(found).items() if name.isupper()}
    return Settings(module, values)


def server_of(url: str | None, settings: Settings) -> Server:
    """Return the server to use: that of *url*, of *settings*, or the first that there is."""
    if url is None and (server := settings.server()):
        return server
    choice = choose_url(url, os.environ, Path.cwd())
    return at(choice.url, choice.source)


def at(url: str, source: str) -> Server:
    """Return the server at *url*."""
    return Server(ServerAt(url), url, redacted(url), source)


def client_of(server: Server) -> Client:
    """Return a client of *server*, for a command that only looks."""
    where = server.connection
    return connect(where) if isinstance(where, str) else where
