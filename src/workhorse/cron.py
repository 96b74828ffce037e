"""Functions that are enqueued again and again. RQ's ``rq.cron``, and ``Cron`` besides.

In a configuration file for ``workhorse cron``: ``from workhorse.cron import register``; RQ's
``from rq import cron`` means this module while such a file is loaded.
"""

from __future__ import annotations

from workhorse.api.cron import Cron, CronEntry
from workhorse.api.cron_job import CronJob, get_cron_job_ids
from workhorse.api.cron_scheduler import CronScheduler, create_cron, register

__all__ = [
    "Cron",
    "CronEntry",
    "CronJob",
    "CronScheduler",
    "create_cron",
    "get_cron_job_ids",
    "register",
]
