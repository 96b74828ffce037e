"""What people look for among jobs: a line of qualifiers, such as ``func:pay status:failed``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from workhorse.core.durations import parse_seconds
from workhorse.core.errors import InvalidOptionError
from workhorse.core.states import State

LONGEST: Final = 1000
"""Characters of a query."""
MOST: Final = 50
"""Words of a query."""

_WORD: Final = re.compile(r'(?:([^\s":]+):)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]+)(?=\s|$)|(?=\s|$))')
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"\\(.)")

Moment = datetime | timedelta
"""A point in time, or how long ago it was."""


@dataclass(frozen=True, slots=True)
class Query:
    """What jobs must be like. Of one kind any of several values will do; of each kind one must."""

    queue: tuple[str, ...] = ()
    status: tuple[State, ...] = ()
    func: tuple[str, ...] = ()
    """Parts of the function's name, in any case."""
    tag: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    """Parts of the error's class or message, in any case; of a failed job."""
    cause: tuple[str, ...] = ()
    """Ids of causes: see ``core.failures``."""
    id: tuple[str, ...] = ()
    word: tuple[str, ...] = ()
    """Without a qualifier: an id, or a part of the function's name."""
    after: Moment | None = None
    """It was made then, or later."""
    before: Moment | None = None

    def __bool__(self) -> bool:
        """Return whether it asks for anything; every job is found by one that does not."""
        return any(getattr(self, each.name) not in ((), None) for each in fields(self))


def parse(text: str) -> Query:
    """Return the query that *text* is. Raises InvalidOptionError for what it does not know.

    >>> parse('status:failed func:"shop.pay" after:2h').func
    ('shop.pay',)
    >>> parse("stauts:failed")
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidOptionError: 'stauts:' can't be searched by (use queue:, \
status:, func:, tag:, error:, cause:, id:, after: or before:)
    """
    found: dict[str, Any] = {}
    for name, value in _words(text):
        if name in ("after", "before"):
            if name in found:
                raise InvalidOptionError(f"{name}: is given twice: {value!r} is one too many")
            found[name] = _moment(name, value)
        else:
            found[name] = (*found.get(name, ()), _READ.get(name, str)(value))
    return Query(**found)


def _words(text: str) -> list[tuple[str, str]]:
    if len(text) > LONGEST:
        raise InvalidOptionError(f"a query of {len(text)} characters (at most {LONGEST})")
    if not text.isprintable():
        text = _UNSEEN.sub(" ", text)
    found: list[tuple[str, str]] = []
    rest = text.strip()
    while rest:
        match = _WORD.match(rest)
        if not match or not match[0]:
            raise InvalidOptionError(f'a quote is not closed: {rest!r} (write \\" for one itself)')
        rest = rest[match.end() :].lstrip()
        found.append(_pair(match))
    if len(found) > MOST:
        raise InvalidOptionError(f"a query of {len(found)} words (at most {MOST})")
    return found


def _pair(match: re.Match[str]) -> tuple[str, str]:
    name, quoted, plain = match.groups()
    value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else (plain or "")
    if name is None:
        return "word", value
    known = name.lower()
    if known not in _NAMES:
        raise InvalidOptionError(f"{name + ':'!r} can't be searched by (use {_CHOICE})")
    if not value:
        raise InvalidOptionError(f"{known}: has no value (such as {known}:{_SUCH_AS[known]})")
    return known, value


_SUCH_AS: Final = {
    "queue": "default",
    "status": "failed",
    "func": "shop.pay",
    "tag": "nightly",
    "error": "KeyError",
    "cause": "2ea75c8267daca91",
    "id": "a-job",
    "after": "2h",
    "before": "2026-11-21",
}
_NAMES: Final = frozenset(_SUCH_AS)
_CHOICE: Final = ", ".join(f"{name}:" for name in list(_SUCH_AS)[:-1]) + " or before:"


def _status(value: str) -> State:
    try:
        return State(value.lower())
    except ValueError:
        known = ", ".join(state.value for state in State)
        raise InvalidOptionError(f"status:{value} is no state of a job (one of {known})") from None


_READ: Final[dict[str, Callable[[str], Any]]] = {"status": _status}


def _moment(name: str, value: str) -> Moment:
    """Return when, or how long ago: ``2026-11-21``, ``2026-11-21T08:30``, ``90m``, ``2d``."""
    try:
        if value[-1:] in "dhms":
            return timedelta(seconds=parse_seconds(value) or 0)
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidOptionError(
            f"{name}:{value} is no time (give one such as 2026-11-21, 2026-11-21T08:30 in UTC, "
            "2026-11-21T08:30+01:00, or how long ago: 30m, 2h, 7d)"
        ) from None
