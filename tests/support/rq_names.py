"""The table of RQ's names in `docs/from-rq.md`, RQ's surface, and ours, to be compared."""

from __future__ import annotations

import dataclasses
import dis
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import click

from workhorse.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "from-rq.md"
SNAPSHOT = ROOT / "tests" / "compat" / "rq_surface.json"

THERE = ("same", "better")
VERDICTS = (*THERE, "not wanted")

_SECTION = re.compile(r"^### `(rq[^`]*)`(?: → (.*))?$")
_NAME = re.compile(r"`([^`]+)`(?: → `([^`]+)`)?")
_CELLS = 3


@dataclass(frozen=True)
class Row:
    """What the table says of one name."""

    home: str
    """RQ's module, class or command."""
    name: str
    ours: tuple[str, ...]
    """Where its home is here."""
    here: str
    """Its name there."""
    verdict: str
    note: str

    @property
    def by_name(self) -> bool:
        """Whether its parameters are said to have an order of their own."""
        return "by name" in self.note

    @property
    def without(self) -> set[str]:
        """Parameters that are said not to be taken."""
        said = re.search(r"without ((?:`\w+`(?:, | and )?)+)", self.note)
        return set(re.findall(r"`(\w+)`", said[1])) if said else set()


def rows() -> list[Row]:
    """Return the table, one row a name."""
    found: list[Row] = []
    home, ours = "", ()
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if section := _SECTION.match(line):
            home = section[1]
            ours = tuple(re.findall(r"`([^`]+)`", section[2] or ""))
        elif line.startswith("#"):
            home = ""
        elif home and line.startswith("| `"):
            names, verdict, note = (cell.strip() for cell in line.strip("|").split(" | ", 2))
            found += (
                Row(home, name, ours, here or name, verdict, note.rstrip("| "))
                for name, here in _NAME.findall(names)
            )
    return found


def surface() -> dict[str, dict[str, Any]]:
    """Return what RQ has: for each module, class and command its names, and their parameters."""
    told = json.loads(SNAPSHOT.read_text())
    found: dict[str, dict[str, Any]] = {}
    for module, names in told["modules"].items():
        found[module] = {name: one.get("parameters", "value") for name, one in names.items()}
        for name, one in names.items():
            if one.get("members"):
                found[f"{module}.{name}"] = one["members"]
    for command, options in told["commands"].items():
        found[f"rq {command}"] = dict.fromkeys(options, "value")
    return found


def find(row: Row) -> Any:
    """Return what we have for *row*: an object, True for an attribute or option; None if not."""
    for home in row.ours:
        if home.startswith("workhorse "):
            if row.here in _options(home.split()[1]):
                return True
        elif (found := _find(home, row.here)) is not None:
            return found
    return None


def _options(command: str) -> set[str]:
    found = cli.get_command(click.Context(cli), command)
    if found is None:
        return set()
    below = found.commands.get("start") if isinstance(found, click.Group) else None
    params = [*found.params, *(below.params if below else ())]
    options = (one for one in params if isinstance(one, click.Option))
    return {name for option in options for name in (*option.opts, *option.secondary_opts)}


def _find(home: str, name: str) -> Any:
    try:
        owner = _resolved(home)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part, None) or import_module(f"{home}.{'.'.join(path)}")
    except (ImportError, AttributeError):
        return None
    if inspect.isclass(owner):
        return _member(owner, last)
    return getattr(owner, last, None)


def _resolved(path: str) -> Any:
    """Return the module or class at *path*."""
    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(import_module(module), name)


def _member(owner: type, name: str) -> Any:
    if name in dir(owner):
        return getattr(owner, name) or True
    return True if name in set(_attributes(owner)) else None


def _attributes(owner: type) -> Iterator[str]:
    """Yield the names of fields, and of what ``__init__`` sets."""
    if dataclasses.is_dataclass(owner):
        yield from (field.name for field in dataclasses.fields(owner))
    for base in owner.__mro__:
        init = vars(base).get("__init__")
        if isinstance(init, FunctionType):
            steps = dis.get_instructions(init)
            yield from (step.argval for step in steps if step.opname == "STORE_ATTR")


def refused_parameters(ours: Any, theirs: list[str], *, by_name: bool = False) -> list[str]:
    """Return those of RQ's parameters that *ours* does not take, by name or in RQ's place."""
    try:
        parameters = inspect.signature(ours).parameters
    except (TypeError, ValueError):
        return []
    kinds = {one.kind for one in parameters.values()}
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds
    plain = [name for name in theirs if not name.startswith("*")]
    missing = [name for name in plain if name not in parameters and not takes_any]
    if by_name:
        return missing
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    placed = [one.name for one in parameters.values() if one.kind in by_place]
    placed = [name for name in placed if name != "self"]
    # What stands before must be equal, as far as ours can be given by place.
    misplaced = [
        name for name, here in zip(plain, placed, strict=False) if name != here and here in plain
    ]
    return missing + [name for name in misplaced if name not in missing]
