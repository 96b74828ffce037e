"""Names of ``rq.job``. Once it is imported, ``workhorse.job`` is this module and the decorator."""

import sys
from types import ModuleType
from typing import Any

from workhorse.api.decorators import job as _decorator
from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "Callback",
    "Dependency",
    "Job",
    "JobStatus",
    "Retry",
    "cancel_job",
    "get_current_job",
    "requeue_job",
)


class _ModuleAndDecorator(ModuleType):
    """A module that does what the decorator of its name does."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return _decorator(*args, **options)


sys.modules[__name__].__class__ = _ModuleAndDecorator
