"""The processes that run jobs: one supervisor, its workers, and the ledger between them."""

from importlib import import_module
from typing import Any

_OF_RQ = ("DequeueStrategy", "SimpleWorker", "Worker", "WorkerStatus")


def __getattr__(name: str) -> Any:
    """Return what RQ has in ``rq.worker``, from where it is public."""
    if name not in _OF_RQ:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("workhorse"), name)
