"""How values are shown: filters of the templates."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from workhorse.core.durations import in_words

_SIZES: Final = ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (9999.5, 1e3, "k"))

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


def amount(value: float | None) -> str:
    """Return a count as short as it can be read.

    >>> amount(950), amount(12345), amount(1_200_000), amount(None)
    ('950', '12.3k', '1.2M', '?')
    """
    if value is None:
        return "?"
    for least, size, name in _SIZES:
        if value >= least:
            return f"{value / size:.3g}{name}"
    return f"{value:,.4g}"


def plain(text: str) -> str:
    """Return *text* as a word of a class: what is no letter of ours is a line.

    >>> plain("rate_limited"), plain('x" onclick')
    ('rate_limited', 'x--onclick')
    """
    return "".join(
        char if (char.isascii() and char.isalnum()) or char == "_" else "-" for char in text[:40]
    )


def ago(value: datetime | float | None, now: float) -> str:
    """Return how long before *now* a moment was; in how long it is, where it is to come.

    >>> ago(100.0, 161.0), ago(100.0, 90.0), ago(None, 0)
    ('1m 1s ago', 'in 10 s', '')
    """
    if value is None:
        return ""
    since = now - (value.timestamp() if isinstance(value, datetime) else value)
    return f"{duration(since)} ago" if since >= 0 else f"in {duration(-since)}"
