"""Names of ``rq.exceptions``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "AbandonedJobError",
    "DeserializationError",
    "DuplicateJobError",
    "InvalidJobDependency",
    "InvalidJobOperation",
    "NoSuchGroupError",
    "NoSuchJobError",
    "SchedulerNotFound",
    "TimeoutFormatError",
    InvalidJobOperationError="InvalidJobOperation",
)
