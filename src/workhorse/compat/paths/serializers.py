"""Names of ``rq.serializers``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "JSONSerializer",
    "PickleSerializer",
    DefaultSerializer="PickleSerializer",
)
