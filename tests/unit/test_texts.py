"""Calls and results in texts: nothing unpickled, whatever is in them."""

from __future__ import annotations

import ast
import json
import os
import pickle
import sys
import time
import tracemalloc
import uuid
import zlib
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from workhorse.wire import texts
from workhorse.wire.payload import Call, JSONSerializer, PickleSerializer, encode_call
from workhorse.wire.texts import call_text, value_text

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""
PLAIN = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False)
    | some.text()
    | some.binary()
)
VALUES = some.recursive(
    PLAIN,
    lambda inner: (
        some.lists(inner)
        | some.tuples(inner)
        | some.tuples(inner, inner, inner, inner)
        | some.dictionaries(some.text() | some.integers(), inner)
    ),
    max_leaves=30,
)
SETS = some.sets(some.integers() | some.text()) | some.frozensets(some.integers())
PROTOCOLS = some.integers(2, pickle.HIGHEST_PROTOCOL)


@PATIENT
@given(VALUES, PROTOCOLS)
def test_a_plain_value_is_shown_as_its_repr(value: Any, protocol: int) -> None:
    assert value_text(pickle.dumps(value, protocol), 100_000) == repr(value)


@PATIENT
@given(SETS, PROTOCOLS)
def test_a_set_is_shown_in_the_order_of_its_pickle(value: Any, protocol: int) -> None:
    text = value_text(pickle.dumps(value, protocol), 100_000)
    inner = text.removeprefix("frozenset(").removesuffix(")") if value else "[]"
    assert set(ast.literal_eval(inner)) == value
    assert text.startswith("frozenset(") == isinstance(value, frozenset)


@PATIENT
@given(VALUES)
def test_json_is_shown_as_its_value(value: Any) -> None:
    try:
        stored = json.dumps(value)
    except TypeError:
        return
    assert value_text(stored.encode(), 100_000) == repr(json.loads(stored))


@PATIENT
@given(
    some.lists(VALUES, max_size=5),
    some.dictionaries(some.from_regex("[a-z]+", fullmatch=True), VALUES),
)
def test_a_call_is_shown_with_its_arguments(args: list[Any], kwargs: dict[str, Any]) -> None:
    call = Call("shop.pay", None, tuple(args), kwargs)
    found = call_text(encode_call(call, PickleSerializer()))
    assert (found.function, found.instance, found.problem) == ("shop.pay", "", "")
    cut = texts.LONGEST_ARGUMENT
    assert [text[:cut] for text in found.args] == [repr(arg)[:cut] for arg in args]
    assert {name: text[:cut] for name, text in found.kwargs} == {
        name: repr(value)[:cut] for name, value in kwargs.items()
    }


class Trap:
    """Whoever builds it is caught."""

    def __reduce__(self) -> Any:
        return os.putenv, ("WORKHORSE_TRAPPED", "yes")


@PATIENT
@given(
    some.binary(max_size=300), some.sampled_from((b"", b"\x80\x04", b"\x80\x02(", b"[", b"x\x9c"))
)
def test_any_bytes_are_shown_and_nothing_is_imported(data: bytes, head: bytes) -> None:
    before = set(sys.modules)
    assert len(value_text(head + data, 200)) < 1000
    assert len(call_text(head + data).text) < 300_000
    assert set(sys.modules) == before


OPERATIONS = (
    b"()]}N012.abcdeghijlopqrstuPQRSTUVXBCDFGIJKLM\x80\x81\x82\x85\x86\x87\x88\x8a\x8c\x8f"
    b"\x90\x91\x92\x93\x94\x95\x96"
)


@settings(PATIENT, max_examples=300)
@given(some.lists(some.sampled_from(OPERATIONS), max_size=80), some.integers(1, 30))
def test_any_operations_of_a_pickle_are_followed_or_refused(codes: list[int], times: int) -> None:
    data = b"\x80\x04" + bytes(codes) * times + b"."
    assert len(value_text(data, 300)) < 1000
    assert call_text(data).text


