"""How the tests of the API run jobs, and see what was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from workhorse import Job, Queue, SimpleWorker, Worker


def run(*queues: Queue) -> bool:
    """Run all that waits, in this process; return whether anything ran."""
    return SimpleWorker(queues, connection=queues[0].connection).work(burst=True)


@contextmanager
def working(worker: Worker) -> Iterator[None]:
    """Have a worker work in a thread within the block."""
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        yield
    finally:
        worker.request_stop()
        thread.join(20)


def run_one(queue: Queue) -> None:
    """Run one job of *queue*, in this process."""
    SimpleWorker([queue]).work(burst=True, max_jobs=1)


def wait_of(job: Job) -> float:
    """Return how long a job waits after its last run, in seconds."""
    due = job.connection.zscore(f"rq:scheduled:{job.origin}", job.id)
    job.refresh()
    if due is None:
        assert job.get_status() == "queued"
        return 0
    assert job.get_status() == "scheduled"
    assert job.ended_at is not None
    return float(due) - job.ended_at.timestamp()


def bring_forward(job: Job) -> None:
    """Make a job that is scheduled due now."""
    job.connection.zadd(f"rq:scheduled:{job.origin}", {job.id: 1}, xx=True)


def outcome_of(job: Job, queue: Queue) -> Any:
    """Run the queue and return what *job* returned, which must have finished."""
    run(queue)
    result = job.latest_result()
    assert result is not None, "the job did not end"
    assert result.exc_string is None, result.exc_string
    return result.return_value


def dump(client: redis.Redis) -> dict[bytes, Any]:
    """Return all but the counters of a server, as bytes that differ where anything does."""
    counters = (b":totals", b":durations", b":history", b":histories")
    keys = (key for key in client.scan_iter(count=1000) if not key.endswith(counters))
    return {key: client.dump(key) for key in keys}


@contextmanager
def nothing_sent(client: redis.Redis) -> Iterator[None]:
    """Check that the block changes nothing on the server."""
    before = dump(client)
    yield
    assert dump(client) == before


class CountingClient(redis.Redis):
    """A client that counts its round trips; each is a command or a pipeline of them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.trips: list[str] = []

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.trips.append(str(args[0]))
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # theirs

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:  # noqa: FBT001, FBT002
        self.trips.append("pipeline")
        return super().pipeline(transaction, shard_hint)
