"""Names of ``rq.handlers``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "move_to_failed_queue",
)
