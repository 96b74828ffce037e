"""Names of ``rq.cron``."""

from workhorse.compat.mirror import mirror

__getattr__, __dir__ = mirror(
    __name__,
    "CronJob",
    "CronScheduler",
    "create_cron",
    "get_cron_job_ids",
    "register",
)
