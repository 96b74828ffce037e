"""Write the public names of RQ as JSON: modules, classes, members and their parameters' names.

Facts only, by introspection; for RQ's own Python, see `test_rq_surface`. RQ is imported only when
the program runs: where the tests are collected there is none.
"""

from __future__ import annotations

import dis
import enum
import importlib
import inspect
import json
import pkgutil
import re
import sys
import typing
from types import FunctionType, ModuleType
from typing import Any

SKIPPED = (
    "rq.cli",
    "rq.contrib",
    "rq.local",
    "rq.types",
    "rq.scripts",
    "rq.logutils",
    "rq.version",
)
"""Commands are told apart; the others are its inside, by what its documents show."""


def surface() -> dict[str, Any]:
    """Return the names of each module; a class that another inherits from has its own only."""
    shared = set(vars(importlib.import_module("rq.defaults")))
    found: dict[str, Any] = {}
    for name in ["rq", *sorted(_modules())]:
        module = importlib.import_module(name)
        public = {
            key: value
            for key, value in sorted(vars(module).items())
            if not key.startswith("_") and _is_of(module, value)
        }
        constants = {key for key, value in public.items() if _kind(value) == "value"}
        repeated = constants & shared if name != "rq.defaults" else set()
        told = {key: _described(public[key]) for key in public.keys() - repeated}
        if name == "rq":
            told = {key: {"kind": one["kind"]} for key, one in told.items()}
        if told:  # the parts of `rq.worker` are imported from there
            home = "rq.worker" if name.startswith("rq.worker.") else name
            found[home] = {**found.get(home, {}), **told}
    return {
        "version": importlib.import_module("rq").VERSION,
        "modules": found,
        "commands": _commands(),
    }


def _modules() -> list[str]:
    walked = pkgutil.walk_packages(importlib.import_module("rq").__path__, "rq.")
    return [one.name for one in walked if not one.name.startswith(SKIPPED)]


def _is_of(module: ModuleType, value: Any) -> bool:
    """Return whether *module* is the home of *value*; that of a plain value is nobody's."""
    if isinstance(value, ModuleType) or value is typing.TYPE_CHECKING or _is_typing(value):
        return False
    home = getattr(value, "__module__", None)
    if not inspect.isclass(value) and not inspect.isroutine(value):
        return type(value).__module__ != "logging"
    if module.__name__ == "rq":
        return str(home).startswith("rq")
    return home == module.__name__


def _is_typing(value: Any) -> bool:
    return type(value).__module__ in ("typing", "types", "__future__") and not inspect.isroutine(
        value
    )


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        return "class"
    return "function" if inspect.isroutine(value) else "value"


def _described(value: Any) -> Any:
    if inspect.isclass(value):
        told: dict[str, Any] = {"kind": "class"}
        if not issubclass(value, enum.Enum | BaseException):
            told["parameters"] = _parameters(value)
        if issubclass(value, enum.Enum):
            told["members"] = dict.fromkeys(value.__members__, "value")
        else:
            members = {**_attributes(value), **_members(value)}
            told["members"] = dict(sorted(members.items()))
        return told
    if inspect.isroutine(value):
        return {"kind": "function", "parameters": _parameters(value)}
    return {"kind": "value"}


def _members(owner: type) -> dict[str, Any]:
    """Return what *owner* itself defines."""
    members: dict[str, Any] = {}
    for name, value in vars(owner).items():
        if name.startswith("_"):
            continue
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        is_method = isinstance(plain, FunctionType)
        members[name] = _parameters(getattr(owner, name)) if is_method else "value"
    return members


def _attributes(owner: type) -> dict[str, Any]:
    """Return the public attributes that its ``__init__`` sets, and that it annotates."""
    init = vars(owner).get("__init__")
    names: list[str] = []
    if isinstance(init, FunctionType) and init.__module__.startswith("rq"):
        steps = dis.get_instructions(init)
        names += [one.argval for one in steps if one.opname == "STORE_ATTR"]
    names += vars(owner).get("__annotations__", {})
    return dict.fromkeys((name for name in names if not name.startswith("_")), "value")


def _parameters(function: Any) -> list[str]:
    marks: dict[object, str] = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [f"{marks.get(one.kind, '')}{one.name}" for one in parameters if one.name != "self"]


def _commands() -> dict[str, list[str]]:
    main = importlib.import_module("rq.cli").main
    return {
        name: sorted(
            option
            for parameter in command.params
            if isinstance(parameter, importlib.import_module("click").Option)
            for option in (*parameter.opts, *parameter.secondary_opts)
        )
        for name, command in sorted(main.commands.items())
    }


def _short(text: str) -> str:
    """Return JSON with each list on one line."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)


if __name__ == "__main__":
    sys.stdout.write(_short(json.dumps(surface(), indent=1, sort_keys=True)) + "\n")
