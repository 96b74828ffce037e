"""Who may see, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from workhorse.core.errors import InvalidOptionError, WorkhorseError


class Role(IntEnum):
    """What a user may do; each role may do all that those before it may."""

    VIEWER = 1
    """See everything, and change nothing."""
    OPERATOR = 2
    """Retry, cancel, stop and move jobs; pause and resume queues and schedules."""
    ADMIN = 3
    """Delete jobs and schedules, and empty queues."""


def role_of(name: str) -> Role:
    """Return the role called *name*, in any case; InvalidOptionError for none.

    >>> role_of("Viewer")
    <Role.VIEWER: 1>
    """
    try:
        return Role[name.upper()]
    except KeyError:
        names = ", ".join(role.name.lower() for role in Role)
        raise InvalidOptionError(f"{name!r} is no role: give one of {names}") from None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who was let in."""

    name: str
    role: Role


Authenticate = Callable[[Request], User | None]
"""Says who sent a request; None for nobody, who is not let in. May wait: it has a thread."""

LOCAL: Final = User("local", Role.ADMIN)
"""Who uses a dashboard without authentication: somebody on its own machine."""


class NotLocalError(WorkhorseError):
    """A request from elsewhere, to a dashboard that lets in its own machine only."""


def of_this_machine(request: Request) -> User:
    """Return who uses a dashboard without authentication; NotLocalError for a request from afar.

    The name in its address must be this machine's, too: a page of another site, whose name was
    made to lead here (DNS rebinding), has its own there.
    """
    host = request.headers.get("host", "")
    why = ""
    if not _is_local_name(host):
        why = f"it answers to http://localhost, and not to {host!r:.100}"
    elif any(name in request.headers for name in _FORWARDED):
        why = "this request came through a proxy"
    elif not _is_local_address(address_of(request)):
        why = f"this request came from {address_of(request)}"
    if why:
        raise NotLocalError(
            f"This dashboard has no authentication and is for its own machine only: {why}. To "
            "be reached from elsewhere, it needs tokens (workhorse dashboard token), or "
            "authenticate="
        )
    return LOCAL


_FORWARDED: Final = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded")


def address_of(request: Request) -> str:
    """Return the address that a request came from; empty for a socket's."""
    if request.client:
        return request.client.host
    environ: dict[str, Any] = request.scope.get("wsgi_environ", {})
    return str(environ.get("REMOTE_ADDR", ""))


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server that listens at *host*.

    >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("localhost"), is_loopback("::")
    (True, True, True, False)
    """
    try:
        found = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host.lower() == "localhost"
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _is_local_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name.endswith(".localhost")


def _is_local_address(address: str) -> bool:
    return not address or is_loopback(address)
