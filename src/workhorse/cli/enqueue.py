"""``workhorse enqueue``: a call from the shell."""

from __future__ import annotations

import ast
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import click

from workhorse.api.queue import Queue
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import (
    SPAN,
    max_starts_option,
    on_lost_option,
    serializer_option,
    url_option,
)
from workhorse.core.dependencies import Dependency
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.retry import Retry
from workhorse.core.webhooks import Webhook

_KEYWORD = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<kind>[:%]?)=(?P<value>.*)", re.DOTALL)


@click.command()
@click.argument("function")
@click.argument("arguments", nargs=-1)
@url_option
@config_option
@click.option("--queue", "-q", default="default", show_default=True, help="The queue's name.")
@click.option("--timeout", help="How long the job may run: seconds, or as 5m; -1 for no limit.")
@click.option("--result-ttl", help="How long its result is kept: seconds, or as 1h; -1 for ever.")
@click.option("--ttl", help="How long it may wait in the queue.")
@click.option("--failure-ttl", help="How long it is kept if it fails.")
@click.option("--description", help="What it does, for people; by default its call.")
@click.option("--job-id", help="An id of your own; one that waits or runs is not queued again.")
@click.option("--at-front", is_flag=True, help="Before those that wait.")
@click.option(
    "--retry-max",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How often it is tried again after an exception.",
)
@click.option(
    "--retry-interval",
    type=click.IntRange(0),
    multiple=True,
    default=(0,),
    show_default=True,
    metavar="SECONDS",
    help="The wait before a retry; may be given several times, for one after another.",
)
@click.option(
    "--retry-backoff",
    type=click.FloatRange(1),
    metavar="FACTOR",
    help="How many times the wait before it each wait is; needs --retry-interval.",
)
@click.option(
    "--retry-max-interval",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="The longest wait.",
)
@click.option(
    "--retry-jitter",
    type=click.FloatRange(0, 1),
    metavar="PART",
    help="The part of each wait, at most, that chance takes off it; 0.5 is a half.",
)
@click.option(
    "--retry-on",
    multiple=True,
    metavar="EXCEPTION",
    help="Retry after such exceptions alone, by dotted name; may be given several times.",
)
@click.option(
    "--give-up-on",
    multiple=True,
    metavar="EXCEPTION",
    help="Never retry after such exceptions; may be given several times.",
)
@click.option(
    "--schedule-in",
    type=SPAN,
    metavar="TIME",
    help="Due when so much time has passed: 10s, 5m, 2d, 1h30m, or seconds as 0.5.",
)
@click.option(
    "--schedule-at",
    metavar="MOMENT",
    help="Due then: 2026-12-01T10:00:00 in this machine's zone, or with Z or an offset behind it.",
)
@click.option(
    "--depends-on",
    multiple=True,
    metavar="JOB-ID",
    help="Wait until that job has finished; may be given several times.",
)
@click.option(
    "--on-parent-failure",
    type=click.Choice(["wait", "cancel", "run"]),
    default="wait",
    show_default=True,
    help="What becomes of it when a job that it waits for fails.",
)
@click.option("--on-success", metavar="FUNCTION", help="Called when it has finished.")
@click.option("--on-failure", metavar="FUNCTION", help="Called when it has failed.")
@click.option("--on-stopped", metavar="FUNCTION", help="Called when its run was stopped.")
@click.option(
    "--webhook",
    multiple=True,
    metavar="STATUS=URL",
    help="Tell that URL when it has finished, or failed; may be given several times.",
)
@click.option("--repeat", type=click.IntRange(1), metavar="TIMES", help="How often it runs again.")
@click.option(
    "--repeat-interval",
    type=click.IntRange(0),
    multiple=True,
    default=(0,),
    show_default=True,
    metavar="SECONDS",
    help="The wait before it runs again; may be given several times, for one after another.",
)
@click.option(
    "--rate-limit",
    metavar="KEY=NUMBER",
    help="No more than NUMBER jobs with this KEY are queued or run at a time.",
)
@click.option("--unique", is_flag=True, help="Refuse a --job-id that there is already.")
@click.option("--meta", metavar="JSON", help="Notes to keep with the job: a JSON object.")
@click.option("--group", metavar="NAME", help="A group that the job belongs to.")
@click.option(
    "--tag", multiple=True, metavar="WORD", help="Find it by this; may be given several times."
)
@click.option(
    "--capture-logs/--no-capture-logs",
    default=None,
    help="Keep what it logs and prints with it, or not; else its worker says so.",
)
@on_lost_option
@max_starts_option
@serializer_option
@click.option("--quiet", is_flag=True, help="Print nothing.")  # fmt: skip
def enqueue(function: str, arguments: tuple[str, ...], **given: Any) -> None:
    """Queue a call of FUNCTION, a dotted name as shop.mail.send, with ARGUMENTS.

    An argument is text. ":5" is JSON, "%(1, 2)" a Python literal; name=text, name:=JSON and
    name%=literal are keyword arguments; a value "@file" is read from that file.
    """
    args, kwargs = read_arguments(arguments)
    if given["schedule_in"] is not None and given["schedule_at"] is not None:
        raise click.UsageError("--schedule-in and --schedule-at exclude each other")
    server = server_of(given["url"], read_settings(given["config"]))
    queue = Queue(given["queue"], server.connection, serializer=given["serializer"])
    call = queue.prepare_data(
        function,
        args,
        kwargs,
        timeout=given["timeout"],
        result_ttl=given["result_ttl"],
        ttl=given["ttl"],
        failure_ttl=given["failure_ttl"],
        description=given["description"],
        job_id=given["job_id"],
        at_front=given["at_front"],
        on_lost=given["on_lost"],
        max_starts=given["max_starts"],
        depends_on=_parents(given),
        unique=given["unique"],
        capture_logs=given["capture_logs"],
        due_in=given["schedule_in"],
        scheduled_for=_moment(given["schedule_at"]),
        **made_of(given),
    )
    (job,) = queue.enqueue_many([call], group_id=given["group"])
    if not given["quiet"]:
        click.echo(f"Enqueued {job.get_call_string()} with job-id '{job.id}'.")


