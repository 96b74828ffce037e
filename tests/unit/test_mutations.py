"""The list of mutations fits the present source, and no fault test stands without one."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from tests.mutations import generated
from tests.mutations.lists import ROOT, Mutation, load_all, load_exceptions, mutated

MUTATIONS = load_all()
NAMED = {test.replace(".py::", "::") for mutation in MUTATIONS for test in mutation.tests}
EXCEPTED = {excepted.what.replace(".py::", "::") for excepted in load_exceptions()}
FAULTS = ROOT / "tests" / "fault"
ROWS = re.findall(
    r"^\| (\d[\d, -]*) \|.*\| (.*)\|$", (FAULTS / "README.md").read_text(), re.MULTILINE
)

each_mutation = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)


@cache
def functions_in(path: Path) -> frozenset[str]:
    """Return the names of a module's functions, tests among them."""
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def patterns_of(said: str) -> list[str]:
    """Return the tests that a row of the matrix names: a later one may leave the module out.

    >>> patterns_of("`test_a::test_b*`, `test_c[x*]`; all of it by `tests/e2e/test_d::test_e`")
    ['tests/fault/test_a::test_b*', 'tests/fault/test_a::test_c[[]x*]', 'tests/e2e/test_d::test_e']
    """
    module, found = "", []
    for named in re.findall(r"`(?:(\S*test_\w+)::)?(test_[^`:]+)`", said):
        module = named[0] or module
        folder = "" if "/" in module else "tests/fault/"
        found.append(f"{folder}{module}::{named[1].replace('[', '[[]')}")
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


def test_no_two_mutations_share_a_name() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


def test_every_fault_test_was_seen_to_fail() -> None:
    """So was that of each window of RQ's: a mutation names it, or it is among the exceptions."""
    tests = {
        f"tests/fault/{path.stem}::{function}"
        for path in FAULTS.glob("test_*.py")
        for function in functions_in(path)
        if function.startswith(("test_fault_", "test_window_"))
    }
    assert sorted(tests - {test.partition("[")[0] for test in NAMED} - EXCEPTED) == []


@pytest.mark.parametrize(("numbers", "said"), ROWS, ids=[numbers for numbers, _ in ROWS])
def test_a_fault_that_has_a_test_is_guarded_by_a_mutation(numbers: str, said: str) -> None:
    patterns = patterns_of(said)
    guarded = any(
        fnmatch(test, pattern) or fnmatch(test, f"{pattern}[[]*")
        for test in NAMED | EXCEPTED
        for pattern in patterns
    )
    assert guarded or not patterns or numbers in EXCEPTED


def test_no_exception_is_out_of_date() -> None:
    assert not EXCEPTED & {test.partition("[")[0] for test in NAMED}


def test_what_is_said_to_change_nothing_is_still_there() -> None:
    known = {mutation.name for mutation in generated.of_scripts()}
    assert sorted(generated.load_equivalent().keys() - known) == []
