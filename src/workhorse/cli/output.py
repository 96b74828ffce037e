"""What commands print: tables for people, JSON for programs, and the exit codes of all.

People's lines can hold text of jobs, which anybody may have written: everything that is printed
goes through ``harmless`` or ``json``. Colours are for terminals only, and never say what the words
do not.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeVar, cast

import click

from workhorse.core.durations import in_words
from workhorse.core.harmless import harmless

F = TypeVar("F", bound=Callable[..., Any])

FINE: Final = 0
FAILED: Final = 1
"""It could not be done, or something is wrong."""
MISUSED: Final = 2
"""It was asked wrongly: an option, a name, a value."""
INTERRUPTED: Final = 130
"""By Ctrl-C, as shells have it: 128 and the signal's number."""

Look = Literal["", "good", "warning", "bad", "quiet", "strong", "title"]
_LOOKS: Final[Mapping[Look, Mapping[str, Any]]] = {
    "": {},
    "good": {"fg": "green"},
    "warning": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "quiet": {"dim": True},
    "strong": {"bold": True},
    "title": {"underline": True},
}
_NARROWEST: Final = 8
"""Columns of a terminal below which no text is cut where another can be."""
_COMFORTABLE: Final = 20
"""Below it what can be spared is left out first."""
_TINY: Final = 3
_GAP: Final = "  "

json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="For programs: one JSON document, as docs/cli.md has it.",
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")


def _without_colours(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    del param
    if value:
        ctx.color = False


no_color_option = click.option(
    "--no-color",
    is_flag=True,
    expose_value=False,
    callback=_without_colours,
    help="No colours; as with NO_COLOR set. Without a terminal there are none.",
)


def output_options(function: F) -> F:
    """Give a command that reads ``--json`` (as ``as_json``) and ``--no-color``."""
    return json_option(no_color_option(function))


def wants_colours(environ: Mapping[str, str]) -> bool | None:
    """Return whether colours are shown; None where that depends on the terminal.

    >>> wants_colours({"NO_COLOR": "1"}), wants_colours({"FORCE_COLOR": "1"}), wants_colours({})
    (False, True, None)
    """
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return True if environ.get("FORCE_COLOR") else None


class Cell(NamedTuple):
    """A text in a table, and how it looks."""

    text: str
    look: Look = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    """Numbers end below each other."""
    flexible: bool = False
    """Its texts are cut where the terminal is narrow."""
    spare: int = 0
    """Left out where that is not enough; the highest first, 0 never."""


def painted(text: str, look: Look = "") -> str:
    """Return *text*, made harmless, as it is printed; ``echo`` leaves colours out where needed."""
    plain = harmless(text)
    return click.style(plain, **_LOOKS[look]) if look else plain


def echo(line: str = "", *, err: bool = False) -> None:
    """Print a line, of which each text of a job was made harmless."""
    click.echo(line, err=err)


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]], *, width: int | None = None
) -> list[str]:
    """Return the lines of a table no wider than *width*; as wide as its texts for None.

    >>> table([Column("queue"), Column("jobs", right=True)], [["low", "7"], ["idle", "12"]])[1:]
    ['low       7', 'idle     12']
    """
    cells = [
        [Cell(harmless(cell.text), cell.look) if isinstance(cell, Cell) else Cell(harmless(cell))
         for cell in row]
        for row in rows
    ]  # fmt: skip
    head = [Cell(column.title, "title") for column in columns]
    widths = [
        max((columns_of(row[at].text) for row in (head, *cells)), default=0)
        for at in range(len(columns))
    ]
    shown = _fitted(columns, widths, width)
    lines: list[str] = []
    for row in (head, *cells):
        parts = [_padded(row[at], widths[at], columns[at]) for at in shown]
        lines.append(_GAP.join(parts).rstrip())
    return lines


def _fitted(columns: Sequence[Column], widths: list[int], width: int | None) -> list[int]:
    """Make *widths* fit into *width*, and return which columns are shown."""
    shown = list(range(len(columns)))
    if width is None:
        return shown

    def excess(least: int) -> int:
        """Return what is too much where the flexible columns are cut to *least*."""
        taken = (min(widths[at], least) if columns[at].flexible else widths[at] for at in shown)
        return sum(taken) + len(_GAP) * (len(shown) - 1) - width

    while excess(_COMFORTABLE) > 0:
        spare = max(shown, key=lambda at: columns[at].spare)
        if not columns[spare].spare:
            break
        shown.remove(spare)
    while excess(sys.maxsize) > 0:
        flexible = [at for at in shown if columns[at].flexible and widths[at] > _NARROWEST]
        widest = max(flexible or shown, key=lambda at: widths[at])
        if widths[widest] <= _TINY:
            break
        widths[widest] -= 1
    return shown


