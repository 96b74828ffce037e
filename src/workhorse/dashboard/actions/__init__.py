"""What can be done, by name. Each action is a form's POST to ``/do/<name>``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from workhorse.dashboard.actions.bulk import BULK_ACTIONS
from workhorse.dashboard.actions.jobs import JOB_ACTIONS
from workhorse.dashboard.actions.queues import QUEUE_ACTIONS
from workhorse.dashboard.actions.schedules import SCHEDULE_ACTIONS
from workhorse.dashboard.actions.workers import WORKER_ACTIONS
from workhorse.dashboard.view import Action

_ALL = (*QUEUE_ACTIONS, *BULK_ACTIONS, *JOB_ACTIONS, *WORKER_ACTIONS, *SCHEDULE_ACTIONS)
ACTIONS: Mapping[str, Action] = MappingProxyType({action.name: action for action in _ALL})
