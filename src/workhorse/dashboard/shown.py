"""How values are shown: filters of the templates."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from workhorse.core.durations import in_words

duration = in_words
"""Return a span as people read it."""


def moment(value: datetime | float | None) -> str:
    """Return a moment as the page's script reads it, and turns into local time."""
    if value is None or (not isinstance(value, datetime) and not math.isfinite(value)):
        return ""
    found = value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def number(value: float | None) -> str:
    """Return a count with its thousands apart; ``?`` for what can't be counted.

    >>> number(1234567), number(None)
    ('1,234,567', '?')
    """
    return "?" if value is None else f"{value:,}"


def ago(value: datetime | float | None, now: float) -> str:
    """Return how long before *now* a moment was; in how long it is, where it is to come.

    >>> ago(100.0, 161.0), ago(100.0, 90.0), ago(None, 0)
    ('1m 1s ago', 'in 10 s', '')
    """
    if value is None:
        return ""
    since = now - (value.timestamp() if isinstance(value, datetime) else value)
    return f"{duration(since)} ago" if since >= 0 else f"in {duration(-since)}"
