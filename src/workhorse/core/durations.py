"""Time spans as people write them, and read them."""

from __future__ import annotations

import math
import re
from typing import Final

from workhorse.core.errors import TimeoutFormatError

_SECONDS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_SPAN: Final = re.compile(r"(?:\d+[dhms])+")
_PART: Final = re.compile(r"(\d+)([dhms])")


def parse_seconds(span: float | str | None) -> int | None:
    """Return *span* in whole seconds; None stays None, and -1 means no limit.

    >>> parse_seconds("1h30m"), parse_seconds("300"), parse_seconds(45), parse_seconds(-1)
    (5400, 300, 45, -1)
    >>> parse_seconds("soon")
    Traceback (most recent call last):
        ...
    workhorse.core.errors.TimeoutFormatError: not a time span: 'soon' (give seconds, or text such \
as '90', '5m' or '1h30m')
    """
    if span is None:
        return None
    if isinstance(span, int | float) and math.isfinite(span):
        return int(span)
    text = str(span).strip().lower()
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if _SPAN.fullmatch(text):
        return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    raise TimeoutFormatError(
        f"not a time span: {span!r} (give seconds, or text such as '90', '5m' or '1h30m')"
    )


_STEPS: Final = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_BRIEF: Final = 60
_ENDLESS: Final = 1e12
"""Seconds: thirty thousand years."""


def in_words(seconds: float | None) -> str:
    """Return a span as people read it, in its two largest units; nothing for None.

    >>> in_words(0.0042), in_words(61), in_words(90000), in_words(None)
    ('4 ms', '1m 1s', '1d 1h', '')
    """
    if seconds is None:
        return ""
    if not -_ENDLESS < seconds < _ENDLESS:  # nor what is no number
        return "for good"
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < _BRIEF:
        return f"{seconds:.3g} s"
    words: list[str] = []
    rest = int(seconds)
    for size, name in _STEPS:
        if rest >= size or words:
            words.append(f"{rest // size}{name}")
            rest %= size
    return " ".join(word for word in words[:2] if not word.startswith("0"))
