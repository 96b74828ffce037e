"""The only code that waits for Redis, once blocking and once not."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar, cast

from workhorse.core.errors import ConnectionChoiceError
from workhorse.store.calls import Call, Operation
from workhorse.store.faults import is_of_data, is_refused_login, is_short, is_stale
from workhorse.wire.codec import Value

R = TypeVar("R")

RESEND_FOR: Final = 5.0
"""Seconds in which a producer's call is sent again, where the client is of our making."""
_SHORTEST: Final = 0.05
_LONGEST: Final = 1.0


class Batch(Protocol):
    """A pipeline: several requests that travel together."""

    def execute_command(self, *words: Value) -> Any:
        """Add a request."""
        ...

    def execute(self, raise_on_error: bool = ...) -> Any:  # noqa: FBT001 - redis-py's signature
        """Send all requests and return their replies, errors among them."""
        ...


class Client(Protocol):
    """All we ask of a blocking client: redis-py's interface, which valkey-py has too."""

    def execute_command(self, *words: Value) -> Any:
        """Send one request and return its reply."""
        ...

    def pipeline(self, transaction: bool = ...) -> Any:  # noqa: FBT001 - redis-py's signature
        """Return a new batch."""
        ...


class AsyncClient(Protocol):
    """All we ask of a client that is awaited."""

    def execute_command(self, *words: Value) -> Awaitable[Any]:
        """Send one request; await its reply."""
        ...

    def pipeline(self, transaction: bool = ...) -> Any:  # noqa: FBT001 - redis-py's signature
        """Return a new batch."""
        ...


class Store:
    """Runs operations and waits for them. Raises what the client raises.

    With *resend_for* what a lost connection, or a server that still starts, leaves open is sent
    again for so many seconds. A connection to what is no primary any more is not kept.
    """

    def __init__(self, client: Client, *, resend_for: float = 0) -> None:
        refuse_decoded(client)
        self.client = client
        self._resend_for = resend_for

    def run(self, operation: Operation[R]) -> R:
        """Run a call, or every call of a plan, and return its result."""
        plan = iter(operation)
        try:
            call = next(plan)
            while True:
                call = plan.send(self._send(call))
        except StopIteration as done:
            return cast("R", done.value)

    def run_many(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Run *calls* in one round trip, in their order, and return their results.

        The first that failed raises, after all were sent; the others have been applied.
        """
        return _read(calls, self.try_many(calls))

    def look_at(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Run *calls* as ``run_many`` does; None where a key is of another kind than expected."""
        replies: list[Any] = []
        if len(calls) == 1:
            try:
                replies = self.try_many(calls)
            except Exception as error:  # noqa: BLE001 - raised below, where it is another
                replies = [error]
        else:
            replies = self.try_many(calls)
        for reply in replies:
            if isinstance(reply, Exception) and not is_of_data(reply):
                raise reply
        return [
            None if isinstance(reply, Exception) else call.parse(reply)
            for call, reply in zip(calls, replies, strict=True)
        ]

    def try_many(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Run *calls* in one round trip; return their replies, unread, errors among them.

        Raises an error that is about all of them.
        """
        if len(calls) == 1:
            return [self._send(calls[0])]
        if not calls:
            return []
        replies: list[Any] = self._insist(lambda: self._send_together(calls))
        for number in _to_send_again(calls, replies):
            replies[number] = self._send(calls[number])
        for reply in replies:
            if isinstance(reply, Exception):
                self._drop_stale(reply)
        return replies

    def _send_together(self, calls: Sequence[Call[Any]]) -> list[Any]:
        batch: Batch = self.client.pipeline(transaction=False)
        for call in calls:
            batch.execute_command(*call.words)
        replies: list[Any] = batch.execute(raise_on_error=False)
        return replies

    def _send(self, call: Call[Any]) -> Any:
        try:
            return self._insist(lambda: self.client.execute_command(*call.words))
        except Exception as error:
            if not _is_unknown_script(error):
                raise
        return self._insist(lambda: self.client.execute_command(*call.words_with_source))

    def _insist(self, send: Callable[[], Any]) -> Any:
        """Send, and send again while that may help and there is time. Calls may be sent twice."""
        until = time.monotonic() + self._resend_for
        lost: Exception | None = None
        most = _SHORTEST
        while True:
            try:
                return send()
            except Exception as error:
                self._drop_stale(error)
                if lost and is_refused_login(error):
                    raise lost from error  # an earlier sending may have arrived
                wait = most * (0.5 + secrets.randbelow(501) / 1000)
                if not is_short(error) or time.monotonic() + wait > until:
                    raise
                lost = error
            time.sleep(wait)
            most = min(_LONGEST, 2 * most)

    def _drop_stale(self, error: Exception) -> None:
        """Close what leads to the wrong server, so that the next call looks for the right one."""
        pool = getattr(self.client, "connection_pool", None)
        if pool is not None and is_stale(error):
            pool.disconnect(inuse_connections=False)  # not those of other threads


class AsyncStore:
    """Runs operations without blocking the event loop. Otherwise the same as ``Store``."""

    def __init__(self, client: AsyncClient) -> None:
        refuse_decoded(client)
        self.client = client

    async def run(self, operation: Operation[R]) -> R:
        """Run a call, or every call of a plan, and return its result."""
        plan = iter(operation)
        try:
            call = next(plan)
            while True:
                call = plan.send(await self._send(call))
        except StopIteration as done:
            return cast("R", done.value)

    async def run_many(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Run *calls* in one round trip, in their order, and return their results.

        The first that failed raises, after all were sent; the others have been applied.
        """
        if len(calls) == 1:
            return [await self.run(calls[0])]
        if not calls:
            return []
        batch: Batch = self.client.pipeline(transaction=False)
        for call in calls:
            batch.execute_command(*call.words)
        replies = await batch.execute(raise_on_error=False)
        for number in _to_send_again(calls, replies):
            replies[number] = await self._send(calls[number])
        return _read(calls, replies)

    async def _send(self, call: Call[Any]) -> Any:
        try:
            return await self.client.execute_command(*call.words)
        except Exception as error:
            if not _is_unknown_script(error):
                raise
            return await self.client.execute_command(*call.words_with_source)


def _is_unknown_script(reply: object) -> bool:
    """Return whether the server wants a script in full; by name: valkey-py has its own class."""
    return type(reply).__name__ == "NoScriptError"


def _to_send_again(calls: Sequence[Call[Any]], replies: Sequence[Any]) -> list[int]:
    """Return the calls to repeat because the server did not know a script, in their order.

    Those after it too: they were to see what it does. Script calls may be sent twice.
    """
    for first, reply in enumerate(replies):
        if _is_unknown_script(reply):
            return [n for n in range(first, len(calls)) if calls[n].source is not None]
    return []


def _read(calls: Sequence[Call[Any]], replies: Sequence[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return [call.parse(reply) for call, reply in zip(calls, replies, strict=True)]


def let_go(client: Client) -> None:
    """Close connections of *client* that nobody uses just now; it opens others where needed."""
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        pool.disconnect(inuse_connections=False)


def refuse_decoded(client: Any) -> None:
    """Raise ConnectionChoiceError for a client that turns replies into text."""
    pool = getattr(client, "connection_pool", None)
    settings: dict[str, Any] = getattr(pool, "connection_kwargs", {})
    if settings.get("decode_responses"):
        raise ConnectionChoiceError(
            "a connection with decode_responses=True can't carry a job's bytes; make one without"
        )
