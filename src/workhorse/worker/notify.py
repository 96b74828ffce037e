"""What a service manager is told, by systemd's protocol: lines in a datagram to a unix socket.

Nothing here waits or raises: a worker without a manager, or with one that is busy, works on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

_STATUS_EVERY: Final = 1.0
"""Seconds between two changes of the line that the manager shows."""
_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class ServiceManager:
    """Tells the manager named in *environ* what it does not know yet.

    Takes the manager's variables out of *environ*: they are for this process, not for its jobs.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        address, usec, pid = (environ.pop(name, "") for name in _VARIABLES)
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._beat_every = 0.0
        if usec.isdecimal() and pid in ("", str(os.getpid())):
            self._beat_every = int(usec) / 2_000_000
        self._is_ready = self._is_stopping = False
        self._status = ""
        self._told_at = self._beat_at = float("-inf")

    @property
    def listens(self) -> bool:
        """Whether there is one."""
        return bool(self._address)

    def tell(
        self, now: float, status: str, *, is_ready: bool = False, is_stopping: bool = False
    ) -> None:
        """Say how things are at *now*, and that this process is not stuck. Call it often."""
        news: list[str] = []
        if is_ready and not self._is_ready:
            news.append("READY=1")
        if is_stopping and not self._is_stopping:
            news.append("STOPPING=1")
        tells_status = bool(news) or (
            status != self._status and now - self._told_at >= _STATUS_EVERY
        )
        if tells_status:
            news.append(f"STATUS={status}")
        beats = self._beat_every > 0 and now - self._beat_at >= self._beat_every
        if beats:
            news.append("WATCHDOG=1")
        if not news or not self._send("\n".join(news)):
            return
        self._is_ready, self._is_stopping = self._is_ready or is_ready, is_stopping
        if tells_status:
            self._status, self._told_at = status, now
        if beats:
            self._beat_at = now

    def _send(self, text: str) -> bool:
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
                ours.settimeout(0)
                ours.sendto(text.encode(), self._address)
        except (OSError, ValueError):
            return False  # it will be said again
        return True
