"""Names of ``rq.rate_limit``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "RateLimit",
    "RateLimitRegistry",
)
