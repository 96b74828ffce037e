"""``workhorse empty``: the jobs that wait are deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from workhorse.api.queue import Queue
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.cli.output import count_of, echo, painted


@click.command()
@click.argument("queues", nargs=-1)
@url_option
@config_option
@click.option("--all", "-a", "every", is_flag=True, help="All queues.")
def empty(queues: tuple[str, ...], url: str | None, **given: Any) -> None:
    """Delete the jobs that wait in QUEUES, or in all of them. Running ones are left alone."""
    if bool(queues) == given["every"]:
        raise click.UsageError("give the names of queues, or --all")
    server = server_of(url, read_settings(given["config"]))
    chosen = [Queue(name, server.connection) for name in queues]
    empty_all(chosen or Queue.all(server.connection))


def empty_all(queues: Iterable[Queue]) -> None:
    """Delete the jobs that wait on *queues*, and tell how many."""
    for queue in queues:
        echo(f"{count_of(queue.empty(), 'job')} removed from {painted(queue.name)}.")
