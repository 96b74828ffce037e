"""The jobs that are measured. Imported by both sides, so it imports neither."""

from __future__ import annotations

import os
import time


def nothing() -> None:
    """Do nothing: what remains is the queue's own cost."""


def stamp(path: str) -> None:
    """Append the moment at which the job began, by the machine's steady clock, to a file."""
    line = f"{time.monotonic()}\n".encode()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line)
    os.close(file)
