"""``workhorse workers``: who works, at what, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import client_of, config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.cli.output import (
    Cell,
    Column,
    Look,
    ago,
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
)
from workhorse.cli.situation import Situation, look, worker_shape
from workhorse.core.ids import check_queue_name
from workhorse.store.doctor_checks import is_silent
from workhorse.store.drivers import Store
from workhorse.store.pages import JobRow
from workhorse.store.roster import WorkerRow

LOOKS: Final[Mapping[str, Look]] = {
    "busy": "good", "idle": "quiet", "suspended": "warning", "started": "warning",
}  # fmt: skip

_COLUMNS: Final = (
    Column("worker", flexible=True), Column("state"), Column("runs", flexible=True),
    Column("for", right=True), Column("job", spare=2), Column("heard", right=True, spare=1),
    Column("up", right=True, spare=4), Column("finished", right=True, spare=3),
    Column("failed", right=True, spare=3), Column("queues", flexible=True),
    Column("kind", spare=5),
)  # fmt: skip


@click.command()
@click.argument("queues", nargs=-1)
@url_option
@config_option
@output_options
def workers(
    queues: tuple[str, ...], url: str | None, *, as_json: bool, config: str | None
) -> None:
    """Show the workers of QUEUES (all without any): what each runs, and when it was heard of.

    RQ's workers are shown, too; what they run only while they run it.
    """
    server = server_of(url, read_settings(config))
    names = [check_queue_name(name) for name in queues]
    shown = look(Store(client_of(server)), default_keys(), names)
    if as_json:
        listed = [worker_shape(one, shown.jobs.get(one.name), shown.now) for one in shown.workers]
        print_json({"at": utc(shown.now), "workers": listed})
        return
    if not shown.workers:
        where = f" on {painted(', '.join(names))}" if names else ""
        echo(f"No workers{where}: start one with `workhorse worker`.")
        return
    for line in table(_COLUMNS, worker_cells(shown), width=terminal_width()):
        echo(line)
    busy = sum(worker.holds > 0 for worker in shown.workers)
    echo(f"{count_of(len(shown.workers), 'worker')}, {number_of(busy)} busy")


def worker_cells(shown: Situation) -> list[list[str | Cell]]:
    """Return a row of cells for each worker."""
    return [_cells(one, shown.jobs.get(one.name), shown.now) for one in shown.workers]


def _cells(worker: WorkerRow, job: JobRow | None, now: float) -> list[str | Cell]:
    state = worker.state or "?"
    runs = job.function if job else ""
    if worker.holds > 1:
        runs += f" +{worker.holds - 1}"
    return [
        worker.name,
        Cell(state, LOOKS.get(state, "")),
        runs,
        running_for(job, now),
        job.id if job else "",
        heard(worker, now),
        rough(max(0.0, now - worker.born_at.timestamp())) if worker.born_at else "",
        number_of(worker.succeeded),
        Cell(number_of(worker.failed), "bad" if worker.failed else ""),
        ", ".join(worker.queues),
        f"workhorse {worker.version}" if worker.is_ours else f"rq {worker.version}",
    ]


def running_for(job: JobRow | None, now: float) -> str:
    """Return how long *job* has run."""
    if job is None or job.started_at is None:
        return ""
    return rough(max(0.0, now - job.started_at.timestamp()))


def heard(worker: WorkerRow, now: float) -> Cell:
    """Return when *worker* gave its last sign of life."""
    if worker.seen_at is None:
        return Cell("never", "bad")
    since = ago(worker.seen_at, max(now, worker.seen_at.timestamp()))
    return Cell(since, "bad" if is_silent(worker, now) else "")
