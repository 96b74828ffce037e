"""What a pickle would make, told without making it: its operations are followed as symbols.

Nothing is imported, called or built but lists and texts, so that whoever wrote the pickle decides
nothing but the text. Time and memory are bounded, and no input raises.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, cast

Kind = Literal["list", "tuple", "dict", "set", "frozenset", "object", "name"]

MOST_OPERATIONS: Final = 50_000
"""Operations of a pickle that are followed, a tenth of a second's work; the rest is left out."""
_COUNTED: Final = {
    b"X": 4, b"\x8c": 1, b"\x8d": 8,  # texts: the bytes of their length
    b"B": 4, b"C": 1, b"\x8e": 8, b"\x96": 8, b"T": 4, b"U": 1,
}  # fmt: skip
_TEXTS: Final = b"X\x8c\x8d"


class Rest:
    """Stands for what was left out."""


REST: Final = Rest()


@dataclass(slots=True, eq=False)
class Node:
    """A container, an object or a name in a pickle; plain values stand for themselves."""

    kind: Kind
    items: list[Any] = field(default_factory=list[Any])
    """Its members; of an object, what its class is called with, and what is put into it."""
    pairs: list[Any] = field(default_factory=list[Any])
    """Keys and values in turn."""
    name: str = ""
    """Of a class or a function, and of an object's class."""
    state: Any = None
    """Of an object: what is set on it."""


class Pickled(NamedTuple):
    """What a pickle would make."""

    value: Any
    """A Node, or a plain value: None, a bool, a number, a text, bytes."""
    is_whole: bool
    """False where the pickle was cut, is too large or is none: what was found up to there."""


def read(data: bytes) -> Pickled:
    r"""Return what the pickle *data* would make.

    >>> read(b"\x80\x04K\x07.")
    Pickled(value=7, is_whole=True)
    """
    machine, stream, at = _Machine(), io.BytesIO(data), 0
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            if operation.name == "STOP" and machine.stack:
                return Pickled(machine.stack[-1], not machine.outer)
            if count == MOST_OPERATIONS:
                break
            machine.do(operation.name, argument)
            at = stream.tell()
    except Exception:  # noqa: BLE001 - it is no pickle, or not all of one
        machine.push_beginning(data[at:])
    return Pickled(machine.folded(), is_whole=False)


def _name(argument: object) -> str:
    """Return the name in the argument of an operation: module and name, with a blank between."""
    return str(argument).replace(" ", ".")


