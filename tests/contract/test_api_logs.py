"""What jobs log and print, kept with them where that is wanted."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.support import telling
from tests.support.servers import RunningServer
from workhorse import Job, Queue, Retry, SimpleWorker, Worker
from workhorse.core.settings import LOG_BYTES, LOG_LINES

WORKERS = [Worker, SimpleWorker]


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


@contextmanager
def plain_logging() -> Iterator[None]:
    """Logging as it is in a process where nobody set it up; pytest sets it up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    yield
    assert root.handlers == []
    assert root.level == logging.WARNING
    root.handlers[:] = handlers
    root.setLevel(level)


def run(queue: Queue, worker_class: type[Worker] = SimpleWorker, *, capture: bool = True) -> None:
    worker_class([queue], capture_logs=capture).work(burst=True)


def log_of(job: Job) -> list[tuple[str, str, str]]:
    return [(line.source, line.level, line.text) for line in job.log_lines()]


def texts(job: Job) -> list[str]:
    return [line.text for line in job.log_lines()]


@pytest.mark.parametrize("worker_class", WORKERS)
def test_what_a_job_logs_and_prints_is_kept(queue: Queue, worker_class: type[Worker]) -> None:
    job = queue.enqueue(telling.say_much)
    with plain_logging():
        run(queue, worker_class)
    assert job.get_status() == "finished"
    told = log_of(job)
    assert told[:9] == [
        ("out", "", "printed"),
        ("err", "", "to stderr"),
        ("out", "", "in pieces"),
        ("out", "", "100 %"),
        ("log", "warning", "tests.telling: logged words"),
        ("log", "info", "tests.telling: informed"),
        ("log", "error", "of the root"),
        ("log", "warning", "[a record of tests.telling that can't be told: TypeError]"),
        ("log", "error", "tests.telling: caught"),
    ]
    assert told[9] == ("log", "error", "Traceback (most recent call last):")
    assert told[-1] == ("log", "error", "KeyError: 'inner'")


def test_what_is_kept_goes_where_it_went_before_too(
    queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.enqueue(telling.say_much)
    before = sys.stdout, sys.stderr
    with plain_logging():
        run(queue)
    assert (sys.stdout, sys.stderr) == before
    out, err = capsys.readouterr()
    assert "printed\nin pieces\n10 %\r20 %\r100 %\n" in out
    assert "to stderr\nlogged words\nof the root\n" in err  # as without a handler
    assert "informed" not in err


def test_without_being_asked_nothing_is_kept(queue: Queue) -> None:
    job = queue.enqueue(telling.say_much)
    run(queue, capture=False)
    assert log_of(job) == []
    assert queue.connection.exists(f"rq:log:{job.id}") == 0


@pytest.mark.parametrize("worker_class", WORKERS)
def test_nothing_is_lost_where_the_job_raises(queue: Queue, worker_class: type[Worker]) -> None:
    job = queue.enqueue(telling.count_and_fail, 1)
    run(queue, worker_class)
    assert texts(job) == ["about to fail", "no end of line"]


@pytest.mark.parametrize("worker_class", WORKERS)
def test_what_was_told_last_is_there_before_the_end(
    queue: Queue, worker_class: type[Worker]
) -> None:
    job = queue.enqueue(telling.tell_and_fail_at_once)
    run(queue, worker_class)
    progress = job.get_progress()
    assert texts(job) == ["first", "last"]
    assert progress
    assert (progress.done, progress.total) == (1, 2)


def test_a_job_that_dies_keeps_what_was_told(queue: Queue) -> None:
    job = queue.enqueue(telling.tell_and_die, on_lost="fail")
    run(queue, Worker)
    assert job.get_status() == "failed"
    assert texts(job) == ["last words"]


def test_what_threads_and_tasks_of_the_job_print_is_kept(queue: Queue) -> None:
    job = queue.enqueue(telling.print_in_threads)
    run(queue)
    assert texts(job) == ["in a thread", "in a task"]


def test_what_callbacks_print_is_not_of_the_job(queue: Queue) -> None:
    job = queue.enqueue(telling.print_lines, 1, on_success=telling.in_a_callback)
    run(queue)
    assert texts(job) == ["0"]


def test_each_run_is_told_apart(queue: Queue) -> None:
    job = queue.enqueue(telling.count_and_fail, 1, retry=Retry(max=1))
    run(queue)
    assert job.get_status() == "failed"
    sources = [line.source for line in job.log_lines()]
    assert sources == ["out", "out", "run", "out", "out"]


@pytest.mark.parametrize("function", [telling.print_lines, telling.print_at_once])
def test_of_much_output_the_end_is_kept(queue: Queue, function: Callable[[int], None]) -> None:
    job = queue.enqueue(function, 20_000)
    run(queue)
    told = texts(job)
    assert len(told) == LOG_LINES
    numbers = [int(text) for text in told if not text.startswith("[...")]
    assert numbers[-1] == 19_999
    assert numbers == sorted(numbers)
    assert len(numbers) > LOG_LINES - 5


def test_a_long_line_is_cut_and_any_text_is_kept(queue: Queue) -> None:
    job = queue.enqueue(telling.print_long, 100_000)
    run(queue)
    assert texts(job) == ["x" * LOG_BYTES, "\x1b[2J<b>\\ud800\x00"]


def test_what_other_jobs_print_at_the_same_time_is_not_mixed_up(
    queue: Queue, valkey_server: RunningServer
) -> None:
    outer = queue.enqueue(telling.enqueue_within, valkey_server.url)
    plain = queue.enqueue(telling.print_lines, 2)
    run(queue)
    assert texts(outer) == ["before", "after"]
    assert texts(plain) == ["0", "1"]
