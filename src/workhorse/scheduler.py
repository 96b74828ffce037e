"""rq-scheduler's ``Scheduler``, on scheduled jobs and cron entries of ours."""

from __future__ import annotations

from workhorse.api.periodic import PeriodicJob, Scheduler

__all__ = ["PeriodicJob", "Scheduler"]
