"""What stands for the package ``rq`` after ``install_as_rq()``: all that ``workhorse`` has.

Modules that are not here are found in ``compat/paths``: ``rq.job`` is ``workhorse.job``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

from workhorse.compat import paths

__path__.extend(paths.__path__)

VERSION: Final = "3.0.0"
"""The version of RQ whose names and wire format these are; libraries look at it."""
__version__ = VERSION


@cache
def _modules() -> frozenset[str]:
    return frozenset(module.name for module in iter_modules(__path__))


def __getattr__(name: str) -> Any:
    """Return a module of ours, imported or not, as RQ's are; else what ``workhorse`` has."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _modules():
        return import_module(f"rq.{name}")
    return getattr(import_module("workhorse"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return [*import_module("workhorse").__all__, "VERSION"]
