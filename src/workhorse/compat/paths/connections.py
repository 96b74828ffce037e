"""Names of ``rq.connections``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "Connection",
    "get_current_connection",
    "pop_connection",
    "push_connection",
    "use_connection",
)
