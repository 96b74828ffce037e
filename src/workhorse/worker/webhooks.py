"""Send one webhook: to an address that is allowed, once, following nothing.

The standard library's client does it: a connection to the very address that was checked, so that
no second look-up can lead elsewhere; no proxy, no redirect, no cookie.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from workhorse._version import __version__
from workhorse.core.errors import InvalidOptionError, WebhookFailedError, WebhookRefusedError
from workhorse.core.webhooks import Target, Webhook, is_allowed, networks_of, signature

SECRET: Final = "WORKHORSE_WEBHOOK_SECRET"  # noqa: S105 - the name of the setting
ALLOW: Final = "WORKHORSE_WEBHOOK_ALLOW"

_AGAIN: Final = frozenset({408, 425, 429})
_LONGEST_TIMEOUT: Final = 3600


def deliver(
    told: Mapping[str, Any], payload: Mapping[str, Any], delivery: str, *, now: float
) -> str:
    """Send the webhook in *told*; return what its receiver answered, in brief.

    *now* is in seconds since 1970, for the signature.

    Raises WebhookFailedError for what may be better later, and WebhookRefusedError. Neither
    shows more of the address than its host, nor any header.
    """
    try:
        webhook = Webhook.from_dict(told)
        target = webhook.check()
    except (KeyError, TypeError, AttributeError, InvalidOptionError) as error:
        raise WebhookRefusedError(f"not a webhook that can be sent: {error}") from None
    body = json.dumps(payload).encode() if webhook.method == "POST" else b""
    headers = _headers(webhook, body, delivery, int(now))
    timeout = min(webhook.timeout, _LONGEST_TIMEOUT)
    status = _send(target, webhook.method, body, headers, timeout)
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's
        return f"{target.host} answered {status}"
    if status >= 500 or status in _AGAIN:  # noqa: PLR2004 - HTTP's
        raise WebhookFailedError(f"{target.host} answered {status}")
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's
        raise WebhookRefusedError(f"{target.host} answered {status}: redirects are not followed")
    raise WebhookRefusedError(f"{target.host} answered {status}")


def _headers(webhook: Webhook, body: bytes, delivery: str, now: int) -> dict[str, str]:
    headers = {"User-Agent": f"workhorse/{__version__}", "Workhorse-Delivery": delivery}
    if webhook.method == "POST":
        headers["Content-Type"] = "application/json"
    if secret := os.environ.get(SECRET):
        headers["Workhorse-Signature"] = signature(secret, now, body)
    given = webhook.headers or {}
    theirs = {name.lower() for name in given}
    kept = {name: value for name, value in headers.items() if name.lower() not in theirs}
    return {**kept, **given}


def _send(
    target: Target, method: str, body: bytes, headers: Mapping[str, str], timeout: float
) -> int:
    connection = _connection(target, _resolved(target), timeout)
    try:
        connection.request(method, target.path, body or None, dict(headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise WebhookFailedError(f"{target.host}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _resolved(target: Target) -> str:
    """Return an address of the host to which a webhook may go."""
    try:
        allowed = networks_of(os.environ.get(ALLOW, ""))
    except InvalidOptionError as error:
        raise WebhookRefusedError(f"{ALLOW}: {error}") from None
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebhookFailedError(f"{target.host} has no address: {error}") from error
    addresses = [str(address[0]) for *_, address in found]
    for address in addresses:
        if is_allowed(address, allowed):
            return address
    raise WebhookRefusedError(
        f"{target.host} is {', '.join(dict.fromkeys(addresses))}: not an address of the Internet; "
        f"{ALLOW} can allow networks, as in {ALLOW}=10.0.0.0/8"
    )


def _connection(target: Target, address: str, timeout: float) -> http.client.HTTPConnection:
    if target.scheme == "https":
        return _PinnedHTTPS(target, address, timeout)
    return _Pinned(target, address, timeout)


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever the host's name means by now."""

    def __init__(self, target: Target, address: str, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._address = address

    def connect(self) -> None:
        """Connect to the address."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _PinnedHTTPS(http.client.HTTPSConnection):
    """The same, with the host's certificate checked by its name."""

    def __init__(self, target: Target, address: str, timeout: float) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(target.host, target.port, timeout=timeout, context=self._tls)
        self._address = address

    def connect(self) -> None:
        """Connect to the address."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
