"""Rules about our own source that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SCRIPTS = sorted((ROOT / "src").rglob("*.lua"))

# Names that say nothing, and so attract everything.
BANNED_NAMES = {"base", "common", "helpers", "manager", "misc", "util", "utils"}
LONGEST_MODULE = 450
LONGEST_FUNCTION = 50
LONGEST_SCRIPT = 120


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCE + TESTS, ids=name_of)
def test_a_module_has_a_name_that_says_something(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    assert not BANNED_NAMES & {part.removeprefix("_") for part in parts}


@pytest.mark.parametrize("path", SOURCE + TESTS, ids=name_of)
def test_a_module_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_a_module_fits_in_a_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= LONGEST_FUNCTION]
    assert not long


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_a_script_says_what_it_does_and_fits_in_a_head(path: Path) -> None:
    lines = path.read_text().splitlines()
    is_fragment = path.name.startswith("_")  # included by others; it need not name inputs
    assert lines[0].startswith(("--! ", "-- ") if is_fragment else "--! ")
    assert len(lines) <= LONGEST_SCRIPT


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_a_script_uses_the_names_of_its_header(path: Path) -> None:
    assert not re.findall(r"\b(?:KEYS|ARGV)\s*\[", path.read_text())


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_a_checker_is_silenced_for_one_rule_and_a_reason(path: Path) -> None:
    silenced = re.findall(r"#\s*(?:noqa|type: ignore|pyright: ignore).*", path.read_text())
    rule_and_reason = r"# (noqa: [A-Z]+\d+|(type|pyright): ignore\[[\w-]+\])(, [\w-]+)* +[-#] \S.*"
    assert [line for line in silenced if not re.fullmatch(rule_and_reason, line)] == []
