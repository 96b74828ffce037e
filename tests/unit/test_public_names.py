"""The public names, and their signatures beside RQ 3.0's, as data."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import workhorse
from tests.support.rq_names import surface
from workhorse import Job, Queue, Retry, SimpleWorker, Worker, WorkhorseError

PUBLIC = [
    "Queue", "Job", "JobStatus", "Result", "Retry", "Dependency", "Repeat", "Callback",
    "Webhook", "RateLimit", "RateLimitRegistry", "Group", "StartedJobRegistry",
    "FinishedJobRegistry", "FailedJobRegistry", "DeferredJobRegistry", "ReadyJobRegistry",
    "ScheduledJobRegistry", "CanceledJobRegistry", "clean_registries", "Execution",
    "ExecutionRegistry", "Cron", "EnqueueData", "Worker", "SimpleWorker", "RoundRobinWorker",
    "RandomWorker", "DequeueStrategy", "WorkerStatus", "job", "get_current_job",
    "report_progress", "Progress", "LogLine", "cancel_job",
    "requeue_job", "stop_job", "send_stop_job_command", "send_stop_execution_command",
    "send_kill_horse_command", "send_shutdown_command", "send_command", "suspend", "resume",
    "is_suspended", "install_as_rq", "JSONSerializer", "PickleSerializer", "AbandonedJobError",
    "ConnectionChoiceError", "DeserializationError", "DuplicateJobError",
    "EnqueueRefusedError", "EnqueueUnknownError", "InvalidCallError", "InvalidJobDependency",
    "InvalidJobOperation", "InvalidNameError", "InvalidOptionError", "JobStoppedException",
    "JobTimeoutException", "JobWaitTimeoutError", "NoSuchGroupError", "NoSuchCronError",
    "NoSuchJobError", "NoSuchWorkerError", "ParentResultError", "PayloadTooLargeError",
    "RQImportedError", "SchedulerNotFound", "SerializationError", "TimeoutFormatError",
    "UnsupportedOptionError", "WorkhorseError", "VERSION", "__version__",
]  # fmt: skip


def test_these_names_are_public() -> None:
    assert workhorse.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(workhorse, name) is not None
    assert name in dir(workhorse)


def test_a_star_import_brings_the_public_names() -> None:
    found: dict[str, Any] = {}
    exec("from workhorse import *", found)  # noqa: S102
    assert set(PUBLIC) <= found.keys()


def test_a_name_that_is_not_there_is_told_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'workhorse' has no attribute 'Kueue'"):
        workhorse.Kueue  # noqa: B018
    with pytest.raises(ImportError, match="Kueue"):
        exec("from workhorse import Kueue", {})  # noqa: S102


def test_the_version_is_told() -> None:
    assert workhorse.__version__ == workhorse.VERSION
    assert workhorse.__version__[0].isdecimal()


@pytest.mark.parametrize(
    "name",
    [name for name in PUBLIC if name[0].isupper() and name.endswith(("Error", "Operation"))],
)
def test_each_error_has_the_one_root(name: str) -> None:
    assert issubclass(getattr(workhorse, name), WorkhorseError)


def test_a_time_limit_is_no_ordinary_exception() -> None:
    assert not issubclass(workhorse.JobTimeoutException, Exception)


@pytest.mark.parametrize("name", [name for name in PUBLIC if callable(getattr(workhorse, name))])
def test_a_public_name_and_its_methods_are_documented(name: str) -> None:
    found = getattr(workhorse, name)
    assert inspect.getdoc(found)
    members = vars(found).items() if inspect.isclass(found) else ()
    for member, value in members:
        is_ours = callable(value) or isinstance(value, property | classmethod | staticmethod)
        if is_ours and not member.startswith("_") and member not in Exception.__dict__:
            assert inspect.getdoc(value), f"{name}.{member}"


# RQ 3.0's parameters, in its order. `later` are those that this version refuses by name or
# takes by keyword only; what stands before them must be equal.
ENQUEUE_CALL = "func args kwargs timeout result_ttl ttl failure_ttl description depends_on job_id"
ENQUEUE_CALL += " at_front meta retry"
PREPARE_DATA = f"{ENQUEUE_CALL} on_success on_failure on_stopped repeat webhooks"
ENQUEUE_CALL += " repeat on_success on_failure on_stopped rate_limit pipeline unique webhooks"
CREATE = """
    func args kwargs connection result_ttl ttl status description depends_on timeout retry
    id origin meta failure_ttl serializer group_id on_success= on_failure= on_stopped= webhooks=
