"""What keeps other sites' pages out: headers on every answer, and a check of every change."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "workhorse_form"
FIELD: Final = "form_token"

FORM_BYTES: Final = 256 * 1024
FORM_FIELDS: Final = 2000

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
"""What every answer has, unless it says otherwise itself: ``static`` files may be kept."""


class SafeHeaders:
    """Adds ``HEADERS`` to every answer of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name.lower() for name, _ in own}
                told = [(name.lower().encode(), text.encode()) for name, text in HEADERS.items()]
                message["headers"] = [*own, *(each for each in told if each[0] not in names)]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def form_token_of(request: Request) -> str:
    """Return the token that this browser's forms carry: that of its cookie, or a new one."""
    known = request.cookies.get(COOKIE, "")
    return known if len(known) == len(secrets.token_urlsafe()) else secrets.token_urlsafe()


def keep_form_token(request: Request, response: Response, token: str) -> None:
    """Give the browser its *token*, if it has another one or none."""
    if request.cookies.get(COOKIE) != token:
        response.set_cookie(
            COOKIE,
            token,
            path=request.scope.get("root_path", "") or "/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; the values of one that came several times are lines of a text.

    Raises HTTPException for a form that is too large (413), of another kind (415) or broken (400).
    Nothing can be uploaded.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise HTTPException(413, f"A form may have {FORM_BYTES // 1024} KiB.")
    if body and kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send a form as application/x-www-form-urlencoded.")
    form: dict[str, str] = {}
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS)
    except ValueError:
        raise HTTPException(400, "This form can't be read.") from None
    for name, value in pairs:
        form[name] = f"{form[name]}\n{value}" if name in form else value
    return form


def why_refused(request: Request, told: str) -> str:
    """Return why a change is not made; empty where it came from a page of ours, or a script.

    *told* is the token of its form. Browsers say where a request comes from in Sec-Fetch-Site,
    older ones, and all on plain http from another machine, in Origin only. No other site can
    send a header Authorization of ours: who has one needs no form.
    """
    site = request.headers.get("sec-fetch-site")
    if site not in {None, "same-origin"}:
        return f"it comes from another site (Sec-Fetch-Site: {site:.40})"
    origin = request.headers.get("origin")
    if site is None and origin is not None and not _is_ours(origin, request):
        return f"it comes from another site (Origin: {origin:.200})"
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return ""
    known = request.cookies.get(COOKIE, "")
    if not known or not secrets.compare_digest(known.encode(), told.encode()):
        return "its form is too old, or not ours: load the page again"
    return ""


def _is_ours(origin: str, request: Request) -> bool:
    try:
        return urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        return False
