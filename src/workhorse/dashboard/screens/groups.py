"""Groups of jobs, and how far each has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workhorse.dashboard.screens.cursors import cursor_of, cursor_text
from workhorse.dashboard.view import NoSuchPageError, Screen, View
from workhorse.store import groups, pages
from workhorse.store.group_rows import GroupRow, group_row, group_rows, some_members

ROWS: Final = 50
"""Groups of a page."""
_KINDS: Final = {
    "finished": "good", "failed": "bad", "stopped": "bad", "started": "info", "queued": "plain",
    "scheduled": "later", "deferred": "later", "rate_limited": "warn", "canceled": "warn",
}  # fmt: skip
"""How each state is coloured, in this order."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A group in the list, and how many of its jobs are in each state, with its colour."""

    row: GroupRow
    parts: list[tuple[int, str, str]]


def all_groups(view: View) -> Screen:
    """Show some groups; the others follow ``?cursor=``."""
    (found,) = view.store.look_at([groups.some_names(view.keys, cursor_of(view))])
    page: tuple[bytes, list[str]] = found or (b"0", [])
    following, names = page
    offset = view.number("offset")
    rows = view.store.run(group_rows(view.keys, sorted(names)[offset : offset + ROWS]))
    data = {
        "groups": [Listed(row, parts(row.states)) for row in rows],
        "cursor": cursor_text(following),
        "offset": offset,
        "length": ROWS,
        "total": len(names),
    }
    return Screen("groups.html", "Groups", data)


def group(view: View) -> Screen:
    """Show one group by the states of its jobs, and some of them."""
    name = view.path["group"]
    row = view.store.run(group_row(view.keys, name))
    if not row.total:
        raise NoSuchPageError(
            f"There is no group {name!r:.200}: its jobs were deleted, or have expired."
        )
    start = cursor_of(view)
    page = view.store.run(some_members(view.keys, name, start))
    jobs = view.store.run(pages.rows(view.keys, page.ids))
    data = {
        "group": row,
        "parts": parts(row.states),
        "ended": sum(row.states.get(state, 0) for state in _ENDED),
        "jobs": jobs,
        "cursor": cursor_text(page.cursor),
        "is_first": start == b"0",
    }
    return Screen("group.html", f"Group {name}", data)


_ENDED: Final = ("finished", "failed", "stopped", "canceled")


def parts(states: Mapping[str, int]) -> list[tuple[int, str, str]]:
    """Return how many jobs are in each state, each with its colour, in the order of a life."""
    known = [(states[name], kind, name) for name, kind in _KINDS.items() if states.get(name)]
    rest = sum(many for name, many in states.items() if name and name not in _KINDS)
    return [*known, *([(rest, "plain", "other")] if rest else []), *_gone(states)]


def _gone(states: Mapping[str, int]) -> list[tuple[int, str, str]]:
    return [(states[""], "plain", "gone")] if states.get("") else []
