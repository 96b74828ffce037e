"""The lists of mutations, and what the source looks like with one of them applied."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = Path("src", "workhorse")
LISTS = sorted(Path(__file__).parent.glob("*.toml"))


class NotAppliedError(Exception):
    """A text that is to be replaced is not there, or not once: the source has moved on."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A text to replace in a file of the package, where it must stand exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """One protection switched off, and the tests that must each fail without it."""

    name: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]
    faults: tuple[int, ...] = ()
    """The rows of the fault matrix that it opens again."""
    quick: bool = False
    """Whether its tests fail within seconds, and always: one that `make check` may draw."""

    any_test: bool = False
    """Whether it is enough that one of its tests fails."""

    @property
    def is_control(self) -> bool:
        """Whether nothing is changed, so that its tests must pass."""
        return not self.edits


@dataclass(frozen=True, slots=True)
class Excepted:
    """A fault, or a test of one, that no mutation can be caught by, and why."""

    what: str
    why: str


def load_all() -> list[Mutation]:
    """Return the mutations of every list."""
    return [_mutation(entry) for path in LISTS for entry in _read(path, "mutation")]


def control(mutations: Iterable[Mutation]) -> Mutation:
    """Return what shows that the tests of *mutations* fail for their sake alone."""
    tests = dict.fromkeys(test for mutation in mutations for test in mutation.tests)
    return Mutation("(nothing is changed)", tuple(tests), ())


def load_exceptions() -> list[Excepted]:
    """Return what stands without a mutation."""
    return [Excepted(**entry) for path in LISTS for entry in _read(path, "excepted")]


def _read(path: Path, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get(kind, [])
    return found


def _mutation(entry: dict[str, Any]) -> Mutation:
    edits = tuple(Edit(**edit) for edit in entry.pop("edit"))
    tests, faults = tuple(entry.pop("tests")), tuple(entry.pop("faults", ()))
    return Mutation(edits=edits, tests=tests, faults=faults, **entry)


def mutated(mutation: Mutation, root: Path = ROOT) -> dict[Path, str]:
    """Return the files that *mutation* changes, below *root*, and their new text."""
    texts: dict[Path, str] = {}
    for edit in mutation.edits:
        path = PACKAGE / edit.file
        if path not in texts:
            if not (root / path).exists():
                raise NotAppliedError(f"{mutation.name}: there is no {path}")
            texts[path] = (root / path).read_text(encoding="utf-8")
        count = texts[path].count(edit.old)
        if count != 1:
            raise NotAppliedError(f"{mutation.name}: {count} times in {path}: {edit.old!r}")
        texts[path] = texts[path].replace(edit.old, edit.new)
    return texts
