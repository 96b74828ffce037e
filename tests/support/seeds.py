"""The functions that the seeds' examples enqueue."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from workhorse import Job, Queue, Worker, get_current_job

TEXT = "RQ is a simple Python library for queueing jobs and processing them in the background"
NOTES: list[str] = []


def note(text: str) -> None:
    NOTES.append(text)


def count_words_at_url(url: str) -> int:
    with urllib.request.urlopen(url) as response:  # noqa: S310 - the test's own server
        return len(response.read().split())


def send_email(address: str, subject: str) -> str:
    return f"to {address}: {subject}"


def process_payment(user_id: int, amount: float) -> str:
    return f"{user_id} paid {amount}"


def add(x: int, y: int) -> int:
    return x + y


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def say_hello() -> str:
    return "Hello"


def div_by_zero(x: int) -> float:
    return x / 0


def my_handler(job: Job, exc_type: type[BaseException], *rest: object) -> None:
    """One that notes what happened."""
    assert len(rest) == 2  # the exception and its traceback
    note(f"{job.id}: {exc_type.__name__}")


def black_hole(job: Job, *exc_info: object) -> bool:
    del job, exc_info
    return False


def id_of_current_job(x: int, y: int) -> list[Any]:
    current = get_current_job()
    assert current is not None
    return [current.id, x + y]


def add_and_note_time(x: int, y: int) -> int:
    current = get_current_job()
    assert current is not None
    current.meta["timestamp"] = time.time()
    current.save_meta()
    return x + y


def count_workers(queue_name: str) -> list[int]:
    """Ask in each way that the document shows, from inside a job, while its worker lives."""
    current = get_current_job()
    assert current is not None
    connection = current.connection
    queue = Queue(queue_name, connection=connection)
    return [
        len(Worker.all(connection=connection)),
        len(Worker.all(queue=queue)),
        Worker.count(connection=connection),
        Worker.count(queue=queue),
    ]


def statistics_of(worker_key: str) -> tuple[int, int, float]:
    current = get_current_job()
    assert current is not None
    worker = Worker.find_by_key(worker_key, connection=current.connection)
    assert worker is not None
    return worker.successful_job_count, worker.failed_job_count, worker.total_working_time


class Shop:
    """Has a method."""

    def __init__(self, town: str) -> None:
        self.town = town

    def greet(self, name: str) -> str:
        return f"{self.town} greets {name}"


class JSONSerializer:
    """The one of seed 001; its base class was a protocol only."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        return json.dumps(obj).encode("utf-8")

    @staticmethod
    def loads(obj: bytes) -> Any:
        return json.loads(obj.decode("utf-8"))
