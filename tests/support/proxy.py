"""A proxy that knows where a request and its reply end, and breaks things at a chosen one.

It listens on a unix socket of its own and speaks to a server's. A request is known by the
script it runs (``claim``, ``settle`` ...) or else by its command, and by the process that sent
it. Each connection has one request on its way at a time; pipelined ones wait their turn. It
does not understand subscriptions.
"""

from __future__ import annotations

import hashlib
import os
import select
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Self

from tests.support.waiting import wait_until
from workhorse.store import scripts

_CHUNK = 1 << 16


class Fault(Enum):
    """What happens to a call. A connection that lost something is closed, unless it hangs."""

    LOSE_REQUEST = "the server never sees it"
    LOSE_REPLY = "the server acts, and nobody hears of it"
    CUT_REQUEST = "the server gets the beginning of it, and acts if that is all of it"
    CUT_REPLY = "the server acts, and half of its reply arrives, or so many bytes"
    REPEAT = "the server sees it twice; its second reply arrives"
    DELAY = "its reply arrives later"
    HANG = "the server acts; nothing more is read or sent, and the connection stays open"
    REFUSE = "the server never sees it; an error arrives in place of its reply"


@dataclass(frozen=True, slots=True)
class Seen:
    """One call on its way."""

    number: int
    """Of all calls through this proxy, from 1."""
    name: str
    words: tuple[bytes, ...]
    pid: int
    """The process that sent it."""


def _every(call: Seen) -> bool:
    return bool(call)


def _ignore(call: Seen) -> None:
    del call


@dataclass(slots=True)
class Rule:
    """Which call something happens to: the *nth* of those called *name* and chosen by *where*.

    ``then`` is called at the moment of the loss: before the server can see the request where
    that is lost, else when the server has acted and its reply has not been passed on.
    """

    fault: Fault
    nth: int = 1
    name: str | None = None
    where: Callable[[Seen], bool] = _every
    times: int = 1
    """How many calls, beginning with the nth."""
    at: int | None = None
    """How many bytes of a message pass before the cut; half of a reply without it."""
    seconds: float = 0
    """Of a delay."""
    error: str = ""
    """What the server is made to say, as ``READONLY You can't write``."""
    then: Callable[[Seen], None] = _ignore
    matched: int = 0
    size: int = 0
    """Of the last reply."""
    hits: list[Seen] = field(default_factory=list[Seen])

    def applies(self, call: Seen) -> bool:
        """Count *call* if it is one of those meant, and return whether its turn has come."""
        if (self.name and call.name != self.name) or not self.where(call):
            return False
        self.matched += 1
        if not self.nth <= self.matched < self.nth + self.times:
            return False
        self.hits.append(call)
        return True

    def wait(self, within: float = 10) -> Seen:
        """Return the first call that it happened to, once it has."""
        return wait_until(lambda: self.hits, within=within)[0]


