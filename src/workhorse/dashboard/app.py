"""The dashboard as an ASGI application: who asks, what for, and the answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from workhorse.api.connection import default_keys, store_of
from workhorse.core.errors import WorkhorseError
from workhorse.dashboard.access import Authenticate, NotLocalError, User, of_this_machine
from workhorse.dashboard.actions import ACTIONS
from workhorse.dashboard.as_json import to_json, wants_json
from workhorse.dashboard.data import DATA, DataOf
from workhorse.dashboard.doing import Doing
from workhorse.dashboard.live import JOB, MOST_LISTENERS, SERVER, Live
from workhorse.dashboard.login import Login
from workhorse.dashboard.login_throttle import TooManyGuessesError
from workhorse.dashboard.metrics import metrics_route
from workhorse.dashboard.parts import Parts
from workhorse.dashboard.redaction import hide_secrets
from workhorse.dashboard.rendering import FORM_TOKEN, Looks, Renderer, live_attributes, safely
from workhorse.dashboard.screens import SCREENS
from workhorse.dashboard.security import SafeHeaders, form_token_of, keep_form_token, read_form
from workhorse.dashboard.static_files import StaticFilesOfOurs
from workhorse.dashboard.tokens import Tokens
from workhorse.dashboard.view import NoSuchPageError, ScreenOf, Told, View
from workhorse.store.faults import ServerError

_LOG: Final = logging.getLogger("workhorse.dashboard")
_UNSTREAMED: Final = "workhorse.unstreamed"
"""What a request's scope has where an answer can't be a stream."""


class Dashboard:
    """An ASGI application that shows a server's jobs, and lets people steer them.

    *connection* is a client, a URL or None, as for ``Queue``. *authenticate* says who sent a
    request: ``Tokens``, or a function of a Starlette ``Request`` that returns a ``User`` or None;
    without it people on this machine, and they alone, are let in, as admins. *login* is the
    address of a page of yours to log in at. With *read_only* nobody can change anything. *redact*
    is given each text that is shown, and returns it without its secrets.
    """

    def __init__(
        self,
        connection: Any = None,
        *,
        authenticate: Authenticate | None = None,
        login: str = "",
        read_only: bool = False,
        redact: Callable[[str], str] = hide_secrets,
        title: str = "Workhorse",
    ) -> None:
        self._store = store_of(connection)
        self._keys = default_keys()
        self._authenticate = authenticate or of_this_machine
        self._redact = safely(redact)
        self._live = Live(self._store, self._keys)
        self._doing = Doing(self._live, read_only=read_only)
        self._parts: Parts[str] = Parts()
        self._renderer = Renderer(
            title=title,
            redact=self._redact,
            may=self._may,
            read_only=read_only,
            has_logout=isinstance(authenticate, Tokens),
        )
        self._login = (
            Login(authenticate, self._renderer) if isinstance(authenticate, Tokens) else None
        )
        self._login_page = login
        self._app = self._routed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        await self._app(scope, receive, send)

    def wsgi(self) -> Any:
        """Return this as a WSGI application, for Flask and Django.

        Its pages ask every two seconds whether they are old, and are not told.
        """
        from a2wsgi import ASGIMiddleware  # noqa: PLC0415 - it starts a thread; ASGI needs none

        async def unstreamed(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app({**scope, _UNSTREAMED: True}, receive, send)

        return ASGIMiddleware(unstreamed)  # type: ignore[arg-type]  # its own names for the same

    def close(self) -> None:
        """End the streams to browsers: before a server ends that would wait for them."""
        self._live.close()

    def _routed(self) -> ASGIApp:
        app = Starlette(
            routes=[
                *(Route(path, self._shows(screen)) for path, screen in SCREENS.items()),
                *(Route(path, self._answers(data)) for path, data in DATA.items()),
                Route("/do/{action}", self._do, methods=["POST"]),
                Route("/live", self._stream),
                metrics_route(self._store.client, self._authenticate, self._wrong),
                Mount("/static", StaticFilesOfOurs()),
                *(self._login.routes if self._login else ()),
            ],
            exception_handlers={HTTPException: self._http_error, Exception: self._http_error},
        )
        return SafeHeaders(app)

    # Who asks

    def _admit(self, request: Request, answer: Callable[[User], Response]) -> Response:
        """Return the answer to a user, or why there is none."""
        user = None
        try:
            user = self._authenticate(request)
            return self._nobody(request) if user is None else answer(user)
        except Exception as error:  # noqa: BLE001 - a page of ours says so, and the log what it is
            return self._wrong(request, error, user)

    def _nobody(self, request: Request) -> Response:
        """Answer who is not logged in: by the page where that can be done, if it was a person."""
        is_page = request.method == "GET" and not wants_json(request)
        address = self._login.address(request) if self._login else self._login_page
        if is_page and address and request.headers.get("hx-request") != "true":
            return self._login_redirect(request, address)
        response = self._told(request, None, "Nobody is logged in.", 401)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def _login_redirect(self, request: Request, address: str) -> Response:
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        mark = "&" if "?" in address else "?"
        return Response(
            status_code=303, headers={"Location": f"{address}{mark}{urlencode({'next': where})}"}
        )

    def _wrong(self, request: Request, error: Exception, user: User | None = None) -> Response:
        """Answer where something went wrong: in words of ours; what it was is in the log."""
        status, text, headers = _told_of(error)
        if status == _BUG:
            _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        response = self._told(request, user, text, status)
        response.headers.update(headers)
        return response

    async def _http_error(self, request: Request, error: Exception) -> Response:
        return await run_in_threadpool(self._wrong, request, error)

    def _may(self, user: User | None, name: str) -> bool:
        action = ACTIONS.get(name)
        return user is not None and action is not None and not self._doing.why_not(user, action)

    # What is shown

    def _shows(self, screen: ScreenOf) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            return self._admit(request, lambda user: self._show(request, user, screen))

        return answer

    def _answers(self, data: DataOf) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            return self._admit(request, lambda user: self._json(data(self._view(request, user))))

        return answer

    def _show(self, request: Request, user: User, screen: ScreenOf) -> Response:
        """Return a page, or its main part, or JSON. A part is made once for all browsers."""
        follows = _followed(request)
        version, problem = self._live.state(follows)
        is_part = request.headers.get("hx-request") == "true"
        is_json = wants_json(request)
        root = request.scope.get("root_path", "")
        mark = f'"{version}.{user.role:d}"' if version and not problem else ""
        if mark and request.headers.get("if-none-match") == mark and (is_part or is_json):
            return Response(status_code=204 if is_part else 304, headers={"ETag": mark})

        def looks(*, is_part: bool, live: str = "") -> Looks:
            found = screen(self._view(request, user))
            return Looks(
                template=found.template,
                title=found.title,
                data=found.data,
                user=user,
                live=live,
                is_part=is_part,
            )

        if is_json:
            response = self._json(looks(is_part=True).data)
        elif is_part:
            key = (root, request.url.path, request.url.query, user.role)

            def made() -> str:
                return self._renderer.render(request, looks(is_part=True))

            text = self._parts.get(key, version, made) if mark else made()
            response = self._html(request, text)
        else:
            live = live_attributes(
                root, follows, version, is_streamed=_UNSTREAMED not in request.scope
            )
            text = self._renderer.render(request, looks(is_part=False, live=live))
            return self._html(request, text)
        if mark:
            response.headers["ETag"] = mark
        return response

    async def _stream(self, request: Request) -> Response:
        """Tell a browser when its page has changed, as server-sent events."""

        def answer(user: User) -> Response:
            del user
            if _UNSTREAMED in request.scope:
                return self._told(request, None, "No streams here: ask for the page again.", 404)
            if self._live.listeners >= MOST_LISTENERS:
                return self._told(request, None, "Too many listen: ask for the page again.", 503)
            stream = self._live.stream(request.query_params.get("follows", SERVER))
            headers = {"X-Accel-Buffering": "no"}
            return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

        return await run_in_threadpool(self._admit, request, answer)

    def _view(self, request: Request, user: User) -> View:
        return View(
            store=self._store,
            keys=self._keys,
            user=user,
            path={name: unquote(word) for name, word in request.path_params.items()},
            query=request.query_params,
            now=time.time(),  # noqa: TID251 - a person's look starts here
            redact=self._redact,
        )

    # What is done

    async def _do(self, request: Request) -> Response:
        """Do what a form asks for, where its user may."""
        form = await read_form(request)
        return await run_in_threadpool(
            self._admit, request, lambda user: self._act(request, user, form)
        )

    def _act(self, request: Request, user: User, form: Mapping[str, str]) -> Response:
        action = ACTIONS.get(request.path_params["action"])
        if action is None:
            return self._told(request, user, "There is no such action.", 404)
        told, status = self._doing.do(action, self._view(request, user), request, form)
        response = self._told(request, user, told, status, action.name)
        if status < _BAD:
            response.headers["HX-Trigger"] = "workhorse:changed"
        return response

    # Answers

    def _told(
        self, request: Request, user: User | None, told: str | Told, status: int, action: str = ""
    ) -> Response:
        found = Told(told) if isinstance(told, str) else told
        if wants_json(request):
            return self._json(
                {"told": found.text, "done": found.done, "total": found.total}, status
            )
        looks = Looks(
            template="told.html",
            title=found.text,
            data={"told": found, "is_problem": status >= _BAD, "action": action},
            user=user,
            is_part=request.headers.get("hx-request") == "true",
        )
        return self._html(request, self._renderer.render(request, looks), status)

    def _json(self, data: Mapping[str, Any], status: int = 200) -> Response:
        return Response(to_json(data, self._redact), status, media_type="application/json")

    def _html(self, request: Request, text: str, status: int = 200) -> Response:
        """Return a page with the token of this browser in its forms."""
        token = form_token_of(request)
        response = HTMLResponse(text.replace(FORM_TOKEN, token), status)
        keep_form_token(request, response, token)
        return response


_BAD: Final = 400
_BUG: Final = 500


def _followed(request: Request) -> str:
    """Return what a page follows: one job, or all that the server holds."""
    job_id = request.path_params.get("job_id") or request.path_params.get("job")
    return f"{JOB}{unquote(job_id)}" if job_id else SERVER


def _told_of(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Return the status of the answer to an error, what a person is told, and more headers."""
    status, text, headers = _BUG, "Something went wrong here; the dashboard's log says what.", {}
    match error:
        case HTTPException():
            status, text = error.status_code, _TEXTS.get(error.status_code, error.detail)
        case NotLocalError():
            status, text = 403, str(error)
        case TooManyGuessesError():
            status, text = 429, str(error)
            headers = {"Retry-After": str(int(error.seconds) + 1)}
        case NoSuchPageError():
            status, text = 404, str(error)
        case WorkhorseError():
            status, text = 400, str(error)
        case ServerError():
            status, text = 503, f"The server does not answer: {error}"
        case _:
            pass
    return status, text, headers


_TEXTS: Final = {404: "There is no such page.", 405: "This address has no such method."}