class _Machine:
    """A pickle's stack and memo, and what each operation does to them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        """Do one operation. Raises what Python raises where there is not enough on the stack."""
        if name in _PUSHED:
            self.stack.append(_PUSHED[name])
        elif name in _MADE:
            self.stack.append(Node(_MADE[name]))
        elif handler := _HANDLERS.get(name):
            handler(self, argument)
        elif name not in _PASSED_OVER:
            self.stack.append(argument)

    def push_beginning(self, rest: bytes) -> None:
        """Push what there is of a text, or of bytes, that *rest* should hold and does not."""
        width = _COUNTED.get(rest[:1])
        if width and len(rest) > width:
            begun = rest[width + 1 :]
            is_text = rest[:1] in _TEXTS
            self.stack.append(begun.decode("utf-8", "ignore") if is_text else begun)

    def folded(self) -> Any:
        """Return all that is on the stack as one value: what the rest would have completed."""
        inner = self.stack
        while self.outer:
            below = self.outer.pop()
            self.stack = below
            if below and isinstance(below[-1], Node) and below[-1].kind not in ("tuple", "name"):
                _put_into(below[-1], [*inner, REST])
            else:
                below.append(Node("tuple", [*inner, REST]))
            inner = below
        if len(inner) == 1:
            return inner[0]
        return Node("tuple", [*inner, REST])

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self, _: Any) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.outer.pop()
        return found

    def pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.stack = self.outer.pop()

    def pop_mark(self, _: Any) -> None:
        self.since_mark()

    def take(self, count: int) -> list[Any]:
        found = self.stack[-count:]
        if len(found) < count:
            raise IndexError(count)
        del self.stack[-count:]
        return found

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def put(self, index: Any) -> None:
        self.memo[int(index)] = self.stack[-1]

    def get(self, index: Any) -> None:
        self.stack.append(self.memo[int(index)])

    def add(self, values: list[Any]) -> None:
        _put_into(self.stack[-1], values)

    def inst(self, argument: Any) -> None:
        args = self.since_mark()
        self.stack.append(Node("object", args, name=_name(argument)))

    def call(self, function: Any, args: Any) -> None:
        """Push what a call of *function* would return: an object of that name."""
        given = list(args.items) if isinstance(args, Node) else [args]
        name = function.name if isinstance(function, Node) else ""
        if name.endswith("._reconstructor") and given and isinstance(given[0], Node):
            name, given = given[0].name, []
        self.stack.append(_plain(name, given))

    def build(self, _: Any) -> None:
        (state,) = self.take(1)
        if isinstance(self.stack[-1], Node):
            self.stack[-1].state = state

    def new_with_keywords(self, _: Any) -> None:
        cls, args, keywords = self.take(3)
        self.call(cls, args)
        if isinstance(keywords, Node):
            self.stack[-1].state = keywords


def _put_into(container: Any, values: list[Any]) -> None:
    if not isinstance(container, Node):
        raise TypeError("not a container")
    if container.kind == "dict":
        container.pairs += values
    else:
        container.items += values


def _set_items(container: Any, values: list[Any]) -> None:
    if not isinstance(container, Node):
        raise TypeError("not a container")
    container.pairs += values


def _plain(name: str, args: list[Any]) -> Any:
    """Return what a call makes: a plain value where old pickles have such a call, or an object."""
    module, _, short = name.rpartition(".")
    first = args[0] if args else None
    if name == "_codecs.encode" and isinstance(first, str):
        return first.encode("latin-1", "replace")
    if module in ("builtins", "__builtin__"):
        if short == "bytes" and not args:
            return b""
        if short in ("set", "frozenset") and isinstance(first, Node) and first.kind == "list":
            return Node("set" if short == "set" else "frozenset", first.items)
        if short == "complex" and all(isinstance(part, float) for part in args):
            return complex(*cast("list[float]", args[:2]))
        if short == "bytearray" and isinstance(first, str):
            args = [first.encode("latin-1", "replace")]
    return Node("object", args, name=name)


def _stack_global(machine: _Machine, _: Any) -> None:
    module, name = machine.take(2)
    machine.stack.append(Node("name", name=f"{module!s:.200}.{name!s:.200}"))


def _object_of_mark(machine: _Machine, _: Any) -> None:
    cls, *args = machine.since_mark()
    machine.call(cls, Node("tuple", args))


def _bytearray(machine: _Machine, argument: Any) -> None:
    machine.stack.append(Node("object", [bytes(argument)], name="builtins.bytearray"))


def _named(machine: _Machine, name: str, items: list[Any]) -> None:
    machine.stack.append(Node("object", items, name=name))


_PASSED_OVER: Final = frozenset({"PROTO", "FRAME", "READONLY_BUFFER", "STOP"})
_PUSHED: Final[dict[str, Any]] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MADE: Final[dict[str, Kind]] = {
    "EMPTY_LIST": "list", "EMPTY_TUPLE": "tuple", "EMPTY_DICT": "dict", "EMPTY_SET": "set",
}  # fmt: skip
_HANDLERS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "MEMOIZE": _Machine.memoize,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    "LIST": lambda machine, _: machine.push(Node("list", machine.since_mark())),
    "TUPLE": lambda machine, _: machine.push(Node("tuple", machine.since_mark())),
    "FROZENSET": lambda machine, _: machine.push(Node("frozenset", machine.since_mark())),
    "DICT": lambda machine, _: machine.push(Node("dict", pairs=machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.push(Node("tuple", machine.take(1))),
    "TUPLE2": lambda machine, _: machine.push(Node("tuple", machine.take(2))),
    "TUPLE3": lambda machine, _: machine.push(Node("tuple", machine.take(3))),
    "APPEND": lambda machine, _: machine.add(machine.take(1)),
    **dict.fromkeys(
        ("APPENDS", "ADDITEMS"), lambda machine, _: machine.add(machine.since_mark())
    ),
    "SETITEM": lambda machine, _: _set_items(machine.stack[-3], machine.take(2)),
    "SETITEMS": lambda machine, _: _set_items(machine.outer[-1][-1], machine.since_mark()),
    "GLOBAL": lambda machine, name: machine.push(Node("name", name=_name(name))),
    "STACK_GLOBAL": _stack_global,
    "INST": _Machine.inst,
    "OBJ": _object_of_mark,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda machine, _: machine.call(*machine.take(2))),
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "BUILD": _Machine.build,
    "BYTEARRAY8": _bytearray,
    "PERSID": lambda machine, told: _named(machine, "persistent", [told]),
    "BINPERSID": lambda machine, _: _named(machine, "persistent", machine.take(1)),
    "NEXT_BUFFER": lambda machine, _: _named(machine, "buffer", []),
    **dict.fromkeys(
        ("EXT1", "EXT2", "EXT4"), lambda machine, code: _named(machine, "extension", [code])
    ),
}  # fmt: skip
