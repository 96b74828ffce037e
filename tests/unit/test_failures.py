"""Causes of failures, read from real tracebacks."""

from __future__ import annotations

import importlib
import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from workhorse.core.failures import Cause, cause_of
from workhorse.core.outcomes import Raised, TimedOut
from workhorse.core.verdicts import Policy, judge, judge_lost
from workhorse.worker.runner import text_of

HERE = "unit/test_failures.py"


def plain() -> None:
    raise ValueError("no such order: 7")


def silent() -> None:
    raise KeyError


def of_many_lines() -> None:
    raise RuntimeError("\n\n  first\nTraceback (most recent call last):\nLookupError: told")


def with_a_traceback_in_its_words() -> None:
    try:
        plain()
    except ValueError:
        told = traceback.format_exc()
    raise RuntimeError(f"the other side said\n{told}")


def while_handling() -> None:
    try:
        plain()
    except ValueError:
        json.loads("{}")["amount"]


def caused() -> None:
    try:
        plain()
    except ValueError as error:
        raise OSError(2, "gone") from error


def noted() -> None:
    error = ValueError("no")
    error.add_note("Order: 7\nCustomer: 8")
    raise error


def deep(left: int = 20) -> None:
    if not left:
        plain()
    deep(left - 1)


def in_a_library() -> None:
    json.loads("{")


def of_no_module() -> None:
    importlib.import_module("no_such_module_at_all")


def of_bad_code() -> None:
    compile("a = (\n", "/srv/app/shop.py", "exec")


class OwnError(Exception):
    def __str__(self) -> str:
        return "of its own: with a colon"


def own() -> None:
    raise OwnError


def in_a_nested_function() -> None:
    def inner() -> None:
        plain()

    inner()


def many() -> None:
    raise ExceptionGroup("two went wrong", [ValueError("a"), KeyError("b")])


def failure_of(function: Callable[[], object]) -> Cause:
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return cause_of("shop.pay", text_of(error))
    raise AssertionError(function)


@pytest.mark.parametrize(
    ("function", "error", "message", "place"),
    [
        (plain, "ValueError", "no such order: 7", f"{HERE}: plain"),
        (silent, "KeyError", "", f"{HERE}: silent"),
        (of_many_lines, "RuntimeError", "first", f"{HERE}: of_many_lines"),
        (
            with_a_traceback_in_its_words, "RuntimeError", "the other side said",
            f"{HERE}: with_a_traceback_in_its_words",
        ),
        (while_handling, "KeyError", "'amount'", f"{HERE}: while_handling"),
        (caused, "FileNotFoundError", "[Errno 2] gone", f"{HERE}: caused"),
        (noted, "ValueError", "no", f"{HERE}: noted"),
        (deep, "ValueError", "no such order: 7", f"{HERE}: plain"),
        (
            in_a_library, "json.decoder.JSONDecodeError",
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            "json/decoder.py: raw_decode",
        ),
        (
            of_no_module, "ModuleNotFoundError", "No module named 'no_such_module_at_all'",
            "importlib/__init__.py: import_module",
        ),
        (of_bad_code, "SyntaxError", "'(' was never closed", "app/shop.py"),
        (own, f"{__name__}.OwnError", "of its own: with a colon", f"{HERE}: own"),
        (in_a_nested_function, "ValueError", "no such order: 7", f"{HERE}: plain"),
        (many, "ExceptionGroup", "two went wrong (2 sub-exceptions)", f"{HERE}: many"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)  # fmt: skip
def test_an_exceptions_cause_is_read(
    function: Callable[[], object], error: str, message: str, place: str
) -> None:
    assert failure_of(function)[1:] == ("shop.pay", error, message, place)


@pytest.mark.parametrize(
    ("verdict", "error", "message"),
    [
        (judge_lost("killed by 9", Policy(on_lost="fail")), "Job lost", "killed by 9"),
        (
            judge_lost("killed: signal 9", Policy(starts=2, max_starts=3)),
            "Job lost", "killed: signal 9",
        ),
        (judge(TimedOut("the job ran for 5 seconds, its time limit")),
         "the job ran for 5 seconds, its time limit", ""),
        (judge(Raised("boom")), "boom", ""),
        (judge(Raised("ImportError: no module")), "ImportError", "no module"),
        (judge(Raised("")), "(not told)", ""),
    ],
    ids=["lost", "lost too often", "too long", "text", "one line", "nothing"],
)  # fmt: skip
def test_what_happened_instead_is_told_in_words(verdict: Any, error: str, message: str) -> None:
    assert cause_of("f", verdict.error)[2:] == (error, message, "")


def test_what_we_say_before_a_traceback_is_no_part_of_the_cause() -> None:
    try:
        plain()
    except ValueError as error:
        text = text_of(error)
    said = cause_of("f", f"Not tried again: ValueError is in give_up_on.\n{text}")
    assert said == cause_of("f", text)


def test_line_numbers_messages_and_machines_make_no_other_cause() -> None:
    one = (
        'Traceback (most recent call last):\n  File "/srv/app/a.py", line 3, in pay\n'
        "    raise ValueError(7)\nValueError: 7\n"
    )
    other = (
        one.replace("line 3", "line 4")
        .replace("7", "8")
        .replace("/srv", r"C:\www")
        .replace("app/a.py", r"app\a.py")
    )
    assert cause_of("f", one).id == cause_of("f", other).id
    assert cause_of("f", one).id != cause_of("g", one).id
    assert cause_of("f", one).id != cause_of("f", one.replace("in pay", "in ship")).id
    assert cause_of("f", one).id != cause_of("f", one.replace("ValueError: ", "KeyError: ")).id
    assert cause_of("f", "ran for 5.5 s").id == cause_of("f", "ran for 71 s").id


def test_a_worker_by_its_name_makes_no_other_cause() -> None:
    told = [judge_lost(f"worker {name} stopped", Policy(on_lost="fail")).error for name in "ab"]
    assert len({cause_of("f", text).id for text in told}) == 1


HEADER = "Traceback (most recent call last):"
FRAME = '\n  File "x", line 1, in y'
ODD = {
    "control": "\x00\x1b[31m",
    "header": HEADER,
    "header line": f"{HEADER}\n",
    "half a frame": f"{HEADER}\n  File",
    "frame": FRAME,
    "half a character": "\ud800",
    "cut": f"{HEADER}{FRAME}\n    a\n[... 7 characters left out ...]",
    "group": "  + Exception Group Traceback (most recent call last):\n  | ",
    "colon": ": ",
    "colons": "::::\n\n",
    "long": "a" * 300,
    "half frames": HEADER + "\n" + ' File "' * 1000,
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_any_text_has_a_cause(text: str) -> None:
    cause = cause_of("f", text)
    assert len(cause.id) == 16
    assert cause.error
    assert all(len(part) <= 200 for part in cause)


def test_half_a_character_is_told_as_what_it_is() -> None:
    assert cause_of("f", "E: \ud800").message == "\\ud800"


def test_a_long_traceback_takes_no_time() -> None:
    frames = '  File "/srv/app/a.py", line 3, in pay\n    pay()\n' * 2000
    chain = "\nDuring handling of the above exception, another exception occurred:\n\n"
    one = f"Traceback (most recent call last):\n{frames}ValueError: {'x' * 1000}\n"
    assert cause_of("f", chain.join([one, one, one])).place == "app/a.py: pay"
