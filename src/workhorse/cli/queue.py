"""``workhorse queue``: what there is on queues, and what is done to one."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.api.queue import Queue
from workhorse.cli.config_file import client_of, config_option, read_settings, server_of
from workhorse.cli.empty import empty_all
from workhorse.cli.options import SPAN, url_option
from workhorse.cli.output import (
    FAILED,
    FINE,
    Cell,
    Column,
    confirm,
    count_of,
    echo,
    number_of,
    output_options,
    painted,
    print_json,
    rough,
    table,
    terminal_width,
    utc,
    yes_option,
)
from workhorse.cli.situation import Situation, look, queue_shape
from workhorse.cli.slices import run_slices
from workhorse.core.ids import check_queue_name
from workhorse.store import bulk
from workhorse.store.bulk import Where
from workhorse.store.drivers import Store
from workhorse.store.overview import QueueRow
from workhorse.store.pages import Place

_COUNTS: Final = ("queued", "started", "scheduled", "deferred", "failed", "finished")
_SPARE: Final = {"scheduled": 3, "deferred": 4, "finished": 5}
_COLUMNS: Final = (
    Column("queue", flexible=True),
    *(Column(name, right=True, spare=_SPARE.get(name, 0)) for name in _COUNTS),
    Column("waits", right=True, spare=1),
    Column("workers", right=True, spare=2),
    Column(""),
)


@click.group()
def queue() -> None:
    """List queues, pause or resume one, empty or move its jobs."""


@queue.command("list")
@click.argument("queues", nargs=-1)
@url_option
@config_option
@output_options
def list_queues(
    queues: tuple[str, ...], url: str | None, config: str | None, *, as_json: bool
) -> None:
    """List QUEUES (all without any): their jobs by state, how long the next waits, workers."""
    server = server_of(url, read_settings(config))
    names = [check_queue_name(name) for name in queues]
    shown = look(Store(client_of(server)), default_keys(), names)
    if as_json:
        listed = [queue_shape(row, shown.now) for row in shown.queues]
        print_json({"at": utc(shown.now), "queues": listed})
        return
    if not shown.queues:
        echo("No queues yet: the first job makes one, as in `workhorse enqueue my.function`.")
        return
    rows = [queue_cells(row, shown) for row in shown.queues]
    for line in table(_COLUMNS, rows, width=terminal_width()):
        echo(line)
    jobs = sum(row.queued or 0 for row in shown.queues)
    echo(f"{count_of(len(shown.queues), 'queue')}, {count_of(jobs, 'job')} waiting")


def queue_cells(row: QueueRow, shown: Situation) -> list[str | Cell]:
    """Return a queue as a row of cells."""
    counts = {name: number_of(getattr(row, name)) for name in _COUNTS}
    working = any(row.name in worker.queues for worker in shown.workers)
    waits = rough(max(0.0, shown.now - row.oldest.timestamp())) if row.oldest else ""
    return [
        row.name,
        *(Cell(counts[name], "bad" if name == "failed" and row.failed else "")
          for name in _COUNTS),
        waits,
        Cell(number_of(row.workers), "" if working or not row.queued else "bad"),
        note_of(row, shown),
    ]  # fmt: skip


def note_of(row: QueueRow, shown: Situation) -> Cell:
    """Return what should be known of a queue beside its counts."""
    if row.paused_until is not None:
        return Cell("paused", "warning")
    if shown.suspended_until is not None and row.queued:
        return Cell("suspended", "warning")
    if row.queued and not any(row.name in worker.queues for worker in shown.workers):
        return Cell("no worker", "bad")
    return Cell(f"{row.broken:,} set aside", "bad") if row.broken else Cell("")


@queue.command()
@click.argument("names", nargs=-1, required=True)
@url_option
@config_option
@yes_option
def empty(names: tuple[str, ...], **given: Any) -> int:
    """Delete the jobs that wait on the queues NAMES. Running ones are left alone."""
    server = server_of(given["url"], read_settings(given["config"]))
    queues = [Queue(check_queue_name(name), server.connection) for name in names]
    if not confirm(f"Delete all jobs that wait on {', '.join(names)}?", yes=given["yes"]):
        return FAILED
    empty_all(queues)
    return FINE


@queue.command()
@click.argument("name")
@click.argument("to")
@url_option
@config_option
@click.option("--scheduled", is_flag=True, help="Also those that wait for their moment.")
@yes_option
def move(name: str, to: str, **given: Any) -> int:
    """Give the jobs that wait on the queue NAME to the queue TO, in their order.

    Running ones stay where they are. Workers may take jobs meanwhile.
    """
    name, to = check_queue_name(name), check_queue_name(to)
    if name == to:
        raise click.UsageError("NAME and TO are the same queue")
    store = Store(client_of(server_of(given["url"], read_settings(given["config"]))))
    keys = default_keys()
    if not confirm(f"Move all jobs that wait on {name} to {to}?", yes=given["yes"]):
        return FAILED
    places: list[Place] = ["queued", "scheduled"] if given["scheduled"] else ["queued"]
    done = sum(
        run_slices(store, partial(bulk.move_some, keys, to=to), Where(place=place, name=name))
        for place in places
    )
    echo(f"{count_of(done, 'job')} moved from {painted(name)} to {painted(to)}.")
    return FINE


@queue.command()
@click.argument("name")
@url_option
@config_option
@click.option(
    "--duration", type=SPAN, metavar="TIME", help="For so long: seconds, or as 10m; else for good."
)
def pause(name: str, url: str | None, config: str | None, duration: float | None) -> None:
    """Have no worker take a job from the queue NAME. Running jobs go on. RQ's know no pause."""
    if duration is not None and duration <= 0:
        raise click.UsageError("--duration: give more than 0 seconds")
    Queue(name, server_of(url, read_settings(config)).connection).pause(duration)
    until = "it is resumed" if duration is None else f"{duration:g} seconds have passed"
    echo(f"Paused {painted(name)}: no worker takes a job from it until {until}.")


@queue.command()
@click.argument("name")
@url_option
@config_option
def resume(name: str, url: str | None, config: str | None) -> None:
    """Have workers take jobs from the queue NAME again."""
    was = Queue(name, server_of(url, read_settings(config)).connection).resume()
    echo(f"Resumed {painted(name)}." if was else f"{painted(name)} was not paused.")
