"""Traces and metrics of jobs by OpenTelemetry. Needs ``workhorse[opentelemetry]``.

A trace goes from who enqueues a job through each of its runs, into the jobs that those enqueue.
Names follow OpenTelemetry's conventions for messaging. The context travels in the job's ``meta``,
under the names that W3C gave it (``traceparent``), where ddtrace puts and looks for it, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from workhorse._version import __version__
from workhorse.api.carrying import Sent, carry, no_longer_carry
from workhorse.api.current import get_current_job
from workhorse.core.outcomes import AskedRetry, Outcome
from workhorse.wire.glance import function_of
from workhorse.worker.runner import Running, no_longer_surround_runs, surround_runs

_NAME: Final = "workhorse"
_FLUSH_FOR: Final = 5_000
"""Milliseconds that a process which ends with its job may take to send what it has."""


class WorkhorseInstrumentor:
    """Turns traces and metrics on, and off again, for this process and those it forks.

    Call ``WorkhorseInstrumentor().instrument()`` where OpenTelemetry is set up: in producers, and
    in what workers import (their settings module, say). ``opentelemetry-instrument`` does it by
    itself. Without providers the global ones are used.
    """

    _active: _Tracing | None = None

    def instrument(
        self, *, tracer_provider: Any = None, meter_provider: Any = None, **others: Any
    ) -> None:
        """Begin. What else OpenTelemetry's tools give is not needed."""
        del others
        if WorkhorseInstrumentor._active is None:
            tracing = _Tracing(tracer_provider, meter_provider)
            carry(tracing.sending)
            surround_runs(tracing.running)
            WorkhorseInstrumentor._active = tracing

    def uninstrument(self, **others: Any) -> None:
        """End it."""
        del others
        if tracing := WorkhorseInstrumentor._active:
            no_longer_carry(tracing.sending)
            no_longer_surround_runs(tracing.running)
            WorkhorseInstrumentor._active = None


class _Tracing:
    """What is told of jobs."""

    def __init__(self, tracer_provider: Any, meter_provider: Any) -> None:
        self._provider = tracer_provider
        self._meter_provider = meter_provider
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
        meter = metrics.get_meter(_NAME, __version__, meter_provider)
        self._sent = meter.create_counter(
            "messaging.client.sent.messages", "{message}", "Jobs that were enqueued"
        )
        self._sending = meter.create_histogram(
            "messaging.client.operation.duration", "s", "How long it took to enqueue"
        )
        self._processing = meter.create_histogram(
            "messaging.process.duration", "s", "How long runs of jobs took"
        )

    @contextmanager
    def sending(self, queue: str, sent: Sequence[Sent]) -> Generator[None]:
        """Trace an ``enqueue``; the jobs carry its context."""
        told: dict[str, Any] = _told(queue, "send", "enqueue")
        began = time.monotonic()
        many = len(sent) > 1
        with self._tracer.start_as_current_span(
            f"send {queue}", kind=SpanKind.PRODUCER, attributes=told
        ) as span:
            if many:
                span.set_attribute("messaging.batch.message_count", len(sent))
            for each in sent:
                propagate.inject(each.meta)
            try:
                yield
            except Exception as error:
                told["error.type"] = type(error).__qualname__
                raise
            finally:
                if not many and sent:
                    _tell_job(span, sent[0].job_id or "", sent[0].function)
                self._sending.record(time.monotonic() - began, told)
                self._sent.add(len(sent), told)

    def running(self, running: Running, proceed: Callable[[], Outcome]) -> Outcome:
        """Trace a run: a span of its own for each attempt, in the trace of who enqueued it."""
        job = running.job
        told: dict[str, Any] = _told(job.queue, "process", "process")
        began = time.monotonic()
        token = context.attach(propagate.extract(_carrier()))
        try:
            with self._tracer.start_as_current_span(
                f"process {job.queue}",
                kind=SpanKind.CONSUMER,
                attributes=told,
                set_status_on_exception=True,
            ) as span:
                _tell_job(span, job.job_id, function_of(job.description, job.data))
                span.set_attribute("workhorse.execution.id", job.execution_id)
                span.set_attribute("workhorse.worker.name", running.worker)
                try:
                    outcome = proceed()
                except BaseException as error:
                    told["error.type"] = type(error).__qualname__
                    span.set_attribute("error.type", type(error).__qualname__)
                    raise
                if isinstance(outcome, AskedRetry):
                    span.add_event("retry")
                else:
                    span.set_status(Status(StatusCode.OK))
                return outcome
        finally:
            context.detach(token)
            self._processing.record(time.monotonic() - began, told)
            if running.alone:
                self._flush()

    def _flush(self) -> None:
        """Send what is not sent yet, before a process that runs one job ends."""
        providers: tuple[Any, ...] = (
            self._provider or trace.get_tracer_provider(),
            self._meter_provider or metrics.get_meter_provider(),
        )
        for provider in providers:
            with suppress(Exception):  # the job has ended, whatever becomes of its trace
                provider.force_flush(_FLUSH_FOR)


def _told(queue: str, kind: str, name: str) -> dict[str, Any]:
    return {
        "messaging.system": _NAME,
        "messaging.destination.name": queue,
        "messaging.operation.type": kind,
        "messaging.operation.name": name,
    }


def _tell_job(span: Span, job_id: str, function: str) -> None:
    span.set_attribute("messaging.message.id", job_id)
    span.set_attribute("code.function.name", function)


def _carrier() -> dict[str, str]:
    """Return the texts in the meta of the job that runs here; it is asked for, once a run."""
    job = get_current_job()
    meta: dict[str, Any] = {}
    if job is not None:
        with suppress(Exception):  # it can't be read, or the server is away: a trace of its own
            meta = dict(job.get_meta())
    return {name: text for name, text in meta.items() if isinstance(text, str)}