def test_nothing_in_a_pickle_is_run() -> None:
    data = pickle.dumps(("shop.pay", Trap(), (Trap(),), {"a": [Trap()]}))
    found = call_text(data)
    assert found.args == (f"<{os.name}.putenv 'WORKHORSE_TRAPPED', 'yes'>",)
    assert "WORKHORSE_TRAPPED" not in os.environ


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.5"), "<decimal.Decimal '1.5'>"),
        (date(2026, 1, 2), "<datetime.date 2026-01-02>"),
        (datetime(2026, 1, 2, 3, 4, 5), "<datetime.datetime 2026-01-02 03:04:05>"),  # noqa: DTZ001
        (
            datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
            "<datetime.datetime 2026-01-02 03:04:05.000006+00:00>",
        ),
        (
            datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            "<datetime.datetime 2026-01-02 03:04:00-03:30>",
        ),
        (
            datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=1), "home")),
            (
                "<datetime.datetime 2026-01-02 03:04:00 "
                "<datetime.timezone <datetime.timedelta 0, 3600, 0>, 'home'>>"
            ),
        ),
        (uuid.UUID(int=7), "<uuid.UUID 00000000-0000-0000-0000-000000000007>"),
        (OrderedDict(a=1), "<collections.OrderedDict 'a': 1>"),
        (ValueError("no"), "<builtins.ValueError 'no'>"),
        (json.JSONDecoder, "<json.decoder.JSONDecoder>"),
        (bytearray(b"a"), "bytearray(b'a')"),
        (1j, "1j"),
        ([2**70000], "[<a number of 70001 bits>]"),
    ],
)
def test_an_object_is_shown_by_its_class_and_what_it_is_made_of(value: Any, text: str) -> None:
    assert value_text(pickle.dumps(value)) == text


class Order:
    """An object with attributes."""

    def __init__(self) -> None:
        self.number, self.items = 7, ["tea"]


class Slotted:
    """An object with slots."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 7


@pytest.mark.parametrize("protocol", range(2, 6))
def test_attributes_of_an_object_are_shown(protocol: int) -> None:
    shown = value_text(pickle.dumps(Order(), protocol))
    assert shown == f"<{__name__}.Order number=7, items=['tea']>"
    assert value_text(pickle.dumps(Slotted(), protocol)) == f"<{__name__}.Slotted number=7>"


def test_values_within_themselves_are_shown_as_python_does() -> None:
    items: list[Any] = []
    items.append((items, {"again": items}))
    assert value_text(pickle.dumps(items)) == repr(items)


def test_what_was_cut_is_shown_up_to_there() -> None:
    data = pickle.dumps(("shop.pay", None, (1, "x" * 9999), {"now": True}))
    found = call_text(data[:2000])
    assert found.text.startswith("shop.pay(1, 'xxx")
    assert found.problem
    data = pickle.dumps(("shop.pay", None, (1,), {"now": "x" * 9999, "then": 1}))
    assert call_text(data[:2000]).text.startswith("shop.pay(1, now='xxx")


def test_a_method_is_shown_with_its_object() -> None:
    call = Call("total", Order(), (), {})
    assert call_text(encode_call(call, PickleSerializer())).text == (
        f"<{__name__}.Order number=7, items=['tea']>.total()"
    )


def test_a_call_of_another_serializer_says_that_it_can_not_be_shown() -> None:
    found = call_text(b"\x94\xa8shop.pay\xc0\x90\x80")
    assert found.problem == "neither a pickle nor JSON"
    assert call_text(JSONSerializer.dumps(7)).problem == "what is stored is no call"


HUGE = {
    "a bomb of zeros": zlib.compress(bytes(200_000_000), 9),
    "a bomb of lists": zlib.compress(b"[" * 50_000_000, 9),
    "a bomb of operations": zlib.compress(b"\x80\x04" + b"]" * 50_000_000, 9),
    "deep JSON": b"[" * 10_000_000,
    "a deep pickle": b"\x80\x04" + b"]\x94(" * 3_000_000,
    "a long text": pickle.dumps("x" * 10_000_000),
    "many lists": pickle.dumps([[]] * 3_000_000),
    "a list of itself doubled": b"\x80\x04" + b"]\x94" + b"(h\x00h\x00e" * 400_000 + b".",
    "tuples of tuples": b"\x80\x04)" + b"2\x86" * 400_000 + b".",
    "objects of objects": b"\x80\x04cos\nsystem\n" + b"2\x85R2" * 100_000 + b".",
    "a long number": b"\x80\x04\x8b\xff\xff\xff\x00" + b"\x7f" * 0xFFFFFF + b".",
    "many digits": b"\x80\x04L" + b"9" * 10_000_000 + b"L\n.",
}


@pytest.mark.parametrize("name", HUGE)
def test_what_is_huge_costs_little(name: str) -> None:
    data = HUGE[name]
    tracemalloc.start()
    started = time.process_time()
    try:
        assert len(value_text(data)) < 10_000
        assert len(call_text(data).text) < 200_000
        taken, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 5  # a tenth of that without tracemalloc, on an idle machine
    assert peak < 64 << 20
