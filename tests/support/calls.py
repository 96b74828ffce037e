"""What the tests of the API enqueue: one of each kind of callable."""

from __future__ import annotations

import threading
import time
from typing import Any

from workhorse import Job, Queue, Retry, get_current_job

WAS_CALLED: list[Any] = []
"""What ``note`` was called with, in this process."""


def add(left: int = 0, right: int = 0) -> int:
    """Return the sum."""
    return left + right


def add_by_decorator() -> int:
    """Return a sum; for tests that decorate it."""
    return 1 + 2


def note(*args: Any, **kwargs: Any) -> None:
    WAS_CALLED.append((args, kwargs))


def echo(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


def echo_as_json(*args: Any, **kwargs: Any) -> list[Any]:
    return [list(args), kwargs]


def fail(text: str = "no such customer") -> None:
    raise ValueError(text)


def ask_for_retries() -> Retry:
    return Retry(max=2)


def ask_patiently() -> Retry:
    return Retry(max=1, interval=1000, jitter=0.5)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


async def add_later(left: int, right: int) -> int:
    return left + right


async def current_job_id_later() -> str | None:
    return current_job_id()


def current_job_id() -> str | None:
    job = get_current_job()
    return None if job is None else job.id


def facts_of_the_current_job() -> dict[str, Any]:
    job = get_current_job()
    assert job is not None
    return {
        "id": job.id,
        "status": str(job.get_status()),
        "origin": job.origin,
        "description": job.description,
        "timeout": job.timeout,
        "ttl": job.ttl,
        "worker": job.worker_name,
        "func_name": job.func_name,
        "args": job.args,
        "enqueued": job.enqueued_at is not None,
        "is_same_object_each_time": get_current_job() == job,
    }


def save_progress(percent: int) -> int | None:
    """Write meta before anything of the job was fetched, and return what is read back."""
    job = get_current_job()
    assert job is not None
    job.meta = {"percent": percent}
    assert job.created_at is not None  # completes the job; what was set above stays
    job.save_meta()
    fresh = Job.fetch(job.id, connection=job.connection)
    found: int | None = fresh.meta.get("percent")
    return found


def count_up_meta_and_fail() -> None:
    job = get_current_job()
    assert job is not None
    job.meta["tries"] = job.meta.get("tries", 0) + 1
    job.save_meta()
    raise ValueError("not yet")


class Report(Job):
    """A job class of a user's own."""


def class_of_the_current_job() -> str:
    return type(get_current_job(job_class=Report)).__name__


def delete_itself_and_save_meta() -> str:
    job = get_current_job()
    assert job is not None
    job.meta["late"] = True
    job.delete()
    try:
        job.save_meta()
    except Exception as error:  # noqa: BLE001 - its kind is the result
        note(type(error).__name__)
    return job.id


def run_another_here() -> list[str | None]:
    """Run a job inside this one; return the ids that were current before, inside and after."""
    job = get_current_job()
    assert job is not None
    inner = Queue("inner", job.connection, is_async=False).enqueue(current_job_id)
    return [job.id, inner.return_value(), current_job_id()]


def current_job_in_a_thread() -> str | None:
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(current_job_id()))
    thread.start()
    thread.join()
    return found[0]


class Greeter:
    """Has methods of each kind."""

    greeting = "Hello"

    def __init__(self, name: str) -> None:
        self.name = name

    def greet(self, mark: str = "!") -> str:
        return f"{self.greeting}, {self.name}{mark}"

    def __call__(self, mark: str) -> str:
        return self.greet(mark)

    @classmethod
    def shout(cls, name: str) -> str:
        return f"{cls.greeting}, {name}".upper()

    @staticmethod
    def whisper(name: str) -> str:
        return name.lower()


class Adder:
    """A class whose instances a job makes."""

    def __init__(self, left: int, right: int) -> None:
        self.total = left + right


class Unpicklable:
    """An argument that no serializer takes."""

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise RuntimeError("not for sending")


class Silent:
    """An argument that can't be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("not for showing")


class Unreadable:
    """An object that can be stored and not be read again."""

    def __reduce__(self) -> str | tuple[Any, ...]:
        return (fail, ("can't be read",))


def return_unreadable() -> Unreadable:
    return Unreadable()


class Reversing:
    """A serializer of the user's own: JSON, backwards."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        import json  # noqa: PLC0415

        return json.dumps(obj).encode()[::-1]

    @staticmethod
    def loads(data: bytes) -> Any:
        import json  # noqa: PLC0415

        return json.loads(data[::-1])


class Counter:
    """Has a method that a test decorates."""

    def __init__(self, start: int) -> None:
        self.start = start

    def plus(self, number: int) -> int:
        return self.start + number


def fail_once() -> str:
    """Fail in the first run of a job."""
    job = get_current_job()
    assert job is not None
    runs = job.meta["runs"] = job.meta.get("runs", 0) + 1
    job.save_meta()
    if runs == 1:
        raise ValueError("not yet")
    return "at last"


def show(**given: Any) -> dict[str, Any]:
    """Return what it was given by name."""
    return given


def double(total: int | None = None) -> int:
    return 2 * (total or 0)


def sleep_and_return(seconds: float, value: Any) -> Any:
    time.sleep(seconds)
    return value


def fail_once_with(total: int) -> int:
    fail_once()
    return total
