"""Mutations of the Lua scripts that nobody has to think of: negate each `if`, drop each statement.

One that no test catches is a test that is missing; or it changes nothing that anybody could
see, and stands in ``equivalent.toml`` with the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.mutations.lists import PACKAGE, ROOT, Edit, Mutation

SCRIPTS = PACKAGE / "store" / "scripts"
TESTS = ROOT / "tests"
FOLDERS = (
    "contract/test_*.py",
    "fault/test_bad_*.py",
    "fault/test_data_lost.py",
    "fault/test_stop.py",
)
OTHERS = (
    "api_callables", "api_connection", "connections", "drivers", "embedded_server", "executors",
    "faults", "ledger", "mutations",
)  # fmt: skip
"""Contract tests that are about something else than scripts."""
SPOKEN = {
    "advance": "clock",
    "apply": "settle",
    "clock": "date",
    "discard": "lease_odd",
    "heed_stop": "stop",
    "make_room": "enqueue",
    "moment": "date_began",
    "move": "requeue_resent",
    "set_aside": "aside_broken",
    "withdraw": "cancel",
}
"""What tests call that which these scripts do."""
NEAREST = 4
"""How many of those files are tried first: to collect them all takes longer than to run some."""
STATE_MACHINE = "tests/fault/test_machine.py"
"""Catches most of what the rest does not, and takes longest."""
OPTIONS = ("-x", "-k", "not redis62 and not redis70")
"""The first failure is enough, on one server."""

_CONDITION = re.compile(r"\b((?:else)?if) (.+?) then\b")
_ENDS_THE_LINE = re.compile(r" *(?:--.*)?$", re.MULTILINE)
_STATEMENT = re.compile(r" *(?:[a-z_]+|redis\.p?call)\(")


def of_scripts(root: Path = ROOT) -> list[Mutation]:
    """Return the mutations of every script; each name says the file and the change."""
    return [
        mutation
        for path in sorted((root / SCRIPTS).glob("*.lua"))
        for mutation in of_script(path.name, path.read_text(encoding="utf-8"))
    ]


def of_script(name: str, text: str) -> list[Mutation]:
    r"""Return the mutations of one script.

    >>> script = "if a == 1 then\n  redis.call('DEL',\n    b)\nend\n"
    >>> [mutation.name for mutation in of_script("x.lua", script)]
    ['x.lua: if not (a == 1)', "x.lua: without redis.call('DEL', b)"]
    """
    tests = _tests_for(name)[:NEAREST]
    seen: Counter[str] = Counter()
    found: list[Mutation] = []
    for change, changed in _changes(text):
        seen[change] += 1
        count = f" ({seen[change]})" if seen[change] > 1 else ""
        edit = Edit(f"store/scripts/{name}", text, changed)
        found.append(Mutation(f"{name}: {change}{count}", tests, (edit,), any_test=True))
    return found


def widened(mutation: Mutation) -> Mutation:
    """Return *mutation* with all tests that might catch it."""
    return replace(mutation, tests=_tests_for(Path(mutation.edits[0].file).name))


def load_equivalent() -> dict[str, str]:
    """Return the names of mutations that change nothing, with the reasons."""
    path = Path(__file__).with_name("equivalent.toml")
    found: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))
    return found


def _changes(text: str) -> Iterator[tuple[str, str]]:
    """Yield what each change is, and the text with it."""
    for line in re.finditer(r"^(?! *--).+$", text, re.MULTILINE):
        for condition in _CONDITION.finditer(text, line.start(), line.end()):
            negated = f"{condition[1]} not ({condition[2]})"
            start, end = condition.span()
            yield negated, f"{text[:start]}{negated} then{text[end:]}"
        call = _STATEMENT.match(text, line.start(), line.end())
        if call and _ENDS_THE_LINE.match(text, end := _end_of_call(text, call.end())):
            what = " ".join(text[line.start() : end].split())
            yield f"without {what}", text[: line.start()] + text[end:]


def _end_of_call(text: str, position: int) -> int:
    """Return where the parenthesis that opened before *position* is closed."""
    depth = 1
    for word in re.finditer(r"'[^']*'|[()]", text[position:]):
        depth += {"(": 1, ")": -1}.get(word[0], 0)
        if not depth:
            return position + word.end()
    raise ValueError(f"a call that does not end: {text[position : position + 40]}")


def _tests_for(name: str) -> tuple[str, ...]:
    """Return the files of tests, those first that speak most of the script."""
    paths = [
        path for folder in FOLDERS for path in TESTS.glob(folder) if path.stem[5:] not in OTHERS
    ]
    stem = name.removesuffix(".lua").strip("_")
    words = SPOKEN.get(stem, stem).split("_")
    spoken = {path: sum(_count(word, path) for word in words) for path in paths}
    paths.sort(key=lambda path: (-spoken[path], path.name))
    return (*(str(path.relative_to(ROOT)) for path in paths), STATE_MACHINE)


def _count(pattern: str, path: Path) -> int:
    return len(re.findall(rf"(?<![a-z]){pattern}", path.read_text(encoding="utf-8")))
