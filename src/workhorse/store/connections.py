"""Which server to use, and how to connect to it.

Its one rule: a server is chosen once, by the same order everywhere, and the choice says where it
came from, because jobs that go to another server than their workers look at are as good as lost.
"""

from __future__ import annotations

import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import redis
import redis.asyncio
from redis import sentinel as _sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import FullJitterBackoff, NoBackoff
from redis.retry import Retry

from workhorse.core.errors import WorkhorseError
from workhorse.store.server import EmbeddedServer, data_folder

_sentinels: Any = _sentinel
_redis: Any = redis  # its own annotations of what is called by this name are partial

VARIABLES = ("WORKHORSE_URL", "RQ_REDIS_URL", "REDIS_URL")  # the first that is set counts
CONFIG_NAME = "workhorse.toml"
LOCAL_URL = "redis://localhost:6379"
SCHEMES = ("redis", "rediss", "unix")

_OF_BOTH_LIBRARIES = (
    "host", "port", "path", "db", "username", "password", "client_name", "socket_timeout",
    "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options", "encoding",
    "encoding_errors", "health_check_interval", "retry", "ssl_keyfile", "ssl_certfile",
    "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_data", "ssl_ca_path", "ssl_check_hostname",
    "ssl_password", "ssl_min_version", "ssl_ciphers",
)  # fmt: skip

_PLAIN_POOLS = ("ConnectionPool", "BlockingConnectionPool")
_SENTINEL_POOL = "SentinelConnectionPool"

LOOK_FOR = 0.2  # seconds that a local server has to answer in
CONNECT_WITHIN = 5.0  # seconds
ASK_WITHIN = 1.0  # seconds that each Sentinel has to say who is primary
ANSWER_WITHIN = 15.0  # seconds; a blocking command must block for less


class InvalidUrlError(WorkhorseError, ValueError):
    """A server's URL that can't be used. The message has it without its password."""

    def __init__(self, url: str, source: str, problem: str) -> None:
        super().__init__(f"{source}: {redacted(url)!r} is no URL of a server: {problem}")
        self.source = source


class InvalidConfigError(WorkhorseError, ValueError):
    """A configuration file that can't be read, or says something that has no meaning."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


@dataclass(frozen=True)
class Choice:
    """The server to use, and what chose it, in words for a log line."""

    url: str
    source: str


def choose_url(
    explicit: str | None,
    environ: Mapping[str, str],
    config_folder: Path,
    *,
    local_url: str = LOCAL_URL,
) -> Choice:
    """Return the server to use; start the embedded one if there is no other.

    The first of these that says anything: the argument, the environment, `workhorse.toml` in
    *config_folder*, a server on this machine, the embedded server.
    """
    choice = _said(explicit, environ, config_folder)
    if choice:
        return Choice(checked(choice.url, choice.source), choice.source)
    if answers(local_url):
        return Choice(local_url, "a server on this machine")
    return Choice(EmbeddedServer(data_folder(environ)).start(), "the embedded server")


def connect(url: str, *, for_worker: bool = False) -> redis.Redis:
    """Return a client of the server at *url*, not yet connected; close it when done.

    It sends what a lost connection leaves open once more, at once, because one that lay idle may
    be closed; a client *for_worker* sends nothing twice by itself. More is up to its `Store`,
    which knows what may be sent again. Options in the URL's query (`?socket_timeout=3`)
    overrule ours.
    """
    settings = _settings(checked(url))
    settings["retry"] = Retry(NoBackoff(), 0 if for_worker else 1, (redis.ConnectionError,))
    client: redis.Redis = _redis.Redis.from_url(url, **settings)
    return client


def connect_async(url: str, *, for_worker: bool = False) -> redis.asyncio.Redis:
    """Return what `connect` returns, for asyncio."""
    settings = _settings(checked(url))
    times = 0 if for_worker else 1
    settings["retry"] = AsyncRetry(NoBackoff(), times, (redis.ConnectionError,))
    client: redis.asyncio.Redis = _redis.asyncio.Redis.from_url(url, **settings)
    return client


def checked(url: str, source: str = "the URL given") -> str:
    """Return *url* if a client can be made of it; else InvalidUrlError, which names *source*.

    >>> checked("redis://localhost:6379/two")
    Traceback (most recent call last):
    ...
    workhorse.store.connections.InvalidUrlError: the URL given: 'redis://localhost:6379/two' \
