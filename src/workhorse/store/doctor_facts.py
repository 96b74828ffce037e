"""What a server and its jobs tell of themselves, for ``doctor_checks`` to judge. Reads only.

Each thing that the server's user may not ask for is left out, and named.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from workhorse.store import clock, history, overview, pauses, roster, views
from workhorse.store.calls import Call, as_it_is, command
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, advice, is_of_data, is_refused_login
from workhorse.store.history import Series
from workhorse.store.overview import QueueRow
from workhorse.store.roster import WorkerRow
from workhorse.wire.codec import Hash
from workhorse.wire.keys import Keys

PINGS: Final = 20
LATE: Final = 60.0
"""Seconds after which what is due should have been done by somebody."""
_SLICE: Final = 100
_SETTINGS: Final = ("save", "maxmemory-clients", "appendfsync")


class Late(NamedTuple):
    """Something that should have happened, to how many, and when to the first of them."""

    name: str
    many: int
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read, all at about one moment."""

    now: float
    """The server's time, in seconds since 1970."""
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What INFO says; empty where the server forbids it."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Some of its settings; without those that it does not tell."""
    pings: Sequence[float] = ()
    """Seconds that each took."""
    skew: float = 0.0
    """Seconds that the server's clock is ahead of this machine's."""
    refused: Sequence[str] = ()
    """What the server does not let us do."""
    queues: Sequence[QueueRow] = ()
    workers: Sequence[WorkerRow] = ()
    suspended_for: float | None = None
    lapsed: Sequence[Late] = ()
    """By queue: jobs whose lease lapsed, and which nobody recovered."""
    overdue: Sequence[Late] = ()
    """By queue: scheduled jobs that nobody put on it."""
    crons: Sequence[Late] = ()
    """Cron entries that nobody fired."""
    recent: Series | None = None
    """What happened in the last hour, if somebody takes samples."""


def read(store: Store, keys: Keys, *, local: float) -> Facts:
    """Return the facts. *local* is this machine's time now, in seconds since 1970.

    Raises ServerError where nothing can be asked at all.
    """
    before = time.monotonic()
    pings = [_ping(store) for _ in range(PINGS)]
    asked: list[tuple[str, Call[Any]]] = [
        ("TIME", clock.now()),
        ("INFO", command("INFO", parse=_mapping)),
        *((f"CONFIG GET {name}", command("CONFIG", "GET", name, parse=_words))
          for name in _SETTINGS),
        ("PTTL", pauses.suspended_for(keys)),
        ("SMEMBERS", views.queue_names(keys)),
        ("SMEMBERS", views.worker_names(keys)),
        ("ZRANGE", command("ZRANGE", keys.cron_due(), 0, 20, "WITHSCORES", parse=_scores)),
    ]  # fmt: skip
    refused: list[str] = []
    told = _ask(store, asked, refused)
    here = local + (time.monotonic() - before)
    now, info, *rest = told
    told_settings: list[dict[str, str] | None] = rest[: len(_SETTINGS)]
    suspended = rest[len(_SETTINGS)]
    names: list[str] = rest[-3] or []
    workers: list[str] = rest[-2] or []
    crons: list[tuple[str, float]] = rest[-1] or []
    found = _work(store, keys, names, workers, refused)
    now = here if now is None else now
    return Facts(
        now=now,
        info=info or {},
        settings={name: value for one in told_settings if one for name, value in one.items()},
        pings=pings,
        skew=now - here,
        suspended_for=suspended,
        crons=[Late(name, 1, due) for name, due in crons if due < now - LATE],
        lapsed=_late(store, keys, "lapsed", names, now, refused),
        overdue=_late(store, keys, "scheduled", names, now, refused),
        refused=tuple(dict.fromkeys(refused)),
        **found,
    )


def _ping(store: Store) -> float:
    began = time.monotonic()
    store.run(command("PING", parse=as_it_is))
    return time.monotonic() - began


def _ask(store: Store, asked: Sequence[tuple[str, Call[Any]]], refused: list[str]) -> list[Any]:
    """Return what the calls return; None for what is refused, which is noted, or of odd kind."""
    replies: list[Any]
    try:
        replies = store.try_many([call for _, call in asked])
    except Exception as error:
        if len(asked) != 1 or not _may_pass_over(error):
            raise
        replies = [error]
    found: list[Any] = []
    for (what, call), reply in zip(asked, replies, strict=True):
        if isinstance(reply, Exception):
            if is_refused_login(reply) or "unknown command" in str(reply).lower():
                refused.append(what)
            elif not _may_pass_over(reply):
                raise reply
            found.append(None)
        else:
            found.append(call.parse(reply))
    return found


def _may_pass_over(error: Exception) -> bool:
    return is_of_data(error) or is_refused_login(error) or advice(error) is not None


def _work(
    store: Store, keys: Keys, names: Sequence[str], workers: Sequence[str], refused: list[str]
) -> dict[str, Any]:
    """Return the rows of queues and workers, and the last hour."""
    of_queues = [("EVALSHA", overview.queues(keys, part)) for part in _slices(names)]
    of_workers = [("EVALSHA", roster.roster(keys, part)) for part in _slices(workers)]
    replies = _ask(store, [*of_queues, *of_workers], refused) if names or workers else []
    split = len(of_queues)
    return {
        "queues": [row for part in replies[:split] for row in part or ()],
        "workers": [row for part in replies[split:] for row in part or ()],
        "recent": None if "EVALSHA" in refused else _recent(store, keys),
    }


def _recent(store: Store, keys: Keys) -> Series | None:
    try:
        return store.run(history.history(keys, "hour"))
    except ServerError as error:
        if _may_pass_over(error):
            return None
        raise


def _late(
    store: Store, keys: Keys, place: str, names: Sequence[str], now: float, refused: list[str]
) -> list[Late]:
    """Return the queues with entries of *place* that should have left it, and how many."""
    asked: list[tuple[str, Call[Any]]] = []
    for name in names:
        key = keys.place(place, name)
        asked += (
            ("ZCOUNT", command("ZCOUNT", key, "-inf", f"({now - LATE:.3f}", parse=int)),
            ("ZRANGE", command("ZRANGE", key, 0, 0, "WITHSCORES", parse=_scores)),
        )
    told = _ask(store, asked, refused) if asked else []
    return [
        Late(name, count, first[0][1])
        for name, count, first in zip(names, told[::2], told[1::2], strict=True)
        if count and first
    ]


def _slices(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[at : at + _SLICE] for at in range(0, len(items), _SLICE)]


def _mapping(reply: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", reply) if isinstance(reply, dict) else {}


def _words(reply: Any) -> dict[str, str]:
    """Return the answer to CONFIG GET, of either shape that clients have for it."""
    flat = reply
    if isinstance(reply, dict):
        flat = [word for pair in cast("Hash", reply).items() for word in pair]
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}


def _text(word: Any) -> str:
    return word.decode("utf-8", "backslashreplace") if isinstance(word, bytes) else str(word)


def _scores(reply: Any) -> list[tuple[str, float]]:
    """Return members with their scores, of either shape that clients have for them."""
    if reply and isinstance(reply[0], tuple):
        return [(_text(member), float(score)) for member, score in reply]
    return [
        (_text(member), float(score))
        for member, score in zip(reply[::2], reply[1::2], strict=True)
    ]
