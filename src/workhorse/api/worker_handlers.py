"""Exception handlers of workers that scripts hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from workhorse.core.errors import InvalidOptionError
from workhorse.wire.payload import name_call
from workhorse.worker.callbacks import Handler
from workhorse.worker.options import WorkerOptions


class ExceptionHandlers:
    """The part of ``Worker`` that changes what is called when a job raised."""

    _options: WorkerOptions

    def push_exc_handler(self, handler_func: Handler) -> None:
        """Have *handler_func* called after the others, from the next ``work`` on.

        Raises InvalidOptionError for what can't be called.
        """
        several = (*self._options.exception_handlers, *check_handlers(handler_func))
        self._options = replace(self._options, exception_handlers=several)

    def pop_exc_handler(self) -> Handler:
        """Take the last exception handler off, and return it. Raises IndexError without any."""
        if not self._options.exception_handlers:
            raise IndexError("there is no exception handler")
        *others, last = self._options.exception_handlers
        self._options = replace(self._options, exception_handlers=tuple(others))
        return last


def check_handlers(given: Handler | Sequence[Handler] | None) -> tuple[Handler, ...]:
    """Return the exception handlers given: none, one or several; functions or their names."""
    are_several = isinstance(given, list | tuple)
    several = tuple(cast("Sequence[Handler]", given)) if are_several else (cast("Handler", given),)
    if given is None:
        return ()
    for handler in several:
        if isinstance(handler, str):
            name_call(handler)
        elif not callable(handler):
            raise InvalidOptionError(
                f"exception_handlers: {handler!r} is no function, nor the dotted name of one"
            )
    return several
