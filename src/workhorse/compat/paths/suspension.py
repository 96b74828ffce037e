"""Names of ``rq.suspension``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "is_suspended",
    "resume",
    "suspend",
)