"""
DECORATOR = """
    queue connection timeout result_ttl ttl queue_class depends_on at_front meta description
    failure_ttl retry on_failure on_success on_stopped webhooks
"""
WORKER = "queues name default_result_ttl connection"
WORKER_BY_KEYWORD = """
    worker_ttl default_worker_ttl job_class queue_class serializer log_job_description
    exception_handlers disable_default_exception_handler
"""

SIGNATURES: dict[str, tuple[Callable[..., Any], str]] = {
    "Queue": (
        Queue,
        "name connection default_timeout is_async job_class serializer",
    ),
    "Queue.all": (Queue.all, "connection job_class serializer"),
    "Queue.enqueue": (Queue.enqueue, "self f *args **kwargs"),
    "Queue.enqueue_call": (Queue.enqueue_call, f"self {ENQUEUE_CALL}"),
    "Queue.enqueue_at": (Queue.enqueue_at, "self datetime f *args **kwargs"),
    "Queue.enqueue_in": (Queue.enqueue_in, "self time_delta func *args **kwargs"),
    "Queue.enqueue_job": (Queue.enqueue_job, "self job pipeline at_front unique"),
    "Queue.schedule_job": (Queue.schedule_job, "self job datetime pipeline unique"),
    "Queue.enqueue_many": (Queue.enqueue_many, "self job_datas pipeline group_id"),
    "Queue.prepare_data": (Queue.prepare_data, PREPARE_DATA),
    "Queue.fetch_job": (Queue.fetch_job, "self job_id"),
    "Queue.get_job_ids": (Queue.get_job_ids, "self offset length"),
    "Queue.get_jobs": (Queue.get_jobs, "self offset length"),
    "Queue.get_job_position": (Queue.get_job_position, "self job_or_id"),
    "Queue.is_empty": (Queue.is_empty, "self"),
    "Queue.empty": (Queue.empty, "self"),
    "Queue.delete": (Queue.delete, "self delete_jobs"),
    "Queue.remove": (Queue.remove, "self job_or_id pipeline"),
    "Job": (Job, "id connection serializer"),
    "Job.create": (
        Job.create,
        CREATE,
    ),
    "Job.fetch": (Job.fetch, "id connection serializer"),
    "Job.fetch_many": (Job.fetch_many, "job_ids connection serializer"),
    "Job.exists": (Job.exists, "job_id connection"),
    "Job.refresh": (Job.refresh, "self"),
    "Job.get_status": (Job.get_status, "self refresh"),
    "Job.get_meta": (Job.get_meta, "self refresh"),
    "Job.save_meta": (Job.save_meta, "self"),
    "Job.latest_result": (Job.latest_result, "self timeout"),
    "Job.results": (Job.results, "self"),
    "Job.return_value": (Job.return_value, "self refresh"),
    "Job.cancel": (Job.cancel, "self pipeline enqueue_dependents remove_from_dependencies"),
    "Job.requeue": (Job.requeue, "self at_front"),
    "Job.delete": (Job.delete, "self pipeline remove_from_queue delete_dependents"),
    "Job.get_position": (Job.get_position, "self"),
    "Job.get_call_string": (Job.get_call_string, "self"),
    "cancel_job": (workhorse.cancel_job, "job_id connection serializer enqueue_dependents"),
    "requeue_job": (workhorse.requeue_job, "job_id connection serializer"),
    "send_command": (workhorse.send_command, "connection worker_name command **kwargs"),
    "send_shutdown_command": (workhorse.send_shutdown_command, "connection worker_name"),
    "send_kill_horse_command": (workhorse.send_kill_horse_command, "connection worker_name"),
    "send_stop_job_command": (workhorse.send_stop_job_command, "connection job_id serializer"),
    "send_stop_execution_command": (
        workhorse.send_stop_execution_command,
        "connection job_id execution_id",
    ),
    "suspend": (workhorse.suspend, "connection ttl"),
    "resume": (workhorse.resume, "connection"),
    "is_suspended": (workhorse.is_suspended, "connection worker"),
    "get_current_job": (workhorse.get_current_job, "connection job_class"),
    "Retry": (Retry, "max interval enqueue_at_front"),
    "job": (
        workhorse.job,
        DECORATOR,
    ),
    "Worker": (Worker, WORKER),
    "SimpleWorker": (SimpleWorker, WORKER),
    "Worker.work": (Worker.work, "self burst logging_level date_format"),
    "Worker.all": (Worker.all, "connection job_class queue_class queue serializer"),
    "Worker.count": (Worker.count, "connection queue"),
    "Worker.find_by_key": (
        Worker.find_by_key,
        "worker_key connection job_class queue_class serializer",
    ),
}

BY_KEYWORD: dict[str, tuple[Callable[..., Any], str]] = {
    "Worker": (
        Worker,
        WORKER_BY_KEYWORD,
    ),
    "Worker.work": (
        Worker.work,
        "log_format max_jobs max_idle_time with_scheduler dequeue_strategy",
    ),
}
"""Parameters of RQ's that are taken (or refused, by a message) by keyword."""


