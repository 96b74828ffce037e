"""The words of RQ before 2.0 for a connection that objects take without being given it.

A queue, job or worker that is made without ``connection=`` takes the innermost one here; where
there is none, the process's default server. ``use_connection`` is for the whole process, the
others for the thread or task that says them, and what it calls.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from workhorse.core.errors import ConnectionChoiceError
from workhorse.store.drivers import Client


class Chosen(NamedTuple):
    """A connection that is taken where none is given; its None means the process's default."""

    connection: Client | str | None


_stack: Final[ContextVar[tuple[Chosen, ...]]] = ContextVar("workhorse_connections", default=())
_of_process: Final[list[Chosen]] = []


def chosen() -> Chosen | None:
    """Return the connection that holds here; None where nobody chose one."""
    stack = _stack.get() or _of_process
    return stack[-1] if stack else None


@contextmanager
def Connection(  # noqa: N802 - RQ's name
    connection: Client | str | None = None,
) -> Generator[None]:
    """Have what is made inside take *connection*; None for the process's default server.

    RQ's word until 2.0. Today's way: ``connection=``.
    """
    _warn("with Connection(...)", 4)  # past what makes it a context manager
    before = _stack.get()
    _stack.set((*before, Chosen(connection)))
    try:
        yield
    finally:
        _stack.set(before)


def push_connection(redis: Client | str) -> None:
    """Have what is made from now on take *redis*, until ``pop_connection``.

    RQ's word until 2.0. Today's way: ``connection=``.
    """
    _warn("push_connection")
    _stack.set((*_stack.get(), Chosen(redis)))


def pop_connection() -> Any:
    """Undo the last ``push_connection`` and return its connection.

    Raises ConnectionChoiceError where there is none. RQ's word until 2.0.
    """
    _warn("pop_connection")
    stack = _stack.get()
    if not stack:
        raise ConnectionChoiceError("pop_connection(): no connection was pushed here")
    _stack.set(stack[:-1])
    return stack[-1].connection


def use_connection(redis: Client | str | None = None) -> None:
    """Have everything in this process take *redis*; None for the process's default server.

    RQ's word until 2.0. Today's way: ``connection=``. Raises ConnectionChoiceError inside
    ``with Connection(...)`` and after ``push_connection``.
    """
    _warn("use_connection")
    if _stack.get():
        raise ConnectionChoiceError(
            "use_connection() is for the whole process: not inside with Connection(...), nor "
            "after push_connection()"
        )
    _of_process[:] = [Chosen(redis)]


def get_current_connection() -> Any:
    """Return the connection that was pushed or chosen last; None where there is none.

    RQ's word until 2.0. Today's way: ``queue.connection``.
    """
    _warn("get_current_connection")
    now = chosen()
    return None if now is None else now.connection


def _warn(what: str, stacklevel: int = 3) -> None:
    hint = f"{what}: RQ dropped it in 2.0; give connection= to Queue, Worker and Job"
    warnings.warn(hint, DeprecationWarning, stacklevel=stacklevel)
