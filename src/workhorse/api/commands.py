"""What can be done to a job by its id alone, and RQ's commands to a worker."""

from __future__ import annotations

from workhorse.api.connection import default_keys, store_of
from workhorse.api.job import Job
from workhorse.core.errors import NoSuchWorkerError
from workhorse.core.ids import check_job_id
from workhorse.store import views, workers
from workhorse.store.drivers import Client
from workhorse.wire.commands import Kind, encode_command
from workhorse.wire.payload import Serializer


def cancel_job(
    job_id: str,
    connection: Client | str | None = None,
    serializer: Serializer | str | None = None,
    enqueue_dependents: bool = False,  # noqa: FBT001, FBT002 - as in RQ
) -> None:
    """Cancel the job with this id; see ``Job.cancel``."""
    Job(check_job_id(job_id), connection, serializer).cancel(enqueue_dependents=enqueue_dependents)


def stop_job(
    job_id: str,
    connection: Client | str | None = None,
    serializer: Serializer | str | None = None,
    grace: float = 0,
) -> None:
    """End the running job with this id; see ``Job.stop``."""
    Job(check_job_id(job_id), connection, serializer).stop(grace)


def requeue_job(
    job_id: str, connection: Client | str | None = None, serializer: Serializer | str | None = None
) -> Job:
    """Run the job with this id again; see ``Job.requeue``."""
    return Job(check_job_id(job_id), connection, serializer).requeue()


def send_stop_job_command(
    connection: Client | str | None, job_id: str, serializer: Serializer | str | None = None
) -> None:
    """End a running job, as ``Job.stop`` does.

    Raises InvalidJobOperation if it does not run, NoSuchJobError if it is gone.
    """
    stop_job(job_id, connection, serializer)


def send_shutdown_command(connection: Client | str | None, worker_name: str) -> None:
    """Have a worker end as after a first SIGTERM, wherever it runs; ours and RQ's.

    A worker that can't hear it (its connection is being opened anew, say) goes on: look at
    ``Worker.all`` and send it again. Raises NoSuchWorkerError if no such worker is registered.
    """
    store, keys = store_of(connection), default_keys()
    if store.run(views.worker(keys, worker_name)) is None:
        raise NoSuchWorkerError(worker_name)
    store.run(workers.tell(keys, worker_name, encode_command(Kind.SHUTDOWN)))
