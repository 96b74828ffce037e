"""What stands for the package ``rq`` after ``install_as_rq()``: all that ``workhorse`` has.

Modules that are not here are found in ``compat/paths``: ``rq.job`` is ``workhorse.job``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from workhorse.compat import paths

__path__.extend(paths.__path__)

VERSION: Final = "3.0.0"
"""The version of RQ whose names and wire format these are; libraries look at it."""
__version__ = VERSION


def __getattr__(name: str) -> Any:
    """Return what ``workhorse`` has under this name."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("workhorse"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return [*import_module("workhorse").__all__, "VERSION"]
