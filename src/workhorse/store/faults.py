"""What went wrong between us and the server, sorted by what to do about it (contract 4.3)."""

from __future__ import annotations

from typing import Final

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError as RedisConnectionError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError as RedisTimeoutError,
)

ServerError: Final = RedisError
"""Everything that a driver raises for the server's sake."""

_PASSING: Final = (
    "LOADING", "READONLY", "NOREPLICAS", "UNBLOCKED", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
    "BUSY", "MISCONF", "OOM",
)  # fmt: skip


def is_refused_login(error: RedisError) -> bool:
    """Return whether the server does not let us in, which waiting won't change at start."""
    if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
        return True
    return str(error).startswith(("NOAUTH", "WRONGPASS", "NOPERM"))


def is_passing(error: RedisError) -> bool:
    """Return whether the same call may succeed later: connection, failover, memory, loading."""
    if is_refused_login(error):
        return False
    if isinstance(
        error, RedisConnectionError | RedisTimeoutError | BusyLoadingError | ReadOnlyError
    ):
        return True
    # Redis 6.2 reports out of memory inside a script as a plain error with OOM in its text.
    return isinstance(error, ResponseError) and any(word in str(error) for word in _PASSING)
