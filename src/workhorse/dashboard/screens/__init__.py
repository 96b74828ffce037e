"""The screens, by their addresses. Each is a function of a ``View``, in a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from workhorse.dashboard.screens.audit import audit
from workhorse.dashboard.screens.failures import failure, failures
from workhorse.dashboard.screens.functions import functions
from workhorse.dashboard.screens.groups import all_groups, group
from workhorse.dashboard.screens.job import job
from workhorse.dashboard.screens.limits import all_limits, limit
from workhorse.dashboard.screens.overview import home
from workhorse.dashboard.screens.queues import queue, queues
from workhorse.dashboard.screens.schedules import all_schedules, schedule
from workhorse.dashboard.screens.search import search
from workhorse.dashboard.screens.workers import worker, workers
from workhorse.dashboard.view import ScreenOf

SCREENS: Mapping[str, ScreenOf] = MappingProxyType(
    {
        "/": home,
        "/queues": queues,
        "/jobs/{job_id}": job,
        "/queues/{queue}": queue,
        "/queues/{queue}/{state}": queue,
        "/failures": failures,
        "/failures/{cause}": failure,
        "/search": search,
        "/workers": workers,
        "/workers/{worker}": worker,
        "/schedules": all_schedules,
        "/schedules/{entry}": schedule,
        "/limits": all_limits,
        "/limits/{limit}": limit,
        "/functions": functions,
        "/audit": audit,
        "/groups": all_groups,
        "/groups/{group}": group,
    }
)
