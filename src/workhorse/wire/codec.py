"""Single values: how a date, a number or a traceback is written in a hash or a stream."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime

from workhorse.core.errors import DeserializationError


def date_to_text(moment: datetime) -> str:
    """Return *moment* as RQ writes it, in UTC.

    >>> date_to_text(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))
    '2026-01-02T03:04:05.000006Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def date_from_text(text: bytes | str | None) -> datetime | None:
    """Return the moment in *text*, aware, in UTC; None for nothing.

    >>> date_from_text("2026-01-02T03:04:05Z")
    datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    """
    if not text:
        return None
    plain = text.decode() if isinstance(text, bytes) else text
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        raise DeserializationError(f"not a date as RQ writes it: {plain!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def int_or_none(text: bytes | str | None) -> int | None:
    """Return the whole number in *text*; None for nothing.

    >>> int_or_none(b"-1"), int_or_none(b"")
    (-1, None)
    """
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise DeserializationError(f"not a whole number: {text!r}") from None


def ints_from_json(text: bytes | str | None) -> tuple[int, ...]:
    """Return the list of numbers in *text*; empty for nothing."""
    if not text:
        return ()
    try:
        return tuple(int(number) for number in json.loads(text))
    except (ValueError, TypeError):
        raise DeserializationError(f"not a JSON list of numbers: {text!r}") from None


def ints_to_json(numbers: Iterable[int]) -> str:
    """Return *numbers* as RQ writes a list.

    >>> ints_to_json((10, 30))
    '[10, 30]'
    """
    return json.dumps(list(numbers))


def text_or_none(text: bytes | None) -> str | None:
    """Return *text* decoded, with what is not UTF-8 made visible; None for nothing."""
    return text.decode("utf-8", "backslashreplace") if text else None


def error_to_text(error: str) -> str:
    """Return a traceback as a result entry holds it.

    >>> error_from_text(error_to_text("ValueError: no"))
    'ValueError: no'
    """
    return base64.b64encode(zlib.compress(error.encode("utf-8", "backslashreplace"))).decode()


def error_from_text(text: bytes | str) -> str:
    """Return the traceback in a result entry."""
    try:
        return zlib.decompress(base64.b64decode(text)).decode("utf-8", "backslashreplace")
    except (ValueError, zlib.error):
        raise DeserializationError("a stored traceback is not base64 of zlib") from None
