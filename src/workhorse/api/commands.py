"""What can be done to a job by its id alone, and RQ's commands to a worker."""

from __future__ import annotations

from typing import Any

from workhorse.api.connection import default_keys, store_of
from workhorse.api.job import Job
from workhorse.core.errors import InvalidJobOperation, InvalidOptionError, NoSuchWorkerError
from workhorse.core.ids import check_job_id, new_token
from workhorse.core.states import State
from workhorse.store import jobs, views, workers
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


def send_stop_execution_command(
    connection: Client | str | None, job_id: str, execution_id: str
) -> None:
    """End one run of a job, if it still goes on, as ``Job.stop`` does; ours and RQ's.

    Raises InvalidJobOperation if that run does not hold the job.
    """
    store, keys = store_of(connection), default_keys()
    call = jobs.stop(keys, check_job_id(job_id), token=new_token(), execution_id=execution_id)
    if store.run(call) is State.STARTED:
        return
    worker = store.run(workers.worker_of(keys, job_id, execution_id))
    if worker is None:
        raise InvalidJobOperation(f"execution {execution_id!r} does not run job {job_id}")
    told = encode_command(Kind.STOP_EXECUTION, job_id=job_id, execution_id=execution_id)
    store.run(workers.tell(keys, worker, told))


def send_command(
    connection: Client | str | None, worker_name: str, command: str, **kwargs: Any
) -> None:
    """Tell a worker, ours or RQ's, a *command* with its details, over its channel.

    Ours know "shutdown", "stop-job", "stop-execution" and "kill-horse", and pass over others. One
    that can't hear it goes on. Raises NoSuchWorkerError if no such worker is registered.
    """
    store, keys = store_of(connection), default_keys()
    if store.run(views.worker(keys, worker_name)) is None:
        raise NoSuchWorkerError(worker_name)
    try:
        told = encode_command(command, **kwargs)
    except (TypeError, ValueError) as error:
        raise InvalidOptionError(f"{command!r}: its details can't be JSON: {error}") from None
    store.run(workers.tell(keys, worker_name, told))


def send_kill_horse_command(connection: Client | str | None, worker_name: str) -> None:
    """Kill the process of the job that a worker runs, with SIGKILL; ours and RQ's.

    The run is lost, as if that process had crashed: our workers run the job again, or not, as
    its ``on_lost`` and ``max_starts`` say (``Job.stop`` ends a job for good); RQ's fail it. A
    worker that runs no job goes on. Raises NoSuchWorkerError if no such worker is registered.
    """
    send_command(connection, worker_name, Kind.KILL_HORSE)


def send_shutdown_command(connection: Client | str | None, worker_name: str) -> None:
    """Have a worker end as after a first SIGTERM, wherever it runs; ours and RQ's.

    A worker that can't hear it (its connection is being opened anew, say) goes on: look at
    ``Worker.all`` and send it again. Raises NoSuchWorkerError if no such worker is registered.
    """
    send_command(connection, worker_name, Kind.SHUTDOWN)
