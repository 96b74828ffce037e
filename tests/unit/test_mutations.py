"""The list of mutations fits the present source, and no fault test stands without one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.mutations.lists import ROOT, Mutation, load_all, load_exceptions, mutated

MUTATIONS = load_all()
EXCEPTED = {excepted.what for excepted in load_exceptions()}
FAULTS = ROOT / "tests" / "fault"
MATRIX = re.findall(
    r"^\| ([\d, -]+) \|.*\| (.*)\|$", (FAULTS / "README.md").read_text(), re.MULTILINE
)

each_mutation = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)


@cache
def functions_in(path: Path) -> frozenset[str]:
    """Return the names of a module's tests."""
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def numbers_of(cell: str) -> set[int]:
    """Return the rows that a cell like "23, 38-78" names."""
    found: set[int] = set()
    for part in cell.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


@each_mutation
def test_a_mutation_applies_to_the_source_as_it_is(mutation: Mutation) -> None:
    for path, text in mutated(mutation).items():
        assert text != (ROOT / path).read_text()
        if path.suffix == ".py":
            ast.parse(text)


@each_mutation
def test_a_mutation_names_tests_that_exist(mutation: Mutation) -> None:
    assert mutation.tests
    for test in mutation.tests:
        path, _, function = test.partition("::")
        assert function.partition("[")[0] in functions_in(ROOT / path)


@each_mutation
def test_a_mutation_guards_the_faults_that_its_tests_are_numbered_by(mutation: Mutation) -> None:
    numbered = re.findall(r"::test_fault_((?:\d+_)+)", " ".join(mutation.tests))
    assert set(mutation.faults) <= {
        int(number) for name in numbered for number in name[:-1].split("_")
    }


def test_no_two_mutations_share_a_name() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


def test_every_fault_test_was_seen_to_fail() -> None:
    """So was that of each window of RQ's: a mutation names it, or it is among the exceptions."""
    tests = {
        f"tests/fault/{path.name}::{function}"
        for path in FAULTS.glob("test_*.py")
        for function in functions_in(path)
        if function.startswith(("test_fault_", "test_window_"))
    }
    named = {test.partition("[")[0] for mutation in MUTATIONS for test in mutation.tests}
    assert sorted(tests - named - EXCEPTED) == []


def test_every_fault_that_has_a_test_is_guarded_by_a_mutation() -> None:
    tested = {n for cell, said in MATRIX if "test_" in said for n in numbers_of(cell)}
    assert {1, 20} < tested
    guarded = {fault for mutation in MUTATIONS for fault in mutation.faults}
    assert sorted(tested - guarded - {int(e) for e in EXCEPTED if e.isdecimal()}) == []


def test_no_exception_is_out_of_date() -> None:
    known = {f"{f}" for mutation in MUTATIONS for f in mutation.faults}
    known |= {test.partition("[")[0] for mutation in MUTATIONS for test in mutation.tests}
    assert not EXCEPTED & known