def shown(function: Callable[..., Any]) -> list[str]:
    """Return the parameters as the table writes them, without those that only we have."""
    marks: dict[object, str] = {
        inspect.Parameter.VAR_POSITIONAL: "*{}",
        inspect.Parameter.VAR_KEYWORD: "**{}",
    }
    return [
        marks.get(parameter.kind, "{}").format(parameter.name)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        and parameter.name not in {"unknown", "old"}
    ]


@pytest.mark.parametrize(("function", "expected"), SIGNATURES.values(), ids=SIGNATURES)
def test_parameters_have_rqs_names_and_order(function: Callable[..., Any], expected: str) -> None:
    positional = [name for name in expected.split() if not name.endswith("=")]
    named = [name[:-1] for name in expected.split() if name.endswith("=")]
    assert shown(function) == positional
    assert set(named) <= inspect.signature(function).parameters.keys()


@pytest.mark.parametrize(("function", "expected"), BY_KEYWORD.values(), ids=BY_KEYWORD)
def test_other_parameters_of_rqs_are_known_by_name(
    function: Callable[..., Any], expected: str
) -> None:
    parameters = inspect.signature(function).parameters
    by_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    assert by_name or set(expected.split()) <= parameters.keys()


def test_every_public_method_is_in_the_table_or_is_ours_alone() -> None:
    """A method added later is compared with RQ's, or named here as one that RQ has not.

    Those that RQ has and this table has not are compared by ``test_rq_names``.
    """
    ours_alone = {"Job.wait", "Job.stop", "Job.of_record", "Job.become", "Worker.queue_names"}
    ours_alone |= {"Job.move"}
    ours_alone |= {
        "Worker.push_exc_handler",
        "Worker.pop_exc_handler",
        "Job.as_new",
        "Worker.request_stop",
    }  # RQ's takes a signal's arguments
    found = {
        f"{owner.__name__}.{name}"
        for owner in (Queue, Job, Worker)
        for name, value in vars(owner).items()
        if not name.startswith("_") and not isinstance(value, property | str | int)
    }
    homes = {"Queue": "rq.queue.Queue", "Job": "rq.job.Job", "Worker": "rq.worker.BaseWorker"}
    theirs = {f"{name}.{member}" for name, home in homes.items() for member in surface()[home]}
    assert found - SIGNATURES.keys() - theirs <= ours_alone
