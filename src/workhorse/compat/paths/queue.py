"""Names of ``rq.queue``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "Queue",
    "EnqueueData",
    "FailedQueue",
    "get_failed_queue",
)
