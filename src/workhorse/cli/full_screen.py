"""A terminal taken over for a while, and given back as it was however the command ends.

Frames are drawn over the last one, line by line, so that nothing flickers; what the terminal
showed before comes back at the end.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import Any, Final, Self

import click

from workhorse.cli.output import columns_of

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The other screen, no cursor, and lines that are too long are cut and not broken."""
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_BEGIN: Final = "\x1b[?2026h"
"""Show nothing until the frame is complete, where the terminal can."""
_END: Final = "\x1b[?2026l"
_NAMES: Final = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down", "\x1b[5~": "page up",
    "\x1b[6~": "page down", "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "backspace",
    "\x08": "backspace",
}  # fmt: skip
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


def keys_in(text: str) -> list[str]:
    r"""Return the keys that were pressed: characters, or names of keys that write several.

    >>> keys_in("j\x1b[Aq"), keys_in("\x1b"), keys_in("\x1b[3~x")
    (['j', 'up', 'q'], ['escape'], ['', 'x'])
    """
    found: list[str] = []
    while text:
        size = 1
        if text[:2] in {"\x1b[", "\x1bO"}:
            size = 3
            while size <= len(text) and text[size - 1] in "0123456789;":
                size += 1
        word, text = text[:size], text[size:]
        found.append(_NAMES.get(word, word if len(word) == 1 else ""))
    return found


class FullScreen:
    """The whole terminal, between ``with`` and its end. A signal to end ends it in order."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._handlers: dict[int, Any] = {}
        self._settings: list[Any] = []
        self._shown: list[str] = []
        self._wants_stop = False

    def __enter__(self) -> Self:
        self._settings = termios.tcgetattr(self._input)
        handlers = {
            **dict.fromkeys(_ENDING, self._end), signal.SIGWINCH: self._resized,
            signal.SIGTSTP: self._stopped,
        }  # fmt: skip
        for number, handler in handlers.items():
            self._handlers[number] = signal.signal(number, handler)
        self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._wake)
        os.close(self._waker)

    def _take(self) -> None:
        tty.setcbreak(self._input)
        self._shown = []
        self._write(_ENTER)

    def _give_back(self) -> None:
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._settings)
        self._write(_LEAVE)

    def _end(self, number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    def _resized(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._shown = []
        self._wake_up()

    def _stopped(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._wants_stop = True
        self._wake_up()

    def _wake_up(self) -> None:
        os.write(self._waker, b".")

    def size(self) -> tuple[int, int]:
        """Return how many columns and rows there are."""
        columns, rows = shutil.get_terminal_size((80, 24))
        return columns, rows

    def draw(self, lines: list[str]) -> None:
        """Show *lines*, one a row; only those that are others than before are sent."""
        columns, rows = self.size()
        lines = lines[:rows]
        if lines == self._shown:
            return
        parts = [_BEGIN]
        for row, line in enumerate(lines):
            if row < len(self._shown) and self._shown[row] == line:
                continue
            ends_early = columns_of(click.unstyle(line)) < columns
            rest = "\x1b[K" if ends_early else ""  # in the last column it would take that away
            parts.append(f"\x1b[{row + 1};1H{line}\x1b[0m{rest}")
        if len(lines) < rows:
            parts.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
        self._write("".join([*parts, _END]))
        self._shown = lines

    def keys(self, within: float) -> list[str]:
        """Return the keys that are pressed *within* seconds; at once when the size changed."""
        ready, _, _ = select.select([self._input, self._wake], [], [], within)
        if self._wake in ready:
            os.read(self._wake, 4096)
        if self._wants_stop:
            self._stop()
        if self._input not in ready:
            return []
        typed = os.read(self._input, 1024)
        if not typed:  # the terminal is gone
            sys.exit(128 + signal.SIGHUP)
        return keys_in(typed.decode("utf-8", "replace"))

    def _stop(self) -> None:
        """Give the terminal back to the shell, as Ctrl-Z wants it, until the shell goes on."""
        self._wants_stop = False
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
