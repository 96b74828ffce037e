"""Metrics for Prometheus. Needs ``workhorse[prometheus]``.

All that is told is read from the server when somebody asks, so it does not matter which process
answers. Names begin with ``workhorse_``; those of RQ's exporter, with ``rq_``, are told, too.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterable
from typing import Any, Final, NamedTuple

from workhorse.api.connection import default_keys, store_of
from workhorse.core.errors import MissingExtraError
from workhorse.core.harmless import harmless
from workhorse.core.histograms import BOUNDS
from workhorse.store import clock, fitness, overview, pauses, roster, statistics, views
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_passing
from workhorse.store.overview import QueueRow
from workhorse.store.roster import WorkerRow
from workhorse.store.statistics import FunctionRow
from workhorse.wire.keys import Keys

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtraError("prometheus", error.name) from None

QUEUES: Final = 1000
WORKERS: Final = 1000
FUNCTIONS: Final = 300
"""How many of each have series of their own; ``workhorse_queues_left_out`` counts the others."""
LABEL: Final = 120
"""Characters of a label's value."""
KEPT_FOR: Final = 1.0
"""Seconds for which an answer holds, so that many who ask cost the server no more than one."""
_PAGE: Final = 100
_STATES: Final = (
    "queued", "started", "scheduled", "deferred", "finished", "failed", "canceled", "broken",
)  # fmt: skip


class _Queues(NamedTuple):
    rows: list[QueueRow]
    left_out: int
    is_at: float
    """The server's time."""


class _Workers(NamedTuple):
    rows: list[WorkerRow]
    left_out: int
    is_suspended: bool


class _Functions(NamedTuple):
    rows: list[FunctionRow]
    left_out: int


class WorkhorseCollector(Collector):
    """Tells prometheus_client of a server's queues, workers and functions.

    ``REGISTRY.register(WorkhorseCollector())`` adds them to what your own process tells.
    *connection* is a client, a URL or None, as for ``Queue``. Where the server does not answer,
    ``workhorse_up`` is 0 and the rest is missing.
    """

    def __init__(self, connection: Any = None) -> None:
        self._given = connection
        self._keys = default_keys()
        self._errors = 0
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that to register it asks no server."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the server and return what it told. Costs some calls, each of milliseconds."""
        began = time.monotonic()
        store, metrics, is_up = store_of(self._given), list[Metric](), True
        for tell in _PARTS:
            try:
                metrics += tell(store, self._keys)
            except ServerError as error:
                with self._lock:
                    self._errors += 1
                if is_passing(error):  # it is away; else one thing is not as it should be there
                    is_up = False
                    break
        metrics.append(_gauge("up", "Whether the server of the jobs answered.", is_up))
        about = "How often this process could not read something of the server."
        errors = CounterMetricFamily("workhorse_scrape_errors", about)
        errors.add_metric((), self._errors)
        took = _gauge("scrape_duration_seconds", "What reading it took.", time.monotonic() - began)
        return [*metrics, errors, took]


class Exposition:
    """Answers those who ask for metrics, many at once too: an answer holds for a second."""

    def __init__(self, connection: Any = None) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(WorkhorseCollector(connection))
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, bytes]] = {}

    def __call__(self, accept: str = "") -> tuple[bytes, str]:
        """Return a body and its content type, of the formats that the header *accept* asks for."""
        encode, content_type = choose_encoder(accept)
        with self._lock:
            at, body = self._answers.get(content_type, (-math.inf, b""))
            if time.monotonic() - at > KEPT_FOR:
                body = encode(self._registry)
                self._answers = {content_type: (time.monotonic(), body)}
        return body, content_type


def metrics_response(connection: Any = None, accept: str = "") -> tuple[bytes, str]:
    """Return metrics of a server and their content type, read now."""
    return Exposition(connection)(accept)


def _read_queues(keys: Keys) -> Plan[_Queues]:
    names = yield from views.queue_names(keys)
    rows: list[QueueRow] = []
    for at in range(0, min(len(names), QUEUES), _PAGE):
        rows += yield from overview.queues(keys, names[at : min(at + _PAGE, QUEUES)])
    return _Queues(rows, max(0, len(names) - QUEUES), (yield from clock.moment(keys)))


def _read_workers(keys: Keys) -> Plan[_Workers]:
    names = yield from views.worker_names(keys)
    rows: list[WorkerRow] = []
    for at in range(0, min(len(names), WORKERS), _PAGE):
        rows += yield from roster.roster(keys, names[at : min(at + _PAGE, WORKERS)])
    is_suspended = yield from pauses.is_suspended(keys)
    return _Workers(rows, max(0, len(names) - WORKERS), is_suspended)


def _read_functions(keys: Keys) -> Plan[_Functions]:
    rows = yield from statistics.functions(keys)
    rows.sort(key=lambda row: (-row.runs, row.name))
    return _Functions(rows[:FUNCTIONS], max(0, len(rows) - FUNCTIONS))


def label(text: str) -> str:
    r"""Return *text*, which anybody may have written, as the value of a label.

    >>> label("shop.pay"), label("\x1b[2J" + 200 * "x")[:12]
    ('shop.pay', '\\x1b[2Jxxxxx')
    """
    return harmless(text, LABEL)


