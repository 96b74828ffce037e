"""What `workhorse top` shows, on terminals of every size."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import click
import pytest

from tests.unit.test_doctor_checks import NOW, queue, worker
from workhorse.cli.frame import SORTS, Reading, View, frame, names_shown
from workhorse.cli.output import columns_of
from workhorse.cli.situation import Situation
from workhorse.store.failures import CauseRow
from workhorse.store.statistics import FunctionRow

HOSTILE = "evil\x1b[2J\u202e\r\n日本"
CAUSE = CauseRow(
    id="f00", function="shop.pay", error=HOSTILE, message=HOSTILE * 50, place="", queues=["q"],
    count=7, seen=9, first_at=NOW - 9, last_at=NOW - 5,
)  # fmt: skip
OLD = datetime.fromtimestamp(NOW - 300, UTC)


def reading(now: float = NOW, done: int = 100) -> Reading:
    rows = [
        queue(name=HOSTILE, queued=5, failed=1, oldest=OLD, totals={"succeed": done}),
        *(queue(name=f"q{number}", queued=number) for number in range(40)),
    ]
    workers = [worker(name=f"w{number}", queues=(HOSTILE,)) for number in range(30)]
    functions = [FunctionRow(name="shop.pay", runs=done, failed=1, seconds=done * 0.5, buckets={})]
    return Reading(Situation(now, rows, workers), [CAUSE] * 20, 3, functions, "unix://x")


BEFORE = reading(NOW - 2, done=90)


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("rows", [1, 5, 12, 24, 200])
def test_a_frame_fits_and_can_do_nothing_to_the_terminal(columns: int, rows: int) -> None:
    for view in (View(), View(typing=True, filter="q"), View(asking="Pause q?", holds=True)):
        lines = [
            click.unstyle(line)
            for line in frame(reading(), BEFORE, view, columns=columns, rows=rows)
        ]
        assert len(lines) == rows
        assert all(line.isprintable() for line in lines)
        if columns >= 80:
            assert max(map(columns_of, lines)) <= columns


def test_rates_are_made_of_two_readings() -> None:
    shown = "\n".join(frame(reading(), BEFORE, View(), columns=200, rows=200))
    assert "5.0 done/s" in click.unstyle(shown)
    first = click.unstyle("\n".join(frame(reading(), None, View(), columns=200, rows=200)))
    assert "done/s" in first
    assert "…" in first
    restarted = reading(done=0)
    assert "0 done/s" in click.unstyle(frame(restarted, BEFORE, View(), columns=200, rows=9)[1])


def test_queues_are_sorted_and_filtered() -> None:
    now = reading()
    assert names_shown(now, BEFORE, View(sort="queued"))[0] == "q39"
    for sort in ("rate", "failed", "waits"):
        assert names_shown(now, BEFORE, View(sort=sort))[0] == HOSTILE
    assert names_shown(now, BEFORE, View(filter="q39")) == ["q39"]
    assert set(SORTS) == {"name", "queued", "rate", "failed", "waits"}


def test_nothing_at_all_is_shown_in_words() -> None:
    empty = Reading(Situation(NOW, [], []))
    lines = "\n".join(frame(empty, None, View(), columns=80, rows=24))
    for told in ("no queues", "no workers", "no failed jobs", "no job has ended"):
        assert told in lines
    suspended = replace(empty, situation=Situation(NOW, [], [], suspended_until=NOW + 5))
    assert "suspended" in "\n".join(frame(suspended, None, View(), columns=80, rows=24))
