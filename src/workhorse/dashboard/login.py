"""The page to log in at with a token, and the way out."""

from __future__ import annotations

import logging
import re
import time
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from workhorse.core.harmless import harmless
from workhorse.dashboard.access import User, address_of
from workhorse.dashboard.login_throttle import TooManyGuessesError
from workhorse.dashboard.rendering import FORM_TOKEN, Looks, Renderer
from workhorse.dashboard.security import (
    FIELD,
    form_token_of,
    keep_form_token,
    read_form,
    why_refused,
)
from workhorse.dashboard.tokens import HOURS, SESSION, Tokens

_LOG: Final = logging.getLogger("workhorse.dashboard")
_PAGE_OF_OURS: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


class Login:
    """Gives who knows a token a session, in a cookie that no script and no other site can use."""

    def __init__(self, tokens: Tokens, renderer: Renderer) -> None:
        self._tokens = tokens
        self._renderer = renderer
        self.routes = (
            Route("/login", self._page, methods=["GET"]),
            Route("/login", self._log_in, methods=["POST"]),
            Route("/logout", self._log_out, methods=["POST"]),
        )

    def address(self, request: Request) -> str:
        """Return where the page is."""
        return f"{_root(request)}/login"

    def _page(
        self, request: Request, told: str = "", status: int = 200, where: str | None = None
    ) -> Response:
        asked = request.query_params.get("next", "") if where is None else where
        looks = Looks(
            template="login.html",
            title="Log in",
            data={"told": told, "next": _next(request, asked)},
        )
        token = form_token_of(request)
        text = self._renderer.render(request, looks).replace(FORM_TOKEN, token)
        response = HTMLResponse(text, status)
        keep_form_token(request, response, token)
        return response

    async def _log_in(self, request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(self._try, request, form)

    def _try(self, request: Request, form: dict[str, str]) -> Response:
        where = form.get("next", "")
        why = why_refused(request, form.get(FIELD, ""))
        if why:
            return self._page(request, f"You are not logged in: {why}.", 403, where)
        address = address_of(request)
        try:
            user = self._tokens.user_of(form.get("token", "").strip(), address)
        except TooManyGuessesError as error:
            response = self._page(request, str(error), 429, where)
            response.headers["Retry-After"] = str(int(error.seconds) + 1)
            return response
        if user is None:
            _LOG.warning("%s", harmless(f"a wrong token came from {address}"))
            return self._page(request, "That is no token of this dashboard.", 401, where)
        _LOG.info("%s", harmless(f"{user.name} logged in from {address}"))
        return self._let_in(request, user, _next(request, where))

    def _let_in(self, request: Request, user: User, where: str) -> Response:
        now = time.time()  # noqa: TID251 - a session starts here
        response = RedirectResponse(where, 303)
        response.set_cookie(
            SESSION,
            self._tokens.session_of(user, now),
            max_age=HOURS * 3600,
            path=_root(request) or "/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    async def _log_out(self, request: Request) -> Response:
        form = await read_form(request)
        why = why_refused(request, form.get(FIELD, ""))
        if why:
            return self._page(request, f"You are not logged out: {why}.", 403)
        self._tokens.end_session(request.cookies.get(SESSION, ""))
        response = RedirectResponse(self.address(request), 303)
        response.delete_cookie(SESSION, path=_root(request) or "/")
        return response


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root


def _next(request: Request, asked: str) -> str:
    """Return the page to go on to: the one *asked* for, if it is one of ours."""
    root = _root(request)
    is_ours = _PAGE_OF_OURS.fullmatch(asked) and (asked == root or asked.startswith(f"{root}/"))
    return asked if is_ours else f"{root}/"
