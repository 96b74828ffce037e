"""What travels with jobs from who enqueues them to who runs them: the context of a trace."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from workhorse.api.job import Job
from workhorse.api.options import EnqueueData
from workhorse.wire.glance import function_of


@dataclass(slots=True)
class Sent:
    """A job on its way to its queue. What is put into its *meta* arrives with it."""

    function: str
    meta: dict[str, Any]
    job_id: str | None = None
    """None where it is not made up yet; it is known at the end of the block."""


Carry = Callable[[str, Sequence[Sent]], AbstractContextManager[None]]
"""Called with the queue and the jobs of one call; the block in it sends them."""

_carriers: Final[list[Carry]] = []


def carry(carrier: Carry) -> None:
    """Have *carrier* called around everything that this process enqueues."""
    if carrier not in _carriers:
        _carriers.append(carrier)


def no_longer_carry(carrier: Carry) -> None:
    """Undo ``carry``."""
    if carrier in _carriers:
        _carriers.remove(carrier)


def is_carried() -> bool:
    """Return whether anything is to travel with jobs."""
    return bool(_carriers)


@contextmanager
def carried(queue: str, sent: Sequence[Sent]) -> Generator[None]:
    """Call every carrier around the block."""
    with ExitStack() as stack:
        for carrier in _carriers:
            stack.enter_context(carrier(queue, sent))
        yield


@contextmanager
def carrying(queue: str, job: Job) -> Generator[None]:
    """Have what is to travel with *job* in its meta, from within the block on."""
    if not is_carried():
        yield
        return
    sent = Sent(function_of(job.description or "", job.data), job.meta, job.id)
    with carried(queue, [sent]):
        yield


def as_sent(data: EnqueueData) -> Sent:
    """Return what carriers see of a call."""
    func = data.func
    name = func if isinstance(func, str) else getattr(func, "__qualname__", type(func).__name__)
    module = None if isinstance(func, str) else getattr(func, "__module__", None)
    return Sent(f"{module}.{name}" if module else name, dict(data.meta or {}), data.job_id)
