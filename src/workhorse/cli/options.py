"""What several commands take: which server, which serializer, where code is imported from."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from workhorse.core import settings
from workhorse.core.durations import parse_seconds
from workhorse.core.errors import TimeoutFormatError
from workhorse.store.connections import Choice, choose_url

F = TypeVar("F", bound=Callable[..., Any])

url_option = click.option(
    "--url",
    "-u",
    metavar="URL",
    help="The server, as redis://host:port/db or unix:///path. Without it: WORKHORSE_URL, "
    "RQ_REDIS_URL, REDIS_URL, workhorse.toml, a server on localhost, the embedded server.",
)
path_option = click.option(
    "--path",
    "-P",
    "paths",
    multiple=True,
    default=(".",),
    show_default=True,
    metavar="FOLDER",
    help="Where code is imported from; may be given several times.",
)
serializer_option = click.option(
    "--serializer",
    "-S",
    type=click.Choice(["pickle", "json"]),
    default="pickle",
    show_default=True,
    help="How calls and results are written.",
)

on_lost_option = click.option(
    "--on-lost",
    type=click.Choice(["requeue", "fail"]),
    help="What becomes of a run whose process or machine died: requeue runs the job again, fail "
    "never does. A job's own word counts most, then its queue's, then the worker's; else requeue.",
)
max_starts_option = click.option(
    "--max-starts",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="How many runs may be lost until the job has failed. Said as --on-lost; else "
    f"{settings.MAX_STARTS}.",
)


class Span(click.ParamType[float]):
    """A time span: seconds, with a fraction or without, or text as 5m."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        text = str(value).strip()
        try:
            if re.fullmatch(r"\d+\.\d+s?", text):
                return float(text.removesuffix("s"))
            seconds = parse_seconds(text) or 0
        except TimeoutFormatError as error:
            self.fail(str(error), param, ctx)
        if seconds < 0:
            self.fail(f"{text} is past", param, ctx)
        return seconds


SPAN = Span()


class JobId(click.ParamType[str]):
    """The id of a job, whatever made it: RQ 2 let ids hold anything."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id."""
        text = str(value)
        if not text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)):
            self.fail(f"no job has the id {text!r}", param, ctx)
        return text


JOB_ID = JobId()


def choose(url: str | None) -> Choice:
    """Return the server that *url* or the environment names."""
    return choose_url(url, os.environ, Path.cwd())


def import_from(paths: tuple[str, ...]) -> None:
    """Put *paths* first in the search for modules."""
    sys.path[:0] = [str(Path(path).resolve()) for path in paths]
