"""What one job's process does with its channel to the worker.

It says its process id, takes the run, runs it, and answers with the outcome.
"""

from __future__ import annotations

import io
import os
import pickle
import socket
import struct
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from workhorse.core.outcomes import Outcome, Raised, Returned
from workhorse.core.retry import kinds_of
from workhorse.worker.executors.protocol import LongRun, Run

HELLO: Final = struct.Struct("<I")
LENGTH: Final = struct.Struct("<Q")
HEAD: Final = struct.Struct("<Q?")
"""Of an answer: its length, and whether the process waits to be told how it goes on."""
NOTHING: Final = Returned(None)
"""What most jobs return; said by an empty answer."""


def serve(channel: socket.socket, shared: Sequence[object] = ()) -> None:
    """Run what comes through *channel*; *shared* stands for objects that were not sent."""
    channel.sendall(HELLO.pack(os.getpid()))
    (length,) = LENGTH.unpack(received(channel, LENGTH.size))
    run, outcome = _run(received(channel, length), shared)
    said = b"" if outcome == NOTHING else pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
    waits = isinstance(run, LongRun) and run.waits_after(outcome)
    flush()
    channel.sendall(HEAD.pack(len(said), waits) + said)
    if isinstance(run, LongRun) and waits:
        _go_on(channel, run)


def _run(work: bytes, shared: Sequence[object]) -> tuple[Run | None, Outcome]:
    try:
        run: Run = _Unpickler(io.BytesIO(work), shared).load()
    except Exception as error:  # noqa: BLE001 - a serializer, say, that can't be imported here
        return None, Raised(traceback.format_exc(), kinds_of(type(error)))
    return run, run()


def _go_on(channel: socket.socket, run: LongRun) -> None:
    try:
        (length,) = LENGTH.unpack(received(channel, LENGTH.size))
        after = pickle.loads(received(channel, length))
    except (EOFError, OSError):  # there is nothing to call
        return
    said = run.go_on(after).encode("utf-8", "backslashreplace")
    flush()
    channel.sendall(HEAD.pack(len(said), False) + said)  # noqa: FBT003 - it waits no more


def pickled(run: Run, shared: Sequence[object]) -> bytes:
    """Return *run* as ``serve`` reads it."""
    buffer = io.BytesIO()
    _Pickler(buffer, shared).dump(run)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Writes a shared object as its place among them."""

    def __init__(self, file: io.BytesIO, shared: Sequence[object]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._places = {id(thing): place for place, thing in enumerate(shared)}

    def persistent_id(self, obj: object) -> int | None:
        return self._places.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: Sequence[object]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, pid: Any) -> object:
        return self._shared[pid]


def received(channel: socket.socket, length: int) -> bytes:
    """Return *length* bytes. Raises EOFError where the other end is gone."""
    data = bytearray()
    while len(data) < length:
        chunk = channel.recv(min(length - len(data), 1 << 20))
        if not chunk:
            raise EOFError("the other process is gone")
        data += chunk
    return bytes(data)


def flush() -> None:
    """Write out what was printed, once: a fork would have it twice, an ``os._exit`` never."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, or nobody reads it: no reason to lose a job
            stream.flush()
