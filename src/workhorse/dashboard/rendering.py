"""How an answer looks: templates, and what stands in every page."""

from __future__ import annotations

import hashlib
import logging
import secrets
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request

from workhorse._version import __version__
from workhorse.dashboard import shown
from workhorse.dashboard.access import User
from workhorse.dashboard.screens import SCREENS
from workhorse.dashboard.security import FIELD

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

FORM_TOKEN: Final = secrets.token_urlsafe()
"""Stands for the token of a browser's forms in what is made for many browsers."""

STATIC: Final = Path(str(files("workhorse.dashboard") / "static"))
_LOG: Final = logging.getLogger("workhorse.dashboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What an answer says, and to whom."""

    template: str
    title: str
    data: Mapping[str, Any]
    user: User | None = None
    live: str = ""
    """Attributes of the page's main part: how it is kept new."""
    is_part: bool = False


class Renderer:
    """Makes HTML of what screens found. Each text in it goes through *redact*."""

    def __init__(
        self,
        *,
        title: str,
        redact: Callable[[str], str],
        may: Callable[[User | None, str], bool],
        **everywhere: Any,
    ) -> None:
        self._title = title
        self._may = may
        self._everywhere = everywhere
        self._templates = _environment(redact)

    def render(self, request: Request, looks: Looks) -> str:
        """Return the page, or its main part, with ``FORM_TOKEN`` in its forms."""
        root = request.scope.get("root_path", "")
        return self._templates.get_template(looks.template).render(
            **looks.data,
            **self._everywhere,
            layout="part.html" if looks.is_part else "page.html",
            title=looks.title,
            dashboard=self._title,
            version=__version__,
            menu=[(path, name) for path, name in MENU if path in SCREENS],
            shortcuts=SHORTCUTS,
            has_page=SCREENS.__contains__,
            with_query=partial(_with_query, request),
            here=request.url.path.removeprefix(root),
            back=_back(request, root),
            may=partial(self._may, looks.user),
            user=looks.user,
            live=Markup(looks.live),  # noqa: S704 - of our making, see ``live_attributes``
            form_field=FIELD,
            form_token=FORM_TOKEN,
            now=time.time(),  # noqa: TID251 - a person's look starts here
            url=partial(_url, root),
        )


def live_attributes(root: str, follows: str, version: str, *, is_streamed: bool) -> str:
    """Return the attributes by which ``live.js`` keeps a page new."""
    address = f"{root}/live?{urlencode({'follows': follows})}" if is_streamed else ""
    return Markup(' data-live="{}" data-version="{}"').format(address, version)


def safely(redact: Callable[[str], str]) -> Callable[[str], str]:
    """Return *redact*, with an error of its own hiding the text, and told in the log."""

    def redacted(text: str) -> str:
        try:
            return str(redact(text))
        except Exception:  # noqa: BLE001 - a user's own code, and what it says is in the log
            _LOG.exception("redact= failed; a text is not shown")
            return "(not shown: it could not be redacted)"

    return redacted


@cache
def static_version(name: str) -> str:
    """Return a word for what a static file holds; empty for a file that there is not."""
    path = STATIC / name
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _url(root: str, *words: str) -> Markup:
    """Return the address of a page of ours. A slash in a name, or one of dots, is quoted twice.

    Static files get a version, so that browsers may keep them.

    >>> _url("/jobs", "queues", "a/b c")
    Markup('/jobs/queues/a%252Fb%20c')
    """
    path = root + "".join(f"/{quote(_word(word), safe='')}" for word in words)
    if words[:1] == ("static",):
        path += f"?v={static_version(words[-1])}"
    return escape(path)


def _word(name: str) -> str:
    """Return *name* as one word of a path, which servers unquote once, and the view again."""
    told = name.replace("%", "%25").replace("/", "%2F")
    return told.replace(".", "%2E") if told in {".", ".."} else told


def _back(request: Request, root: str) -> Markup:
    """Return the address of the page of ours that a form was on; empty for none."""
    try:
        found = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return Markup()
    is_ours = found.netloc == request.headers.get("host") and found.path.startswith(f"{root}/")
    return escape(found._replace(scheme="", netloc="").geturl() if is_ours else "")


def _with_query(request: Request, **changes: object) -> Markup:
    """Return the address of this page with some words of its query changed; empty ones go."""
    words = {**request.query_params, **{name: str(value) for name, value in changes.items()}}
    told = urlencode(
        {name: word for name, word in words.items() if word and (name, word) != ("offset", "0")}
    )
    return escape(f"{quote(request.url.path)}?{told}" if told else quote(request.url.path))


def _environment(redact: Callable[[str], str]) -> Environment:
    def finalize(value: object) -> object:
        """Redact each text that a template writes; what is HTML already was, where it was text."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return shown.visible(redact(value))
        return value

    found = Environment(
        loader=PackageLoader("workhorse.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
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
        exact=escape,
    )
    return found
