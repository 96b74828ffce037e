"""An application as users write them: its queues and jobs are made when it is imported."""

from __future__ import annotations

import asyncio
from typing import Any

from workhorse import Job, Queue, Retry, SimpleWorker, get_current_job, job
from workhorse.api.cron import Cron

NOWHERE = "redis://localhost:1"  # its production server, which no test must reach

mail = Queue("mail", connection=NOWHERE)
reports = Queue("reports", connection=NOWHERE, serializer="json")
worker = SimpleWorker([mail])
cron = Cron(connection=NOWHERE)
sent: list[Any] = []
tries: list[str] = []


class OwnJob(Job):
    """A class of the application's."""


def send(order: int, *, copy: bool = False) -> str:
    sent.append(order)
    return f"receipt {order}{' and a copy' if copy else ''}"


@job("decorated", connection=NOWHERE, retry=Retry(2))
def decorated(order: int) -> int:
    return order + 1


def place(order: int) -> str:
    """Do what a view does."""
    return mail.enqueue(send, order).id


def place_many(orders: int) -> int:
    """A job that enqueues others, on another queue."""
    for order in range(orders):
        reports.enqueue(send, order)
    return orders


def place_the_next(order: int) -> None:
    """A job that enqueues itself, without end."""
    mail.enqueue(place_the_next, order + 1)


def fail(text: str) -> None:
    tries.append(text)
    raise LookupError(text)


def fail_once(text: str) -> str:
    tries.append(text)
    if tries.count(text) == 1:
        raise LookupError(text)
    return text


def ask_again() -> str | Retry:
    tries.append("asked")
    return Retry(1) if len(tries) < 2 else "done"


def note_success(job: Job, connection: Any, result: Any) -> None:
    del job, connection
    sent.append(f"success: {result}")


def note_failure(job: Job, connection: Any, kind: type, error: Exception, frames: Any) -> None:
    del job, connection, kind, frames
    tries.append(f"failure: {error.args[0]}")


async def send_later(order: int) -> str:
    await asyncio.sleep(0)
    return f"later {order}"


def know_thyself() -> tuple[str, str, int | None]:
    this = get_current_job()
    assert this is not None
    this.meta["seen"] = True
    this.save_meta()
    return this.id, this.origin, this.timeout
