"""What clients and server are connected by, so that it can be cut.

It knows nothing of the protocol: a cut falls where it falls, in the middle of a reply, too.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Self

_CHUNK = 1 << 16


class Cut(Enum):
    """Where a cut falls."""

    NOW = "at once"
    IN_REPLY = "in the middle of the next reply"
    BEFORE_REPLY = "before the next reply"


@dataclass(eq=False, slots=True)
class _End:
    """One end of a connection; what is sent to it waits in ``unsent``."""

    socket: socket.socket
    is_server: bool
    unsent: bytearray = field(default_factory=bytearray)
    cut: Cut | None = None
    other: _End = field(init=False)


class Cable:
    """Listens on *path* and passes everything on to the server at *upstream*.

    *gate* is held while anything passes: whoever takes it sees a server to which nothing comes
    by this way.
    """

    def __init__(self, upstream: Path, path: Path, gate: threading.Lock) -> None:
        self.path = path
        self._upstream = upstream
        self._gate = gate
        self._partitioned = False
        self._closing = False
        self._orders: deque[Callable[[], None]] = deque()
        self._ends: set[_End] = set()
        self._wake, self._woken = socket.socketpair()
        os.set_blocking(self._woken.fileno(), False)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(256)
        os.set_blocking(self._listener.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=f"cable {path.name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing = True
        self._wake.send(b".")
        self._thread.join()
        for one in (self._listener, self._wake, self._woken, self._selector):
            one.close()
        self.path.unlink(missing_ok=True)

    def cut(self, where: Cut) -> None:
        """Cut every connection that there is now."""
        self._order(lambda: self._cut(where))

    def partition(self) -> None:
        """Cut every connection, and every new one, until ``heal``. To be called at the gate."""
        self._partitioned = True
        self._order(lambda: self._cut(Cut.NOW))

    @property
    def is_partitioned(self) -> bool:
        """Return whether nothing comes through."""
        return self._partitioned

    def heal(self) -> None:
        """Let connections through again."""
        self._partitioned = False

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._wake.send(b".")

    def _cut(self, where: Cut) -> None:
        for end in list(self._ends):
            end.cut = where
            if where is Cut.NOW:
                self._close(end)

    def _run(self) -> None:
        while not self._closing:
            ready = self._selector.select()
            with self._gate:
                with suppress(BlockingIOError):
                    self._woken.recv(_CHUNK)
                while self._orders:
                    self._orders.popleft()()
                for key, events in ready:
                    self._serve(key, events)
        for end in list(self._ends):
            self._close(end)

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif isinstance(end := key.data, _End) and end in self._ends:
            if events & selectors.EVENT_WRITE:
                self._send(end)
            if events & selectors.EVENT_READ and end in self._ends:
                self._receive(end)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except OSError:
            return
        server = socket.socket(socket.AF_UNIX)
        try:
            if self._partitioned:
                raise ConnectionRefusedError
            server.connect(str(self._upstream))
        except OSError:
            accepted.close()
            server.close()
            return
        ends = (_End(accepted, is_server=False), _End(server, is_server=True))
        for end, other in (ends, ends[::-1]):
            end.other = other
            os.set_blocking(end.socket.fileno(), False)
            self._ends.add(end)
            self._selector.register(end.socket, selectors.EVENT_READ, end)

    def _receive(self, end: _End) -> None:
        try:
            chunk = end.socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk or (end.is_server and end.cut is Cut.BEFORE_REPLY):
            self._close(end)
        elif end.is_server and end.cut is Cut.IN_REPLY:
            end.other.unsent += chunk[: len(chunk) // 2]
            self._send(end.other)
            self._close(end)
        else:
            end.other.unsent += chunk
            self._send(end.other)

    def _send(self, end: _End) -> None:
        try:
            sent = end.socket.send(end.unsent) if end.unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(end)
            return
        del end.unsent[:sent]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if end.unsent else 0)
        self._selector.modify(end.socket, wanted, end)

    def _close(self, end: _End) -> None:
        for one in (end, end.other):
            if one in self._ends:
                self._ends.remove(one)
                self._selector.unregister(one.socket)
                one.socket.close()
