"""Assertions on what was enqueued, whose failures show what was there instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from workhorse.api.job import Job
from workhorse.api.queue import Queue
from workhorse.core.errors import DeserializationError, InvalidOptionError
from workhorse.testing.servers import needed_server
from workhorse.wire.payload import name_call

Function = Callable[..., Any] | str

_SHOWN: Final = 10
_NEAR: Final = 1.0
"""Seconds by which a time may differ."""
_LONGEST: Final = 200


def all_enqueued() -> list[Job]:
    """Return the jobs that this process enqueued since the server was emptied, in their order.

    Also those that ran since, and what jobs enqueued that ran here. As they were then:
    ``refresh()`` shows how one is now.
    """
    return list(needed_server("all_enqueued()").record.jobs)


def enqueued(queue: Queue | str | None = None, func: Function | None = None) -> list[Job]:
    """Return those of ``all_enqueued()`` that are on *queue*, and calls of *func*."""
    wanted = Wanted(None if func is None else _name_of(func), None, None, _name_or_none(queue))
    return [job for job in all_enqueued() if not wanted.misses_of(job)]


def assert_enqueued(
    func: Function,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    queue: Queue | str | None = None,
    due_in: timedelta | float | None = None,
    times: int | None = None,
) -> Job:
    """Fail unless a call of *func* was enqueued in this process; return its job, the first one.

    What is given must be equal: *args* and *kwargs* as they were given to ``enqueue``
    (``unittest.mock.ANY`` stands for anything), the *queue*, by its name, and *due_in*, the time
    that it was to wait for (within a second; 0 for not at all). With *times* there must be exactly
    so many, else one or more. Raises AssertionError, which shows what was enqueued.
    """
    if times is not None and times < 1:
        raise InvalidOptionError(f"times={times}: for none there is assert_not_enqueued")
    jobs, wanted = all_enqueued(), _wanted(func, args, kwargs, queue, due_in)
    found = [job for job in jobs if not wanted.misses_of(job)]
    if not found or times not in {None, len(found)}:
        was = f"was enqueued {_times(len(found))}" if found else "was not enqueued"
        often = "" if times is None else f", and should have been {_times(times)}"
        raise AssertionError(f"{wanted.described()} {was}{often}{_instead(jobs, wanted)}")
    return found[0]


def assert_not_enqueued(
    func: Function,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    queue: Queue | str | None = None,
    due_in: timedelta | float | None = None,
) -> None:
    """Fail if such a call was enqueued in this process; otherwise as ``assert_enqueued``."""
    jobs, wanted = all_enqueued(), _wanted(func, args, kwargs, queue, due_in)
    found = [job for job in jobs if not wanted.misses_of(job)]
    if found:
        raise AssertionError(
            f"{wanted.described()} was enqueued {_times(len(found))}, and should not have been"
            f"{_instead(jobs, wanted)}"
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; None for anything."""

    func_name: str | None
    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    queue: str | None
    due_in: float | None = None

    def misses_of(self, job: Job) -> list[str]:
        """Return in what *job* differs: nothing for one that was looked for."""
        misses: list[str] = []
        if self.queue is not None and job.origin != self.queue:
            misses.append("queue")
        if self.due_in is not None and abs(_wait_of(job) - self.due_in) > _NEAR:
            misses.append("time")
        try:
            name, args, kwargs = job.func_name, list(job.args), dict(job.kwargs)
        except DeserializationError:
            return [*misses, "call"]
        if self.func_name is not None and name != self.func_name:
            misses.append("function")
        if self.args is not None and list(self.args) != args:
            misses.append("args")
        if self.kwargs is not None and dict(self.kwargs) != kwargs:
            misses.append("kwargs")
        return misses

    def described(self) -> str:
        """Return it in the words of a message."""
        words = [_brief(repr(arg)) for arg in self.args or ()]
        words += [f"{name}={_brief(repr(value))}" for name, value in (self.kwargs or {}).items()]
        if self.args is None or self.kwargs is None:
            words.append("...")
        on = "" if self.queue is None else f" on queue {self.queue!r}"
        return f"{self.func_name}({', '.join(words)}){on}{_in(self.due_in or 0)}"


def _wanted(
    func: Function,
    args: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    queue: Queue | str | None,
    due_in: timedelta | float | None,
) -> Wanted:
    if isinstance(args, str | bytes):
        raise InvalidOptionError(f"args={args!r}: give a list of the arguments, as in args=[17]")
    seconds = due_in.total_seconds() if isinstance(due_in, timedelta) else due_in
    return Wanted(_name_of(func), args, kwargs, _name_or_none(queue), seconds)


def _name_of(func: Function) -> str:
    """Return how jobs name *func*, a function that has a ``delay`` of its own too."""
    return name_call(func)[0]


def _name_or_none(queue: Queue | str | None) -> str | None:
    return queue.name if isinstance(queue, Queue) else queue


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _instead(jobs: Sequence[Job], wanted: Wanted) -> str:
    """Return what there was, the nearest first, each with what it differs in."""
    if not jobs:
        return ": nothing was enqueued"
    near = sorted(
        ((wanted.misses_of(job), job) for job in jobs), key=lambda told: _distance(told[0])
    )
    lines = [f"  {_shown(job)}{_marked(misses)}" for misses, job in near[:_SHOWN]]
    if len(near) > _SHOWN:
        lines.append(f"  ... and {len(near) - _SHOWN} more")
    return "\n".join(
        [f"; {len(jobs)} {'job was' if len(jobs) == 1 else 'jobs were'} enqueued:", *lines]
    )


def _distance(misses: Sequence[str]) -> int:
    return len(misses) + 10 * ("function" in misses or "call" in misses)


def _marked(misses: Sequence[str]) -> str:
    if not misses:
        return "  <- this"
    if "function" in misses or "call" in misses:
        return ""
    return f"  <- differs in {' and '.join(misses)}"


def _shown(job: Job) -> str:
    try:
        call = job.get_call_string()
    except DeserializationError:
        call = f"{job.description} (which can't be read here)"
    return f"{_brief(call)} on queue {job.origin!r}{_in(_wait_of(job))}"


def _wait_of(job: Job) -> float:
    """Return the seconds that *job* was to wait for its time when it was enqueued."""
    record = job.record
    if record.due_in is not None:
        return record.due_in
    if record.scheduled_for is None or record.created_at is None:
        return 0
    return record.scheduled_for - record.created_at.timestamp()


def _in(seconds: float) -> str:
    return "" if seconds <= 0 else f" in {timedelta(seconds=round(seconds))}"


def _brief(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
