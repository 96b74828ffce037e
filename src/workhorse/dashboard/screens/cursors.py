"""Where a list goes on that the server walks through."""

from __future__ import annotations

from typing import Final

from workhorse.dashboard.view import View

_LARGEST: Final = 2**63


def cursor_of(view: View) -> bytes:
    """Return the cursor of the query; b"0", the beginning, for what is none."""
    told = view.query.get("cursor", "0")
    is_one = told.isascii() and told.isdecimal() and len(told) <= len(str(_LARGEST))
    return b"%d" % int(told) if is_one and int(told) < _LARGEST else b"0"


def cursor_text(following: bytes) -> str:
    """Return the cursor of the next page; empty after the last."""
    return "" if following == b"0" else following.decode()
