"""Sentry's own integration for RQ, on workers of ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.conftest import Run

pytest.importorskip("sentry_sdk")

RUNS = ("inline", "fork")


def of_job(events: list[dict[str, Any]], kind: str, job_id: str) -> list[dict[str, Any]]:
    return [
        event
        for event in events
        if event["type"] == kind
        and event.get("extra", {}).get("rq-job", {}).get("job_id") == job_id
    ]


@pytest.mark.parametrize("isolation", RUNS)
def test_sentrys_own_integration_for_rq_sees_jobs_and_their_errors(
    run_program: Run, isolation: str
) -> None:
    events = run_program("with_sentry", isolation)
    (error,) = of_job(events, "event", "bad")
    assert error["exception"]["values"][0]["type"] == "TypeError"
    assert error["extra"]["rq-job"]["func"] == "math.sqrt"
    assert error["extra"]["rq-job"]["started_at"]
    # One that is tried again is told of when its last try failed, as RQ does.
    assert len(of_job(events, "event", "again")) == 1
    assert of_job(events, "event", "good") == []
    runs = [event for event in events if event["type"] == "transaction"]
    assert [run["transaction"] for run in runs].count("math.sqrt") == 4
    assert len({run["contexts"]["trace"]["trace_id"] for run in runs}) == 1
