"""``workhorse resume``: workers take jobs again."""

from __future__ import annotations

import click

from workhorse.api import suspension
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import url_option


@click.command()
@url_option
@config_option
def resume(url: str | None, config: str | None) -> None:
    """Have workers take jobs again, after `workhorse suspend`. Paused queues stay so."""
    was = suspension.resume(server_of(url, read_settings(config)).connection)
    click.echo("Resumed: workers take jobs again." if was else "Work was not suspended.")
