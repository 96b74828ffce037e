"""``workhorse requeue``: failed jobs run again."""

from __future__ import annotations

from typing import Any

import click

from workhorse.api.connection import default_keys, store_of
from workhorse.api.registries import FailedJobRegistry
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.core.ids import check_job_id, check_queue_name, new_token
from workhorse.core.states import State
from workhorse.store import jobs, views
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

_FAILED = (State.FAILED, State.STOPPED)


@click.command()
@click.argument("job_ids", nargs=-1)
@url_option
@config_option
@click.option("--queue", required=True, help="The queue whose jobs they are.")
@click.option("--all", "-a", "every", is_flag=True, help="All of its failed jobs.")
def requeue(job_ids: tuple[str, ...], url: str | None, **given: Any) -> int:
    """Put failed jobs with JOB_IDS back on their queue, or all of them."""
    if bool(job_ids) == given["every"]:
        raise click.UsageError("give the ids of jobs, or --all")
    store = store_of(server_of(url, read_settings(given["config"])).connection)
    keys, queue = default_keys(), check_queue_name(given["queue"])
    ids = [check_job_id(job_id) for job_id in job_ids]
    ids = ids or FailedJobRegistry(queue, store.client).get_job_ids()
    told: list[str] = []
    for at in range(0, len(ids), jobs.MANY):
        told += _requeued(store, keys, queue, ids[at : at + jobs.MANY])
    left = [problem for problem in told if problem]
    for problem in left if job_ids else ():
        click.echo(problem, err=True)
    done = len(ids) - len(left)
    click.echo(f"Requeued {done} job{'' if done == 1 else 's'} of {queue}.")
    return 1 if left and job_ids else 0


def _requeued(store: Store, keys: Keys, queue: str, ids: list[str]) -> list[str]:
    """Requeue those that failed in *queue*; return for each '' or why it was not."""
    records = store.run_many([views.job(keys, job_id) for job_id in ids])
    problems: list[str] = []
    calls: list[Any] = []
    for job_id, record in zip(ids, records, strict=True):
        problem = ""
        if record is None or record.origin != queue:
            problem = f"job {job_id}: there is none in {queue}"
        elif record.status not in _FAILED:
            problem = f"job {job_id} has not failed: it is {record.status}"
        else:
            calls.append(jobs.requeue(keys, job_id, token=new_token()))
        problems.append(problem)
    store.run_many(calls)
    return problems
