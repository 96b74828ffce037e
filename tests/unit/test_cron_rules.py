"""When entries fire: against cronsim, and through every change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as some

from workhorse.core.cron import (
    LATE_AFTER,
    Firing,
    Rules,
    Schedule,
    due_at,
    explain,
    first_slot,
    job_id_of,
    newest_slots,
    next_slot,
    weigh,
)
from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import check_job_id

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
FIRST = int(datetime(2016, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
MOMENTS = some.integers(FIRST, LAST).map(float)
NAMED = some.sampled_from(
    [
        "30 1 * * *",
        "30 2 * * *",
        "0 0 * * *",
        "0,30 2 * * *",
        "15 1-3 * * 0",
        "0 3 1 * *",
        "59 23 L * *",
        "0 12 * * MON#2",
        "5 0 29 2 *",
    ]
)
PASSING = some.sampled_from(
    ["* * * * *", "*/15 * * * *", "0 * * * *", "30 */2 * * *", "*/10 * * * 0", "7 * 1 * *"]
)


def slots_after(schedule: Schedule, moment: float, count: int) -> list[float]:
    found: list[float] = []
    slot: float | None = moment
    while len(found) < count:
        slot = next_slot(schedule, slot or moment)
        if slot is None:
            break
        found.append(slot)
    return found


def in_zone(slots: list[float], zone: str) -> list[str]:
    return [datetime.fromtimestamp(slot, ZoneInfo(zone)).strftime("%d %H:%M %Z") for slot in slots]


def moment(zone: str, *when: int) -> float:
    return datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[misc, arg-type] # digits


@settings(max_examples=400, deadline=None)
@given(expression=NAMED, zone=some.sampled_from(ZONES), begin=MOMENTS)
def test_named_hours_are_those_of_cronsim(expression: str, zone: str, begin: float) -> None:
    schedule = Schedule(cron=expression, zone=zone)
    theirs = CronSim(expression, datetime.fromtimestamp(begin, ZoneInfo(zone)))
    expected: list[float] = []
    while len(expected) < 4:
        slot = next(theirs).timestamp()
        if slot > (expected[-1] if expected else begin):  # cronsim begins in the past in a fold
            expected.append(slot)
    assert slots_after(schedule, begin, 4) == expected


@settings(max_examples=400, deadline=None)
@given(
    expression=PASSING,
    zone=some.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    begin=MOMENTS,
)
def test_every_hour_is_that_of_cronsim(expression: str, zone: str, begin: float) -> None:
    theirs = CronSim(expression, datetime.fromtimestamp(begin, ZoneInfo(zone)))
    expected = [next(theirs).timestamp() for _ in range(4)]
    assert slots_after(Schedule(cron=expression, zone=zone), begin, 4) == expected


@settings(max_examples=400, deadline=None)
@given(
    expression=NAMED | PASSING,
    zone=some.sampled_from(ZONES),
    begin=MOMENTS,
    count=some.integers(1, 5),
)
def test_backwards_are_the_same_slots(
    expression: str, zone: str, begin: float, count: int
) -> None:
    schedule = Schedule(cron=expression, zone=zone)
    slots = slots_after(schedule, begin, count)
    assert newest_slots(schedule, slots[-1], count) == slots
    assert newest_slots(schedule, slots[-1] + 0.5, 1) == slots[-1:]


@pytest.mark.parametrize("zone", ZONES)
def test_in_ten_years_slots_grow_and_a_day_has_one_at_half_past_one(zone: str) -> None:
    schedule = Schedule(cron="30 1 * * *", zone=zone)
    slots = slots_after(schedule, FIRST, 3650)
    assert all(a < b for a, b in pairwise(slots))
    days = [datetime.fromtimestamp(slot, ZoneInfo(zone)).date() for slot in slots]
    assert len(set(days)) == len(days)


def test_a_time_that_happens_twice_fires_once() -> None:
    for expression in ("30 1 * * *", "0 30 1 * * *", "*/30 1 1 * *"):
        schedule = Schedule(cron=expression, zone="America/New_York")
        slots = slots_after(schedule, moment("America/New_York", 2026, 10, 31, 12), 2)
        shown = in_zone(slots, "America/New_York")
        assert shown[0] in {"01 01:30 EDT", "01 01:00 EDT"}
        assert shown[1] in {"02 01:30 EST", "01 01:30 EDT"}


def test_a_time_that_is_left_out_fires_right_after() -> None:
    schedule = Schedule(cron="30 2 * * *", zone="Europe/Berlin")
    slots = slots_after(schedule, moment("Europe/Berlin", 2026, 3, 28, 12), 2)
    assert in_zone(slots, "Europe/Berlin") == ["29 03:00 CEST", "30 02:30 CEST"]


def test_times_that_are_left_out_together_fire_once() -> None:
    schedule = Schedule(cron="0,30 2,3 * * *", zone="Europe/Berlin")
    slots = slots_after(schedule, moment("Europe/Berlin", 2026, 3, 29, 0), 3)
    assert in_zone(slots, "Europe/Berlin") == ["29 03:00 CEST", "29 03:30 CEST", "30 02:00 CEST"]


def test_each_hour_goes_on_where_the_clocks_are_put_back() -> None:
    schedule = Schedule(cron="30 * * * *", zone="Europe/Berlin")
    slots = slots_after(schedule, moment("Europe/Berlin", 2026, 10, 25, 1), 4)
    assert in_zone(slots, "Europe/Berlin") == [
        "25 01:30 CEST",
        "25 02:30 CEST",
        "25 02:30 CET",
        "25 03:30 CET",
    ]


def test_seconds_are_the_first_of_six_fields() -> None:
    schedule = Schedule(cron="*/20 * * * * *")
    assert slots_after(schedule, 1000.5, 3) == [1020, 1040, 1060]


@settings(max_examples=200, deadline=None)
@given(
    interval=some.floats(1, 100_000).map(lambda number: round(number, 3)),
    anchor=MOMENTS,
    after=MOMENTS,
)
def test_an_interval_keeps_its_steps(interval: float, anchor: float, after: float) -> None:
    schedule = Schedule(interval=interval, anchor=anchor)
    slot = next_slot(schedule, after)
    assert slot is not None
    assert slot > after or slot == anchor
    steps = (slot - anchor) / interval
    assert abs(steps - round(steps)) * interval < 0.002
    following = next_slot(schedule, slot)
    assert following is not None
    assert abs(following - slot - interval) < 0.002
    assert newest_slots(schedule, following, 2) == [slot, following]


def test_an_interval_begins_at_once_and_an_expression_does_not() -> None:
    assert first_slot(Schedule(interval=60, anchor=1000.123), 1000.123) == 1000.123
    assert first_slot(Schedule(cron="* * * * *"), 1000.0) == 1020.0


def test_nothing_fires_before_the_start_or_after_the_end() -> None:
    schedule = Schedule(cron="* * * * *", start=600.0, end=720.0)
    assert slots_after(schedule, 0.0, 9) == [600, 660, 720]
    assert newest_slots(schedule, 9999, 9) == [600, 660, 720]
    assert next_slot(schedule, 720) is None


def test_jitter_is_the_same_for_everybody_and_within_its_bounds() -> None:
    schedule = Schedule(cron="* * * * *", jitter=30)
    put_off = [due_at("a", schedule, slot) - slot for slot in range(0, 6000, 60)]
    assert put_off == [due_at("a", schedule, slot) - slot for slot in range(0, 6000, 60)]
    assert all(0 <= seconds <= 30 for seconds in put_off)
    assert len(set(put_off)) > 90
    assert put_off != [due_at("b", schedule, slot) - slot for slot in range(0, 6000, 60)]


def weighed(now: float, slot: float = 60.0, **rules: Any) -> Firing | None:
    schedule = Schedule(cron="* * * * *", **rules.pop("schedule", {}))
    return weigh("e", Rules(schedule=schedule, **rules), slot, now)


def test_what_is_not_due_does_not_fire() -> None:
    assert weighed(59.999) is None
    assert weighed(60) == Firing((60,), 120, missed=False)


@pytest.mark.parametrize("misfire", ["skip", "once", "all"])
def test_what_is_a_little_late_fires(misfire: str) -> None:
    assert weighed(119, misfire=misfire) == Firing((60,), 120, missed=False)


@pytest.mark.parametrize(
    ("rules", "fired"),
    [
        ({"misfire": "skip"}, (600,)),
        ({"misfire": "once"}, (600,)),
        ({"misfire": "all", "catch_up": 3}, (480, 540, 600)),
        ({"misfire": "all", "catch_up": 1000}, tuple(range(60, 601, 60))),
    ],
)
def test_of_what_was_missed_the_last_fire(rules: dict[str, Any], fired: tuple[int, ...]) -> None:
    firing = weighed(601, **rules)
    assert firing == Firing(fired, 660, missed=len(fired) < 10)


def test_skip_leaves_out_what_is_late_altogether() -> None:
    schedule = Schedule(cron="0 * * * *")
    late = 3600 + LATE_AFTER + 1
    assert weigh("e", Rules(schedule=schedule, misfire="skip"), 3600, late) == Firing(
        (), 7200, missed=True
    )
    assert weigh("e", Rules(schedule=schedule, misfire="once"), 3600, late) == Firing(
        (3600,), 7200, missed=False
    )


def test_many_missed_slots_fire_in_several_steps_each_once() -> None:
    slot: float | None = 60.0
    fired: list[float] = []
    while slot is not None and slot <= 30_000:
        firing = weighed(30_000, slot, misfire="all", catch_up=1000)
        assert firing is not None
        assert len(firing.slots) <= 100
        fired += firing.slots
        slot = firing.next_slot
    assert fired == list(range(60, 30_001, 60))


def test_an_outage_of_a_year_is_weighed_at_once() -> None:
    year = 366 * 86_400.0
    firing = weigh("e", Rules(schedule=Schedule(cron="* * * * * *")), 1.0, year)
    assert firing == Firing((year,), year + 1, missed=True)


def test_each_slot_has_an_id_of_its_own() -> None:
    names = ["a b", "a_b", "ä", "a:b", "x" * 300, "☃"]
    ids = {job_id_of(name, slot) for name in names for slot in (0.0, 0.25, 1.0)}
    assert len(ids) == 18
    assert all(check_job_id(job_id) for job_id in ids)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cron": "* * * * *", "interval": 5},
        {"cron": "61 * * * *"},
        {"cron": "* * *"},
        {"cron": ""},
        {"cron": "0 0 31 2 *"},
        {"cron": 5},
        {"cron": "@daily"},
        {"interval": 0.5},
        {"interval": float("nan")},
        {"interval": True},
        {"cron": "* * * * *", "zone": "Mars/Base"},
        {"cron": "* * * * *", "zone": "../etc/passwd"},
        {"cron": "* * * * *", "jitter": -1},
        {"cron": "* * * * *", "start": 5.0, "end": 4.0},
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        Schedule(**options)


@pytest.mark.parametrize(
    "rules", [{"overlap": "maybe"}, {"misfire": "maybe"}, {"catch_up": 0}, {"catch_up": 1001}]
)
def test_rules_that_can_not_be_are_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        Rules(schedule=Schedule(interval=5), **rules)


def test_a_schedule_is_told_in_words() -> None:
    assert explain(Schedule(cron="*/5 * * * *")) == "Every fifth minute of every hour (UTC)"
    assert explain(Schedule(interval=timedelta(hours=1).total_seconds())) == "Every 3600 seconds"
