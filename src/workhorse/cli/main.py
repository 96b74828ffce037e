"""The entry point. Errors are one line on standard error: exit code 2 for what was asked
wrongly, 1 for what could not be done."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, Final

import click

from workhorse._version import __version__
from workhorse.core.errors import WorkhorseError

_COMMANDS: Final = {
    "worker": "Run jobs.",
    "enqueue": "Put a call of a function on a queue.",
    "info": "Show queues and workers.",
    "server": "Start, stop or look at the embedded server.",
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
        module = import_module(f"workhorse.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="workhorse", message="%(prog)s, version %(version)s")
def cli() -> None:
    """A job queue for Python on Redis or Valkey."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        outcome: Any = cli.main(args, prog_name="workhorse", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        return _fail(error.format_message(), 2, hint=_help_of(error.ctx))
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except click.Abort:
        return _fail("interrupted", 130)
    except WorkhorseError as error:
        return _fail(str(error), 2 if isinstance(error, ValueError | TypeError) else 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if (told := _told(error)) is None:
            raise
        return _fail(told, 1)
    return outcome if isinstance(outcome, int) else 0


def _fail(message: str, code: int, hint: str = "") -> int:
    click.echo(f"workhorse: {' '.join(message.split())}{hint}", err=True)
    return code


def _help_of(ctx: click.Context | None) -> str:
    return f" (see {ctx.command_path} --help)" if ctx else ""


def _told(error: Exception) -> str | None:
    """Return what to say of an error of the server's; None for a bug of ours."""
    faults = import_module("workhorse.store.faults")
    if not isinstance(error, faults.ServerError):
        return None
    return f"the server does not answer as it should: {error}"


if __name__ == "__main__":
    main()