class _Sums:
    """Values by their labels. Two texts that look the same as labels are one, with their sum."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], value: float) -> None:
        """Add *value* to what there is of *labels*."""
        safe = tuple(map(label, labels))
        self._values[safe] = self._values.get(safe, 0.0) + value

    def into(self, family: Any) -> Any:
        """Return *family* with all of it."""
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        return family


def _gauge(name: str, about: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"workhorse_{name}", about)
    family.add_metric((), float(value))
    return family


def _left_out(kind: str, many: int) -> Metric:
    about = f"{kind.capitalize()} beyond those that have series of their own."
    return _gauge(f"{kind}_left_out", about, many)


def _of_queues(store: Store, keys: Keys) -> Generator[Metric]:
    read = store.run(_read_queues(keys))
    yield _left_out("queues", read.left_out)
    counts, events, paused, workers = _Sums(), _Sums(), _Sums(), _Sums()
    oldest: dict[str, float] = {}
    for row in read.rows:
        for state in _STATES:
            if (count := getattr(row, state)) is not None:
                counts.add((row.name, state), count)
        for event, many in row.totals.items():
            events.add((row.name, event), many)
        paused.add((row.name,), row.paused_until is not None)
        if row.workers is not None:
            workers.add((row.name,), row.workers)
        age = max(0.0, read.is_at - row.oldest.timestamp()) if row.oldest else 0.0
        oldest[label(row.name)] = max(age, oldest.get(label(row.name), 0.0))
    ages = GaugeMetricFamily(
        "workhorse_queue_oldest_job_age_seconds",
        "For how long the next job of a queue has waited; 0 where none does.",
        labels=("queue",),
    )
    for queue, age in oldest.items():
        ages.add_metric((queue,), age)
    yield ages
    about = "Jobs, by queue and state; broken are ids that were set aside."
    yield counts.into(GaugeMetricFamily("workhorse_jobs", about, labels=("queue", "state")))
    about = "What happened to jobs, by queue, since the server was first used."
    yield events.into(CounterMetricFamily("workhorse_events", about, labels=("queue", "event")))
    yield paused.into(
        GaugeMetricFamily("workhorse_queue_paused", "Whether it is paused.", labels=("queue",))
    )
    about = "Workers that take jobs of a queue."
    yield workers.into(GaugeMetricFamily("workhorse_queue_workers", about, labels=("queue",)))
    yield _jobs_as_rq(read.rows)


def _of_workers(store: Store, keys: Keys) -> Generator[Metric]:
    read = store.run(_read_workers(keys))
    yield _left_out("workers", read.left_out)
    yield _gauge("suspended", "Whether no worker takes a job.", read.is_suspended)
    states = _Sums()
    states.add(("busy",), 0)
    states.add(("idle",), 0)
    for row in read.rows:
        states.add((row.state or "unknown",), 1)
    about = "Workers, ours and RQ's, by state."
    yield states.into(GaugeMetricFamily("workhorse_workers", about, labels=("state",)))
    yield from _workers_as_rq(read.rows)


def _of_functions(store: Store, keys: Keys) -> Generator[Metric]:
    read = store.run(_read_functions(keys))
    yield _left_out("functions", read.left_out)
    about = "How long runs took, by function."
    durations = HistogramMetricFamily(
        "workhorse_run_duration_seconds", about, labels=("function",)
    )
    failed = _Sums()
    merged: dict[str, FunctionRow] = {}
    for row in read.rows:
        name = label(row.name)
        failed.add((name,), row.failed)
        merged[name] = _joined(merged[name], row) if name in merged else row
    for name, row in merged.items():
        buckets = [
            ("+Inf" if math.isinf(bound) else f"{bound:g}", float(row.buckets[bound]))
            for bound in BOUNDS
        ]
        durations.add_metric((name,), buckets, row.seconds)
    yield durations
    about = "Runs after which the job had failed for good, by function."
    yield failed.into(
        CounterMetricFamily("workhorse_function_failures", about, labels=("function",))
    )


def _joined(one: FunctionRow, other: FunctionRow) -> FunctionRow:
    return FunctionRow(
        name=one.name,
        runs=one.runs + other.runs,
        failed=one.failed + other.failed,
        seconds=one.seconds + other.seconds,
        buckets={bound: one.buckets[bound] + other.buckets[bound] for bound in BOUNDS},
    )


def _of_memory(store: Store, keys: Keys) -> Generator[Metric]:
    del keys
    memory = fitness.memory(store)
    if memory.used is not None:
        yield _gauge("server_memory_bytes", "What the server has in use.", memory.used)
    if memory.limit:
        about = "What the server may have in use: its maxmemory."
        yield _gauge("server_memory_limit_bytes", about, memory.limit)


def _workers_as_rq(rows: Iterable[WorkerRow]) -> Generator[Metric]:
    """Tell the same under the names of rq-exporter, for the dashboards that there are."""
    by = ("name", "queues")
    states, ok, failed, seconds = _Sums(), _Sums(), _Sums(), _Sums()
    for row in rows:
        queues = ",".join(row.queues)
        states.add((row.name, row.state, queues), 1)
        ok.add((row.name, queues), row.succeeded)
        failed.add((row.name, queues), row.failed)
        seconds.add((row.name, queues), row.working_time or 0.0)
    yield states.into(
        GaugeMetricFamily("rq_workers", "RQ workers", labels=("name", "state", "queues"))
    )
    yield ok.into(CounterMetricFamily("rq_workers_success", "RQ workers success count", labels=by))
    yield failed.into(CounterMetricFamily("rq_workers_failed", "RQ workers fail count", labels=by))
    yield seconds.into(
        CounterMetricFamily("rq_workers_working_time", "RQ workers spent seconds", labels=by)
    )


def _jobs_as_rq(rows: Iterable[QueueRow]) -> Metric:
    jobs = _Sums()
    for row in rows:
        for state in ("queued", "started", "finished", "failed", "deferred", "scheduled"):
            jobs.add((row.name, state), getattr(row, state) or 0)
    found: Metric = jobs.into(
        GaugeMetricFamily("rq_jobs", "RQ jobs by state", labels=("queue", "status"))
    )
    return found


_PARTS: Final = (_of_queues, _of_workers, _of_functions, _of_memory)
