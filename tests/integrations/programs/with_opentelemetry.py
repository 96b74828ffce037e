"""Jobs that are traced; each span is a line of the file in SPANS."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import workhorse


def parent() -> None:
    """Enqueue another job."""
    workhorse.Queue("q").enqueue("math.sqrt", 4, job_id="child")


def write_down(spans: Sequence[Any]) -> None:
    """Be an exporter of spans."""
    with Path(os.environ["SPANS"]).open("a", encoding="utf-8") as file:
        file.writelines(span.to_json(indent=None) + "\n" for span in spans)


def main() -> None:
    """Run jobs of every way to enqueue them."""
    # Nothing of this when the module is merely imported: workers do, and tests.
    from opentelemetry import trace  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415 - see above
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )

    from workhorse.integrations.opentelemetry import WorkhorseInstrumentor  # noqa: PLC0415 - see above

    class ToFile(SpanExporter):
        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            write_down(spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(ToFile(), schedule_delay_millis=60_000))
    trace.set_tracer_provider(provider)
    WorkhorseInstrumentor().instrument()
    queue = workhorse.Queue("q")
    with trace.get_tracer("test").start_as_current_span("web"):
        queue.enqueue("tests.integrations.programs.with_opentelemetry.parent", job_id="parent")
        queue.enqueue("math.sqrt", "x", job_id="bad", retry=workhorse.Retry(1))
        queue.enqueue_many([queue.prepare_data("os.getcwd", job_id=f"m{n}") for n in range(3)])
        made = workhorse.Job.create("os.getcwd", id="made", connection=queue.connection)
        queue.enqueue_job(made)
    worker_class = {"fork": workhorse.Worker, "inline": workhorse.SimpleWorker}[sys.argv[1]]
    worker_class([queue]).work(burst=True)
    provider.force_flush()


if __name__ == "__main__":
    main()
