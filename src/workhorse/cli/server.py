"""`workhorse server`: the embedded server, for people.

Its one rule: it says what is so, and does nothing that `EmbeddedServer` does not.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from workhorse.core.errors import WorkhorseError
from workhorse.store.server import EmbeddedServer, ServerStatus

data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="WORKHORSE_DATA_DIR",
    help="The folder of its data; WORKHORSE_DATA_DIR, or yours, if not given.",
)


@click.group()
def server() -> None:
    """Start, stop or look at the embedded server."""


@server.command()
@data_dir
def start(data_dir: Path | None) -> None:
    """Start the server, unless it runs already, and print its URL."""
    with _failing_in_one_line():
        click.echo(EmbeddedServer(data_dir).start())


@server.command()
@data_dir
def stop(data_dir: Path | None) -> None:
    """Stop the server; its data is on disk."""
    embedded = EmbeddedServer(data_dir)
    with _failing_in_one_line():
        stopped = embedded.stop()
    click.echo(f"{'Stopped' if stopped else 'Was not running'}: {embedded.folder}")


@server.command()
@data_dir
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(data_dir: Path | None, *, as_json: bool) -> None:
    """Print whether the server runs, and how it is."""
    embedded = EmbeddedServer(data_dir)
    with _failing_in_one_line():
        found = embedded.status()
    if as_json:
        facts = asdict(found) if found else {"url": None, "folder": embedded.folder}
        click.echo(json.dumps({"running": bool(found), **facts}, default=str))
    elif found:
        click.echo(_described(found))
    else:
        click.echo(f"Not running: {embedded.folder}")


def _described(found: ServerStatus) -> str:
    """Return the lines that a person reads."""
    return (
        f"Running: Valkey {found.version}, pid {found.pid}, up {_span(found.uptime)}, "
        f"{found.used_memory / 1e6:.1f} MB in memory\n"
        f"  url     {found.url}\n"
        f"  folder  {found.folder}"
    )


def _span(seconds: int) -> str:
    """Return a time span in its two largest units.

    >>> [_span(seconds) for seconds in (5, 60, 3725, 90000)]
    ['5 s', '1 min 0 s', '1 h 2 min', '1 d 1 h']
    """
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour} h"
    if hours:
        return f"{hours} h {minute} min"
    return f"{minutes} min {second} s" if minutes else f"{second} s"


@contextmanager
def _failing_in_one_line() -> Generator[None]:
    try:
        yield
    except WorkhorseError as error:
        raise click.ClickException(str(error)) from error
