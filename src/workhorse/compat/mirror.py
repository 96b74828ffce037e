"""A module that has, under RQ's name for it, what ``workhorse`` has."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def mirror(
    module: str, *names: str, **renamed: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for *module*: *names* are those of ``workhorse``.

    *renamed* have another name there. Nothing is imported before it is asked for.
    """
    ours = {**{name: name for name in names}, **renamed}

    def find(name: str) -> Any:
        if name not in ours:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module("workhorse"), ours[name])

    return find, lambda: sorted(ours)
