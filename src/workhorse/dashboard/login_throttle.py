"""Who guesses tokens: after some wrong ones, an address has to wait, each time longer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from typing import Final

from workhorse.core.errors import WorkhorseError

FREE: Final = 5
"""Wrong tokens before an address has to wait."""
LONGEST: Final = 60.0
FORGOTTEN_AFTER: Final = 600.0
_ADDRESSES: Final = 10_000


class TooManyGuessesError(WorkhorseError):
    """An address gave too many wrong tokens; its next ones are not looked at for a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Too many wrong tokens came from your address: wait {seconds:.0f} s.")
        self.seconds = seconds


class Guesses:
    """Counts wrong tokens by address, in this process. For all threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise TooManyGuessesError while *address* has to wait."""
        many, last = self._wrong.get(_home(address), (0, 0.0))
        if many < FREE:
            return
        left = last + min(LONGEST, 2.0 ** (many - FREE)) - self._clock()
        if left > 0:
            raise TooManyGuessesError(left)

    def note(self, address: str, *, is_right: bool) -> None:
        """Count a token that was looked at; a right one ends the waiting."""
        home, now = _home(address), self._clock()
        with self._lock:
            many, last = self._wrong.pop(home, (0, now))
            if is_right:
                return
            self._wrong[home] = (many + 1 if now - last < FORGOTTEN_AFTER else 1, now)
            if len(self._wrong) > _ADDRESSES:
                self._wrong.popitem(last=False)


def _home(address: str) -> str:
    """Return the network of an address: whoever has an IPv6 address has billions of them.

    >>> _home("2001:db8::1:2"), _home("10.0.0.7")
    ('2001:db8::/64', '10.0.0.7')
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(ip_network(f"{found}/64", strict=False))
    return address
