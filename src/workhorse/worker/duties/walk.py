"""A walk through all that is listed by name, some pages at a time, for a duty that sweeps."""

from __future__ import annotations

from collections.abc import Callable

from workhorse.store.calls import Call, Plan

Page = tuple[bytes, list[str]]
"""Where the next page of names begins, b"0" after the last, and the names of this one."""


class Walk:
    """Goes on where it stopped; after the last name, with the first."""

    def __init__(
        self,
        some_names: Callable[[bytes], Call[Page]],
        sweep_page: Callable[[str, bytes], Call[tuple[bytes, int]]],
    ) -> None:
        """Walk through the names that *some_names* pages; *sweep_page* does a page of one."""
        self._some_names = some_names
        self._sweep_page = sweep_page
        self._names: list[str] = []
        self._next_names = b"0"
        self._next_members = b"0"

    def go_on(self, pages: int) -> Plan[int]:
        """Sweep at most *pages* of them, each once; return how many entries went."""
        swept = 0
        for _ in range(pages):
            if not self._names:
                self._next_names, self._names = yield from self._some_names(self._next_names)
                if not self._names:
                    break
            page = yield from self._sweep_page(self._names[-1], self._next_members)
            self._next_members, removed = page
            swept += removed
            if self._next_members == b"0":
                self._names.pop()
                if not self._names and self._next_names == b"0":
                    break
        return swept
