"""``workhorse suspend``: no worker takes a job, until ``workhorse resume``."""

from __future__ import annotations

import click

from workhorse.api import suspension
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import SPAN, url_option


@click.command()
@url_option
@config_option
@click.option(
    "--duration", type=SPAN, metavar="TIME", help="For so long: seconds, or as 10m; else for good."
)
def suspend(url: str | None, config: str | None, duration: float | None) -> None:
    """Have no worker take a job, ours and RQ's, until `workhorse resume`. Running jobs go on."""
    if duration is not None and duration <= 0:
        raise click.UsageError("--duration: give more than 0 seconds")
    suspension.suspend(server_of(url, read_settings(config)).connection, duration)
    until = "`workhorse resume`" if duration is None else f"{duration:g} seconds have passed"
    click.echo(f"Suspended: no worker takes a job until {until}.")
