"""Keep asking a server that is away. Calls may be sent twice, so this is always safe."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_passing, is_refused_login
from workhorse.worker.logs import LOG, say

_SHORTEST: Final = 0.1
_LONGEST: Final = 5.0
_SLICE: Final = 0.25
REFUSED_FOR: Final = 30.0
"""Seconds until what the server refused is tried again: somebody must change something first.
A login is tried sooner at first."""


def backoff(attempt: int) -> float:
    """Return the seconds to wait after *attempt* failures: doubling, with full jitter."""
    most: float = min(_LONGEST, _SHORTEST * 2 ** min(attempt, 10))
    return most * (0.5 + secrets.randbelow(501) / 1000)


def can_wait(error: ServerError) -> bool:
    """Return whether the same call may succeed later: a password that is rotated, too."""
    return is_passing(error) or is_refused_login(error)


def tell(error: ServerError, attempt: int) -> float:
    """Log why a call failed, not each time; return the seconds until it should be tried again."""
    if not is_passing(error):
        # A password that is being changed is right again soon, or for long not.
        seconds = min(REFUSED_FOR, 2.0**attempt) if is_refused_login(error) else REFUSED_FOR
        say("refuse", f"the server refuses, trying again in {seconds:g} seconds: {error}",
            level=logging.ERROR, error=str(error))  # fmt: skip
        return seconds
    if attempt in (0, 5) or attempt % 20 == 0:
        say("disconnect", f"the server does not answer, trying on: {error}",
            level=logging.WARNING, error=str(error))  # fmt: skip
    return backoff(attempt)


def tell_bug(name: str, error: Exception) -> float:
    """Log that a duty failed by an error of ours; return the seconds to leave it alone."""
    LOG.error("%s failed, trying again in %g seconds: %r", name, REFUSED_FOR, error,
              exc_info=error, extra={"event": "crash", "data": {"duty": name}})  # fmt: skip
    return REFUSED_FOR


def pause(seconds: float, between: Callable[[], None]) -> None:
    """Wait, and call *between* a few times a second, which may raise to end it."""
    until = time.monotonic() + seconds
    while True:
        between()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _SLICE))


def insist(
    store: Store,
    make_calls: Callable[[], Sequence[Call[Any]]],
    *,
    between: Callable[[], None] = lambda: None,
) -> list[Any]:
    """Run calls until the server has answered them, however long it is away.

    *make_calls* makes them anew for each try (they tell times); *between* runs while waiting
    and may raise to give up. Raises errors that waiting can't mend.
    """
    attempt = 0
    while True:
        try:
            results = store.run_many(make_calls())
        except ServerError as error:
            if not can_wait(error):
                raise
            seconds = tell(error, attempt)
        else:
            if attempt:
                say("reconnect", "the server is back")
            return results
        pause(seconds, between)
        attempt += 1
