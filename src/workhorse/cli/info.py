"""``workhorse info``: queues and workers at a glance. Reads only, where RQ's cleans up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import client_of, config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.core.harmless import harmless
from workhorse.core.ids import check_queue_name
from workhorse.store import pauses, views
from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_of_data
from workhorse.store.views import WorkerRecord

_BAR: Final = 40
_WIDEST: Final = 60


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many jobs of a queue are where; None where the key is of another kind."""

    name: str
    queued: int | None
    executing: int | None
    finished: int | None
    failed: int | None
    scheduled: int | None
    set_aside: int | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What to show."""

    queues: list[QueueCounts]
    workers: list[WorkerRecord]
    odd: list[str]
    """What is in the list of queues and names none."""
    suspended: bool
    paused: list[str]


@click.command()
@click.argument("queues", nargs=-1)
@url_option
@config_option
@click.option(
    "--interval",
    "-i",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="Show it again and again.",
)
@click.option("--raw", "-r", is_flag=True, help="Plain lines, without bars and totals.")
@click.option("--only-queues", "-Q", is_flag=True, help="Leave out the workers.")
@click.option("--only-workers", "-W", is_flag=True, help="Leave out the queues.")
@click.option("--by-queue", "-R", is_flag=True, help="Show each queue's workers.")  # fmt: skip
def info(queues: tuple[str, ...], url: str | None, **given: Any) -> None:
    """Show QUEUES (all without any) and the workers that listen to them."""
    server = server_of(url, read_settings(given["config"]))
    store = Store(client_of(server))
    names = [check_queue_name(name) for name in queues]
    while True:
        lines = _lines(_look(store, names), given)
        if not given["raw"]:
            lines += ["", f"{server.shown} ({server.source})",
                      f"Updated: {time.strftime('%Y-%m-%d %H:%M:%S')}"]  # fmt: skip
        if given["interval"]:
            click.clear()
        click.echo("\n".join(lines))
        if not given["interval"]:
            return
        time.sleep(given["interval"])


def _look(store: Store, names: list[str]) -> Shown:
    keys = default_keys()
    asked = [views.queue_names(keys), views.odd_queues(keys), views.worker_names(keys)]
    found: list[list[str] | None] = store.look_at(asked)
    listed, odd, known = (one or [] for one in found)
    odd = [] if names else odd
    names = names or listed
    calls: list[Call[int]] = []
    for name in names:
        calls += (
            views.queue_length(keys, name),
            views.started_count(keys, name),
            views.registry_count(keys, "finished", name),
            views.registry_count(keys, "failed", name),
            views.registry_count(keys, "scheduled", name),
            views.broken_count(keys, name),
        )
    counts = iter(store.look_at(calls))
    queues = [QueueCounts(name, *(next(counts) for _ in range(6))) for name in names]
    records = store.look_at([views.worker(keys, name) for name in known])
    workers = [w for w in records if w and not w.death and set(w.queues) & set(names or w.queues)]
    suspended = store.run(pauses.is_suspended(keys))
    return Shown(queues, workers, odd, suspended, _paused(store))


def _paused(store: Store) -> list[str]:
    try:
        return store.run(pauses.paused_queues(default_keys()))
    except ServerError as error:
        if is_of_data(error):  # a key of another kind: nothing is paused
            return []
        raise


def _lines(shown: Shown, given: dict[str, Any]) -> list[str]:
    raw: bool = given["raw"]
    lines: list[str] = []
    if not given["only_workers"]:
        lines += _queue_lines(shown, raw=raw)
        lines += [f"Not the key of a queue: {harmless(key)}" for key in shown.odd if not raw]
    if not given["only_queues"]:
        if lines and not raw:
            lines.append("")
        lines += _by_queue(shown, raw=raw) if given["by_queue"] else _worker_lines(shown, raw=raw)
    return lines


def _queue_lines(shown: Shown, *, raw: bool) -> list[str]:
    queues = shown.queues
    most = max((queue.queued or 0 for queue in queues), default=0)
    width = min(max((len(queue.name) for queue in queues), default=0), _WIDEST)
    lines: list[str] = []
    for queue in queues:
        name = harmless(queue.name)
        told = (
            f"{_shown(queue.queued)}, {_shown(queue.executing)} executing, "
            f"{_shown(queue.finished)} finished, {_shown(queue.failed)} failed, "
            f"{_shown(queue.scheduled)} scheduled"
        )
        if queue.name in shown.paused:
            told += ", paused"
        if queue.set_aside:
            told += f", {queue.set_aside} set aside"
        if raw:
            lines.append(f"queue {name} {told}")
            continue
        bar = "█" * _bar_length(queue.queued or 0, most)
        lines.append(f"{name:<{max(width, 12)}} |{bar} {told}")
    if not raw:
        jobs = sum(queue.queued or 0 for queue in queues)
        lines.append(f"{_count(len(queues), 'queue')}, {_count(jobs, 'job')} waiting")
    return lines


def _shown(number: int | None) -> str:
    """Return a count; ``?`` for a key in which nothing can be counted."""
    return "?" if number is None else str(number)


def _count(number: int, noun: str) -> str:
    """Return *number* with its noun.

    >>> _count(1, "job"), _count(0, "job")
    ('1 job', '0 jobs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _bar_length(number: int, most: int) -> int:
    """Return how long the bar of *number* is: its true length where there is room for all.

    >>> _bar_length(3, 7), _bar_length(50, 100), _bar_length(1, 100000), _bar_length(0, 5)
    (3, 20, 1, 0)
    """
    if most <= _BAR:
        return number
    return max(1, number * _BAR // most) if number else 0


def _worker_lines(shown: Shown, *, raw: bool) -> list[str]:
    lines = [
        f"{'worker ' if raw else ''}{harmless(worker.name)} ({harmless(_place(worker))}): "
        f"{harmless(worker.state)} {harmless(', '.join(worker.queues))}. "
        f"jobs: {worker.successful_job_count} finished, {worker.failed_job_count} failed"
        for worker in shown.workers
    ]
    if not raw:
        lines.append(
            f"{_count(len(shown.workers), 'worker')}, {_count(len(shown.queues), 'queue')}"
        )
        if shown.suspended:
            lines.append("Work is suspended: `workhorse resume` ends it.")
        if any(queue.queued for queue in shown.queues) and not shown.workers:
            lines.append("Jobs wait and nobody works: start one with `workhorse worker`.")
    return lines


def _place(worker: WorkerRecord) -> str:
    return f"{worker.hostname} {worker.ip_address or ''} {worker.pid}"


def _by_queue(shown: Shown, *, raw: bool) -> list[str]:
    lines: list[str] = []
    for queue in shown.queues:
        on_it = [w for w in shown.workers if queue.name in w.queues]
        told = ", ".join(f"{harmless(w.name)} ({harmless(w.state)})" for w in on_it) or "none"
        lines.append(f"{harmless(queue.name)}: {told}")
    if not raw:
        lines.append(
            f"{_count(len(shown.workers), 'worker')}, {_count(len(shown.queues), 'queue')}"
        )
    return lines
