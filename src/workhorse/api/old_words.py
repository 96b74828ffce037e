"""What RQ's jobs and queues had before 3.0. Each says, when it is used, what is said today."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from workhorse.api.results import Result
from workhorse.core.errors import InvalidJobOperation, UnsupportedOptionError
from workhorse.core.ids import check_job_id
from workhorse.core.states import State
from workhorse.wire.records import JobRecord


class OldJobWords:
    """Names of a ``Job`` that are on their way out."""

    _record: JobRecord

    def get_status(self, refresh: bool = True) -> State:  # noqa: FBT001, FBT002 - as in RQ
        """Return the job's state."""
        raise NotImplementedError

    def return_value(self, refresh: bool = False) -> Any:  # noqa: FBT001, FBT002 - as in RQ
        """Return what the function returned."""
        raise NotImplementedError

    def latest_result(self, timeout: float = 0) -> Result | None:
        """Return the newest run that ended."""
        raise NotImplementedError

    @property
    def status(self) -> State:
        """The word of RQ before 1.0 for ``get_status()``."""
        _warn("job.status: use job.get_status()")
        return self.get_status()

    @property
    def result(self) -> Any:
        """The word of RQ before 1.12 for ``return_value()``."""
        _warn("job.result: use job.return_value()")
        return self.return_value()

    @property
    def exc_info(self) -> str | None:
        """The word of RQ before 1.12 for the newest run's ``exc_string``."""
        _warn("job.exc_info: use job.latest_result().exc_string")
        result = self.latest_result()
        return None if result is None else result.exc_string

    def get_id(self) -> str:
        """Return the job's id: the word of RQ before 2.0 for ``id``."""
        _warn("job.get_id(): use job.id")
        return self._record.id

    def set_id(self, value: str) -> None:
        """Give a job that is not stored yet an id: the word of RQ before 2.0 for ``id=``.

        Raises InvalidJobOperation for one that was enqueued: its id names it on the server.
        """
        _warn("job.set_id(...): give Job.create(id=...) or enqueue(job_id=...)")
        if self._record.status is not State.CREATED:
            raise InvalidJobOperation(
                f"job {self._record.id} is {self._record.status}: its id can't be changed"
            )
        self._record = replace(self._record, id=check_job_id(value))


def is_async_of(is_async: bool, old: dict[str, Any]) -> bool:  # noqa: FBT001 - as Queue has it
    """Return whether a queue's jobs are for workers, *old* being keywords that it does not know.

    ``async`` was the word of RQ before 0.12, and is a keyword of Python since. Raises
    UnsupportedOptionError for another.
    """
    for name in old:
        if name != "async":
            raise UnsupportedOptionError(f"Queue has no option {name!r}; nothing was done")
        _warn("Queue(async=...): use is_async=", 4)
    return bool(old.get("async", is_async))


def _warn(hint: str, stacklevel: int = 3) -> None:
    warnings.warn(hint, DeprecationWarning, stacklevel=stacklevel)
