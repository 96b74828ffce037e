"""The dashboard as an ASGI application: who asks, what for, and the answer as HTML."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from workhorse._version import __version__
from workhorse.api.connection import default_keys, store_of
from workhorse.core.errors import WorkhorseError
from workhorse.dashboard import shown
from workhorse.dashboard.access import Authenticate, User, as_admin
from workhorse.dashboard.actions import ACTIONS
from workhorse.dashboard.data import DATA, DataOf
from workhorse.dashboard.screens import SCREENS
from workhorse.dashboard.security import COOKIE, FIELD, HEADERS, form_token_of, why_refused
from workhorse.dashboard.view import Action, NoSuchPageError, ScreenOf, Told, View
from workhorse.store.faults import ServerError

MENU: Final = (
    ("/", "Overview"),
    ("/queues", "Queues"),
    ("/failures", "Failures"),
    ("/search", "Search"),
    ("/workers", "Workers"),
    ("/schedules", "Schedules"),
    ("/limits", "Limits"),
    ("/groups", "Groups"),
    ("/functions", "Functions"),
    ("/audit", "Audit"),
)
"""The addresses in the menu, and their names: those of them that are in ``SCREENS``."""

SHORTCUTS: Final = MappingProxyType(
    {
        "/": "o",
        "/queues": "q",
        "/failures": "f",
        "/search": "s",
        "/workers": "w",
        "/schedules": "c",
        "/limits": "l",
        "/groups": "r",
        "/functions": "u",
        "/audit": "a",
    }
)
"""The key that leads to each, after a ``g``."""


class Dashboard:
    """An ASGI application that shows a server's jobs, and lets people steer them.

    *connection* is a client, a URL or None, as for ``Queue``. *authenticate* says who sent a
    request; without it everybody is an admin, so never give such a one an address that others
    reach. With *read_only* nobody can change anything. *redact* is given each text of a job's
    call, result and logs, and returns it without its secrets.
    """

    def __init__(
        self,
        connection: Any = None,
        *,
        authenticate: Authenticate = as_admin,
        read_only: bool = False,
        redact: Callable[[str], str] = str,
        title: str = "Workhorse",
    ) -> None:
        self._store = store_of(connection)
        self._keys = default_keys()
        self._authenticate = authenticate
        self._read_only = read_only
        self._redact = redact
        self._title = title
        self._templates = _environment()
        self._app = Starlette(
            routes=[
                *(Route(path, self._shows(screen)) for path, screen in SCREENS.items()),
                *(Route(path, self._answers(data)) for path, data in DATA.items()),
                Route("/do/{action}", self._do, methods=["POST"]),
                Mount("/static", StaticFiles(directory=_static_folder())),
            ],
            middleware=[Middleware(_Headers)],
            exception_handlers={404: self._not_found},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        await self._app(scope, receive, send)

    def _shows(self, screen: ScreenOf) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            user = self._authenticate(request)
            if user is None:
                return self._told(request, None, "Nobody is logged in.", 401)
            try:
                found = screen(self._view(request, user))
            except NoSuchPageError as error:
                return self._told(request, user, str(error), 404)
            except ServerError as error:
                return self._told(request, user, f"The server does not answer: {error}", 503)
            return self._page(request, user, found.template, found.title, found.data)

        return answer

    def _answers(self, data: DataOf) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            user = self._authenticate(request)
            if user is None:
                return JSONResponse({"told": "Nobody is logged in."}, 401)
            try:
                return JSONResponse(data(self._view(request, user)))
            except NoSuchPageError as error:
                return JSONResponse({"told": str(error)}, 404)
            except ServerError as error:
                return JSONResponse({"told": f"The server does not answer: {error}"}, 503)

        return answer

    async def _do(self, request: Request) -> Response:
        """Do what a form asks for, where its user may. A field's values are lines of one text."""
        form: dict[str, str] = {}
        for name, value in (await request.form()).multi_items():
            form[name] = f"{form[name]}\n{value}" if name in form else str(value)
        return await run_in_threadpool(self._act, request, form)

    def _act(self, request: Request, form: Mapping[str, str]) -> Response:
        user = self._authenticate(request)
        if user is None:
            return self._told(request, None, "Nobody is logged in.", 401)
        action = ACTIONS.get(request.path_params["action"])
        if action is None:
            return self._told(request, user, "There is no such action.", 404)
        why = why_refused(request, form.get(FIELD, "")) or self._why_not(user, action)
        if why:
            return self._told(request, user, f"Nothing was done: {why}.", 403)
        told, status = self._done(action, self._view(request, user), form)
        return self._told(request, user, told, status, action.name)

    def _why_not(self, user: User, action: Action) -> str:
        if self._read_only:
            return "this dashboard is read-only"
        if user.role < action.role:
            has, takes = user.role.name.lower(), action.role.name.lower()
            return f"{user.name} is {has}, and it takes {takes}"
        return ""

    def _may(self, user: User | None, name: str) -> bool:
        return user is not None and name in ACTIONS and not self._why_not(user, ACTIONS[name])

    def _done(self, action: Action, view: View, form: Mapping[str, str]) -> tuple[str | Told, int]:
        """Do it; return what to tell, and the status of the answer."""
        try:
            return action.do(view, form), 200
        except WorkhorseError as error:
            return f"Nothing was done: {error}", 400
        except ServerError as error:
            return f"The server does not answer: {error}", 503

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

    def _not_found(self, request: Request, error: Exception) -> Response:
        del error
        return self._told(request, None, "There is no such page.", 404)

    def _told(
        self, request: Request, user: User | None, told: str | Told, status: int, action: str = ""
    ) -> Response:
        found = Told(told) if isinstance(told, str) else told
        data = {"told": found, "is_problem": status >= _BAD, "action": action}
        return self._page(request, user, "told.html", found.text, data, status)

    def _page(
        self,
        request: Request,
        user: User | None,
        template: str,
        title: str,
        data: Mapping[str, Any],
        status: int = 200,
    ) -> Response:
        token = form_token_of(request)
        root = request.scope.get("root_path", "")
        is_part = request.headers.get("hx-request") == "true"
        text = self._templates.get_template(template).render(
            **data,
            layout="part.html" if is_part else "page.html",
            title=title,
            dashboard=self._title,
            version=__version__,
            menu=[(path, name) for path, name in MENU if path in SCREENS],
            shortcuts=SHORTCUTS,
            has_page=SCREENS.__contains__,
            with_query=partial(_with_query, request),
            here=request.url.path.removeprefix(root),
            may=partial(self._may, user),
            user=user,
            read_only=self._read_only,
            form_field=FIELD,
            form_token=token,
            now=time.time(),  # noqa: TID251 - a person's look starts here
            url=partial(_url, root),
        )
        response = HTMLResponse(text, status)
        if request.cookies.get(COOKIE) != token:
            secure = request.url.scheme == "https"
            response.set_cookie(
                COOKIE, token, path=root or "/", httponly=True, samesite="strict", secure=secure
            )
        return response


