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

A call defines all that its script has before it does anything. So what only few jobs need is
between ``--! later`` and ``--! now`` in ``_others.lua``, and is defined when a job asks for it:
``others().move_on(...)``.
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
_LATER = re.compile(r"^--! later$(.*?)^--! now$", re.MULTILINE | re.DOTALL)
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
    body = _with_later(_expanded(name, set()))
    args, each = _names(body, "args"), _names(body, "each")
    source = "\n".join(
        (_keys(body), _transitions(body), _inputs(args), _items(each), body),
    )
    _refuse_collisions(name, source)
    return Script(name=name, source=source, args=args, each=each)


def _expanded(name: str, seen: set[str]) -> str:
    """Return a file with what it includes in place; each is included where it is named first."""

    def include(match: re.Match[str]) -> str:
        new = [name for name in match[1].split(", ") if name not in seen]
        seen.update(new)
        return "\n".join(_expanded(name, seen) for name in new)

    return _INCLUDE.sub(include, _read(name))


def _with_later(body: str) -> str:
    """Put the keys and events that only what is marked as later needs there.

    A call first defines all that its script has. Where that is for few jobs alone, it would take
    most calls as long as what they do.
    """
    found = _LATER.search(body)
    if not found:
        return body
    inner, outer = found[1], body[: found.start()] + body[found.end() :]
    keys = (name for name in _names(inner, "keys") if name not in _names(outer, "keys"))
    events = (name for name in _names(inner, "events") if name not in _names(outer, "events"))
    rows = (f"transitions['{event}'] = '{_row(event)}'" for event in events)
    lines = ("-- later", *map(_key, keys), *rows, inner.replace("--! ", "-- "), "-- now")
    defined = "\n".join(lines)
    return body[: found.start()] + defined + body[found.end() :]


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


def _names(body: str, kind: str) -> tuple[str, ...]:
    """Return the names after every ``--! kind:`` line: an include adds its own."""
    lines = re.findall(rf"^--! {kind}: (.+)$", body, re.MULTILINE)
    return tuple(dict.fromkeys(name for line in lines for name in line.split(", ")))


def _keys(body: str) -> str:
    return "\n".join(("local prefix = ARGV[1]", *map(_key, _names(body, "keys"))))


def _key(name: str) -> str:
    template = TEMPLATES[name]
    holes = PLACEHOLDER.findall(template)
    text = PLACEHOLDER.sub(lambda hole: f"' .. {hole[1]} .. '", template)
    return f"local function {name}_key({', '.join(holes)}) return prefix .. ':{text}' end"


def _transitions(body: str) -> str:
    """Return the rows of a script's events, each a text.

    To make a table of tables would take a call longer than what most scripts do.
    """
    rows = ", ".join(f"['{event}'] = '{_row(event)}'" for event in _names(body, "events"))
    return _AFTER.format(rows=rows) if rows else ""


def _row(event: str) -> str:
    moves = (
        f"{state or ''}={target or ''}"
        for (state, happened), targets in TRANSITIONS.items()
        if happened == Event(event)
        for target in targets
    )
    return f";{';'.join(moves)};"


_AFTER = """local transitions = {{{rows}}}
local function after(event, state, to)
  local row, was = transitions[event], ';' .. (state or '') .. '='
  if to then return string.find(row, was .. to .. ';', 1, true) and to or nil end
  local _, last = string.find(row, was, 1, true)
  if not last or string.find(row, was, last, true) then return nil end
  return string.match(row, '^[^;]*', last + 1)
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
