"""Calls and values in texts, for people: nothing is unpickled, and nothing is imported."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

from workhorse.wire import pickled
from workhorse.wire.glance import DOTTED, LONGEST, name_in_call
from workhorse.wire.pickled import REST, Node
from workhorse.wire.rendered import node_of, render

LOOKED_AT: Final = 1 << 20
"""Bytes of a call, or a value, that are looked at, once unpacked."""
LONGEST_VALUE: Final = 4000
"""Characters that are shown of a value."""
LONGEST_ARGUMENT: Final = 1000
"""Characters that are shown of one argument."""
MOST_ARGUMENTS: Final = 100
_BEGINNING: Final = 100
"""Bytes that are shown of what can't be read."""
_PARTS_OF_A_CALL: Final = 4


class CallText(NamedTuple):
    """A call, in texts. They may hold anything that can be printed: escape them."""

    function: str
    instance: str
    """The object whose method *function* is; empty for none."""
    args: tuple[str, ...]
    kwargs: tuple[tuple[str, str], ...]
    """Names and values."""
    problem: str = ""
    """Why it can't be shown, or not in full."""

    @property
    def text(self) -> str:
        """The call as Python would write it."""
        told = [*self.args, *(f"{name}={value}" for name, value in self.kwargs)]
        owner = f"{self.instance}." if self.instance else ""
        return f"{owner}{self.function}({', '.join(told)})"


def call_text(data: bytes) -> CallText:
    """Return the call in the ``data`` of a job, pickled or JSON, or as much as can be read.

    >>> call_text(b'["shop.pay", null, [7], {"now": true}]').text
    'shop.pay(7, now=True)'
    """
    value, problem = _look(data)
    if isinstance(value, list):  # JSON
        value = Node("tuple", [node_of(part) for part in cast("Sequence[Any]", value)])
    if not isinstance(value, Node) or value.kind not in ("tuple", "list") or not value.items:
        return CallText(name_in_call(data), "", (), (), problem or "what is stored is no call")
    function = value.items[0]
    instance = value.items[1] if len(value.items) > 1 else None
    args, kwargs = _arguments(value.items[2:])
    names, values = kwargs[: 2 * MOST_ARGUMENTS : 2], kwargs[1 : 2 * MOST_ARGUMENTS : 2]
    if len(args) > MOST_ARGUMENTS or len(kwargs) > 2 * MOST_ARGUMENTS:
        problem = problem or f"only {MOST_ARGUMENTS} of the arguments are shown"
    return CallText(
        _shown_name(function),
        "" if instance is None or instance is REST else render(instance, LONGEST),
        tuple(render(arg, LONGEST_ARGUMENT) for arg in args[:MOST_ARGUMENTS]),
        tuple(
            (_keyword(name), render(value, LONGEST_ARGUMENT))
            for name, value in zip(names, values, strict=False)
        ),
        problem,
    )


def value_text(data: bytes, longest: int = LONGEST_VALUE) -> str:
    """Return a result, or other value, as Python would write it; cut at *longest* characters.

    Objects are shown as ``<module.Class ...>``; other data by their beginning.

    >>> value_text(b'{"total": 3}'), value_text(b"?!")
    ("{'total': 3}", "(neither a pickle nor JSON) b'?!'")
    """
    value, problem = _look(data)
    if value is None and problem:
        return f"({problem}) {data[:_BEGINNING]!r}{'...' if len(data) > _BEGINNING else ''}"
    return render(value, longest)


def _look(data: bytes) -> tuple[Any, str]:
    """Return the value in *data*, in symbols, and what is wrong with it."""
    head, is_whole = _unpacked(data)
    if head[:1] != b"\x80":
        with suppress(ValueError, RecursionError):
            return json.loads(head.decode()), ""
    found = pickled.read(head)
    if found.is_whole:
        return found.value, ""
    if is_pickle(head) and found.value is not REST:
        return found.value, "it is shown in part" if is_whole else "it is too large to show it all"
    return None, "neither a pickle nor JSON" if is_whole else "too large to be read"


def is_pickle(head: bytes) -> bool:
    """Return whether data that begin with *head* are a pickle, of a protocol since Python 2.3."""
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def _unpacked(data: bytes) -> tuple[bytes, bool]:
    """Return the beginning of *data*, unpacked, and whether that is all of it."""
    unpacker = zlib.decompressobj()
    with suppress(zlib.error):
        head = unpacker.decompress(data, LOOKED_AT)
        if head:
            return head, unpacker.eof
    return data[:LOOKED_AT], len(data) <= LOOKED_AT


def _arguments(rest: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return the arguments of a call, and its keyword arguments with their names, in turn."""
    is_cut = bool(rest) and rest[-1] is REST
    first = rest[0] if rest else None
    if not isinstance(first, Node) or first.kind not in ("tuple", "list"):
        return (rest if is_cut else []), []
    if is_cut and len(rest) > _PARTS_OF_A_CALL - 1:  # arguments that were not put together yet
        return rest, []
    second = rest[1] if len(rest) > 1 else None
    kwargs = second.pairs if isinstance(second, Node) else []
    return ([*first.items, REST] if is_cut and second is REST else first.items), kwargs


def _shown_name(name: Any) -> str:
    is_name = isinstance(name, str) and len(name) <= LONGEST and DOTTED.fullmatch(name)
    return name if is_name else render(name, LONGEST)


def _keyword(name: Any) -> str:
    return name if isinstance(name, str) and name.isidentifier() else render(name, LONGEST)
