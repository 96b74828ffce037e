"""``workhorse dashboard``: the jobs in a browser."""

from __future__ import annotations

import click

from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import url_option


@click.command()
@url_option
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=9181, show_default=True, type=click.IntRange(0, 65535))
@click.option("--read-only", is_flag=True, help="Nobody can change anything.")
def dashboard(
    *, url: str | None, config: str | None, host: str, port: int, read_only: bool
) -> None:
    """Show queues, jobs and workers in a browser, and steer them."""
    try:
        import uvicorn  # noqa: PLC0415 - an extra, which may be absent

        from workhorse.dashboard import Dashboard  # noqa: PLC0415 - the same
    except ImportError as error:
        raise click.ClickException(
            f"the dashboard needs more than is installed ({error.name}): "
            "pip install 'workhorse[dashboard]'"
        ) from None
    server = server_of(url, read_settings(config))
    app = Dashboard(server.connection, read_only=read_only)
    click.echo(
        f"The dashboard of {server.shown} ({server.source}): http://{host}:{port}", err=True
    )
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)
