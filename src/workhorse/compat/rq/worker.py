"""Names of ``rq.worker``."""

import logging
import signal

from workhorse.api.worker import (
    DequeueStrategy,
    RandomWorker,
    RoundRobinWorker,
    SimpleWorker,
    Worker,
    WorkerStatus,
)
from workhorse.compat.watched_worker import BaseWorker
from workhorse.core.settings import RESULT_TTL as DEFAULT_RESULT_TTL

SHUTDOWN_SIGNAL = signal.SIGKILL
logger = logging.getLogger("rq.worker")

__all__ = [
    "DEFAULT_RESULT_TTL",
    "SHUTDOWN_SIGNAL",
    "BaseWorker",
    "DequeueStrategy",
    "RandomWorker",
    "RoundRobinWorker",
    "SimpleWorker",
    "Worker",
    "WorkerStatus",
    "logger",
]
