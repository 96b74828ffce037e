"""What the pages' scripts ask for, as JSON: by its address, a function of a ``View``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from workhorse.dashboard.data.charts import chart
from workhorse.dashboard.data.names import queue_names
from workhorse.dashboard.view import View

DataOf = Callable[[View], Mapping[str, Any]]

DATA: Mapping[str, DataOf] = MappingProxyType(
    {
        "/charts/{chart}": chart,
        "/names/queues": queue_names,
    }
)
