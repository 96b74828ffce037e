"""What went wrong between us and the server, sorted by what to do about it.

Errors are known by their classes' names: those of valkey-py are other classes than redis-py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from workhorse.core.errors import WorkhorseError

ServerError: TypeAlias = RedisError
"""Everything that a driver raises for the server's sake."""

_LIBRARIES: Final = {"RedisError", "ValkeyError"}
_LOST: Final = {"ConnectionError", "TimeoutError", "OSError"}
_LOGIN: Final = {"AuthenticationError", "AuthorizationError", "NoPermissionError"}
_LOGIN_WORDS: Final = ("NOAUTH", "WRONGPASS", "NOPERM")
_CLUSTER: Final = {"ClusterDownError", "TryAgainError", "AskError", "ClusterCrossSlotError"}
_CLUSTER_WORDS: Final = ("CLUSTERDOWN", "TRYAGAIN", "CROSSSLOT", "MOVED", "non local key")
_PASSING_KINDS: Final = {  # the client libraries take the word off their text
    *_LOST, "BusyLoadingError", "ReadOnlyError", "OutOfMemoryError", "MasterDownError",
    "ClusterDownError", "TryAgainError",
    "AskError",  # and MovedError, which is one
}  # fmt: skip
_PASSING_WORDS: Final = (
    "LOADING", "READONLY", "NOREPLICAS", "UNBLOCKED", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
    "BUSY", "MISCONF", "OOM",
)  # fmt: skip
_STALE_KINDS: Final = {"ReadOnlyError", "MasterDownError"}
_STALE_WORDS: Final = ("READONLY", "NOREPLICAS", "UNBLOCKED", "MASTERDOWN")
_NO_ROOM: Final = "max number of clients reached"

_ADVICE: Final[tuple[tuple[set[str], tuple[str, ...], str], ...]] = (
    ({"OutOfMemoryError"}, ("OOM",),
     "it is full: let workers drain it, or raise its maxmemory"),
    ({"ReadOnlyError"}, ("READONLY",),
     "it is a replica: connect to the primary (where Sentinel knows it, by Sentinel.master_for)"),
    (set(), ("NOREPLICAS",),
     "too few of its replicas are in sync: look at them, or at min-replicas-to-write"),
    (_LOGIN, _LOGIN_WORDS,
     "it does not let this user do it: check the password and the user's rights"),
    ({"BusyLoadingError"}, ("LOADING",), "it loads its data: send again in a moment"),
    (set(), ("MISCONF",), "it can't write to its disk: look at its log"),
    (set(), ("BUSY",), "it is busy with somebody's script: send again in a moment"),
    ({"MaxConnectionsError"}, (_NO_ROOM,),
     "too many connections are open: close some, or raise maxclients"),
    ({"MasterDownError"}, ("MASTERDOWN",), "it is a replica that lost its primary"),
    (_CLUSTER, _CLUSTER_WORDS,
     "it is a node of a Cluster, which this version can't use: give a server of its own"),
)  # fmt: skip
"""Answers by which a call was certainly not carried out, and what a person does about each."""


class _NotEnqueuedError(WorkhorseError):
    """Jobs that may not be on the server, and what to do about them."""

    def __init__(
        self,
        message: str,
        job_ids: Sequence[str] = (),
        send_again: Callable[[], list[Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.job_ids = tuple(job_ids)
        """The jobs that the server did not say it has; others of the same call are stored."""
        self._send_again = send_again

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.job_ids)

    def send_again(self) -> list[Any]:
        """Send the same jobs once more, and return all jobs of the call.

        Each is stored once, however often this is called: one that is on the server already,
        or has run meanwhile, is left alone for as long as it is kept, and for a minute after.
        Raises these errors again.
        """
        if self._send_again is None:
            raise WorkhorseError("this error came from another process: enqueue by job_id there")
        return self._send_again()


class EnqueueRefusedError(_NotEnqueuedError, RedisError):
    """The server did not store ``job_ids``, for certain: it is full, read-only, or forbids it."""


class EnqueueUnknownError(_NotEnqueuedError, RedisConnectionError):
    """The connection was lost, and nobody knows whether ``job_ids`` are stored.

    ``send_again()`` is safe.
    """


def is_server_error(error: BaseException) -> bool:
    """Return whether *error* is of a client library, or of its socket."""
    return bool(_kinds(error) & {*_LIBRARIES, "OSError"})


def is_refused_login(error: BaseException) -> bool:
    """Return whether the server does not let us in, which waiting won't change at start."""
    return bool(_kinds(error) & _LOGIN) or str(error).startswith(_LOGIN_WORDS)


def is_lost(error: BaseException) -> bool:
    """Return whether the connection was lost: nobody knows what the server did."""
    return bool(_kinds(error) & _LOST) and advice(error) is None


def is_short(error: BaseException) -> bool:
    """Return whether the same call may succeed in a moment, as after a server's restart."""
    return is_lost(error) or bool(_kinds(error) & {"BusyLoadingError"}) or _NO_ROOM in str(error)


def is_passing(error: BaseException) -> bool:
    """Return whether the same call may succeed later: connection, failover, memory, loading."""
    if is_refused_login(error):
        return False
    kinds = _kinds(error)
    if kinds & _PASSING_KINDS:
        return True
    # Redis 6.2 reports what happens inside a script as a plain error with the word in its text.
    return "ResponseError" in kinds and any(word in str(error) for word in _PASSING_WORDS)


def is_of_data(error: object) -> bool:
    """Return whether *error* says that a key is of another kind than a command expects."""
    return isinstance(error, Exception) and "WRONGTYPE" in str(error)


def is_stale(error: BaseException) -> bool:
    """Return whether the connection may lead to the wrong server: a primary of yesterday."""
    kinds, text = _kinds(error), str(error)
    return bool(kinds & _STALE_KINDS) or (
        bool(kinds & _LIBRARIES) and any(word in text for word in _STALE_WORDS)
    )


def advice(error: BaseException) -> str | None:
    """Return why the server refused a call and what to do; None if it may have been carried out.

    >>> advice(RedisError("OOM command not allowed when used memory > 'maxmemory'."))
    'it is full: let workers drain it, or raise its maxmemory'
    >>> advice(RedisError("something else"))
    """
    kinds, text = _kinds(error), str(error)
    if not kinds & _LIBRARIES:
        return None
    for classes, words, told in _ADVICE:
        if kinds & classes or any(word in text for word in words):
            return told
    return None


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
