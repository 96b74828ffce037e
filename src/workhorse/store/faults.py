"""What went wrong between us and the server, sorted by what to do about it."""

from __future__ import annotations

from typing import Final, TypeAlias

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

ServerError: TypeAlias = RedisError
"""Everything that a driver raises for the server's sake."""

_PASSING_KINDS: Final = (  # redis-py takes the word off their text
    RedisConnectionError, RedisTimeoutError, BusyLoadingError, ReadOnlyError, OutOfMemoryError,
    MasterDownError, ClusterDownError, TryAgainError,
    AskError,  # and MovedError, which is one
)  # fmt: skip
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
    if isinstance(error, _PASSING_KINDS):
        return True
    # Redis 6.2 reports what happens inside a script as a plain error with the word in its text.
    return isinstance(error, ResponseError) and any(word in str(error) for word in _PASSING)
