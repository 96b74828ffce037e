"""Who asks how a supervisor is gets an answer from another process, which the supervisor forks.

So whatever is asked, however slowly and by how many, can't hold up the loop that looks after
workers; and who is stuck is still told of. Between the two is a page of shared memory.
"""

from __future__ import annotations

import logging
import mmap
import os
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from workhorse.core.errors import InvalidOptionError
from workhorse.core.health import Pulse
from workhorse.worker.health_server import Metrics, serve
from workhorse.worker.lifecycle import (
    die_with_parent,
    ignore_stop_signals,
    let_signals_come,
    set_title,
    signals_held_back,
)
from workhorse.worker.logs import LOG, say

_PULSE: Final = struct.Struct("<dIII???")
_LOOK_EVERY: Final = 1.0
_BACKLOG: Final = 32


@dataclass(frozen=True, slots=True)
class HealthOptions:
    """Where a supervisor answers, and what besides how it is."""

    port: int | None = None
    """0 for a free one."""
    host: str = "127.0.0.1"
    socket: str = ""
    """The path of a unix socket, in place of a port."""
    metrics: Callable[[], Metrics] | None = None
    """Called in the process that answers, when metrics are first asked for."""


class Health:
    """Answers for one supervisor. Without options it does nothing."""

    def __init__(self, options: HealthOptions | None) -> None:
        self._options = options
        self._page = mmap.mmap(-1, _PULSE.size)
        self._listener: socket.socket | None = None
        self._pid = 0
        self._looked_at = 0.0

    @property
    def listens(self) -> bool:
        """Whether anybody may ask."""
        return self._listener is not None

    def bind(self) -> None:
        """Take the address; InvalidOptionError where that can't be done."""
        options = self._options
        if options is None:
            return
        try:
            self._listener = _bound(options)
        except (OSError, OverflowError) as error:
            where = options.socket or f"{options.host}:{options.port}"
            raise InvalidOptionError(f"can't answer health checks at {where}: {error}") from error
        say("health", f"health checks: {self.address}", address=self.address)

    @property
    def address(self) -> str:
        """Where it answers."""
        if self._listener is None:
            return ""
        name = self._listener.getsockname()
        if isinstance(name, str):
            return f"unix:{name}"
        host = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"http://{host}:{name[1]}"

    def tell(self, pulse: Pulse, let_go: Callable[[], None]) -> None:
        """Say how things are; start who answers, where it has not been, or has ended."""
        _PULSE.pack_into(self._page, 0, *pulse)
        if pulse.beat_at - self._looked_at >= _LOOK_EVERY:
            self._looked_at = pulse.beat_at
            if not self._is_alive():
                self._start(let_go)

    def close(self) -> None:
        """Close what is this process's; in the supervisor after ``end``."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def end(self) -> None:
        """Answer no more."""
        if self._pid:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0
        if self._listener is not None and self._options and self._options.socket:
            Path(self._options.socket).unlink(missing_ok=True)
        self.close()

    def _is_alive(self) -> bool:
        if not self._pid:
            return False
        try:
            ended, _ = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            ended = self._pid
        if ended:
            say("health", "what answers health checks has ended, and is started again",
                level=logging.WARNING)  # fmt: skip
        return not ended

    def _start(self, let_go: Callable[[], None]) -> None:
        parent = os.getpid()
        try:
            with signals_held_back():
                self._pid = os.fork()
                if self._pid == 0:
                    self._answer(parent, let_go)
        except OSError as error:
            self._pid = 0
            say("health", f"can't answer health checks: {error}", level=logging.ERROR)

    def _answer(self, parent: int, let_go: Callable[[], None]) -> NoReturn:
        """Be the process that answers."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ignore_stop_signals()
            let_signals_come()
            die_with_parent(parent)
            set_title("workhorse: health")
            listener, self._listener = self._listener, None  # which let_go would close
            let_go()
            if listener is not None and self._options is not None:
                serve(listener, self._pulse, self._options.metrics)
        except BaseException:  # noqa: BLE001 - the end of a process: tell why, then leave
            with suppress(Exception):
                LOG.critical("health checks broke", exc_info=True, extra={"event": "crash"})
        finally:
            os._exit(1)

    def _pulse(self) -> Pulse:
        return Pulse(*_PULSE.unpack_from(self._page))


def _bound(options: HealthOptions) -> socket.socket:
    if options.socket:
        return _bound_socket(options.socket)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    return socket.create_server((options.host, options.port or 0), family=family, backlog=_BACKLOG)


def _bound_socket(name: str) -> socket.socket:
    """Return a listener at the path *name*; one that a dead process left there is taken away."""
    path = Path(name)
    if path.is_socket() and not _is_listened_at(name):
        path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(name)
        path.chmod(0o660)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _is_listened_at(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True
