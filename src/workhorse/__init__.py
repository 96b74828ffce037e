"""A job queue for Python on Redis or Valkey: no job is lost, and old RQ workers may stay.

Every public name is here; each is imported when it is first used, so that importing
``workhorse`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from workhorse._version import __version__

if TYPE_CHECKING:
    from workhorse.api.connection_stack import (  # noqa: I001 - RQ's old words, apart
        Connection as Connection,
        get_current_connection as get_current_connection,
        pop_connection as pop_connection,
        push_connection as push_connection,
        use_connection as use_connection,
    )
    from workhorse.compat.failed_queue import (
        FailedQueue as FailedQueue,
        get_failed_queue as get_failed_queue,
        move_to_failed_queue as move_to_failed_queue,
    )
    from workhorse.compat.installing import install_as_rq
    from workhorse.api.commands import (
        cancel_job,
        requeue_job,
        send_command,
        send_kill_horse_command,
        send_shutdown_command,
        send_stop_execution_command,
        send_stop_job_command,
        stop_job,
    )
    from workhorse.api.cron import Cron
    from workhorse.api.current import get_current_job
    from workhorse.api.decorators import job
    from workhorse.api.executions import Execution, ExecutionRegistry
    from workhorse.api.groups import Group
    from workhorse.api.job import Job, JobStatus
    from workhorse.api.job_reports import report_progress
    from workhorse.api.limits import RateLimitRegistry
    from workhorse.api.options import EnqueueData
    from workhorse.api.queue import Queue
    from workhorse.api.registries import (
        CanceledJobRegistry,
        DeferredJobRegistry,
        FailedJobRegistry,
        FinishedJobRegistry,
        ReadyJobRegistry,
        ScheduledJobRegistry,
        StartedJobRegistry,
        clean_registries,
    )
    from workhorse.api.results import Result
    from workhorse.api.suspension import is_suspended, resume, suspend
    from workhorse.api.worker import (
        DequeueStrategy,
        RandomWorker,
        RoundRobinWorker,
        SimpleWorker,
        Worker,
        WorkerStatus,
    )
    from workhorse.core.callbacks import Callback
    from workhorse.core.dependencies import Dependency
    from workhorse.core.errors import (
        AbandonedJobError,
        ConnectionChoiceError,
        DeserializationError,
        DuplicateJobError,
        InvalidCallError,
        InvalidJobDependency,
        InvalidJobOperation,
        InvalidNameError,
        InvalidOptionError,
        JobStoppedException,
        JobTimeoutException,
        JobWaitTimeoutError,
        NoSuchGroupError,
        NoSuchCronError,
        NoSuchJobError,
        NoSuchWorkerError,
        ParentResultError,
        PayloadTooLargeError,
        RQImportedError,
        SchedulerNotFound,
        SerializationError,
        TimeoutFormatError,
        UnsupportedOptionError,
        WorkhorseError,
    )
    from workhorse.core.limits import RateLimit
    from workhorse.core.progress import LogLine, Progress
    from workhorse.core.repeat import Repeat
    from workhorse.core.retry import Retry
    from workhorse.core.webhooks import Webhook
    from workhorse.store.faults import EnqueueRefusedError, EnqueueUnknownError
    from workhorse.wire.payload import JSONSerializer, PickleSerializer

VERSION = __version__

__path__.append(f"{__path__[0]}/compat/paths")  # `workhorse.job`, where RQ has `rq.job`

_HOMES = {
    "api.commands": (
        "cancel_job",
        "requeue_job",
        "send_command",
        "send_kill_horse_command",
        "send_shutdown_command",
        "send_stop_execution_command",
        "send_stop_job_command",
        "stop_job",
    ),
    "api.cron": ("Cron",),
    "api.current": ("get_current_job",),
    "api.decorators": ("job",),
    "api.executions": ("Execution", "ExecutionRegistry"),
    "api.groups": ("Group",),
    "api.job": ("Job", "JobStatus"),
    "api.job_reports": ("report_progress",),
    "api.limits": ("RateLimitRegistry",),
    "api.options": ("EnqueueData",),
    "api.queue": ("Queue",),
    "api.registries": (
        "CanceledJobRegistry",
        "DeferredJobRegistry",
        "FailedJobRegistry",
        "FinishedJobRegistry",
        "ReadyJobRegistry",
        "ScheduledJobRegistry",
        "StartedJobRegistry",
        "clean_registries",
    ),
    "api.results": ("Result",),
    "api.suspension": ("is_suspended", "resume", "suspend"),
    "api.worker": (
        "DequeueStrategy",
        "RandomWorker",
        "RoundRobinWorker",
        "SimpleWorker",
        "Worker",
        "WorkerStatus",
    ),
    "compat.installing": ("install_as_rq",),
    "core.callbacks": ("Callback",),
    "core.dependencies": ("Dependency",),
    "core.errors": (
        "AbandonedJobError",
        "ConnectionChoiceError",
        "DeserializationError",
        "DuplicateJobError",
        "InvalidCallError",
        "InvalidJobDependency",
        "InvalidJobOperation",
        "InvalidNameError",
        "InvalidOptionError",
        "JobStoppedException",
        "JobTimeoutException",
        "JobWaitTimeoutError",
        "NoSuchGroupError",
        "NoSuchCronError",
        "NoSuchJobError",
        "NoSuchWorkerError",
        "ParentResultError",
        "PayloadTooLargeError",
        "RQImportedError",
        "SchedulerNotFound",
        "SerializationError",
        "TimeoutFormatError",
        "UnsupportedOptionError",
        "WorkhorseError",
    ),
    "core.limits": ("RateLimit",),
    "core.progress": ("LogLine", "Progress"),
    "core.repeat": ("Repeat",),
    "core.retry": ("Retry",),
    "core.webhooks": ("Webhook",),
    "store.faults": ("EnqueueRefusedError", "EnqueueUnknownError"),
    "wire.payload": ("JSONSerializer", "PickleSerializer"),
}
_OLD_WORDS = {
    "api.connection_stack": (
        "Connection",
        "get_current_connection",
        "pop_connection",
        "push_connection",
        "use_connection",
    ),
    "compat.failed_queue": ("FailedQueue", "get_failed_queue", "move_to_failed_queue"),
}
"""What RQ dropped before 3.0: there for those who ask, and not among the public names."""

_HOME_OF = {
    name: module
    for homes in (_HOMES, _OLD_WORDS)
    for module, names in homes.items()
    for name in names
}

__all__ = [  # noqa: RUF022 - what a newcomer needs first
    "Queue",
    "Job",
    "JobStatus",
    "Result",
    "Retry",
    "Dependency",
    "Repeat",
    "Callback",
    "Webhook",
    "RateLimit",
    "RateLimitRegistry",
    "Group",
    "StartedJobRegistry",
    "FinishedJobRegistry",
    "FailedJobRegistry",
    "DeferredJobRegistry",
    "ReadyJobRegistry",
    "ScheduledJobRegistry",
    "CanceledJobRegistry",
    "clean_registries",
    "Execution",
    "ExecutionRegistry",
    "Cron",
    "EnqueueData",
    "Worker",
    "SimpleWorker",
    "RoundRobinWorker",
    "RandomWorker",
    "DequeueStrategy",
    "WorkerStatus",
    "job",
    "get_current_job",
    "report_progress",
    "Progress",
    "LogLine",
    "cancel_job",
    "requeue_job",
    "stop_job",
    "send_stop_job_command",
    "send_stop_execution_command",
    "send_kill_horse_command",
    "send_shutdown_command",
    "send_command",
    "suspend",
    "resume",
    "is_suspended",
    "install_as_rq",
    "JSONSerializer",
    "PickleSerializer",
    "AbandonedJobError",
    "ConnectionChoiceError",
    "DeserializationError",
    "DuplicateJobError",
    "EnqueueRefusedError",
    "EnqueueUnknownError",
    "InvalidCallError",
    "InvalidJobDependency",
    "InvalidJobOperation",
    "InvalidNameError",
    "InvalidOptionError",
    "JobStoppedException",
    "JobTimeoutException",
    "JobWaitTimeoutError",
    "NoSuchGroupError",
    "NoSuchCronError",
    "NoSuchJobError",
    "NoSuchWorkerError",
    "ParentResultError",
    "PayloadTooLargeError",
    "RQImportedError",
    "SchedulerNotFound",
    "SerializationError",
    "TimeoutFormatError",
    "UnsupportedOptionError",
    "WorkhorseError",
    "VERSION",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'workhorse' has no attribute {name!r}")
    value = getattr(import_module(f"workhorse.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
