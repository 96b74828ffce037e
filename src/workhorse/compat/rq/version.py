"""``rq.version``."""

from workhorse.compat.rq import VERSION

__all__ = ["VERSION"]
