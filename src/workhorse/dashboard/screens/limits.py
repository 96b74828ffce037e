"""Rate limits: how many places each has, who has them, and who waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workhorse.core.limits import limit_key, limit_name
from workhorse.dashboard.screens.cursors import cursor_of, cursor_text
from workhorse.dashboard.view import PAGE, Screen, View
from workhorse.store import limits, pages
from workhorse.store.pages import shown


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit in a list; None for what is no number, or of another kind."""

    key: str
    places: int | None
    taken: int | None
    waiting: int | None


def all_limits(view: View) -> Screen:
    """Show some limits; the others follow ``?cursor=``."""
    start = cursor_of(view)
    (found,) = view.store.look_at([limits.some_names(view.keys, start)])
    page: tuple[bytes, list[bytes]] = found or (b"0", [])
    following, names = page
    rows = _rows(view, [limit_key(shown(name)) for name in names])
    data = {
        "limits": sorted(rows, key=lambda row: (-(row.waiting or 0), row.key)),
        "cursor": cursor_text(following),
        "is_first": start == b"0",
    }
    return Screen("limits.html", "Limits", data)


def limit(view: View) -> Screen:
    """Show one limit, and its jobs."""
    key = view.path["limit"]
    name = limit_name(key)
    offset = view.number("offset")
    taken, waiting = view.store.run_many(
        [
            pages.page(view.keys, "allowed", name, length=2 * PAGE),
            pages.page(view.keys, "limited", name, offset=offset, length=PAGE),
        ]
    )
    data = {
        "limit": _rows(view, [key])[0],
        "taken": taken,
        "waiting": waiting,
        "offset": offset,
        "length": PAGE,
    }
    return Screen("limit.html", f"Limit {key}", data)


def _rows(view: View, keys: Sequence[str]) -> list[LimitRow]:
    """Return a row for each limit, in one round trip."""
    calls = [
        call(view.keys, key)
        for key in keys
        for call in (limits.concurrency, limits.count_with_place, limits.count_waiting)
    ]
    found = view.store.look_at(calls)
    return [LimitRow(key, *found[3 * at : 3 * at + 3]) for at, key in enumerate(keys)]
