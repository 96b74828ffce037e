"""Names of ``rq.webhook``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "Webhook",
)
