"""The small web server that answers health checks: a thread for each who asks, and not many.

It reads no more than the head of a request, for no longer than some seconds, and answers once.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, NamedTuple

from workhorse.core.health import Pulse, why_dead, why_not_ready
from workhorse.worker.logs import LOG

Metrics = Callable[[str], tuple[bytes, str]]
"""Answers the header Accept with a body and its type."""

AT_ONCE: Final = 16
"""Requests that are answered at the same time; others are closed without an answer."""
LONGEST_HEAD: Final = 16_384
PATIENCE: Final = 5.0
"""Seconds that a client may take to ask, and to read the answer."""


class Answer(NamedTuple):
    """What is answered."""

    status: HTTPStatus
    body: bytes
    type: str = "application/json"


class Request(NamedTuple):
    """What is asked."""

    method: str
    path: str
    headers: dict[str, str]


def serve(
    listener: socket.socket,
    pulse: Callable[[], Pulse],
    make_metrics: Callable[[], Metrics] | None,
) -> None:
    """Answer until the process ends."""
    answers = Answers(listener, pulse, make_metrics)
    free = threading.BoundedSemaphore(AT_ONCE)

    def attend(client: socket.socket) -> None:
        try:
            with client:
                _attend(client, answers)
        finally:
            free.release()

    while True:
        try:
            client, _ = listener.accept()
        except OSError as error:  # no descriptors left, say
            LOG.warning("health checks: %s", error)
            time.sleep(0.1)
            continue
        if not free.acquire(blocking=False):
            client.close()
            continue
        threading.Thread(target=attend, args=(client,), daemon=True).start()


class Answers:
    """What each address answers."""

    def __init__(
        self,
        listener: socket.socket,
        pulse: Callable[[], Pulse],
        make_metrics: Callable[[], Metrics] | None,
    ) -> None:
        self._pulse = pulse
        self._make_metrics = make_metrics
        self._metrics: Metrics | None = None
        self._lock = threading.Lock()
        self._is_local = listener.family != socket.AF_UNIX and _is_loopback(
            str(listener.getsockname()[0])
        )

    def to(self, request: Request) -> Answer:
        """Return the answer to a request."""
        if request.method not in ("GET", "HEAD"):
            return _told(HTTPStatus.METHOD_NOT_ALLOWED, "ask with GET")
        if self._is_local and not _is_local_name(request.headers.get("host", "localhost")):
            return _told(HTTPStatus.FORBIDDEN, "this is for its own machine: ask http://localhost")
        return self._found(request.path.partition("?")[0], request.headers.get("accept", ""))

    def _found(self, path: str, accept: str) -> Answer:
        match path:
            case "/healthz":
                found = self._health(why_dead)
            case "/readyz":
                found = self._health(why_not_ready)
            case "/metrics":
                found = self._told_metrics(accept)
            case _:
                found = _told(HTTPStatus.NOT_FOUND, "there are /healthz, /readyz and /metrics")
        return found

    def _health(self, why_not: Callable[[Pulse, float], list[str]]) -> Answer:
        pulse = self._pulse()
        reasons = why_not(pulse, time.monotonic())
        told = {
            "status": "bad" if reasons else "ok",
            "reasons": reasons,
            "workers": pulse.running,
            "wanted": pulse.wanted,
            "busy": pulse.busy,
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return Answer(status, json.dumps(told).encode() + b"\n")

    def _told_metrics(self, accept: str) -> Answer:
        if self._make_metrics is None:
            why = "metrics need an extra: pip install 'workhorse[prometheus]'"
            return _told(HTTPStatus.NOT_IMPLEMENTED, why)
        with self._lock:
            if self._metrics is None:
                self._metrics = self._make_metrics()
        body, content_type = self._metrics(accept)
        return Answer(HTTPStatus.OK, body, content_type)


def _told(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, json.dumps({"status": "bad", "reasons": [text]}).encode() + b"\n")


def _attend(client: socket.socket, answers: Answers) -> None:
    """Read what one client asks, and answer it."""
    until = time.monotonic() + PATIENCE
    with suppress(OSError):
        request = _read(client, until)
        if request is None:
            return
        try:
            answer = answers.to(request)
        except Exception:  # noqa: BLE001 - whatever it is: the next is answered
            LOG.exception("health checks: %s failed", request.path[:100])
            answer = _told(HTTPStatus.INTERNAL_SERVER_ERROR, "it failed; its log says of what")
        head = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
            f"Content-Type: {answer.type}\r\nContent-Length: {len(answer.body)}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n"
        ).encode("latin-1")
        client.settimeout(PATIENCE)  # of sendall as a whole
        client.sendall(head if request.method == "HEAD" else head + answer.body)


def _read(client: socket.socket, until: float) -> Request | None:
    """Return what is asked; None where that is no request, too long, or too slow."""
    head = b""
    while b"\r\n\r\n" not in head:
        left = until - time.monotonic()
        if left <= 0 or len(head) > LONGEST_HEAD:
            return None
        client.settimeout(left)
        more = client.recv(4096)
        if not more:
            return None
        head += more
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != len(Request._fields) or not words[2].startswith("HTTP/1."):
        return None
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Request(words[0], words[1], headers)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_local_name(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return _is_loopback(name.strip("[]").lower())
