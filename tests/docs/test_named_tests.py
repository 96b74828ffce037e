"""A document that names a test names one that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "docs/delivery.md", ROOT / "tests/fault/README.md")
NAMED = re.compile(r"`((?:tests/\w+/)?test_\w+)::(test_\w+)(\*?)(?:\[[^]]*\])?`")
WINDOWS = {
    f"{letter}{number}"
    for letter, last in {"L": 8, "S": 9, "T": 11, "F": 5, "R": 3, "M": 1, "K": 2, "P": 1}.items()
    for number in range(1, last + 1)
}
"""In which RQ 3.0 loses a job, runs it twice ..."""
DEFINED = re.compile(r"^ *def (test_\w+)\(", re.MULTILINE)


def named() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for module, test, star in sorted(set(NAMED.findall(document.read_text()))):
            yield module, f"{test}{star}"


@pytest.mark.parametrize(("module", "pattern"), sorted(set(named())))
def test_a_test_that_is_named_is_there(module: str, pattern: str) -> None:
    folder = ROOT if "/" in module else ROOT / "tests/fault"
    defined = DEFINED.findall((folder / f"{module}.py").read_text())
    assert [test for test in defined if fnmatch(test, pattern)]


def test_every_fault_has_its_line_in_the_promises() -> None:
    """Each number that a fault test has stands in the table of docs/delivery.md."""
    told = (ROOT / "docs/delivery.md").read_text()
    table = {
        int(number)
        for numbers in re.findall(r"^\| ([\d, ]+) \|", told, re.MULTILINE)
        for number in numbers.split(",")
    }
    tested = {
        int(number)
        for path in (ROOT / "tests/fault").glob("test_*.py")
        for test in re.findall(r"def test_fault_((?:\d+_)+)", path.read_text())
        for number in test.split("_")
        if number
    }
    assert tested <= table


def windows() -> dict[str, str]:
    """Return what the table of RQ's windows says of each number."""
    table = (ROOT / "tests/fault/README.md").read_text()
    rows = re.findall(r"^\| ([LSTFRMKP]\d[^|]*) \|[^|]*\|(.*)\|$", table, re.MULTILINE)
    return {number: said for numbers, said in rows for number in numbers.split(", ")}


def test_every_window_of_rqs_has_its_line() -> None:
    said = windows()
    assert said.keys() == WINDOWS
    assert [
        number for number in WINDOWS if not re.search("`.*test_|waits for ", said[number])
    ] == []


def test_a_window_that_has_tests_names_them() -> None:
    said = windows()
    for path in (ROOT / "tests/fault").glob("test_*.py"):
        for number in re.findall(r"def test_window_([a-z]\d+)_", path.read_text()):
            assert f"`{path.stem}::test_window_{number}_*`" in said[number.upper()]
