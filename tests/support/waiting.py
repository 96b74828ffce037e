"""Waiting for a fact, with a bound. A test that sleeps for luck is not merged."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], within: float = 10.0, every: float = 0.01) -> T:
    """Return the first true answer of *predicate*; AssertionError after *within* seconds."""
    deadline = time.monotonic() + within
    while not (answer := predicate()):
        if time.monotonic() >= deadline:
            raise AssertionError(
                f"waited {within:g} s in vain for: {_words(predicate)} (last answer: {answer!r})"
            )
        time.sleep(every)
    return answer


def _words(predicate: Callable[[], object]) -> str:
    """Return the source of a lambda or the name of a function, on one line."""
    try:
        return " ".join(inspect.getsource(predicate).split())
    except (OSError, TypeError):
        return getattr(predicate, "__qualname__", repr(predicate))
