"""``workhorse worker-pool``: RQ's name of ``workhorse worker -n``, with RQ's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from workhorse.cli.worker import worker

_KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Worker": {"isolation": "fork"},
    "SpawnWorker": {"isolation": "fork"},
    "SimpleWorker": {"isolation": "inline"},
    "RoundRobinWorker": {"isolation": "fork", "dequeue_strategy": "round_robin"},
    "RandomWorker": {"isolation": "fork", "dequeue_strategy": "random"},
}
"""RQ's classes of workers, and what ours are told for each."""
_PLAIN: Final = {"Job", "Queue", "Redis", "Valkey", "StrictRedis"}
_MODULES: Final = ("rq", "redis", "valkey", "workhorse")


@click.command("worker-pool")
@click.option(
    "--worker-class",
    "-w",
    envvar="RQ_WORKER_CLASS",
    metavar="CLASS",
    help="One of RQ's, by its dotted name: rq.Worker is --isolation fork, "
    "rq.SimpleWorker --isolation inline.",
)
@click.option("--job-class", "-j", envvar="RQ_JOB_CLASS", hidden=True)
@click.option("--queue-class", envvar="RQ_QUEUE_CLASS", hidden=True)
@click.option("--connection-class", envvar="RQ_CONNECTION_CLASS", hidden=True)
def worker_pool(**given: Any) -> int:
    """Run the jobs of QUEUES by several processes: `workhorse worker -n`, by RQ's name.

    One of them moves scheduled jobs onto their queues, as with every worker here.
    """
    for option in ("job_class", "queue_class", "connection_class"):
        _refuse_other(option, given.pop(option))
    chosen = given.pop("worker_class")
    if chosen:
        given.update(_told_of(chosen))
    done: int = click.get_current_context().invoke(worker, **given)
    return done


worker_pool.params = [*worker.params, *worker_pool.params]


def _refuse_other(option: str, name: str | None) -> None:
    """Refuse a class that is not RQ's own, which would be left out of the work."""
    if name and not (_is_known(name) and name.rpartition(".")[2] in _PLAIN):
        raise click.UsageError(
            f"--{option.replace('_', '-')} {name}: classes of your own are no part of this worker"
        )


def _told_of(name: str) -> Mapping[str, str]:
    """Return what ours are told in place of one of RQ's worker classes."""
    if not _is_known(name) or name.rpartition(".")[2] not in _KINDS:
        raise click.UsageError(
            f"--worker-class {name}: give one of RQ's ({', '.join(_KINDS)}), or say what it is "
            "for by the options of workhorse worker"
        )
    return _KINDS[name.rpartition(".")[2]]


def _is_known(name: str) -> bool:
    return name.partition(".")[0] in _MODULES
