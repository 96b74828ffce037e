"""HTTP requests that tell another service how a job ended, and where they may go."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self, cast
from urllib.parse import SplitResult, urlsplit

from workhorse.core.errors import InvalidOptionError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_STATES: Final = ("finished", "failed")
_METHODS: Final = ("GET", "POST")
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_URL: Final = 2000
_MOST_HEADERS: Final = 4096
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST: Final = re.compile(r"[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\]")
_OURS: Final = ("host", "content-length", "transfer-encoding", "connection")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Target(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """Tell *url* when a job has ended as *job_status* says: "finished" or "failed".

    A "POST" carries the facts as JSON, a "GET" nothing. *timeout* is in seconds. Raises
    InvalidOptionError, a ValueError.
    """

    url: str
    job_status: str
    method: str = field(default="GET", kw_only=True)
    headers: Mapping[str, str] | None = field(default=None, kw_only=True, repr=False)
    timeout: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the webhook in *data*, unchecked: RQ's clients accept more than ours."""
        webhook = object.__new__(cls)
        for name, value in (
            ("url", data["url"]),
            ("job_status", data["job_status"]),
            ("method", data.get("method") or "GET"),
            ("headers", data.get("headers") or None),
            ("timeout", data.get("timeout") or 10),
        ):
            object.__setattr__(webhook, name, value)
        return webhook

    def to_dict(self) -> dict[str, Any]:
        """Return it as a job's hash holds it."""
        return {
            "url": self.url,
            "job_status": self.job_status,
            "method": self.method,
            "headers": dict(self.headers) if self.headers else None,
            "timeout": self.timeout,
        }

    def check(self) -> Target:
        """Return where it goes. Raises InvalidOptionError for what is not to be sent."""
        if self.job_status not in _STATES:
            raise InvalidOptionError(
                f"Webhook(job_status={self.job_status!r}): give 'finished' or 'failed'"
            )
        if self.method not in _METHODS:
            raise InvalidOptionError(f"Webhook(method={self.method!r}): give 'GET' or 'POST'")
        timeout = cast("object", self.timeout)
        if not isinstance(timeout, int | float) or isinstance(timeout, bool) or timeout <= 0:
            raise InvalidOptionError(f"Webhook(timeout={timeout!r}): give seconds, 1 or more")
        _check_headers(self.headers)
        return target_of(self.url)


def target_of(url: object) -> Target:
    """Return where *url* points. Raises InvalidOptionError, which shows no part of it.

    Parsers differ about odd URLs, and what one checks another may not send: those are refused.

    >>> target_of("https://example.com/hook?id=1")
    Target(scheme='https', host='example.com', port=443, path='/hook?id=1')
    """
    if not isinstance(url, str) or not url:
        raise InvalidOptionError("Webhook(url=...): give an http:// or https:// address as text")
    if len(url) > _LONGEST_URL:
        raise InvalidOptionError(f"Webhook(url=...): more than {_LONGEST_URL} characters")
    if not all("!" <= letter <= "~" for letter in url) or "\\" in url:
        raise InvalidOptionError(
            "Webhook(url=...): it has a blank, a control character, a backslash or a letter that "
            "is not ASCII; write hosts as punycode and the rest with %-escapes"
        )
    parts, port = _parsed(url)
    if parts.scheme not in _PORTS:
        raise InvalidOptionError("Webhook(url=...): give an address with http:// or https://")
    if "@" in parts.netloc:
        raise InvalidOptionError(
            "Webhook(url=...): it has a user or password before the host; send a header instead"
        )
    written, _, _ = parts.netloc.rpartition(":") if port is not None else (parts.netloc, "", "")
    if not parts.hostname or not _HOST.fullmatch(written):
        raise InvalidOptionError("Webhook(url=...): it names no host")
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)


def _parsed(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidOptionError(f"Webhook(url=...): {error}") from None
    if port == 0:
        raise InvalidOptionError("Webhook(url=...): port 0 is none")
    return parts, port


def _check_headers(headers: object) -> None:
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        raise InvalidOptionError("Webhook(headers=...): give a dictionary of texts")
    size = 0
    for name, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise InvalidOptionError(f"Webhook(headers=...): {name!r} is no header's name")
        if name.lower() in _OURS:
            raise InvalidOptionError(f"Webhook(headers=...): {name} follows from the request")
        if not isinstance(value, str) or not all(" " <= c <= "~" or c == "\t" for c in value):
            raise InvalidOptionError(
                f"Webhook(headers=...): the value of {name} is no text on one line, in ASCII"
            )
        size += len(name) + len(value)
    if size > _MOST_HEADERS:
        raise InvalidOptionError(f"Webhook(headers=...): more than {_MOST_HEADERS} bytes")


def networks_of(text: str) -> tuple[Network, ...]:
    """Return the networks in a list with commas. Raises InvalidOptionError.

    >>> networks_of("10.0.0.0/8, ::1")
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))
    """
    try:
        return tuple(
            ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()
        )
    except ValueError as error:
        raise InvalidOptionError(f"not a list of networks: {text!r} ({error})") from None


def is_allowed(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Return whether a webhook may be sent to *address*: to the Internet, and to *allowed*.

    Not to this machine, a private network, a cloud's metadata or a group.

    >>> is_allowed("93.184.216.34"), is_allowed("169.254.169.254"), is_allowed("::ffff:127.0.0.1")
    (True, False, False)
    """
    try:
        found = _meant(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(found.version == network.version and found in network for network in allowed):
        return True
    return found.is_global and not (
        found.is_multicast or found.is_reserved or found.is_unspecified or found.is_loopback
        or found.is_link_local or found.is_private
    )  # fmt: skip


def _meant(address: Address) -> Address:
    """Return the IPv4 address that some IPv6 addresses stand for."""
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo
        inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
        if inner is None and (address in _NAT64 or int(address) < 1 << 32):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and int(address) > 1:
            return inner
    return address


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header ``Workhorse-Signature``.

    >>> signature("secret", 1, b"")[:14]
    't=1,v1=8f0c400'
    """
    signed = b"%d." % timestamp + body
    told = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={told}"
