"""Traces go from who enqueues a job through its runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.conftest import Run

pytest.importorskip("opentelemetry.sdk")


def span_of(spans: list[dict[str, Any]], name: str, job_id: str) -> list[dict[str, Any]]:
    return [
        span
        for span in spans
        if span["name"] == name and span["attributes"].get("messaging.message.id") == job_id
    ]


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_a_trace_goes_through_every_run_and_into_the_jobs_that_a_job_enqueues(
    run_program: Run, isolation: str
) -> None:
    spans = run_program("with_opentelemetry", isolation)
    assert len({span["context"]["trace_id"] for span in spans}) == 1
    (sent,) = span_of(spans, "send q", "parent")
    (parent,) = span_of(spans, "process q", "parent")
    assert parent["parent_id"] == sent["context"]["span_id"]
    assert parent["kind"].endswith("CONSUMER")
    (sent_child,) = span_of(spans, "send q", "child")
    assert sent_child["parent_id"] == parent["context"]["span_id"]
    (child,) = span_of(spans, "process q", "child")
    assert child["parent_id"] == sent_child["context"]["span_id"]
    assert child["status"]["status_code"] == "OK"

    runs = span_of(spans, "process q", "bad")
    assert len(runs) == 2
    assert {run["attributes"]["error.type"] for run in runs} == {"TypeError"}
    assert {run["status"]["status_code"] for run in runs} == {"ERROR"}
    assert len({run["attributes"]["workhorse.execution.id"] for run in runs}) == 2

    (many,) = [s for s in spans if s["attributes"].get("messaging.batch.message_count") == 3]
    (one_of_many,) = span_of(spans, "process q", "m1")
    assert one_of_many["parent_id"] == many["context"]["span_id"]
    (made,) = span_of(spans, "send q", "made")
    assert made["attributes"]["messaging.destination.name"] == "q"
    assert span_of(spans, "process q", "made")[0]["parent_id"] == made["context"]["span_id"]
