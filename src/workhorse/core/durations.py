"""Time spans as people write them."""

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
