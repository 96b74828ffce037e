"""Names of ``rq.exceptions``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "DeserializationError",
    "DuplicateJobError",
    "InvalidJobDependency",
    "InvalidJobOperation",
    "NoSuchGroupError",
    "NoSuchJobError",
    "SchedulerNotFound",
    "TimeoutFormatError",
)