def _padded(cell: Cell, width: int, column: Column) -> str:
    text = cut(cell.text, width)
    space = " " * (width - columns_of(text))
    look = click.style(text, **_LOOKS[cell.look]) if cell.look and text else text
    return space + look if column.right else look + space


def columns_of(text: str) -> int:
    """Return how many columns of a terminal *text* takes.

    >>> columns_of("abc"), columns_of("日本")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(_columns_of_one(character) for character in text)


def _columns_of_one(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return *text* in at most *width* columns, with an ellipsis where something is missing.

    >>> cut("a long name", 6), cut("short", 6)
    ('a lon…', 'short')
    """
    if columns_of(text) <= width:
        return text
    kept, used = "", 1
    for character in text:
        used += _columns_of_one(character)
        if used > width:
            break
        kept += character
    return f"{kept}…" if width > 0 else ""


def terminal_width() -> int | None:
    """Return the columns of the terminal that is printed on; None where it is none.

    What a program reads is not cut: COLUMNS, which whoever uses readline hands down, counts on a
    terminal only.
    """
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None


def bar(share: float, width: int) -> str:
    """Return a bar of *share*, 0 to 1, of *width* columns; anything above 0 is seen.

    >>> bar(0.5, 4), bar(0.001, 4), bar(0, 4)
    ('██', '█', '')
    """
    return "█" * (max(1, round(share * width)) if share > 0 else 0)


def count_of(number: int | None, noun: str) -> str:
    """Return *number* with its noun; ``?`` where it can't be told.

    >>> count_of(1, "job"), count_of(12345, "job"), count_of(None, "job")
    ('1 job', '12,345 jobs', '? jobs')
    """
    return f"{number_of(number)} {noun}{'' if number == 1 else 's'}"


def number_of(number: float | None) -> str:
    """Return a count as people read it; ``?`` where it can't be told."""
    return "?" if number is None else f"{number:,}"


def rough(seconds: float | None) -> str:
    """Return a span in whole seconds, as a glance wants it; nothing for None.

    >>> rough(0.2), rough(5.9), rough(125.5)
    ('0 s', '5 s', '2m 5s')
    """
    if seconds is None:
        return ""
    if not math.isfinite(seconds):
        return in_words(seconds)
    return in_words(int(seconds)) if seconds >= 1 else "0 s"


def ago(moment: datetime | float | None, now: float) -> str:
    """Return how long before *now* a moment was, or in how long it is; nothing for None.

    >>> ago(100.0, 161.0), ago(100.0, 90.0)
    ('1m 1s ago', 'in 10 s')
    """
    if moment is None:
        return ""
    since = now - (moment.timestamp() if isinstance(moment, datetime) else moment)
    return f"{rough(since)} ago" if since >= 0 else f"in {rough(-since)}"


def utc(moment: datetime | float | None) -> str | None:
    """Return a moment for JSON: ISO 8601, in UTC; None for none, or one that never comes.

    >>> utc(0.5), utc(None), utc(float("inf"))
    ('1970-01-01T00:00:00.500000Z', None, None)
    """
    if moment is None or (isinstance(moment, float | int) and not math.isfinite(moment)):
        return None
    try:
        found = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (OverflowError, ValueError, OSError):  # thousands of years away
        return None


def print_json(document: Any, *, on_one_line: bool = False) -> None:
    """Print *document*: dataclasses as objects, moments in UTC, what is no number as null.

    Everything but ASCII is escaped, so that no terminal heeds what a job wrote.
    """
    indent = None if on_one_line else 2
    text = json.dumps(_plain(document), indent=indent, allow_nan=False)
    click.echo(text.replace("\x7f", "\\u007f"))


def _plain(value: Any) -> Any:
    found: Any = value if isinstance(value, str | int | None) else str(value)
    if isinstance(value, datetime):
        found = utc(value)
    elif isinstance(value, float):
        found = value if math.isfinite(value) else None
    elif is_dataclass(value) and not isinstance(value, type):
        found = _plain(asdict(value))
    elif isinstance(value, Mapping):
        items = cast("dict[Any, Any]", value).items()
        found = {str(key): _plain(one) for key, one in items}
    elif isinstance(value, list | tuple):
        found = [_plain(one) for one in cast("Sequence[Any]", value)]
    elif isinstance(value, set | frozenset):
        found = sorted(str(one) for one in cast("frozenset[Any]", value))
    return found


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether *question* was answered with yes; True at once with ``--yes``.

    Raises click.UsageError where nobody can be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError(f"{harmless(question)} Nobody can be asked here: say --yes")
    return click.confirm(harmless(question), err=True)
