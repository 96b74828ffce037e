"""Parts of pages that were made, for all who look at the same thing in the same moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 200
_PATIENCE: Final = 20.0
"""Seconds for which one waits for another's making of the same."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    version: str
    made: Future[T] = field(default_factory=Future[T])


class Parts(Generic[T]):
    """What was made of the newest version of things, the last ``MOST`` that were asked for.

    Who asks for what is being made waits for it: however many ask at once, it is made once.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, version: str, make: Callable[[], T]) -> T:
        """Return what *make* returned for *key* at this *version*; call it, if nobody did."""
        with self._lock:
            entry = self._entries.get(key)
            is_known = entry is not None and entry.version == version
            if entry is None or not is_known:
                entry = self._entries[key] = _Entry(version)
            self._entries.move_to_end(key)
            while len(self._entries) > MOST:
                self._entries.popitem(last=False)
        if is_known:
            return entry.made.result(_PATIENCE)
        try:
            found = make()
        except BaseException as error:
            self._forget(key, entry)
            entry.made.set_exception(error)
            raise
        entry.made.set_result(found)
        return found

    def _forget(self, key: Hashable, entry: _Entry[T]) -> None:
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]
