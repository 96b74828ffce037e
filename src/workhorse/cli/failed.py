"""``workhorse failed``: what jobs failed of, by function and error; one cause's jobs mended."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import client_of, config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.cli.output import (
    FAILED,
    FINE,
    Cell,
    Column,
    ago,
    confirm,
    count_of,
    echo,
    number_of,
    output_options,
    painted,
    print_json,
    table,
    terminal_width,
    utc,
    yes_option,
)
from workhorse.cli.situation import job_shape
from workhorse.cli.slices import run_slices
from workhorse.core.ids import check_queue_name
from workhorse.core.queries import Query
from workhorse.core.states import State
from workhorse.store import bulk, clock, failures, pages
from workhorse.store.bulk import Where
from workhorse.store.drivers import Store
from workhorse.store.failures import CausePage, CauseRow
from workhorse.store.pages import JobRow
from workhorse.wire.keys import Keys

_CAUSES: Final = (
    Column("jobs", right=True), Column("function", flexible=True), Column("error", flexible=True),
    Column("message", flexible=True), Column("last"), Column("queues", flexible=True, spare=2),
    Column("cause"),
)  # fmt: skip
_JOBS: Final = (
    Column("job"), Column("queue", flexible=True), Column("failed"), Column("call", flexible=True),
)  # fmt: skip
_LISTED: Final = 25


@click.command()
@url_option
@config_option
@click.option("--queue", "-q", help="Only what jobs of this queue failed of.")
@click.option("--cause", metavar="ID", help="List the jobs that failed of it.")
@click.option("--retry", is_flag=True, help="Run all jobs of --cause again.")
@click.option("--delete", is_flag=True, help="Delete all jobs of --cause.")
@click.option(
    "--limit",
    type=click.IntRange(1, pages.MOST),
    default=_LISTED,
    show_default=True,
    help="How many lines to show.",
)
@yes_option
@output_options
def failed(url: str | None, config: str | None, **given: Any) -> int:
    """Show what jobs failed of, the latest first; list, retry or delete those of one cause.

    Jobs that RQ's workers ran have no cause here; `workhorse requeue --all` runs them again.
    """
    cause, queue = given["cause"], given["queue"]
    if given["retry"] and given["delete"]:
        raise click.UsageError("--retry and --delete exclude each other")
    if (given["retry"] or given["delete"]) and not cause:
        raise click.UsageError("say which jobs: --cause, with an id that `workhorse failed` shows")
    if queue is not None:
        check_queue_name(queue)
    store, keys = Store(client_of(server_of(url, read_settings(config)))), default_keys()
    now = store.run(clock.now())
    if not cause:
        found = store.run(failures.causes(keys, 0, given["limit"], queue or ""))
        return _show_causes(found, now, as_json=given["as_json"])
    if given["retry"] or given["delete"]:
        return _mend(store, keys, cause, queue, now, given)
    page = store.run(pages.page(keys, "failed_of", cause, length=given["limit"]))
    if page.problem or not page.total:
        raise click.ClickException(f"no jobs failed of {cause!r}: `workhorse failed` lists causes")
    rows = [row for row in page.rows if row.queue == (queue or row.queue)]
    return _show_jobs(rows, page.total, now, as_json=given["as_json"])


def _show_causes(found: CausePage, now: float, *, as_json: bool) -> int:
    if as_json:
        print_json({
            "at": utc(now),
            "total": found.total,
            "ungrouped": found.ungrouped,
            "causes": [cause_shape(row) for row in found.rows],
        })  # fmt: skip
        return FINE
    rows: list[list[str | Cell]] = [
        [
            Cell(number_of(row.count), "bad"), row.function or "?", Cell(row.error, "strong"),
            row.message, ago(row.last_at, now), ", ".join(row.queues), Cell(row.id, "quiet"),
        ]
        for row in found.rows
    ]  # fmt: skip
    for line in table(_CAUSES, rows, width=terminal_width()) if rows else []:
        echo(line)
    if found.total > len(found.rows):
        echo(f"{number_of(found.total - len(found.rows))} more: --limit shows more of them")
    if found.ungrouped:
        echo(f"{count_of(found.ungrouped, 'failed job')} without a known cause: RQ's workers ran "
             "them, or a person stopped them")  # fmt: skip
    if not rows and not found.ungrouped:
        echo(painted("No failed jobs.", "good"))
    if rows:
        echo(
            painted("One cause's jobs: workhorse failed --cause ID [--retry | --delete]", "quiet")
        )
    return FINE


def cause_shape(row: CauseRow) -> dict[str, Any]:
    """Return a cause as JSON has it."""
    return {
        "id": row.id,
        "function": row.function,
        "error": row.error,
        "message": row.message,
        "place": row.place,
        "queues": row.queues,
        "count": row.count,
        "seen": row.seen,
        "first_at": utc(row.first_at),
        "last_at": utc(row.last_at),
    }


def _show_jobs(rows: list[JobRow], total: int, now: float, *, as_json: bool) -> int:
    if as_json:
        shown = [job_shape(row, now) for row in rows]
        print_json({"at": utc(now), "total": total, "jobs": shown})
        return FINE
    cells: list[list[str | Cell]] = [
        [row.id, row.queue, ago(row.ended_at, now), row.description or row.function]
        for row in rows
    ]
    for line in table(_JOBS, cells, width=terminal_width()):
        echo(line)
    echo(f"{count_of(len(rows), 'job')} of {number_of(total)}")
    return FINE


def _mend(
    store: Store, keys: Keys, cause: str, queue: str | None, now: float, given: dict[str, Any]
) -> int:
    """Retry or delete the jobs that failed of *cause* until now."""
    total = store.run(pages.page(keys, "failed_of", cause, length=1)).total
    if not total:
        raise click.ClickException(f"no jobs failed of {cause!r}: `workhorse failed` lists causes")
    verb, word = ("Retry", "queued again") if given["retry"] else ("Delete", "deleted")
    which = (
        f"those of {queue} among {count_of(total, 'failed job')}"
        if queue
        else count_of(total, "failed job")
    )
    if not confirm(f"{verb} {which}?", yes=given["yes"]):
        return FAILED
    where = Where(place="failed_of", name=cause)
    if queue:
        where = Where(query=Query(queue=(queue,), status=(State.FAILED,), cause=(cause,)))
    change = bulk.retry_some if given["retry"] else bulk.delete_some
    done = run_slices(store, partial(change, keys), where)
    if given["as_json"]:
        print_json({"at": utc(now), "retried" if given["retry"] else "deleted": done})
    else:
        echo(f"{count_of(done, 'job')} {word}.")
    return FINE
