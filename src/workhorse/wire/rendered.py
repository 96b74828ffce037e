"""Values as Python would write them, cut to so many characters: of pickles that nobody made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from workhorse.wire.pickled import Node, Rest

DEEPEST: Final = 40
"""Containers within one another that are shown."""
_LARGEST: Final = 10_000
"""Bits of a number that is written out."""
_NAME: Final = re.compile(r"[\w.<>]+")
_LONGEST_NAME: Final = 200
_MOST_ATTRIBUTES: Final = 64
_MOMENT, _DAY, _SPAN, _ATTRIBUTES_AND_SLOTS = 10, 4, 2, 2
"""Bytes of a pickled datetime, and of a date; and how many parts a span and some states have."""
_BRACKETS: Final = {
    "list": ("[", "]"), "tuple": ("(", ")"), "set": ("{", "}"), "dict": ("{", "}"),
    "frozenset": ("{", "}"),
}  # fmt: skip


def render(value: Any, longest: int) -> str:
    """Return *value* as ``repr`` writes it; objects as ``<module.Class ...>``; cut at *longest*.

    >>> render([1, "two", {"three": None}], 100), render("far too long", 5)
    ("[1, 'two', {'three': None}]", "'far ...")
    """
    writer = _Writer(longest)
    try:
        writer.write(value)
    except _FullError:
        return f"{''.join(writer.parts)[:longest]}..."
    return "".join(writer.parts)


def node_of(value: Any) -> Any:
    """Return a value of JSON as pickles have it: a Node for a list and a dictionary."""
    if isinstance(value, list):
        return Node("list", [*cast("Sequence[Any]", value)])
    if isinstance(value, dict):
        told = cast("Mapping[Any, Any]", value)
        return Node("dict", pairs=[part for pair in told.items() for part in pair])
    return value


class _FullError(Exception):
    """As much is written as is wanted."""


class _Writer:
    def __init__(self, longest: int) -> None:
        self.parts: list[str] = []
        self.left = longest
        self.within: list[int] = []

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.left -= len(text)
        if self.left < 0:
            raise _FullError

    def write(self, value: Any) -> None:
        match value:
            case Node():
                self._write_node(value)
            case Rest():
                self.add("...")
            case str() | bytes():
                self.add(repr(value[: self.left + 1]))
            case int() if value.bit_length() > _LARGEST:
                self.add(f"<a number of {value.bit_length()} bits>")
            case list() | dict():
                self._write_node(node_of(value))
            case None | bool() | int() | float() | complex():
                self.add(repr(value))
            case _:
                self.add(f"<{type(value).__name__}>")

    def _write_node(self, node: Node) -> None:
        first, last = _BRACKETS.get(node.kind, ("<", ">"))
        if id(node) in self.within or len(self.within) >= DEEPEST:
            self.add(f"{first}...{last}")
            return
        self.within.append(id(node))
        if node.kind in ("object", "name"):
            self._write_object(node)
        elif node.kind == "dict":
            self.add("{")
            self._write_pairs(node.pairs)
            self.add("}")
        else:
            self._write_members(node, first, last)
        self.within.pop()

    def _write_members(self, node: Node, first: str, last: str) -> None:
        if node.kind in ("set", "frozenset") and not node.items:
            self.add(f"{node.kind}()")
            return
        self.add(f"frozenset({first}" if node.kind == "frozenset" else first)
        for number, item in enumerate(node.items):
            self.add(", " if number else "")
            self.write(item)
        self.add("," if node.kind == "tuple" and len(node.items) == 1 else "")
        self.add(f"{last})" if node.kind == "frozenset" else last)

    def _write_pairs(self, pairs: list[Any]) -> None:
        for number, part in enumerate(pairs):
            self.add("" if not number else ": " if number % 2 else ", ")
            self.write(part)

    def _write_object(self, node: Node) -> None:
        if node.name.endswith("builtin__.bytearray") or node.name == "builtins.bytearray":
            self.add("bytearray(")
            self.write(node.items[0] if node.items else b"")
            self.add(")")
            return
        self.add(f"<{_name(node.name)}")
        told, items, state = _told(node)
        self.add(f" {told}" if told else "")
        blank = " "
        for item in items:
            self.add(blank)
            self.write(item)
            blank = ", "
        if node.pairs:
            self.add(blank)
            self._write_pairs(node.pairs)
            blank = ", "
        self._write_state(state, blank)
        self.add(">")

    def _write_state(self, state: Any, blank: str, depth: int = 0) -> None:
        if state is None:
            return
        parts = state.items if isinstance(state, Node) and state.kind == "tuple" else []
        if len(parts) == _ATTRIBUTES_AND_SLOTS and depth < _ATTRIBUTES_AND_SLOTS:
            for part in parts:
                self._write_state(part, blank, depth + 1)
                blank = ", " if part is not None else blank
            return
        pairs = state.pairs if isinstance(state, Node) and state.kind == "dict" else []
        shown = pairs[: 2 * _MOST_ATTRIBUTES]
        names, values = shown[::2], shown[1::2]
        if not pairs or not all(isinstance(n, str) and n.isidentifier() for n in names):
            self.add(blank)
            self.write(state)
            return
        for name, value in zip(names, values, strict=False):
            self.add(f"{blank}{_name(name)}=")
            self.write(value)
            blank = ", "
        self.add("" if len(shown) == len(pairs) else ", ...")


def _name(name: str) -> str:
    """Return a name as it is; where it is none, so that it can't be mistaken for one."""
    if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name):
        return name
    return repr(name[:_LONGEST_NAME])


def _told(node: Node) -> tuple[str, list[Any], Any]:
    """Return what an object is, as people write it, and what of its items and its state is left.

    Dates and UUIDs are kept as numbers that tell nobody anything.
    """
    first, state = node.items[0] if node.items else None, node.state
    if node.name == "datetime.datetime" and isinstance(first, bytes) and len(first) == _MOMENT:
        month, day, hour, minute, second = first[2:7]
        micros = int.from_bytes(first[7:], "big")
        moment = f"{hour:02}:{minute:02}:{second:02}{f'.{micros:06}' if micros else ''}"
        zone = _zone(node.items[1]) if len(node.items) > 1 else ""
        rest = [] if zone else node.items[1:]
        return f"{_day(first[:2], month & 0x7F, day)} {moment}{zone}", rest, state
    if node.name == "datetime.date" and isinstance(first, bytes) and len(first) == _DAY:
        return _day(first[:2], first[2], first[3]), [], state
    if node.name == "uuid.UUID" and isinstance(state, Node) and state.pairs[:1] == ["int"]:
        number = state.pairs[1] if len(state.pairs) > 1 else None
        if isinstance(number, int) and 0 <= number < 1 << 128:
            digits = f"{number:032x}"
            parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
            return "-".join(parts), [], None
    return "", node.items, state


def _zone(zone: Any) -> str:
    """Return how far a pickled timezone is from UTC; '' for one that has a name, or is none."""
    span = zone.items[0] if isinstance(zone, Node) and len(zone.items) == 1 else None
    if not isinstance(span, Node) or zone.name != "datetime.timezone" or len(span.items) < _SPAN:
        return ""
    days, seconds = span.items[:2]
    if not isinstance(days, int) or not isinstance(seconds, int) or abs(days) > 1:
        return ""
    minutes = (days * 86_400 + seconds % 86_400) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _day(year: bytes, month: int, day: int) -> str:
    return f"{int.from_bytes(year, 'big'):04}-{month:02}-{day:02}"
