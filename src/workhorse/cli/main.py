"""The entry point. An error is one line on standard error; exit codes are those of ``output``."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, cast

import click

from workhorse._version import __version__
from workhorse.cli.output import FAILED, FINE, INTERRUPTED, MISUSED, wants_colours
from workhorse.core.errors import WorkhorseError
from workhorse.core.harmless import harmless

_COMMANDS: Final = {
    "worker": "Run jobs.",
    "worker-pool": "Run jobs by several processes: RQ's name of worker -n.",
    "enqueue": "Put a call of a function on a queue.",
    "cron": "Fire jobs by their schedules; list and change these.",
    "info": "Show queues and workers.",
    "top": "Watch queues, workers, failures and functions.",
    "failed": "Show what jobs failed of; retry or delete these.",
    "dashboard": "Show them, and steer them, in a browser.",
    "queue": "List queues, pause or resume one, empty or move it.",
    "job": "Show a job or follow it; cancel, stop, retry or delete some.",
    "workers": "Show who works, at what, and since when.",
    "suspend": "Have no worker take a job.",
    "resume": "Have workers take jobs again.",
    "requeue": "Run failed jobs again.",
    "empty": "Delete the jobs that wait.",
    "server": "Start, stop or look at the embedded server.",
    "metrics": "Print metrics for Prometheus.",
    "health": "Ask a worker's supervisor whether it is well.",
    "doctor": "Say what is wrong, and what to do about it.",
}


class Commands(click.Group):
    """Imports a command only when it is called, so that ``--help`` and ``info`` answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of a first day."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called *cmd_name*."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"workhorse.cli.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="workhorse", message="%(prog)s, version %(version)s")
def cli() -> None:
    """Run jobs in the background, on Redis or Valkey."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # not a file, or one that is closed
            cast("io.TextIOWrapper", stream).reconfigure(errors="backslashreplace")
    try:
        outcome: Any = cli.main(
            args,
            prog_name="workhorse",
            standalone_mode=False,
            color=wants_colours(os.environ),
        )
    except Exception as error:
        told = _explain(error)
        if told is None:
            raise
        message, code = told
        if message:
            click.echo(f"workhorse: {harmless(' '.join(message.split()))}", err=True)
        return code
    return outcome if isinstance(outcome, int) else FINE


def _explain(error: Exception) -> tuple[str, int] | None:
    """Return what to say of *error* and the exit code; None for a bug of ours."""
    told: tuple[str, int] | None = None
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            told = "", MISUSED
        case click.UsageError():
            told = f"{error.format_message()}{_help_of(error.ctx)}", MISUSED
        case click.ClickException():
            told = error.format_message(), error.exit_code
        case click.Abort():
            told = "interrupted", INTERRUPTED
        case WorkhorseError():
            told = str(error), MISUSED if isinstance(error, ValueError | TypeError) else FAILED
        case BrokenPipeError():  # the reader went away, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            told = "", FAILED
        case _:
            if isinstance(error, import_module("workhorse.store.faults").ServerError):
                told = f"the server does not answer as it should: {error}", FAILED
    return told


def _help_of(ctx: click.Context | None) -> str:
    return f" (see {ctx.command_path} --help)" if ctx else ""


if __name__ == "__main__":
    main()
