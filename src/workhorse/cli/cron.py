"""``workhorse cron``: the process that fires by schedules, and the schedules themselves."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from workhorse.api.cron import Cron, CronEntry
from workhorse.api.cron_scheduler import CronScheduler
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.enqueue import enqueue, made_of, read_arguments
from workhorse.cli.options import import_from, path_option, serializer_option, url_option
from workhorse.core.cron import MISFIRES, OVERLAPS
from workhorse.core.errors import NoSuchCronError
from workhorse.core.harmless import harmless
from workhorse.worker import logs

F = TypeVar("F", bound=Callable[..., Any])

_SHOWN_RUNS: Final = 5
_OF_JOBS: Final = (
    "timeout", "result_ttl", "ttl", "failure_ttl", "description", "at_front", "on_lost",
    "max_starts", "capture_logs",
)  # fmt: skip
_MADE: Final = (
    "retry_max", "retry_interval", "retry_backoff", "retry_max_interval", "retry_jitter",
    "retry_on", "give_up_on", "repeat", "repeat_interval", "on_success", "on_failure",
    "on_stopped", "webhook", "rate_limit", "meta", "group", "tag",
)  # fmt: skip
_WHEN: Final = (
    "cron", "interval", "zone", "jitter", "start", "end", "overlap", "misfire", "catch_up",
    "times",
)  # fmt: skip


class CronCommands(click.Group):
    """Takes what is none of its commands for a configuration to start, as RQ does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``start`` before a configuration."""
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(cls=CronCommands, subcommand_metavar="CONFIG_PATH | COMMAND [ARGS]...")
def cron() -> None:
    """Fire jobs by their schedules, or list and change the schedules.

    With a CONFIG_PATH (app.cron, app/cron.py or /srv/app/cron.py) it stores what is registered
    there, and then fires what is due until it is stopped. Every worker does that, too.
    """


def _of_server(function: F) -> F:
    return url_option(config_option(function))


def _moment(ctx: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    del ctx
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"--{option.name} is {text!r}: give a date, as 2026-12-24T18:00+01:00"
        ) from None


_moment_options: Final = [
    click.option("--start", callback=_moment, metavar="DATE",
                 help="Fire nothing before it; of this machine's zone, unless it says one."),
    click.option("--end", callback=_moment, metavar="DATE", help="Fire nothing after it."),
]  # fmt: skip
_when_options: Final = [
    click.option("--cron", metavar="EXPRESSION",
                 help='Minute, hour, day, month, day of the week, as "30 1 * * 1-5"; or six '
                 "fields, seconds first."),
    click.option("--every", "interval", type=float, metavar="SECONDS",
                 help="In place of an expression; the first time at once."),
    click.option("--zone", "-z", metavar="NAME",
                 help="The expression's time zone, as Europe/Berlin; this machine's, if not "
                 "given."),
    click.option("--jitter", type=float, metavar="SECONDS",
                 help="Put each run off by so much at most."),
    *_moment_options,
    click.option("--times", type=click.IntRange(1), help="How many jobs it makes in all."),
    click.option("--overlap", type=click.Choice(OVERLAPS),
                 help="While a job of it has not ended: allow makes one more (the default), skip "
                 "makes none, queue makes one unless one waits."),
    click.option("--misfire", type=click.Choice(MISFIRES),
                 help="What was missed while nobody fired: once makes one job for it (the "
                 "default), skip none, all one for each."),
    click.option("--catch-up", type=click.IntRange(1, 1000), metavar="NUMBER",
                 help="How many missed ones --misfire=all fires at most."),
]  # fmt: skip


def _options(function: F) -> F:
    """Give a command the options of a schedule, and those of jobs that ``enqueue`` has."""
    for option in reversed(_when_options):
        function = option(function)
    command = _of_server(serializer_option(function))
    params = [param for param in enqueue.params if param.name in (*_OF_JOBS, *_MADE)]
    known = getattr(command, "__click_params__", [])
    vars(command)["__click_params__"] = [*reversed(params), *known]
    return command


@cron.command()
@click.argument("config_path")
@_of_server
@click.option(
    "--logging-level",
    "-l",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
    default="INFO",
    show_default=True,
)
@path_option
@click.option("--name", default="", help="What monitors call it; host, pid and letters, if none.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text",
              show_default=True)  # fmt: skip
@click.option("--worker-class", "-w", hidden=True, help="Accepted for RQ's sake.")
@click.option("--job-class", "-j", hidden=True, help="Accepted for RQ's sake.")
@click.option("--queue-class", hidden=True, help="Accepted for RQ's sake.")
@click.option("--serializer", "-S", hidden=True, help="Accepted for RQ's sake.")
def start(config_path: str, **given: Any) -> None:
    """Store what CONFIG_PATH registers, and fire what is due until stopped."""
    logs.set_up(given["log_format"], level=getattr(logging, given["logging_level"].upper()))
    import_from(given["paths"])
    server = server_of(given["url"], read_settings(given["config"]))
    scheduler = CronScheduler(server.connection, name=given["name"])
    scheduler.load_config_from_file(config_path)
    scheduler.start()


@cron.command("list")
@_of_server
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_entries(*, as_json: bool, **given: Any) -> None:
    """List the entries, the one that fires next first."""
    entries = _cron(given).all()
    if as_json:
        click.echo(json.dumps([entry.to_dict() for entry in entries], indent=2))
        return
    if not entries:
        click.echo("No cron entries.")
    for entry in entries:
        click.echo(_line(entry))


@cron.command()
@click.argument("name")
@_of_server
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--runs", type=click.IntRange(0), default=_SHOWN_RUNS, show_default=True,
              help="How many of its next runs to show.")  # fmt: skip
def show(name: str, *, as_json: bool, runs: int, **given: Any) -> None:
    """Show an entry, and when it fires next."""
    entry = _cron(given).get(name)
    facts = entry.to_dict()
    facts["next_runs"] = [run.isoformat(timespec="seconds") for run in entry.next_runs(runs)]
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(harmless(f"{entry.name}: {entry.explain()}"))
    for fact, value in facts.items():
        if fact not in {"name", "explanation", "next_runs"} and value not in (None, "", 0, False):
            click.echo(harmless(f"  {fact:12}{value}"))
    for run in facts["next_runs"]:
        click.echo(f"  {'then':12}{run}")


@cron.command()
@click.argument("name")
@click.argument("function")
@click.argument("arguments", nargs=-1)
@click.option("--queue", "-q", default="default", show_default=True, help="The queue's name.")
@click.option("--replace", is_flag=True, help="Whatever the entry of this name was before.")
@click.option("--paused", is_flag=True, help="Until it is resumed.")
@_options
def add(name: str, function: str, arguments: tuple[str, ...], **given: Any) -> None:
    """Add an entry NAME: a call of FUNCTION, a dotted name, with ARGUMENTS as for enqueue."""
    args, kwargs = read_arguments(arguments)
    entry = _cron(given).add(
        name, function, args=args, kwargs=kwargs, queue=given["queue"],
        replace=given["replace"], paused=given["paused"], **_given(given),
    )  # fmt: skip
    click.echo(_line(entry))


@cron.command()
@click.argument("name")
@click.option("--queue", "-q", help="The queue of its jobs from now on.")
@click.option("--function", help="Another function, by its dotted name.")
@click.option("--argument", "arguments", multiple=True, metavar="ARGUMENT",
              help="Arguments in place of its own; may be given several times.")  # fmt: skip
@_options
def edit(name: str, arguments: tuple[str, ...], **given: Any) -> None:
    """Change what is said of the entry NAME; all else stays."""
    changes = _given(given)
    if given["queue"]:
        changes["queue"] = given["queue"]
    if given["function"]:
        changes["func"] = given["function"]
    if arguments:
        changes["args"], changes["kwargs"] = read_arguments(arguments)
    if not changes:
        raise click.UsageError("say what to change, as --every 60")
    click.echo(_line(_cron(given).edit(name, **changes)))


@cron.command()
@click.argument("names", nargs=-1, required=True)
@_of_server
def pause(names: tuple[str, ...], **given: Any) -> None:
    """Have entries fire no more until they are resumed."""
    for name in names:
        click.echo(_line(_cron(given).pause(name)))


@cron.command()
@click.argument("names", nargs=-1, required=True)
@_of_server
def resume(names: tuple[str, ...], **given: Any) -> None:
    """Have paused entries fire again, from now on."""
    for name in names:
        click.echo(_line(_cron(given).resume(name)))


@cron.command("run")
@click.argument("name")
@_of_server
def run_now(name: str, **given: Any) -> None:
    """Enqueue an entry's job now, whatever its schedule says."""
    job = _cron(given).run(name)
    click.echo(harmless(f"Enqueued {job.get_call_string()} with job-id '{job.id}'."))