_BAD: Final = 400


def _url(root: str, *words: str) -> str:
    """Return the address of a page of ours. A slash in a name, or one of dots, is quoted twice.

    >>> _url("/jobs", "queues", "a/b c")
    '/jobs/queues/a%252Fb%20c'
    """
    return root + "".join(f"/{quote(_word(word), safe='')}" for word in words)


def _word(name: str) -> str:
    """Return *name* as one word of a path, which servers unquote once, and ``_view`` again."""
    told = name.replace("%", "%25").replace("/", "%2F")
    return told.replace(".", "%2E") if told in {".", ".."} else told


def _with_query(request: Request, **changes: object) -> str:
    """Return the address of this page with some words of its query changed; empty ones go."""
    words = {**request.query_params, **{name: str(value) for name, value in changes.items()}}
    told = urlencode(
        {name: word for name, word in words.items() if word and (name, word) != ("offset", "0")}
    )
    return f"{quote(request.url.path)}?{told}" if told else quote(request.url.path)


def _static_folder() -> Path:
    return Path(str(files("workhorse.dashboard") / "static"))


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("workhorse.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = found.filters
    filters.update(
        duration=shown.duration,
        moment=shown.moment,
        number=shown.number,
        amount=shown.amount,
        ago=shown.ago,
        plain=shown.plain,
        shell=shlex.quote,
    )
    return found


class _Headers:
    """Adds the headers of ``security`` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told = [(name.lower().encode(), text.encode()) for name, text in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        await self._app(scope, receive, send_with_headers)
