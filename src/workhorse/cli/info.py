"""``workhorse info``: queues and workers at a glance. Reads only, where RQ's cleans up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import client_of, config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.cli.output import (
    Look,
    bar,
    columns_of,
    count_of,
    cut,
    output_options,
    painted,
    print_json,
    terminal_width,
    utc,
)
from workhorse.cli.situation import Situation, look, queue_shape, worker_shape
from workhorse.core.ids import check_queue_name
from workhorse.store.drivers import Store
from workhorse.store.overview import QueueRow
from workhorse.store.roster import WorkerRow

_BAR: Final = 40
_WIDEST: Final = 60
_NAME: Final = 12


@click.command()
@click.argument("queues", nargs=-1)
@url_option
@config_option
@click.option(
    "--interval",
    "-i",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="Show it again and again; with --json one document a line.",
)
@click.option("--raw", "-r", is_flag=True, help="Plain lines, without bars and totals.")
@click.option("--only-queues", "-Q", is_flag=True, help="Leave out the workers.")
@click.option("--only-workers", "-W", is_flag=True, help="Leave out the queues.")
@click.option("--by-queue", "-R", is_flag=True, help="Show each queue's workers.")
@output_options
def info(queues: tuple[str, ...], url: str | None, **given: Any) -> None:
    """Show QUEUES (all without any) and the workers that listen to them."""
    server = server_of(url, read_settings(given["config"]))
    store, keys = Store(client_of(server)), default_keys()
    names = [check_queue_name(name) for name in queues]
    while True:
        shown = look(store, keys, names)
        if given["as_json"]:
            print_json(_document(shown, given), on_one_line=bool(given["interval"]))
        else:
            lines = _lines(shown, given)
            if not given["raw"]:
                lines += ["", f"{server.shown} ({server.source})",
                          f"Updated: {time.strftime('%Y-%m-%d %H:%M:%S')}"]  # fmt: skip
            if given["interval"]:
                click.clear()
            click.echo("\n".join(lines))
        if not given["interval"]:
            return
        time.sleep(given["interval"])


def _document(shown: Situation, given: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "at": utc(shown.now),
        "suspended": shown.suspended_until is not None,
        "suspended_until": utc(shown.suspended_until),
    }
    if not given["only_workers"]:
        document["queues"] = [queue_shape(queue, shown.now) for queue in shown.queues]
    if not given["only_queues"]:
        document["workers"] = [
            worker_shape(worker, shown.jobs.get(worker.name), shown.now)
            for worker in shown.workers
        ]
    return document


def _lines(shown: Situation, given: dict[str, Any]) -> list[str]:
    raw: bool = given["raw"]
    lines: list[str] = []
    if not given["only_workers"]:
        lines += _raw_queues(shown.queues) if raw else _queue_lines(shown)
    if not given["only_queues"]:
        if lines and not raw:
            lines.append("")
        lines += _by_queue(shown, raw=raw) if given["by_queue"] else _worker_lines(shown, raw=raw)
    return lines


def _raw_queues(queues: Sequence[QueueRow]) -> list[str]:
    return [f"queue {painted(queue.name)} {_told(queue)}" for queue in queues]


def _told(queue: QueueRow, *, coloured: bool = False) -> str:
    failed = f"{_shown(queue.failed)} failed"
    told = [
        _shown(queue.queued),
        f"{_shown(queue.started)} executing",
        f"{_shown(queue.finished)} finished",
        painted(failed, "bad") if coloured and queue.failed else failed,
        f"{_shown(queue.scheduled)} scheduled",
    ]
    if queue.paused_until is not None:
        told.append(painted("paused", "warning") if coloured else "paused")
    if queue.broken:
        told.append(f"{queue.broken} set aside")
    return ", ".join(told)


def _queue_lines(shown: Situation) -> list[str]:
    queues = shown.queues
    most = max((queue.queued or 0 for queue in queues), default=0)
    widest = max((columns_of(painted(queue.name)) for queue in queues), default=0)
    width = max(min(widest, _WIDEST), _NAME)
    rest = max((columns_of(_told(queue)) for queue in queues), default=0)
    terminal = terminal_width()
    length = _BAR if terminal is None else max(1, min(_BAR, terminal - width - rest - 3))
    lines: list[str] = []
    for queue in queues:
        name = painted(queue.name)
        name = cut(name, width) if terminal is not None else name
        space = " " * (width - columns_of(name))
        looks: Look = "good" if queue.workers else "bad"
        told = painted(_bar(queue.queued or 0, most, length), looks)
        lines.append(f"{name}{space} |{told} {_told(queue, coloured=True)}")
    lines.append(
        f"{count_of(len(queues), 'queue')}, "
        f"{count_of(sum(queue.queued or 0 for queue in queues), 'job')} waiting"
    )
    return lines + [f"Not the key of a queue: {painted(key)}" for key in shown.odd]


def _shown(number: int | None) -> str:
    """Return a count; ``?`` for a key in which nothing can be counted."""
    return "?" if number is None else str(number)


def _bar(number: int, most: int, length: int) -> str:
    """Return the bar of *number*: of its true length where there is room for all.

    >>> len(_bar(3, 7, 40)), len(_bar(50, 100, 40)), len(_bar(1, 10**6, 40)), _bar(0, 5, 40)
    (3, 20, 1, '')
    """
    return bar(number / max(most, 1), min(length, most))


def _worker_lines(shown: Situation, *, raw: bool) -> list[str]:
    lines = [
        f"{'worker ' if raw else ''}{painted(worker.name)} ({painted(_place(worker))}): "
        f"{painted(worker.state or '?', '' if raw else _LOOKS.get(worker.state, ''))} "
        f"{painted(', '.join(worker.queues))}. "
        f"jobs: {worker.succeeded} finished, {worker.failed} failed"
        for worker in shown.workers
    ]
    return lines if raw else lines + _totals(shown)


_LOOKS: Final[dict[str, Look]] = {"busy": "good", "suspended": "warning"}


def _totals(shown: Situation) -> list[str]:
    workers, queues = shown.workers, shown.queues
    lines = [f"{count_of(len(workers), 'worker')}, {count_of(len(queues), 'queue')}"]
    if shown.suspended_until is not None:
        lines.append(painted("Work is suspended: `workhorse resume` ends it.", "warning"))
    if any(queue.queued for queue in queues) and not workers:
        told = "Jobs wait and nobody works: start one with `workhorse worker`."
        lines.append(painted(told, "warning"))
    return lines


def _place(worker: WorkerRow) -> str:
    return f"{worker.hostname or None} {worker.address} {worker.pid}"


def _by_queue(shown: Situation, *, raw: bool) -> list[str]:
    lines: list[str] = []
    for queue in shown.queues:
        on_it = [worker for worker in shown.workers if queue.name in worker.queues]
        told = ", ".join(f"{painted(one.name)} ({painted(one.state or '?')})" for one in on_it)
        lines.append(f"{painted(queue.name)}: {told or 'none'}")
    return lines if raw else lines + _totals(shown)