@cron.command()
@click.argument("names", nargs=-1, required=True)
@_of_server
def delete(names: tuple[str, ...], **given: Any) -> None:
    """Remove entries; jobs that they made stay."""
    entries = _cron(given)
    missing = [name for name in names if name not in entries]
    if missing:
        raise NoSuchCronError(missing[0])
    click.echo(f"Deleted: {entries.delete(*names)}")


@cron.command()
@click.argument("name")
@_of_server
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def history(name: str, *, limit: int, as_json: bool, **given: Any) -> None:
    """List the jobs of an entry, the newest first."""
    entries = _cron(given)
    rows = entries.history(name, 0, limit - 1)
    if not rows and name not in entries:
        raise NoSuchCronError(name)
    if as_json:
        click.echo(json.dumps([{"job": job_id, "at": at.isoformat()} for job_id, at in rows]))
        return
    for job_id, at in rows:
        click.echo(harmless(f"{at.isoformat(timespec='seconds')}  {job_id}"))


def _cron(given: dict[str, Any]) -> Cron:
    server = server_of(given["url"], read_settings(given["config"]))
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # what edit has to read of a call may be of there
    return Cron(server.connection, given.get("serializer"))


def _given(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were said, as ``Cron.add`` has them."""
    said = {name: given[name] for name in (*_WHEN, *_OF_JOBS) if given[name] is not None}
    if not said["at_front"]:
        del said["at_front"]
    if "timeout" in said:
        said["job_timeout"] = said.pop("timeout")
    if given["group"] is not None:
        said["group_id"] = given["group"]
    made = {name: value for name, value in made_of(given).items() if value is not None}
    return {**said, **made}


def _line(entry: CronEntry) -> str:
    """Return an entry on one line."""
    due = entry.next_run_at
    when = due.isoformat(" ", "seconds") if due else "paused" if entry.paused else "over"
    return harmless(
        f"{entry.name}  {entry.explain()}  {entry.func_name} on {entry.queue_name}  next: {when}"
    )