def made_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a job that are made of several words; None for those not given."""
    return {
        "retry": _retry(given),
        "repeat": _repeat(given),
        "on_success": given["on_success"],
        "on_failure": given["on_failure"],
        "on_stopped": given["on_stopped"],
        "webhooks": [_webhook(told) for told in given["webhook"]] or None,
        "meta": _meta(given["meta"]),
        "rate_limit": _rate_limit(given["rate_limit"]),
        "tags": given["tag"] or None,
    }


def _retry(given: dict[str, Any]) -> Retry | None:
    """Return the ``Retry`` that was asked for, if any was."""
    ours = {
        "backoff": given["retry_backoff"],
        "max_interval": given["retry_max_interval"],
        "jitter": given["retry_jitter"],
        "retry_on": given["retry_on"],
        "give_up_on": given["give_up_on"],
    }
    said: dict[str, Any] = {name: value for name, value in ours.items() if value}
    if given["retry_max"]:
        return Retry(given["retry_max"], given["retry_interval"], **said)
    if said:
        raise click.UsageError(f"{', '.join(said)}: no retry was asked for; give --retry-max")
    return None


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise click.UsageError(
            f"--schedule-at {text!r}: give a moment, as 2026-12-01T10:00:00"
        ) from None


def _parents(given: dict[str, Any]) -> Dependency | None:
    if given["depends_on"]:
        rule = given["on_parent_failure"]
        return Dependency(given["depends_on"], on_parent_failure=rule)
    if given["on_parent_failure"] != "wait":
        raise click.UsageError("--on-parent-failure: it waits for no job; give --depends-on")
    return None


def _repeat(given: dict[str, Any]) -> Repeat | None:
    if given["repeat"]:
        return Repeat(given["repeat"], given["repeat_interval"])
    if any(given["repeat_interval"]):
        raise click.UsageError("--repeat-interval: it runs once; give --repeat")
    return None


def _webhook(told: str) -> Webhook:
    status, equals, url = told.partition("=")
    if not equals:
        raise click.UsageError(f"--webhook {told!r}: give finished=URL or failed=URL")
    return Webhook(url, status)


def _rate_limit(told: str | None) -> RateLimit | None:
    if told is None:
        return None
    key, _, number = told.rpartition("=")
    if not number.isdecimal():
        raise click.UsageError(f"--rate-limit {told!r}: give a key and a number, as mail=5")
    return RateLimit(key, int(number))


def _meta(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        meta: Any = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--meta {text!r}: {error}") from None
    if not isinstance(meta, dict):
        raise click.UsageError(f"--meta {text!r}: give a JSON object")
    return cast("dict[str, Any]", meta)


def read_arguments(words: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and keyword arguments that *words* spell, by RQ's grammar.

    >>> read_arguments(("7", ":7", "%(1, 2)", "to=ada", "urgent:=true"))
    (['7', 7, (1, 2)], {'to': 'ada', 'urgent': True})
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for word in words:
        if found := _KEYWORD.fullmatch(word):
            if found["name"] in kwargs:
                raise click.UsageError(f"keyword argument {found['name']!r} is given twice")
            kwargs[found["name"]] = _read(found["kind"], found["value"], word)
        elif word[:1] in (":", "%"):
            args.append(_read(word[0], word[1:], word))
        else:
            args.append(_read("", word, word))
    return args, kwargs


def _read(kind: str, text: str, word: str) -> Any:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(
                f"argument {word!r}: can't read {text[1:]!r}: {error}"
            ) from error
    try:
        if kind == ":":
            return json.loads(text)
        return ast.literal_eval(text) if kind == "%" else text
    except (ValueError, SyntaxError) as error:
        what = "JSON" if kind == ":" else "a Python literal"
        raise click.UsageError(
            f"argument {word!r}: not {what} (text there needs quotes)"
        ) from error
