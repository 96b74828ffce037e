"""A module that has, under RQ's name for it, what ``workhorse`` has."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def mirror(module: str, *names: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for *module*: *names* are those of ``workhorse``.

    Nothing is imported before it is asked for.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module("workhorse"), name)

    return find, lambda: sorted(names)
