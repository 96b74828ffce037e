"""Keep asking a server that is away. Calls may be sent twice, so this is always safe."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_passing
from workhorse.worker.logs import say

_SHORTEST: Final = 0.1
_LONGEST: Final = 10.0


def backoff(attempt: int) -> float:
    """Return the seconds to wait after *attempt* failures: doubling, with full jitter."""
    most = min(_LONGEST, _SHORTEST * 2 ** min(attempt, 10))
    return most * (0.5 + secrets.randbelow(501) / 1000)


def insist(
    store: Store,
    make_calls: Callable[[], Sequence[Call[Any]]],
    *,
    between: Callable[[], None] = lambda: None,
) -> list[Any]:
    """Run calls until the server has answered them, however long it is away.

    *make_calls* makes them anew for each try (they tell times); *between* runs after each
    failure and may raise to give up. Raises errors that waiting can't mend.
    """
    attempt = 0
    while True:
        try:
            results = store.run_many(make_calls())
        except ServerError as error:
            if not is_passing(error):
                raise
            _tell(error, attempt)
        else:
            if attempt:
                say("reconnect", "the server is back")
            return results
        between()
        time.sleep(backoff(attempt))
        attempt += 1


def _tell(error: ServerError, attempt: int) -> None:
    if attempt in (0, 5) or attempt % 20 == 0:
        say("disconnect", f"the server does not answer, trying on: {error}",
            level=logging.WARNING, error=str(error))  # fmt: skip
