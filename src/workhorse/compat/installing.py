"""``install_as_rq()``: code and libraries that import ``rq`` get Workhorse."""

from __future__ import annotations

import sys
from importlib import import_module

from workhorse.core.errors import RQImportedError


def install_as_rq() -> None:
    """Have every ``import rq`` of this process, from now on, mean Workhorse.

    For libraries that know RQ only: Sentry's and Datadog's integrations, say. Call it first of
    all, in producers and in what workers import. Raises RQImportedError where RQ was imported
    before. Harmless when it is called again.
    """
    ours = import_module("workhorse.compat.rq")
    known = sys.modules.setdefault("rq", ours)
    if known is not ours:
        raise RQImportedError(
            f"rq was imported already, from {getattr(known, '__file__', None) or 'somewhere'}: "
            "call install_as_rq() before anything imports rq"
        )
