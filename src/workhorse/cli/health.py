"""``workhorse health``: for probes of containers, which ask by a command."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import click

from workhorse.cli.output import FINE
from workhorse.core.harmless import harmless


@click.command()
@click.option("--url", "-u", metavar="URL", help="As http://localhost:8500.")
@click.option(
    "--port",
    envvar="WORKHORSE_HEALTH_PORT",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="The worker's --health-port, on this machine.",
)
@click.option(
    "--socket",
    "path",
    envvar="WORKHORSE_HEALTH_SOCKET",
    metavar="PATH",
    help="The worker's --health-socket.",
)
@click.option("--live", is_flag=True, help="Ask /healthz: whether it lives, not if it is ready.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing.")
def health(
    *, url: str | None, port: int | None, path: str | None, live: bool, timeout: float, quiet: bool
) -> int:
    """Ask a worker's supervisor whether it is ready to run jobs.

    It answers where `workhorse worker` was given --health-port or --health-socket. Exits with 0
    where it is well, with 1 where it is not, or nobody answers, with 2 where asked wrongly.
    """
    connection = _connection(url, port, path, timeout)
    what = "/healthz" if live else "/readyz"
    try:
        connection.request("GET", what, headers={"Host": "localhost"} if path else {})
        response = connection.getresponse()
        told = _reasons(response.read(65_536))
        is_well = response.status == http.client.OK
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(
            f"nobody answers health checks: {str(error) or type(error).__name__}"
        ) from None
    finally:
        connection.close()
    if not is_well:
        raise click.ClickException(f"not well: {told or response.status}")
    if not quiet:
        click.echo(told or "ok")
    return FINE


def _connection(
    url: str | None, port: int | None, path: str | None, timeout: float
) -> http.client.HTTPConnection:
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise click.UsageError(f"--url {url}: give it as http://localhost:8500")
        return http.client.HTTPConnection(parts.hostname, _port(url), timeout=timeout)
    if path:
        return _UnixConnection(path, timeout)
    if port is None:
        raise click.UsageError("give --port, --socket or --url, as the worker was")
    return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)


def _port(url: str) -> int:
    try:
        return urlsplit(url).port or http.client.HTTP_PORT
    except ValueError as error:
        raise click.UsageError(f"--url {url}: {error}") from None


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _reasons(body: bytes) -> str:
    """Return in a line what is told."""
    try:
        told: Any = json.loads(body)
        reasons = "; ".join(map(str, told["reasons"]))
        counts = f"{told['workers']} of {told['wanted']} workers, {told['busy']} busy"
    except (ValueError, LookupError, TypeError):
        return ""
    return harmless(reasons or counts)
