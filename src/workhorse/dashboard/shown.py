"""How values are shown: filters of the templates."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from workhorse.core.durations import in_words

_SIZES: Final = ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (9999.5, 1e3, "k"))

_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What would hide, or turn, the text around it, or can't be sent at all."""

duration = in_words
"""Return a span as people read it."""


def visible(value: Any) -> Any:
    r"""Return a text of anybody's as it can stand in a page: what can't be seen is written out.

    >>> visible("pay\u202egpj.exe\x1b[2J"), visible(7)
    ('pay\\u202egpj.exe\\x1b[2J', 7)
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], value)


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

    >>> ago(100.0, 161.0), ago(100.0, 90.0), ago(100.0, 100.9), ago(None, 0)
    ('1m 1s ago', 'in 10 s', 'just now', '')
    """
    if value is None:
        return ""
    since = now - (value.timestamp() if isinstance(value, datetime) else value)
    if abs(since) < 1:
        return "just now"
    return f"{duration(since)} ago" if since >= 0 else f"in {duration(-since)}"
