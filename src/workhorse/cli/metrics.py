"""``workhorse metrics``: what Prometheus would be told."""

from __future__ import annotations

from importlib import import_module

import click

from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.cli.output import FAILED, FINE


@click.command()
@url_option
@config_option
def metrics(*, url: str | None, config: str | None) -> int:
    """Print metrics of queues, workers and functions in Prometheus' text format.

    Exits with 1 where the server does not answer; workhorse_up is then 0.
    """
    prometheus = import_module("workhorse.integrations.prometheus")  # an extra
    body, _ = prometheus.metrics_response(server_of(url, read_settings(config)).connection)
    click.echo(body.decode(), nl=False)
    return FAILED if b"\nworkhorse_up 0.0\n" in body else FINE
