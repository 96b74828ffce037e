"""Every exception that Workhorse raises, named by its cause.

One root, ``WorkhorseError``. Names that RQ 3.0 has keep its spelling, so that
``except`` clauses move over unchanged.
"""

from __future__ import annotations


class WorkhorseError(Exception):
    """The root of all errors of this library."""


class ParentResultError(WorkhorseError):
    """What a job was to get from one that it depends on is gone."""


class IllegalTransitionError(WorkhorseError):
    """A job was asked to do something that its state does not allow."""

    def __init__(self, state: str | None, event: str, to: str | None = None) -> None:
        where = f" to {to}" if to else ""
        super().__init__(f"a {state or 'missing'} job cannot be moved{where} by {event}")
        self.state = state
        self.event = event
        self.to = to


class NoSuchJobError(WorkhorseError):
    """There is no job with this id (never enqueued, deleted, or expired)."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no such job: {job_id!r} (never enqueued, deleted, or expired)")
        self.job_id = job_id


class NoSuchWorkerError(WorkhorseError):
    """No worker of this name is registered (never started, ended, or not heard of for long)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no such worker: {name!r} (never started, ended, or long silent)")
        self.name = name


class NoSuchGroupError(WorkhorseError):
    """No group of this name has a job (none was enqueued, or they are gone)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no such group: {name!r} (no job enqueued, or all of them gone)")
        self.name = name


class NoSuchCronError(WorkhorseError):
    """There is no cron entry of this name (never added, deleted, or left out of its file)."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no such cron entry: {name!r} (never added, deleted, or left out of its file)"
        )
        self.name = name


class RQImportedError(WorkhorseError):
    """RQ itself was imported before Workhorse could stand in for it."""


class SchedulerNotFound(WorkhorseError):  # noqa: N818 - RQ's name
    """No cron scheduler of this name has shown itself lately."""


class InvalidJobOperation(WorkhorseError):  # noqa: N818 - RQ's name
    """The job's state does not allow what was asked; nothing was changed."""


class DuplicateJobError(WorkhorseError, ValueError):
    """Two new jobs were given one id; nothing was enqueued."""


class InvalidJobDependency(WorkhorseError, ValueError):  # noqa: N818 - RQ's name
    """A job can't wait for these others: they wait for it. It was not enqueued."""


class DeserializationError(WorkhorseError):
    """Stored bytes could not be turned back into Python objects."""


class SerializationError(WorkhorseError, TypeError):
    """Arguments or meta could not be turned into bytes; nothing was sent."""


class PayloadTooLargeError(WorkhorseError, ValueError):
    """A call with its arguments is larger than a job may be; nothing was sent."""


class TimeoutFormatError(WorkhorseError, ValueError):
    """A time span is neither a number of seconds nor text such as ``"1h30m"``."""


class InvalidCallError(WorkhorseError, ValueError):
    """What was to be enqueued can't be called by a worker; nothing was enqueued."""


class InvalidNameError(WorkhorseError, ValueError, TypeError):
    """The name of a job, a queue or a group has a form that is not allowed, or is no text."""


class UnsupportedOptionError(WorkhorseError, TypeError):
    """An option that this version does not have, of RQ or unknown; nothing was done."""


class InvalidOptionError(WorkhorseError, ValueError):
    """An option has a value that makes no sense; nothing was done."""


class JobWaitTimeoutError(WorkhorseError, TimeoutError):
    """A job did not end within the time that its caller would wait; it goes on."""


class ConnectionChoiceError(WorkhorseError):
    """No server could be chosen, or the connection given is of a kind that can't be used."""


class AbandonedJobError(WorkhorseError):
    """What a failure callback is given for a job whose process or machine died."""


class WebhookFailedError(WorkhorseError):
    """A webhook could not be delivered now; it is tried again."""


class WebhookRefusedError(WorkhorseError):
    """A webhook must not be delivered, or its receiver does not want it; it is not tried again."""


class JobStoppedException(BaseException):
    """Raised inside a job that a person asked to stop, where it got time to clean up.

    Not an ``Exception``, so that ``except Exception`` in a job does not swallow it. A job that
    goes on all the same is killed when that time is over.
    """


class JobTimeoutException(BaseException):
    """Raised inside a job when it has run for its time limit.

    Not an ``Exception``, so that ``except Exception`` in a job does not swallow it
    (in RQ it is one, and jobs that catch everything run on past their limit).
    """


class MissingExtraError(WorkhorseError, ImportError):
    """Something of ours needs packages that are not installed; says how to get them."""

    def __init__(self, extra: str, missing: str | None) -> None:
        super().__init__(
            f"{missing or extra} is not installed: pip install 'workhorse[{extra}]'", name=missing
        )
