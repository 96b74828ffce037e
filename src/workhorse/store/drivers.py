"""The only code that waits for Redis, once blocking and once not."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol, TypeVar, cast

from workhorse.core.errors import ConnectionChoiceError
from workhorse.store.calls import Call, Operation
from workhorse.wire.records import Value

R = TypeVar("R")


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
    """Runs operations and waits for them. Raises what the client raises."""

    def __init__(self, client: Client) -> None:
        refuse_decoded(client)
        self.client = client

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
        if len(calls) == 1:
            return [self.run(calls[0])]
        if not calls:
            return []
        batch: Batch = self.client.pipeline(transaction=False)
        for call in calls:
            batch.execute_command(*call.words)
        replies = batch.execute(raise_on_error=False)
        for number in _to_send_again(calls, replies):
            replies[number] = self._send(calls[number])
        return _read(calls, replies)

    def _send(self, call: Call[Any]) -> Any:
        try:
            return self.client.execute_command(*call.words)
        except Exception as error:
            if not _is_unknown_script(error):
                raise
            return self.client.execute_command(*call.words_with_source)


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


def refuse_decoded(client: Any) -> None:
    """Raise ConnectionChoiceError for a client that turns replies into text."""
    pool = getattr(client, "connection_pool", None)
    settings: dict[str, Any] = getattr(pool, "connection_kwargs", {})
    if settings.get("decode_responses"):
        raise ConnectionChoiceError(
            "a connection with decode_responses=True can't carry a job's bytes; make one without"
        )