class Proxy:
    """Stands between clients, which connect to its ``socket``, and the server at *upstream*."""

    def __init__(self, upstream: Path, *rules: Rule) -> None:
        self.calls: list[Seen] = []
        self._upstream = upstream
        self._rules = list(rules)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._partitioned = False
        self._closing = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="workhorse-proxy-"))
        self.socket = self._folder / "p.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen(128)
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def add(self, rule: Rule) -> Rule:
        """Have *rule* apply, to calls from now on, and return it."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def names(self) -> list[str]:
        """Return what was called, in order."""
        with self._lock:
            return [call.name for call in self.calls]

    def partition(self) -> None:
        """Cut every connection, and every new one, until ``heal``."""
        with self._lock:
            self._partitioned = True
            self._cut()

    def heal(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._partitioned = False

    def lead_to(self, upstream: Path) -> None:
        """Have new connections lead to another server; those that are open stay as they are."""
        self._upstream = upstream

    def close(self) -> None:
        """End; connections through it are cut."""
        self._closing.set()
        with self._lock:
            self._cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(5)
        shutil.rmtree(self._folder)

    def _cut(self) -> None:
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server:
            with self._lock:
                if self._partitioned or self._closing.is_set():
                    return
                self._open |= {client, server}
            try:
                with suppress(OSError):
                    server.connect(str(self._upstream))
                    _Connection(client, server, self._judge).run()
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _judge(self, words: tuple[bytes, ...], pid: int) -> tuple[Seen, Rule | None]:
        with self._lock:
            call = Seen(len(self.calls) + 1, name_of(words), words, pid)
            self.calls.append(call)
            applying = [rule for rule in self._rules if rule.applies(call)]
        return call, applying[0] if applying else None


Judge = Callable[[tuple[bytes, ...], int], tuple[Seen, Rule | None]]


class _Connection:
    """One client's connection and ours to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, judge: Judge) -> None:
        self._client = client
        self._server = server
        self._judge = judge
        self._pid = _pid_of(client)
        self._received = {client.fileno(): bytearray(), server.fileno(): bytearray()}
        self._poll = select.poll()
        self._poll.register(client, select.POLLIN)
        self._poll.register(server, select.POLLIN)

    def run(self) -> None:
        """Pass calls on until one end closes."""
        while (request := self._next(self._client)) is not None:
            if not self._pass(request):
                return

    def _pass(self, request: bytes) -> bool:
        """Pass one call on; False if the connection is to be closed."""
        call, rule = self._judge(words_of(request), self._pid)
        fault = rule.fault if rule else None
        if call.name == "SUBSCRIBE" and not rule:
            self._relay(request)
            return False
        if rule and fault in (Fault.LOSE_REQUEST, Fault.REFUSE):
            rule.then(call)
            if fault is Fault.REFUSE:
                self._client.sendall(f"-{rule.error}\r\n".encode())
            return fault is Fault.REFUSE
        if rule and fault is Fault.CUT_REQUEST:
            self._ask_half(request[: rule.at], whole=rule.at == len(request))
            return False
        reply = self._ask(request)
        if reply is not None and fault is Fault.REPEAT:
            reply = self._ask(request)
        if reply is None:
            return False
        return self._answer(reply, call, rule) if rule else self._send(reply)

    def _relay(self, request: bytes) -> None:
        """Pass on all that comes: who has subscribed gets messages that it did not ask for."""
        self._server.sendall(request)
        while ready := self._poll.poll():
            for descriptor, _ in ready:
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    return
                is_ours = descriptor == self._client.fileno()
                (self._server if is_ours else self._client).sendall(chunk)

    def _answer(self, reply: bytes, call: Seen, rule: Rule) -> bool:
        rule.size = len(reply)
        rule.then(call)
        if rule.fault is Fault.HANG:
            self._hang()
        elif rule.fault is Fault.CUT_REPLY:
            self._send(reply[: len(reply) // 2 if rule.at is None else rule.at])
        elif rule.fault is not Fault.LOSE_REPLY:
            threading.Event().wait(rule.seconds)
            return self._send(reply)
        return False

    def _send(self, reply: bytes) -> bool:
        self._client.sendall(reply)
        return True

    def _ask(self, request: bytes) -> bytes | None:
        self._server.sendall(request)
        return self._next(self._server)

    def _ask_half(self, part: bytes, *, whole: bool) -> None:
        """Send *part* of a request; return when the server has it, and has acted if it can."""
        self._server.sendall(part)
        if whole:
            self._next(self._server)
        self._server.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            self._server.recv(_CHUNK)

    def _hang(self) -> None:
        """Read nothing more, until one end goes."""
        gone = select.poll()
        gone.register(self._client, 0)  # POLLHUP comes unasked
        gone.register(self._server, 0)
        gone.poll()

    def _next(self, source: socket.socket) -> bytes | None:
        """Return the next message from *source*, None if either end closed."""
        received = self._received[source.fileno()]
        while (end := message_end(received)) is None:
            for descriptor, _ in self._poll.poll():
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    return None
                self._received[descriptor] += chunk
        message = bytes(received[:end])
        del received[:end]
        return message


def _pid_of(client: socket.socket) -> int:
    """Return the process at the other end, as it was when it connected."""
    told = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", told)[0]
    return pid


def message_end(data: bytes | bytearray, at: int = 0) -> int | None:
    r"""Return where the message that begins *at* ends, of RESP2 or 3; None if more must come.

    >>> message_end(b"*2\r\n$4\r\nLLEN\r\n$1\r\nq\r\n+OK\r\n")
    21
    >>> message_end(b"*2\r\n$4\r\nLLEN\r\n$1\r\nq")
    """
    line_end = data.find(b"\r\n", at)
    if line_end < 0:
        return None
    kind, after = data[at : at + 1], line_end + 2
    if kind in (b"$", b"=", b"!"):
        length = int(data[at + 1 : line_end])
        end = after if length < 0 else after + length + 2
        return end if end <= len(data) else None
    if kind in (b"*", b"~", b">", b"%", b"|"):
        count = int(data[at + 1 : line_end]) * (2 if kind in (b"%", b"|") else 1)
        # Attributes and pushes are counted to the reply that they precede.
        return _after_many(data, after, count + (kind in (b"|", b">")))
    return after


def _after_many(data: bytes | bytearray, at: int, count: int) -> int | None:
    end: int | None = at
    for _ in range(count):
        end = None if end is None else message_end(data, end)
    return end


def words_of(request: bytes) -> tuple[bytes, ...]:
    r"""Return the words of a request, a list of texts or a line.

    >>> words_of(b"*2\r\n$4\r\nLLEN\r\n$1\r\nq\r\n")
    (b'LLEN', b'q')
    >>> words_of(b"PING\r\n")
    (b'PING',)
    """
    if not request.startswith(b"*"):
        return tuple(request.split())
    at = request.index(b"\r\n") + 2
    words: list[bytes] = []
    while at < len(request):
        line_end = request.index(b"\r\n", at)
        length = int(request[at + 1 : line_end])
        words.append(request[line_end + 2 : line_end + 2 + length])
        at = line_end + 2 + length + 2
    return tuple(words)


def name_of(words: tuple[bytes, ...]) -> str:
    """Return the script that a request runs, or else its command in capitals.

    >>> name_of((b"evalsha", scripts.load("claim").sha.encode(), b"1"))
    'claim'
    >>> name_of((b"blpop", b"rq:bell:q", b"1"))
    'BLPOP'
    """
    command = words[0].decode().upper() if words else ""
    if command in ("EVALSHA", "EVAL") and len(words) > 1:
        sha = words[1].decode("latin-1")
        if command == "EVAL":
            sha = hashlib.sha1(words[1], usedforsecurity=False).hexdigest()
        return _names().get(sha, command)
    return command


@cache
def _names() -> dict[str, str]:
    return {scripts.load(name).sha: name for name in scripts.names()}
