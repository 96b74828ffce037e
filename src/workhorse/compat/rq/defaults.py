"""Names of ``rq.defaults`` that other libraries read."""

from workhorse.core.settings import FAILURE_TTL as DEFAULT_FAILURE_TTL
from workhorse.core.settings import JOB_TIMEOUT as DEFAULT_TIMEOUT
from workhorse.core.settings import RESULT_TTL as DEFAULT_RESULT_TTL
from workhorse.core.settings import WORKER_TTL as DEFAULT_WORKER_TTL

DEFAULT_JOB_CLASS = "rq.job.Job"
DEFAULT_QUEUE_CLASS = "rq.Queue"
DEFAULT_WORKER_CLASS = "rq.Worker"
DEFAULT_SERIALIZER_CLASS = "rq.serializers.DefaultSerializer"
DEFAULT_LOGGING_FORMAT = "%(asctime)s %(message)s"
DEFAULT_LOGGING_DATE_FORMAT = "%H:%M:%S"

__all__ = [
    "DEFAULT_FAILURE_TTL",
    "DEFAULT_JOB_CLASS",
    "DEFAULT_LOGGING_DATE_FORMAT",
    "DEFAULT_LOGGING_FORMAT",
    "DEFAULT_QUEUE_CLASS",
    "DEFAULT_RESULT_TTL",
    "DEFAULT_SERIALIZER_CLASS",
    "DEFAULT_TIMEOUT",
    "DEFAULT_WORKER_CLASS",
    "DEFAULT_WORKER_TTL",
]
