"""Names of ``rq.executions``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "Execution",
    "ExecutionRegistry",
)
