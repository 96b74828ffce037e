"""What can be done to one job, wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workhorse.api.commands import cancel_job, stop_job
from workhorse.core.errors import InvalidJobOperation, NoSuchJobError
from workhorse.core.ids import check_queue_name, new_token
from workhorse.core.states import ENDED, State
from workhorse.dashboard.access import Role
from workhorse.dashboard.view import Action, View
from workhorse.store import jobs, moves, schedule, views

_HASTENED: Final = (State.SCHEDULED, State.DEFERRED, State.READY_TO_ENQUEUE)


def _retry(view: View, form: Mapping[str, str]) -> str:
    job_id = form.get("id", "")
    was = view.store.run(jobs.requeue(view.keys, job_id, token=new_token()))
    return f"Queued {job_id} again{_unless(job_id, was, ENDED, 'is not over')}"


def _cancel(view: View, form: Mapping[str, str]) -> str:
    job_id = form.get("id", "")
    cancel_job(job_id, view.connection)
    return f"Canceled {job_id}."


def _stop(view: View, form: Mapping[str, str]) -> str:
    job_id = form.get("id", "")
    stop_job(job_id, view.connection)
    return f"Asked the worker of {job_id} to stop it."


def _delete(view: View, form: Mapping[str, str]) -> str:
    job_id = form.get("id", "")
    (was,) = view.store.run(jobs.delete(view.keys, [job_id]))
    if was is None:
        raise NoSuchJobError(job_id)
    return f"Deleted {job_id}."


def _run_now(view: View, form: Mapping[str, str]) -> str:
    job_id = form.get("id", "")
    was = view.store.run(schedule.hasten(view.keys, job_id, token=new_token()))
    return f"Have {job_id} run now{_unless(job_id, was, _HASTENED, 'does not wait')}"


def _move(view: View, form: Mapping[str, str]) -> str:
    job_id, queue = form.get("id", ""), check_queue_name(form.get("queue", ""))
    was, is_moved = view.store.run(moves.move(view.keys, job_id, queue, token=new_token()))
    if was is None:
        raise NoSuchJobError(job_id)
    if not is_moved:
        raise InvalidJobOperation(f"job {job_id} is {was}, or is in {queue} already")
    return f"Moved {job_id} to {queue}."


def _to_front(view: View, form: Mapping[str, str]) -> str:
    job_id = form.get("id", "")
    queue = view.store.run(views.job_field(view.keys, job_id, "origin"))
    if queue is None:
        raise NoSuchJobError(job_id)
    call = moves.move(
        view.keys, job_id, queue.decode("utf-8", "replace"), token=new_token(), at_front=True
    )
    was, is_moved = view.store.run(call)
    if not is_moved:
        raise InvalidJobOperation(f"job {job_id} can't go to the front: it is {was or 'gone'}")
    return f"Moved {job_id} to the front of its queue."


def _unless(job_id: str, was: State | None, states: tuple[State, ...], problem: str) -> str:
    """Return how a sentence ends, where the job was in one of *states*; else raise why not."""
    if was is None:
        raise NoSuchJobError(job_id)
    if was not in states:
        raise InvalidJobOperation(f"job {job_id} {problem}: it is {was}")
    return "."


JOB_ACTIONS: Final = (
    Action("job-retry", Role.OPERATOR, _retry),
    Action("job-cancel", Role.OPERATOR, _cancel),
    Action("job-stop", Role.OPERATOR, _stop),
    Action("job-run", Role.OPERATOR, _run_now),
    Action("job-move", Role.OPERATOR, _move),
    Action("job-front", Role.OPERATOR, _to_front),
    Action("job-delete", Role.ADMIN, _delete),
)
