"""What has changed, told to all browsers that look: one reader, however many they are.

A page has a *version*. The reader asks the server for it twice a second, in one round trip, while
anybody listens, and those whose page has another one now are told; they ask for the page again.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from threading import Condition, Lock, Thread
from typing import Any, Final, NamedTuple

from workhorse.core.errors import WorkhorseError
from workhorse.store.changes import MOST_JOBS, changes
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.wire.keys import Keys

EVERY: Final = 0.5
"""Seconds from one question to the next."""
MOST_LISTENERS: Final = 1000
LONGEST: Final = 25.0
"""Seconds until a browser connects anew: less than most servers wait for requests that end."""
SERVER: Final = ""
"""What a page follows that shows more than one job."""
JOB: Final = "job:"
_WANTED_FOR: Final = 10.0
"""Seconds for which a job is asked about whose page was asked for."""


class State(NamedTuple):
    """How it stands with what a page follows."""

    version: str
    problem: str
    """Why the server can't be asked; empty where it answers."""


@dataclass(eq=False, slots=True)
class Listener:
    """A browser that is told when what it *follows* changes."""

    follows: str
    wake: Callable[[], object]
    seen: State | None = None


class Live:
    """The versions of pages, and who wants to know of new ones. For all threads.

    *store* is asked by a thread that there is while somebody listens.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = Store(store.client)  # sends nothing twice: it asks again soon
        self._keys = keys
        self._lock = Lock()
        self._asking = Lock()
        self._bell = Condition()
        self._listeners: set[Listener] = set()
        self._thread: Thread | None = None
        self._versions: dict[str, str] = {}
        self._wanted: dict[str, float] = {}
        self._problem = ""
        self._asked_at = float("-inf")
        self._turn = 0
        self._is_over = False

    def state(self, follows: str = SERVER) -> State:
        """Return the version of what *follows*: half a second old at most, or asked for now."""
        self._want(follows)
        self._ask_unless_known(follows)
        with self._lock:
            return self._state(follows)

    def poke(self) -> None:
        """Something was changed from here: have every page asked for again, at once."""
        with self._lock:
            self._turn += 1
            self._asked_at = float("-inf")
        self._ask_unless_known(SERVER)
        self._wake_listeners()

    def listen(self, follows: str, wake: Callable[[], object]) -> Listener | None:
        """Have *wake* called, in another thread, when what *follows* changes; None: too many.

        Call ``forget`` when the browser is gone.
        """
        listener = Listener(follows, wake)
        with self._lock:
            if self._is_over or len(self._listeners) >= MOST_LISTENERS:
                return None
            self._listeners.add(listener)
            if self._thread is None:
                self._thread = Thread(target=self._read, name="workhorse-live", daemon=True)
                self._thread.start()
        return listener

    def forget(self, listener: Listener) -> None:
        """End what ``listen`` began; the thread ends with the last."""
        with self._lock:
            self._listeners.discard(listener)
        self._ring()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def close(self) -> None:
        """End all streams, and have no more."""
        with self._lock:
            self._is_over = True
        self._ring()
        self._wake_listeners()

    async def stream(self, follows: str) -> AsyncIterator[str]:
        """Yield server-sent events: ``state``, as JSON, at once and whenever it is another.

        Ends after ``LONGEST`` seconds, or with the server it is in; browsers connect anew.
        """
        changed, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        listener = self.listen(follows, wake)
        if listener is None:
            return
        try:
            until, told = time.monotonic() + LONGEST, None
            yield f"retry: {int(1000 * EVERY)}\n\n"
            while not self._is_over and (left := until - time.monotonic()) > 0:
                changed.clear()
                with self._lock:
                    found = self._state(follows)
                if found != told and (found.version or found.problem):
                    told = found
                    yield f"event: state\ndata: {json.dumps(found._asdict())}\n\n"
                try:
                    await asyncio.wait_for(changed.wait(), left)
                except TimeoutError:
                    return
        finally:
            self.forget(listener)

    def _state(self, follows: str) -> State:
        known = self._versions.get(follows, "")
        return State(f"{known}-{self._turn}" if known else "", self._problem)

    def _want(self, follows: str) -> None:
        with self._lock:
            self._wanted[follows] = time.monotonic()

    def _read(self) -> None:
        """Ask, tell, rest, while anybody listens."""
        while True:
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    return
                self._is_over |= server_ends()
            began = time.monotonic()
            with self._asking:
                self._ask()
            self._wake_listeners()
            with self._bell:
                self._bell.wait(max(0.05, began + EVERY - time.monotonic()))

    def _ring(self) -> None:
        with self._bell:
            self._bell.notify_all()

    def _wake_listeners(self) -> None:
        """Wake those that what they follow changed for; whose loop has ended is no more one."""
        with self._lock:
            for listener in list(self._listeners):
                found = self._state(listener.follows)
                if found != listener.seen or self._is_over:
                    listener.seen = found
                    try:
                        listener.wake()
                    except RuntimeError:
                        self._listeners.discard(listener)

    def _ask_unless_known(self, follows: str) -> None:
        with self._asking:  # one at a time: who waited finds that it was asked meanwhile
            with self._lock:
                is_fresh = time.monotonic() < self._asked_at + EVERY
                if is_fresh and (follows in self._versions or self._problem):
                    return
            self._ask()

    def _ask(self) -> None:
        """Ask the server; what raises is a problem that is told, and asked again soon."""
        with self._lock:
            now = time.monotonic()
            self._wanted = {f: at for f, at in self._wanted.items() if at > now - _WANTED_FOR}
            wanted = {*self._wanted, *(listener.follows for listener in self._listeners)}
        named = [follows for follows in wanted if follows.startswith(JOB)]
        jobs = [follows.removeprefix(JOB) for follows in sorted(named)[:MOST_JOBS]]
        try:
            words, problem = self._store.run(changes(self._keys, jobs)), ""
        except (ServerError, WorkhorseError, OSError) as error:
            words, problem = None, str(error) or type(error).__name__
        with self._lock:
            self._problem, self._asked_at = problem, time.monotonic()
            if words is not None:
                self._versions = {
                    SERVER: words.server,
                    **dict.fromkeys(
                        named, words.server
                    ),  # those that are too many to be asked for
                    **{f"{JOB}{job}": word for job, word in words.jobs.items()},
                }


def server_ends() -> bool:
    """Return whether the ASGI server that this process is was told to end.

    Uvicorn waits for its requests, and tells streams nothing of it; what hears its signals knows.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        server: Any = getattr(signal.getsignal(number), "__self__", None)
        if getattr(server, "should_exit", False) is True:
            return True
    return False
