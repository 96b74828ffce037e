"""Load the Lua scripts beside this file, and check how they are called.

A script opens with a header that names all it takes::

    --! Move jobs whose time has come onto their queues.
    --! keys: scheduled, queue, job        functions scheduled_key(queue), job_key(id), ...
    --! events: forward                    after('forward', state) answers as core.states does
    --! args: limit, names...              locals; a name with dots is a list
    --! each: queue                        for item in items() do ... item.queue
    --! include: _clock
    --! returns: how many were moved

The loader turns the names into Lua, so that neither language counts arguments, keys have
their one source in ``wire.keys`` and transitions theirs in ``core.states``. A call with a
missing or an extra name fails before it is sent. All keys of a call belong to one partition:
its first key fixes the slot, and ``prefix`` is its first argument.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import cast

from workhorse.core.states import TRANSITIONS, Event
from workhorse.wire.codec import Value
from workhorse.wire.keys import PLACEHOLDER, TEMPLATES

Argument = Value | Sequence[Value]
Item = Sequence[Argument]

_INCLUDE = re.compile(r"^--! include: (.+)$", re.MULTILINE)
_LOCALS = re.compile(r"^local (?:function )?(\w+(?:, \w+)*)", re.MULTILINE)
_LIST = "..."


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua script and the names of what it takes."""

    name: str
    source: str
    args: tuple[str, ...]
    each: tuple[str, ...]
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)

    def order(self, args: Mapping[str, Argument], items: Iterable[Item]) -> list[Value]:
        """Return the arguments in the script's order. TypeError for a name it doesn't take."""
        if set(args) != {name.removesuffix(_LIST) for name in self.args}:
            raise TypeError(f"script {self.name} takes {self.args}, not {tuple(args)}")
        words: list[Value] = []
        for name in self.args:
            _append(words, args[name.removesuffix(_LIST)], many=name.endswith(_LIST))
        names = tuple(name.removesuffix(_LIST) for name in self.each)
        single = sum(not name.endswith(_LIST) for name in self.each)
        for item in items:
            if getattr(item, "_fields", None) != names:
                raise TypeError(f"script {self.name} takes items of {self.each}, not {item!r}")
            words += cast("Sequence[Value]", item[:single])
            for values in item[single:]:
                _append(words, values, many=True)
        return words


def _append(words: list[Value], value: Argument, *, many: bool) -> None:
    if many == isinstance(value, str | bytes | int | float):
        raise TypeError(f"expected {'a list' if many else 'one value'}, not {value!r}")
    if isinstance(value, str | bytes | int | float):
        words.append(value)
    else:
        words.append(len(value))
        words.extend(value)


@cache
def load(name: str) -> Script:
    """Return the script *name*, with its includes and its named inputs in place."""
    body = _INCLUDE.sub(_include, _read(name))
    args, each = _names(body, "args"), _names(body, "each")
    source = "\n".join(
        (_keys(body), _transitions(body), _inputs(args), _items(each), body),
    )
    _refuse_collisions(name, source)
    return Script(name=name, source=source, args=args, each=each)


def _refuse_collisions(name: str, source: str) -> None:
    """Raise ValueError where two locals of a script, or of what it includes, share a name."""
    lines = _LOCALS.findall(source)
    found = [local for line in lines for local in line.split(", ")]
    twice = {local for local in found if found.count(local) > 1}
    if twice:
        raise ValueError(f"script {name} declares twice: {', '.join(sorted(twice))}")


def names() -> list[str]:
    """Return the name of every script."""
    found = (path.name for path in files(__name__).iterdir())
    return sorted(n.removesuffix(".lua") for n in found if n.endswith(".lua") and n[0] != "_")


def _read(name: str) -> str:
    return (files(__name__) / f"{name}.lua").read_text(encoding="utf-8")


def _include(match: re.Match[str]) -> str:
    return "\n".join(_read(name) for name in match[1].split(", "))


def _names(body: str, kind: str) -> tuple[str, ...]:
    """Return the names after every ``--! kind:`` line: an include adds its own."""
    lines = re.findall(rf"^--! {kind}: (.+)$", body, re.MULTILINE)
    return tuple(dict.fromkeys(name for line in lines for name in line.split(", ")))


def _keys(body: str) -> str:
    lines = ["local prefix = ARGV[1]"]
    for name in _names(body, "keys"):
        template = TEMPLATES[name]
        holes = PLACEHOLDER.findall(template)
        text = PLACEHOLDER.sub(lambda hole: f"' .. {hole[1]} .. '", template)
        lines.append(
            f"local function {name}_key({', '.join(holes)}) return prefix .. ':{text}' end"
        )
    return "\n".join(lines)


def _transitions(body: str) -> str:
    rows: dict[str, dict[str, list[str]]] = {}
    for event in _names(body, "events"):
        rows[event] = {
            state or "": [target or "" for target in targets]
            for (state, happened), targets in TRANSITIONS.items()
            if happened == Event(event)
        }
    table = ", ".join(
        f"['{event}'] = {{{', '.join(_row(state, to) for state, to in states.items())}}}"
        for event, states in rows.items()
    )
    return _AFTER.format(table=table) if rows else ""


def _row(state: str, targets: Sequence[str]) -> str:
    offered = ", ".join(f"'{target}'" for target in targets)
    return f"['{state}'] = {{{offered}}}"


_AFTER = """local transitions = {{{table}}}
local function after(event, state, to)
  local targets = transitions[event][state or '']
  if not targets then return nil end
  if not to then return #targets == 1 and targets[1] or nil end
  for _, target in ipairs(targets) do
    if target == to then return to end
  end
  return nil
end"""


def _inputs(args: Sequence[str]) -> str:
    lines = ["local position = 2", _TAKE]
    for name in args:
        plain = name.removesuffix(_LIST)
        lines.append(f"local {plain} = {'take_list' if name != plain else 'take'}()")
    return "\n".join(lines)


_TAKE = """local function take()
  position = position + 1
  return ARGV[position - 1]
end
local function take_list()
  local list, words, at = {}, ARGV, position
  local length = tonumber(words[at])
  for i = 1, length do list[i] = words[at + i] end
  position = at + length + 1
  return list
end"""


def _items(each: Sequence[str]) -> str:
    """Return the iterator over the items: single values by their offset, then the lists."""
    if not each:
        return ""
    single = [name for name in each if not name.endswith(_LIST)]
    many = [name.removesuffix(_LIST) for name in each if name.endswith(_LIST)]
    if each != (*single, *(f"{name}{_LIST}" for name in many)):
        raise ValueError(f"an item's lists must come last: {each}")
    fields = ", ".join(f"{name} = words[at + {i}]" for i, name in enumerate(single))
    lists = "".join(f"\n    item.{name} = take_list()" for name in many)
    return f"""local function items()
  local words = ARGV
  return function()
    local at = position
    if not words[at] then return nil end
    position = at + {len(single)}
    local item = {{{fields}}}{lists}
    return item
  end
end"""
