"""Commands on a terminal, as a person has one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Terminal:
    """A command that runs on a terminal of *columns* and *rows*; ended with the `with` block."""

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.master, slave = pty.openpty()
        self._resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        drop = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
        kept = {name: value for name, value in os.environ.items() if name not in drop}
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **(environment or {})},
            start_new_session=True,
        )
        self._slave = slave
        self.output = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self._slave)

    def _resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Be of another size, and say so."""
        self._resize(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys: str) -> None:
        """Type *keys*."""
        os.write(self.master, keys.encode())

    def read(self, within: float = 0.05) -> str:
        """Return all that was written so far, after what comes *within* seconds."""
        until = time.monotonic() + within
        while True:
            ready, _, _ = select.select([self.master], [], [], max(0, until - time.monotonic()))
            if not ready:
                return self.text
            with suppress(OSError):  # the other end was closed
                self.output += os.read(self.master, 65536)

    @property
    def text(self) -> str:
        """All that was written, controls and all."""
        return self.output.decode(errors="replace")

    def end(self, within: float = 10) -> int:
        """Wait for the command's end; return its exit code."""
        until = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < until, "it goes on"
            self.read()
        self.read()
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Return whether the terminal has the settings that it had before the command."""
        return termios.tcgetattr(self._slave) == self.before


_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])|[\x0e\x0f]")


def plain(text: str) -> str:
    """Return *text* without what controls a terminal."""
    return _CONTROL.sub("", text)
