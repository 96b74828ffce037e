"""``workhorse dashboard``: the jobs in a browser; and tokens for who may see them."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import url_option

if TYPE_CHECKING:
    from workhorse.dashboard import Tokens

TOKENS: Final = "WORKHORSE_DASHBOARD_TOKENS"
SECRET: Final = "WORKHORSE_DASHBOARD_SECRET"  # noqa: S105 - the name of a variable


@click.group(invoke_without_command=True)
@url_option
@config_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=9181, show_default=True, type=click.IntRange(1, 65535))
@click.option("--socket", "socket_path", metavar="FILE", help="Listen on a unix socket instead.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Who may see and do what: lines of 'workhorse dashboard token'. Or the lines, with ; "
    f"between them, in {TOKENS}. {SECRET} keeps people logged in when it is started again.",
)
@click.option("--read-only", is_flag=True, help="Nobody can change anything.")
@click.option("--title", default="Workhorse", help="What it is called: production, for example.")
@click.option(
    "--root-path", default="", metavar="PATH", help="Where a proxy shows it, such as /jobs."
)
@click.pass_context
def dashboard(context: click.Context, /, **options: Any) -> None:
    """Show queues, jobs and workers in a browser, and steer them.

    Without tokens, only this machine can reach it, and everybody there is an admin.
    """
    if context.invoked_subcommand is None:
        _serve(**options)


@dashboard.command()
@click.argument("name")
@click.argument("role", type=click.Choice(["viewer", "operator", "admin"]))
def token(name: str, role: str) -> None:
    """Make a token for a user called NAME: print it, and the line to store.

    The line holds no token, only what proves one: the token itself is shown this once.
    """
    tokens = _needed("workhorse.dashboard.tokens")
    access = _needed("workhorse.dashboard.access")
    made, holder = tokens.new_token(name, access.role_of(role))
    click.echo(f"The token of {name}, to log in with; nobody can show it again:", err=True)
    click.echo(made)
    click.echo(f"The line for --token-file, or for {TOKENS}:", err=True)
    click.echo(holder.line)


def _serve(  # noqa: PLR0913 - one for each option
    *,
    url: str | None,
    config: str | None,
    host: str,
    port: int,
    socket_path: str | None,
    token_file: Path | None,
    read_only: bool,
    title: str,
    root_path: str,
) -> None:
    uvicorn = _needed("uvicorn")
    dashboards = _needed("workhorse.dashboard")
    tokens = _tokens(token_file)
    if tokens is None:
        _refuse_strangers(host, socket_path)
    server = server_of(url, read_settings(config))
    app = dashboards.Dashboard(
        server.connection, authenticate=tokens, read_only=read_only, title=title
    )
    where = f"unix:{socket_path}" if socket_path else f"http://{_bracketed(host)}:{port}"
    click.echo(f"The dashboard of {server.shown} ({server.source}): {where}", err=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            uds=socket_path,
            root_path="/" + root_path.strip("/") if root_path.strip("/") else "",
            log_level="warning",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=5,
        )
    except SystemExit as error:  # it could not listen, and said why
        raise click.exceptions.Exit(1) from error


def _tokens(token_file: Path | None) -> Tokens | None:
    holders: Path | str = token_file or os.environ.get(TOKENS, "")
    if not holders:
        return None
    found: Tokens = _needed("workhorse.dashboard").Tokens(
        holders, secret=os.environ.get(SECRET, "")
    )
    return found


def _refuse_strangers(host: str, socket_path: str | None) -> None:
    """Raise click.UsageError where others could reach a dashboard that lets everybody in."""
    if socket_path or not _needed("workhorse.dashboard.access").is_loopback(host):
        given = f"--socket {socket_path}" if socket_path else f"--host {host}"
        raise click.UsageError(
            f"{given} lets others reach the dashboard, and it has no tokens: make one by "
            "'workhorse dashboard token NAME admin', and give its line by --token-file"
        )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _needed(module: str) -> Any:
    """Return a module that an extra brings; one line where it is not installed."""
    from importlib import import_module  # noqa: PLC0415 - with what it imports

    try:
        return import_module(module)
    except ImportError as error:
        raise click.ClickException(
            f"the dashboard needs more than is installed ({error.name}): "
            "pip install 'workhorse[dashboard]'"
        ) from None
