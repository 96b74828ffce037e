"""docs/cli.md names every command, check and name in JSON that there is, and none beside."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from tests.unit.test_doctor_checks import NOW, queue, worker
from tests.unit.test_frame import CAUSE
from workhorse.cli.failed import cause_shape
from workhorse.cli.main import cli
from workhorse.cli.situation import job_shape, queue_shape, worker_shape
from workhorse.store.doctor_checks import CHECKS, Problem
from workhorse.store.pages import row_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
ROWS = [line.strip("|").split(" | ") for line in DOCUMENT.splitlines() if line.startswith("| ")]


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command}


@pytest.mark.parametrize("name", commands())
def test_every_command_is_in_the_table(name: str) -> None:
    assert re.search(rf"^\| (?:`[^`]*`, )?`workhorse {name}`", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize(
    "name", [name for name, one in commands().items() if isinstance(one, click.Group)]
)
def test_every_command_of_a_group_is_named_beside_it(name: str) -> None:
    group = commands()[name]
    assert isinstance(group, click.Group)
    (row,) = [line for line in DOCUMENT.splitlines() if line.startswith(f"| `workhorse {name}` |")]
    assert set(group.commands) <= set(re.findall(r"`([a-z-]+)`", row))


def documented(of: str) -> set[str]:
    (row,) = [row for row in ROWS if row[0].strip() == of]
    return set(re.findall(r"`(\w+)`", row[1]))


def test_names_in_json_are_those_of_the_document() -> None:
    job = row_of(b"j", {})
    shapes: dict[str, dict[str, Any]] = {
        "a queue": queue_shape(queue(), NOW),
        "a worker": worker_shape(worker(), job, NOW),
        "a job": job_shape(job, NOW),
        "a cause": cause_shape(CAUSE),
        "a finding": {field.name: "" for field in fields(Problem)},
    }
    assert {of: documented(of) for of in shapes} == {
        of: set(shape) for of, shape in shapes.items()
    }
    assert json.dumps(shapes, default=str)


def test_every_check_of_the_doctor_is_in_the_table() -> None:
    start = DOCUMENT.index("| check | finds |")
    named = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT[start:], re.MULTILINE))
    assert named == {*CHECKS, "server"}
