"""What keeps other sites' pages out: headers on every answer, and a check of every change."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

COOKIE: Final = "workhorse_form"
FIELD: Final = "form_token"

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
)


def form_token_of(request: Request) -> str:
    """Return the token that this browser's forms carry: that of its cookie, or a new one."""
    known = request.cookies.get(COOKIE, "")
    return known if len(known) == len(secrets.token_urlsafe()) else secrets.token_urlsafe()


def why_refused(request: Request, told: str) -> str:
    """Return why a change is not made; empty where it came from a page of ours.

    *told* is the token of its form. Browsers say where a request comes from in Sec-Fetch-Site,
    older ones in Origin only.
    """
    site = request.headers.get("sec-fetch-site")
    if site not in {None, "same-origin"}:
        return f"it comes from another site (Sec-Fetch-Site: {site})"
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return f"it comes from another site (Origin: {origin})"
    known = request.cookies.get(COOKIE, "")
    if not known or not secrets.compare_digest(known.encode(), told.encode()):
        return "its form is too old, or not ours: load the page again"
    return ""
