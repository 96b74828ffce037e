"""``workhorse queue``: what is done to one queue."""

from __future__ import annotations

import click

from workhorse.api.queue import Queue
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import SPAN, url_option


@click.group()
def queue() -> None:
    """Pause a queue, or resume it."""


@queue.command()
@click.argument("name")
@url_option
@config_option
@click.option(
    "--duration", type=SPAN, metavar="TIME", help="For so long: seconds, or as 10m; else for good."
)
def pause(name: str, url: str | None, config: str | None, duration: float | None) -> None:
    """Have no worker take a job from the queue NAME. Running jobs go on. RQ's know no pause."""
    if duration is not None and duration <= 0:
        raise click.UsageError("--duration: give more than 0 seconds")
    Queue(name, server_of(url, read_settings(config)).connection).pause(duration)
    until = "it is resumed" if duration is None else f"{duration:g} seconds have passed"
    click.echo(f"Paused {name}: no worker takes a job from it until {until}.")


@queue.command()
@click.argument("name")
@url_option
@config_option
def resume(name: str, url: str | None, config: str | None) -> None:
    """Have workers take jobs from the queue NAME again."""
    was = Queue(name, server_of(url, read_settings(config)).connection).resume()
    click.echo(f"Resumed {name}." if was else f"{name} was not paused.")
