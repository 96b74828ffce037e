"""Counts, and waits between the runs of a job, checked where a user gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard, cast

from workhorse.core.errors import InvalidOptionError
from workhorse.core.settings import LONGEST_SPAN


def is_count(number: object) -> TypeGuard[int]:
    """Return whether *number* is a whole one, and not True or False."""
    return isinstance(number, int) and not isinstance(number, bool)


def check_waits(whose: str, interval: object) -> tuple[int, ...]:
    """Return the waits in *interval*, one number or several, as seconds.

    Raises InvalidOptionError, which names the option as of *whose*.

    >>> check_waits("Retry", 10), check_waits("Repeat", [0, 60])
    ((10,), (0, 60))
    >>> check_waits("Repeat", "soon")
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidOptionError: Repeat(interval='soon'): give whole seconds, zero \
or more, one or several
    """
    several = isinstance(interval, Iterable)
    waits = tuple(cast("Iterable[object]", interval)) if several else (interval,)
    checked = tuple(wait for wait in waits if is_count(wait) and 0 <= wait <= LONGEST_SPAN)
    if not checked or len(checked) < len(waits):
        raise InvalidOptionError(
            f"{whose}(interval={interval!r}): give whole seconds, zero or more, one or several"
        )
    return checked