is no URL of a server: 'two' is no database number
    """
    try:
        problem = _problem(urlsplit(url))
        if problem is None:
            _try_options(url)
    except (TypeError, ValueError) as error:
        raise InvalidUrlError(url, source, str(error)) from error
    if problem:
        raise InvalidUrlError(url, source, problem)
    return url


def redacted(url: str) -> str:
    """Return *url* without its password, for people and logs; it need not be a valid one.

    >>> redacted("redis://ada:pa@ss/word@db:6379/1?password=secret&protocol=3")
    'redis://ada:***@db:6379/1?password=***&protocol=3'
    >>> redacted("unix:///run/redis.sock")
    'unix:///run/redis.sock'
    """
    return re.sub(r"(//[^:/@]*:).*@|([?&]password=)[^&]*", _stars, url)


def answers(url: str) -> bool:
    """Return whether a server is there, within a fifth of a second.

    One that wants a password, or still loads its data, is there too: to pass it over would
    send the jobs to another one, in silence.
    """
    parts = urlsplit(url)
    address = (parts.hostname or "localhost", parts.port or 6379)
    try:
        with socket.create_connection(address, timeout=LOOK_FOR) as connection:
            connection.sendall(b"PING\r\n")
            reply = connection.recv(64)
    except OSError:
        return False
    return reply.startswith((b"+PONG", b"-NOAUTH", b"-LOADING", b"-BUSY", b"-MASTERDOWN"))


def _said(explicit: str | None, environ: Mapping[str, str], folder: Path) -> Choice | None:
    """Return the first choice that somebody made."""
    if explicit is not None:
        return Choice(explicit, "the URL given")
    for name in VARIABLES:
        if url := environ.get(name):
            return Choice(url, name)
    path = folder / CONFIG_NAME
    url = _configured(path)
    return None if url is None else Choice(url, str(path))


def _configured(path: Path) -> str | None:
    """Return the `url` of a configuration file; None without the file or the entry."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidConfigError(path, f"can't be read: {error.strerror}") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise InvalidConfigError(path, f"is no TOML: {error}") from error
    url = entries.get("url")
    if url is not None and not isinstance(url, str):
        raise InvalidConfigError(path, f"url must be text, not {url!r}")
    return url


def _problem(parts: SplitResult) -> str | None:
    """Return what redis-py would overlook, or explain less well; None if there is nothing.

    It takes a database that is no number for database 0, which nobody's workers look at.
    """
    database = parts.path.strip("/")
    if parts.scheme not in SCHEMES:
        return "it must start with redis://, rediss:// or unix://"
    if parts.scheme == "unix":
        return None if parts.path else "the socket's path is missing, as in unix:///run/redis.sock"
    if database and not database.isdecimal():
        return f"{database!r} is no database number"
    return "port 0 is no port" if parts.port == 0 else None


def _try_options(url: str) -> None:
    """Make a connection's object, without connecting: TypeError names an unknown option."""
    options = _redis.connection.parse_url(url)
    options.pop("connection_class", redis.Connection)(**options)


def _settings(url: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "protocol": 2,  # replies of one shape from every version of redis-py
        "socket_connect_timeout": CONNECT_WITHIN,
        "socket_timeout": ANSWER_WITHIN,
    }
    if not url.startswith("unix:"):
        settings["socket_keepalive"] = True
    return settings


def _stars(match: re.Match[str]) -> str:
    return f"{match[1]}***@" if match[1] else f"{match[2]}***"


def separate(client: Any) -> Any:
    """Return a client of the same server with connections of its own, for a worker.

    It never sends anything twice by itself. One that asks Sentinel for the primary asks the same
    Sentinels, each for a moment only. A pool of another kind is used as it is. For a client of
    valkey-py it is one of redis-py's, whose errors the worker knows.
    """
    pool = client.connection_pool
    kind = type(pool).__name__
    if kind not in (*_PLAIN_POOLS, _SENTINEL_POOL):
        return client
    settings: dict[str, Any] = {**pool.connection_kwargs, "retry": Retry(NoBackoff(), 0)}
    settings["socket_timeout"] = max(settings.get("socket_timeout") or 0, ANSWER_WITHIN)
    connection_class = pool.connection_class
    made = cast("Any", type(client))
    pools = cast("Any", type(pool))
    if made.__module__.partition(".")[0] == "valkey":
        homes = (_redis.connection, _sentinels)
        named = (getattr(home, connection_class.__name__, None) for home in homes)
        connection_class = next(found for found in named if found)
        settings = {name: settings[name] for name in settings if name in _OF_BOTH_LIBRARIES}
        made, pools = _redis.Redis, _redis.ConnectionPool
    if kind == _SENTINEL_POOL:
        settings.pop("connection_pool", None)  # the old one
        settings.setdefault("socket_connect_timeout", CONNECT_WITHIN)
        return made(connection_pool=_sentinel_pool(pool, connection_class, settings))
    return made(connection_pool=pools(connection_class=connection_class, **settings))


def _sentinel_pool(pool: Any, connection_class: Any, settings: dict[str, Any]) -> Any:
    """Return a pool of connections to what the Sentinels of *pool* say is the primary."""
    manager = pool.sentinel_manager
    asking = {
        "socket_connect_timeout": ASK_WITHIN,
        "socket_timeout": ASK_WITHIN,
        **manager.sentinel_kwargs,
        "retry": Retry(NoBackoff(), 0),
    }
    known = [one.connection_pool.connection_kwargs for one in manager.sentinels]
    asked = _sentinels.Sentinel(
        [(one["host"], one["port"]) for one in known],
        min_other_sentinels=manager.min_other_sentinels,
        sentinel_kwargs=asking,
    )
    return _sentinels.SentinelConnectionPool(
        pool.service_name,
        asked,
        is_master=pool.is_master,
        check_connection=pool.check_connection,
        connection_class=connection_class,
        **settings,
    )


def that_tries_again(client: Any) -> Any:
    """Return *client*, made for a worker and not yet connected, for the code of jobs.

    A lost connection must not fail a job: what we send for it may be sent twice, and its own
    commands are sent again as redis-py's clients do by themselves.
    """
    pool = client.connection_pool
    if type(pool).__name__ in (*_PLAIN_POOLS, _SENTINEL_POOL):  # another may be the user's own
        pool.connection_kwargs["retry_on_error"] = [redis.ConnectionError, redis.TimeoutError]
        client.set_retry(Retry(FullJitterBackoff(cap=1, base=0.01), 10))
    return client
