"""The notices on top of the dashboard's overview."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("starlette")

from workhorse.dashboard.alerts import Alert, alerts
from workhorse.store.overview import QueueRow

NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


def queue(name: str, **given: Any) -> QueueRow:
    counts = dict.fromkeys(
        ("queued", "started", "scheduled", "deferred", "finished", "failed", "canceled", "broken"),
        0,
    )
    row: dict[str, Any] = {
        **counts, "workers": 1, "oldest": None, "paused_until": None, "totals": {}, **given
    }  # fmt: skip
    return QueueRow(name=name, **row)


def told(*queues: QueueRow, **given: Any) -> list[Alert]:
    facts: dict[str, Any] = {"suspended_for": None, "overdue": {}, "warnings": (), **given}
    return alerts(queues, now=NOW, **facts)


def test_nothing_is_told_where_nothing_is_wrong() -> None:
    assert told(queue("mail", queued=7), queue("idle", workers=0), overdue={"mail": 3.0}) == []


def test_the_queues_with_most_jobs_come_first_and_the_rest_are_counted() -> None:
    found = told(*(queue(f"q{many}", queued=many, workers=0) for many in range(1, 10)))
    assert [alert.queue for alert in found] == ["q9", "q8", "q7", ""]
    assert (found[-1].title, found[-1].text) == (
        "6 more queues",
        "have jobs that wait, and no worker.",
    )


def test_a_command_can_be_typed_as_it_is_whatever_the_name() -> None:
    (alert,) = told(queue("$(rm) it", queued=1, workers=0))
    assert alert.command == "workhorse worker '$(rm) it'"


def test_a_paused_queue_is_told_of_once_and_can_be_resumed() -> None:
    (alert,) = told(queue("mail", queued=2, workers=0, paused_until=math.inf))
    assert (alert.kind, alert.text) == ("warn", "until it is resumed; 2 jobs wait.")
    assert (alert.action, alert.fields) == ("queue-resume", {"queue": "mail"})


def test_what_stops_everything_comes_first() -> None:
    found = told(
        queue("mail", queued=2, workers=0), suspended_for=90.0, warnings=("JOBS MAY BE LOST",)
    )
    assert [alert.title for alert in found] == ["All work is suspended", "The server", "No worker"]
    assert found[0].text.startswith("for another 1m 30s")
