"""Single values: how a date, a number or a traceback is written in a hash or a stream."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from workhorse.core.errors import DeserializationError
from workhorse.core.settings import TRACEBACK_BYTES

Value = str | bytes | int | float
Hash = Mapping[bytes, bytes]

_RULES: Final = ("jitter", "on", "give_up")
_LONGEST_RULES: Final = 250_000
"""Bytes of a retry's rules. No ``Retry`` has as many; more would not fit a worker's ledger."""


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
    try:
        plain = text.decode() if isinstance(text, bytes) else text
        moment = datetime.fromisoformat(plain)
    except ValueError:
        raise DeserializationError(f"not a date as RQ writes it: {_brief(text)}") from None
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
        raise DeserializationError(f"not a whole number: {_brief(text)}") from None


def float_or_none(text: bytes | str | None) -> float | None:
    """Return the number in *text*; None for nothing.

    >>> float_or_none(b"1.5"), float_or_none(b"")
    (1.5, None)
    """
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise DeserializationError(f"not a number: {_brief(text)}") from None


def flag_or_none(text: bytes | None) -> bool | None:
    """Return what *text* says, 1 or 0; None for nothing.

    >>> flag_or_none(b"1"), flag_or_none(b"0"), flag_or_none(None)
    (True, False, None)
    """
    return text == b"1" if text else None


def ints_from_json(text: bytes | str | None) -> tuple[int, ...]:
    """Return the list of numbers in *text*; empty for nothing."""
    if not text:
        return ()
    try:
        return tuple(int(number) for number in json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise DeserializationError(f"not a JSON list of numbers: {_brief(text)}") from None


def ints_to_json(numbers: Iterable[int]) -> str:
    """Return *numbers* as RQ writes a list.

    >>> ints_to_json((10, 30))
    '[10, 30]'
    """
    return json.dumps(list(numbers))


class RetryRules(NamedTuple):
    """What a ``Retry`` says that RQ has no field for."""

    jitter: float = 0.0
    retry_on: tuple[str, ...] = ()
    give_up_on: tuple[str, ...] = ()


NO_RULES: Final = RetryRules()


def rules_to_json(rules: RetryRules) -> str | None:
    """Return *rules* as a job's hash holds them; None for none.

    >>> rules_to_json(RetryRules(0.5, ("builtins.OSError",)))
    '{"jitter":0.5,"on":["builtins.OSError"]}'
    """
    told = {name: rule for name, rule in zip(_RULES, rules, strict=True) if rule}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False) if told else None


def rules_from_json(text: bytes | str | None) -> RetryRules:
    """Return the rules in *text*; those of nobody for nothing."""
    if not text:
        return NO_RULES
    try:
        rules: Any = json.loads(text) if len(text) <= _LONGEST_RULES else None
        jitter, retry_on, give_up_on = (rules.get(name) for name in _RULES)
        found = RetryRules(float(jitter or 0), _names(retry_on), _names(give_up_on))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise DeserializationError(f"not a retry's rules: {text[:80]!r}") from None
    if not 0 <= found.jitter <= 1:
        raise DeserializationError(f"not a retry's rules: a jitter of {found.jitter}")
    return found


def _names(found: Any) -> tuple[str, ...]:
    names = [] if found is None else cast("list[object]", found)
    if not isinstance(found, list | None) or not all(isinstance(name, str) for name in names):
        raise TypeError(str(names))
    return tuple(map(str, names))


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
    """Return the traceback in a result entry; of one that is far too long, its beginning."""
    unpacker = zlib.decompressobj()
    try:
        shown = unpacker.decompress(base64.b64decode(text), TRACEBACK_BYTES)
    except (ValueError, zlib.error):
        raise DeserializationError("a stored traceback is not base64 of zlib") from None
    told = shown.decode("utf-8", "backslashreplace")
    return told if unpacker.eof else f"{told}\n[... the rest is left out ...]"


def _brief(text: bytes | str) -> str:
    """Return what an error tells of a value that can't be read."""
    return repr(text if len(text) <= _TOLD else text[:_TOLD]) + (
        "" if len(text) <= _TOLD else "..."
    )


_TOLD: Final = 100
