"""What every command prints with: tables, JSON, harmless text."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import click
import pytest

from workhorse.cli import output
from workhorse.cli.output import Cell, Column

HOSTILE = "a\x1b[2J\x07\n\u202egnp.exe\x9b1m"


@dataclass(frozen=True)
class Example:
    name: str
    at: datetime | None
    score: float


def plain(lines: list[str]) -> list[str]:
    return [click.unstyle(line) for line in lines]


def test_a_text_of_a_job_can_do_nothing_to_a_terminal() -> None:
    (_, row) = output.table([Column("name")], [[Cell(HOSTILE, "bad")]])
    shown = click.unstyle(row) + click.unstyle(output.painted(HOSTILE, "good"))
    assert shown.isprintable()
    assert "\\x1b" in shown


def test_json_can_do_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"name": HOSTILE + "\x7f\ud800"})
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert printed.isascii()
    assert json.loads(printed) == {"name": HOSTILE + "\x7f\ud800"}


def test_json_has_moments_in_utc_and_no_numbers_that_are_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moment = datetime(2026, 12, 24, 18, tzinfo=timezone(timedelta(hours=1)))
    output.print_json({"one": Example("a", moment, math.inf), "tags": {"b", "a"}, "many": (1,)})
    assert json.loads(capsys.readouterr().out) == {
        "one": {"name": "a", "at": "2026-12-24T17:00:00.000000Z", "score": None},
        "tags": ["a", "b"],
        "many": [1],
    }
    assert output.utc(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"


def test_a_table_fits_the_terminal() -> None:
    columns = [Column("job"), Column("what", flexible=True), Column("extra", spare=1)]
    rows = [["12345678", "a very long description of a job", "something"]]
    for width in (80, 50, 40, 30, 20):
        lines = plain(output.table(columns, rows, width=width))
        assert max(map(len, lines)) <= width
        assert lines[1].startswith("12345678")
    wide = plain(output.table(columns, rows))
    assert wide[1] == "12345678  a very long description of a job  something"
    assert "extra" not in plain(output.table(columns, rows, width=20))[0]


def test_a_wide_character_takes_two_columns_and_a_mark_none() -> None:
    lines = plain(output.table([Column("n"), Column("m")], [["日本", "x"], ["e\u0301a", "y"]]))
    assert lines[1:] == ["日本  x", "e\u0301a    y"]
    assert output.columns_of(output.cut("日本語日本語", 6)) <= 6


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert output.confirm("Sure?", yes=True)
        with pytest.raises(click.UsageError, match="--yes"):
            output.confirm("Sure?", yes=False)
