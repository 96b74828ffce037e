"""What can be done to one job, wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workhorse.api.commands import cancel_job, stop_job
from workhorse.core.errors import InvalidJobOperation, NoSuchJobError
from workhorse.core.ids import new_token
from workhorse.core.states import ENDED, State
from workhorse.dashboard.access import Role
from workhorse.dashboard.view import Action, View
from workhorse.store import jobs, schedule

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
    Action("job-delete", Role.ADMIN, _delete),
)
