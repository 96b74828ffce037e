"""Tools for tests of applications that use Workhorse: with pytest, unittest or anything else.

Each name is imported when it is first used: the pytest plugin costs nothing where it is not asked.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workhorse.testing.assertions import (
        all_enqueued,
        assert_enqueued,
        assert_not_enqueued,
        enqueued,
    )
    from workhorse.testing.draining import drain
    from workhorse.testing.errors import EndlessDrainError, JobFailedError, NoTestServerError
    from workhorse.testing.inlining import inline
    from workhorse.testing.isolation import run_job
    from workhorse.testing.servers import ServerForTests, server
    from workhorse.testing.time_travel import Clock, clock

_HOMES = {
    "assertions": ("all_enqueued", "assert_enqueued", "assert_not_enqueued", "enqueued"),
    "draining": ("drain",),
    "errors": ("EndlessDrainError", "JobFailedError", "NoTestServerError"),
    "inlining": ("inline",),
    "isolation": ("run_job",),
    "servers": ("ServerForTests", "server"),
    "time_travel": ("Clock", "clock"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 - what a newcomer needs first
    "server",
    "ServerForTests",
    "drain",
    "inline",
    "run_job",
    "assert_enqueued",
    "assert_not_enqueued",
    "enqueued",
    "all_enqueued",
    "clock",
    "Clock",
    "JobFailedError",
    "EndlessDrainError",
    "NoTestServerError",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'workhorse.testing' has no attribute {name!r}")
    value = getattr(import_module(f"workhorse.testing.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
