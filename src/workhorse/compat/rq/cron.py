"""Names of ``rq.cron``."""

from workhorse.api.cron_job import CronJob
from workhorse.api.cron_scheduler import CronScheduler, create_cron, register

__all__ = ["CronJob", "CronScheduler", "create_cron", "register"]
