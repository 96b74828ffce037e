"""``workhorse worker``: a supervisor and its worker processes."""

from __future__ import annotations

import logging
import logging.config
import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import Settings, config_option, read_settings, server_of
from workhorse.cli.options import (
    max_starts_option,
    on_lost_option,
    path_option,
    serializer_option,
    url_option,
)
from workhorse.core import settings
from workhorse.core.errors import InvalidCallError, InvalidNameError
from workhorse.core.ids import check_queue_name
from workhorse.wire.payload import choose_serializer, name_call
from workhorse.worker import logs
from workhorse.worker.health import HealthOptions
from workhorse.worker.health_server import Metrics
from workhorse.worker.options import WorkerOptions
from workhorse.worker.supervisor import Supervisor


@click.command()
@click.argument("queues", nargs=-1)
@url_option
@config_option
@click.option(
    "--num-workers",
    "-n",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Worker processes to run and watch over. (RQ's -n, a name, is --name here.)",
)
@click.option("--burst", "-b", is_flag=True, help="End when the queues are empty.")
@click.option(
    "--isolation",
    type=click.Choice(["inline", "fork"]),
    default="inline",
    show_default=True,
    help="inline: jobs run in the worker process, which is fast; "
    "fork: each job in a process of its own, as with RQ.",
)
@click.option("--name", help="The name to register by; by default host, pid and some letters.")
@click.option("--max-jobs", type=click.IntRange(1), help="End each worker after so many jobs.")
@click.option(
    "--max-idle-time",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="End a worker that found no job for so long.",
)
@click.option(
    "--results-ttl",
    type=int,
    default=settings.RESULT_TTL,
    show_default=True,
    metavar="SECONDS",
    help="How long results are kept, unless the job says so itself.",
)
@click.option(
    "--max-result-bytes",
    type=click.IntRange(1),
    default=settings.RESULT_BYTES,
    show_default=True,
    metavar="BYTES",
    help="A larger result, serialized, is not stored: a text that says so stands in for it.",
)
@click.option(
    "--worker-ttl",
    type=click.IntRange(1),
    default=settings.WORKER_TTL,
    show_default=True,
    metavar="SECONDS",
    help="A worker not heard of for so long counts as gone.",
)
@click.option(
    "--lease",
    type=click.FloatRange(1),
    default=settings.LEASE,
    show_default=True,
    metavar="SECONDS",
    help="How soon the jobs of a machine that died are run elsewhere.",
)
@click.option(
    "--max-job-timeout",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="The longest time limit of any job here, whatever its own is.",
)
@click.option(
    "--timeout-grace",
    type=click.FloatRange(0),
    default=settings.TIMEOUT_GRACE,
    show_default=True,
    metavar="SECONDS",
    help="From a job's time limit, where it is interrupted, to its kill.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=settings.SHUTDOWN_GRACE,
    show_default=True,
    metavar="SECONDS",
    help="What running jobs get to end after the first signal to stop.",
)
@on_lost_option
@max_starts_option
@path_option
@serializer_option
@click.option(
    "--log-format",
    default="text",
    show_default=True,
    help="text for people, json for one JSON object a line, or a format of Python's logging.",
)
@click.option(
    "--logging_level",
    "--logging-level",
    "-l",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
    help="The least that is logged; otherwise as --verbose and --quiet say, or INFO.",
)
@click.option("--date-format", default="%H:%M:%S", show_default=True, help="Of the text log.")
@click.option(
    "--disable-job-desc-logging",
    is_flag=True,
    help="Keep descriptions, which hold arguments, out of the log.",
)
@click.option(
    "--exception-handler",
    "exception_handlers",
    multiple=True,
    metavar="NAME",
    help="A function to call when a job raised, by its dotted name; may be given several times.",
)
@click.option(
    "--disable-default-exception-handler",
    "-d",
    is_flag=True,
    help="Keep tracebacks of failed jobs out of the log.",
)
@click.option(
    "--capture-logs",
    is_flag=True,
    help="Keep what jobs log and print with them: `workhorse job tail` shows it.",
)
@click.option("--verbose", "-v", is_flag=True, help="Log every job and more.")
@click.option("--quiet", "-q", is_flag=True, help="Log only what is wrong.")
@click.option(
    "--pid",
    "pid_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the supervisor's process id there.",
)
@click.option(
    "--dequeue-strategy",
    "-ds",
    type=click.Choice(["default", "random", "round_robin"]),
    default="default",
    show_default=True,
    help="Which queue is first: always the first one, by chance, or each in turn.",
)
@click.option(
    "--with-scheduler/--no-scheduler",
    "-s",
    "scheduler",
    default=True,
    help="Whether it moves scheduled jobs onto their queues, which any worker does by default.",
)
@click.option(
    "--health-port",
    envvar="WORKHORSE_HEALTH_PORT",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Answer /healthz, /readyz and /metrics there: see docs/health.md.",
)
@click.option(
    "--health-host",
    envvar="WORKHORSE_HEALTH_HOST",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The address that --health-port is of.",
)
@click.option(
    "--health-socket",
    envvar="WORKHORSE_HEALTH_SOCKET",
    metavar="PATH",
    help="Answer the same at a unix socket.",
)
@click.option("--maintenance-interval", type=int, hidden=True)  # RQ's: it is done all the time
@click.option("--job-monitoring-interval", type=int, hidden=True)
def worker(queues: tuple[str, ...], **given: Any) -> int:
    """Run the jobs of QUEUES, the most urgent first; of "default" without any.

    Ctrl-C or SIGTERM stops: no new jobs, and running ones may end. A second one stops at once,
    and running jobs go back to their queues.
    """
    level = _level(given)
    paths = tuple(str(Path(path).resolve()) for path in given["paths"])
    told = read_settings(given["config"], paths)
    names = _names(queues or told.queues or (settings.QUEUE,))
    server = server_of(given["url"], told)
    _set_up_log(given, told, level)
    logs.say("connect", f"using {server.shown} ({server.source})", source=server.source)
    if given["pid_file"]:
        given["pid_file"].write_text(f"{os.getpid()}\n")
    name = given["name"] or told.name
    named: dict[str, Any] = {"name": name} if name else {}
    options = WorkerOptions(
        connect=server.connect,
        queues=names,
        keys=default_keys(),
        serializer=choose_serializer(given["serializer"]),
        isolation=given["isolation"],
        burst=given["burst"],
        max_jobs=given["max_jobs"],
        max_idle_time=given["max_idle_time"],
        result_ttl=given["results_ttl"],
        max_result_bytes=given["max_result_bytes"],
        worker_ttl=given["worker_ttl"],
        lease=given["lease"],
        max_job_timeout=given["max_job_timeout"],
        timeout_grace=given["timeout_grace"],
        shutdown_grace=given["grace"],
        on_lost=given["on_lost"],
        max_starts=given["max_starts"],
        paths=paths,
        describe_jobs=not given["disable_job_desc_logging"],
        exception_handlers=_check_handlers(given["exception_handlers"]),
        capture_logs=given["capture_logs"],
        tells_tracebacks=not given["disable_default_exception_handler"],
        scheduler=given["scheduler"],
        dequeue_strategy=given["dequeue_strategy"],
        health=_health(given, server.connect),
        **named,
    )
    try:
        return Supervisor(options, given["num_workers"]).run()
    finally:
        if given["pid_file"]:
            given["pid_file"].unlink(missing_ok=True)


def _health(given: dict[str, Any], connect: Callable[[], Any]) -> HealthOptions | None:
    """Return where health checks are answered, and with what besides."""
    port, path = given["health_port"], given["health_socket"] or ""
    if port is not None and path:
        raise click.UsageError("--health-port and --health-socket exclude each other")
    if port is None and not path:
        return None
    has_metrics = find_spec("prometheus_client") is not None

    def metrics() -> Metrics:
        prometheus = import_module("workhorse.integrations.prometheus")
        exposition: Metrics = prometheus.Exposition(connect())
        return exposition

    return HealthOptions(port, given["health_host"], path, metrics if has_metrics else None)


def _check_handlers(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            name_call(name)
        except InvalidCallError as error:
            raise click.UsageError(f"--exception-handler: {error}") from error
    return names


def _names(queues: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(check_queue_name(name) for name in queues)
    except InvalidNameError as error:
        raise click.UsageError(str(error)) from error


def _set_up_log(given: dict[str, Any], told: Settings, level: int) -> None:
    """Set up the log as the options or the settings say, and tell what of these is not read."""
    if told.logging:
        logging.config.dictConfig(told.logging)
    else:
        logs.set_up(given["log_format"], level=level, datefmt=given["date_format"])
    for name in told.forgotten:
        logs.say(
            "connect",
            f"{name} in {told.source} is no longer read: call sentry_sdk.init() in code that your "
            "jobs import",
            level=logging.WARNING,
        )


def _level(given: dict[str, Any]) -> int:
    if given["verbose"] and given["quiet"]:
        raise click.UsageError("--verbose and --quiet exclude each other")
    if given["logging_level"]:
        return logging.getLevelNamesMapping()[given["logging_level"].upper()]
    if given["verbose"]:
        return logging.DEBUG
    return logging.WARNING if given["quiet"] else logging.INFO
