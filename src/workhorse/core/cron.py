"""When a cron entry fires: slots, time zones, what was missed, what overlaps. Pure: no clock.

A *slot* is a moment that the schedule names, in seconds since 1970. It is *due* then, or as much
later as its jitter says. All that is here is a function of the schedule and of a moment.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from workhorse.core.errors import InvalidOptionError

Overlap = Literal["skip", "queue", "allow"]
"""What a slot does while a job of its entry has not ended: nothing; a job, unless one waits
already; a job in any case."""
Misfire = Literal["skip", "once", "all"]
"""What becomes of slots that nobody fired in time: nothing; one job for the last of them; one
for each, up to a number."""

OVERLAPS: Final = ("skip", "queue", "allow")
MISFIRES: Final = ("skip", "once", "all")
LATE_AFTER: Final = 60.0
"""Seconds after which a slot counts as missed."""
MOST_CAUGHT_UP: Final = 1000
MOST_AT_ONCE: Final = 100
"""Slots of one entry that are fired in one call; the others follow."""
_SHORTEST: Final = 1.0
_LONGEST: Final = 10 * 366 * 86_400.0
_NAMED: Final = 100
_A_LITTLE: Final = 0.001
"""Seconds: slots are told in thousandths."""
_MINUTE: Final = timedelta(minutes=1)
_DAY_OF_MINUTES: Final = 26 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When something happens: by a cron expression or every so many seconds.

    Raises InvalidOptionError for what can't be. Moments are in seconds since 1970.
    """

    cron: str | None = None
    """Five fields, or six with seconds first."""
    interval: float | None = None
    anchor: float = 0.0
    """The first slot of an interval; the others follow from it."""
    zone: str = "UTC"
    """In which a cron expression is read."""
    jitter: float = 0.0
    """Seconds, at most, by which a slot is put off: the same for everybody who asks."""
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        if (self.cron is None) == (self.interval is None):
            raise InvalidOptionError("give either a cron expression or an interval")
        zone_of(self.zone)
        if self.cron is not None:
            _check_expression(self.cron)
        elif not _is_span(self.interval, _SHORTEST, _LONGEST):
            raise InvalidOptionError(
                f"interval is {self.interval!r}: give seconds, from 1 to ten years of them"
            )
        if not _is_span(self.jitter, 0, 86_400):
            raise InvalidOptionError(f"jitter is {self.jitter!r}: give seconds, a day at most")
        if self.start is not None and self.end is not None and self.end < self.start:
            raise InvalidOptionError("end is before start: it would never fire")

    def is_as(self, other: Schedule) -> bool:
        """Return whether both name the same slots; an interval's first one aside."""
        return _without_anchor(self) == _without_anchor(other)


def _without_anchor(schedule: Schedule) -> tuple[object, ...]:
    return (
        schedule.cron, schedule.interval, schedule.zone, schedule.jitter, schedule.start,
        schedule.end,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A schedule, and what happens where it can't be kept."""

    schedule: Schedule
    overlap: Overlap = "allow"
    misfire: Misfire = "once"
    catch_up: int = 10
    """How many missed slots ``"all"`` fires at most: the last ones."""

    def __post_init__(self) -> None:
        if self.overlap not in OVERLAPS:
            raise InvalidOptionError(f"overlap is {self.overlap!r}: give {_listed(OVERLAPS)}")
        if self.misfire not in MISFIRES:
            raise InvalidOptionError(f"misfire is {self.misfire!r}: give {_listed(MISFIRES)}")
        if not _is_count(self.catch_up):
            raise InvalidOptionError(
                f"catch_up is {self.catch_up!r}: give a number from 1 to {MOST_CAUGHT_UP}"
            )


@dataclass(frozen=True, slots=True)
class Firing:
    """What is to be done about an entry that is due."""

    slots: tuple[float, ...]
    """Those to fire, in their order."""
    next_slot: float | None
    missed: bool
    """Whether slots are left out."""


def weigh(name: str, rules: Rules, slot: float, now: float) -> Firing | None:
    """Return what the entry *name*, whose next slot is *slot*, does at *now*; None if nothing."""
    schedule = rules.schedule
    if due_at(name, schedule, slot) > now:
        return None
    most = rules.catch_up if rules.misfire == "all" else 1
    found = newest_slots(schedule, now, most + 1, after=slot)
    # The jitter of a later slot may not be over; those before it go first.
    found = [each for each in found if due_at(name, schedule, each) <= now]
    due = [slot, *found]
    kept = due[-most:]
    if rules.misfire == "skip" and now - due_at(name, schedule, kept[-1]) > LATE_AFTER:
        kept = []
    if len(kept) > MOST_AT_ONCE:
        return Firing(tuple(kept[:MOST_AT_ONCE]), kept[MOST_AT_ONCE], missed=len(kept) < len(due))
    return Firing(tuple(kept), next_slot(schedule, due[-1]), missed=len(kept) < len(due))


def due_at(name: str, schedule: Schedule, slot: float) -> float:
    """Return the moment at which *slot* of the entry *name* is to fire."""
    if not schedule.jitter:
        return slot
    digest = hashlib.sha256(f"{name}\0{slot_text(slot)}".encode()).digest()
    return round(slot + schedule.jitter * int.from_bytes(digest[:6], "big") / (1 << 48), 3)


def slot_text(slot: float) -> str:
    """Return *slot* as it is stored: seconds with three digits.

    >>> slot_text(1.5)
    '1.500'
    """
    return f"{slot:.3f}"


def job_id_of(name: str, slot: float) -> str:
    """Return the id of the job that *slot* of the entry *name* makes: there is one.

    >>> job_id_of("nightly report", 1_767_322_800.0)
    'cron-nightly_report-1425b8cd-20260102T030000Z'
    """
    moment = datetime.fromtimestamp(math.floor(slot), UTC)
    millis = round((slot - math.floor(slot)) * 1000)
    rest = f"-{millis:03d}" if millis else ""
    return f"{id_start(name)}-{moment:%Y%m%dT%H%M%SZ}{rest}"


def id_start(name: str) -> str:
    """Return what the ids of an entry's jobs begin with."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:_NAMED]
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"cron-{plain}-{digest}"


def next_slot(schedule: Schedule, after: float) -> float | None:
    """Return the first slot later than *after*; None where there is none any more."""
    first = -math.inf if schedule.start is None else schedule.start
    after = max(after, first - _A_LITTLE)
    if schedule.interval is not None:
        number = max(0, math.floor((after - schedule.anchor) / schedule.interval))
        found = iter(_of_interval(schedule, number + step) for step in range(3))
    else:
        found = _forward(schedule, after)
    slot = next((each for each in found if each > after and each >= first), None)
    return None if slot is None or (schedule.end is not None and slot > schedule.end) else slot


def first_slot(schedule: Schedule, now: float) -> float | None:
    """Return the first slot of a schedule that begins at *now*: an interval's is not past."""
    return next_slot(schedule, now if schedule.interval is None else now - _A_LITTLE)


def newest_slots(
    schedule: Schedule, until: float, count: int, *, after: float = -math.inf
) -> list[float]:
    """Return the last *count* slots later than *after* and not after *until*, in their order."""
    if schedule.end is not None:
        until = min(until, schedule.end)
    found: list[float] = []
    start = -math.inf if schedule.start is None else schedule.start
    for slot in _backward(schedule, until):
        if slot < start or slot <= after or len(found) >= count:
            break
        found.append(slot)
    return found[::-1]


def explain(schedule: Schedule) -> str:
    """Return the schedule in words.

    >>> explain(Schedule(cron="30 1 * * 1-5", zone="Europe/Berlin"))
    'At 01:30 on Monday through Friday (Europe/Berlin)'
    >>> explain(Schedule(interval=90))
    'Every 90 seconds'
    """
    if schedule.cron is None:
        return f"Every {schedule.interval:g} seconds"
    words = CronSim(schedule.cron, datetime(2000, 1, 1)).explain()  # noqa: DTZ001 - of any day
    return f"{words} ({schedule.zone})"


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Return the time zone called *name*. Raises InvalidOptionError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise InvalidOptionError(
            f"no such time zone: {name!r} (give a name as Europe/Berlin or UTC)"
        ) from None


def _of_interval(schedule: Schedule, number: int) -> float:
    return round(schedule.anchor + number * (schedule.interval or 0), 3)


def _forward(schedule: Schedule, after: float) -> Generator[float]:
    """Yield the slots of an expression later than *after*, in their order.

    An hour that is named goes by the clock on the wall: each of its times happens once, also where
    the clocks are put back; where they are put forward it happens right after. With ``*`` for
    the hour it goes by the time that passes.
    """
    zone = zone_of(schedule.zone)
    wall = _wall(after, zone)
    pending: list[float] = []
    last = after
    for naive in _ticks(schedule, wall - _fold(wall, zone), reverse=False):
        pending += [slot for slot in _moments(schedule, naive, zone) if slot > last]
        if pending and not _fold(naive, zone):
            for slot in sorted(set(pending)):
                yield slot
                last = slot
            pending = []


def _backward(schedule: Schedule, until: float) -> Generator[float]:
    """Yield the slots that are not after *until*, the latest first."""
    if schedule.interval is not None:
        number = math.floor((until - schedule.anchor) / schedule.interval) + 1
        while number >= 0:
            if (slot := _of_interval(schedule, number)) <= until:
                yield slot
            number -= 1
        return
    zone = zone_of(schedule.zone)
    wall = _wall(until, zone)
    last = math.nextafter(until, math.inf)
    pending: list[float] = []
    begin = wall.replace(microsecond=0) + timedelta(seconds=1) + _fold(wall, zone)
    for naive in _ticks(schedule, begin, reverse=True):
        found = _moments(schedule, naive, zone)
        pending += [slot for slot in found if slot < last]
        if pending and not _fold(naive, zone):
            for slot in sorted(set(pending), reverse=True):
                yield slot
                last = slot
            pending = []


def _ticks(schedule: Schedule, begin: datetime, *, reverse: bool) -> CronSim:
    return CronSim(schedule.cron or "", begin, reverse=reverse)


def _wall(moment: float, zone: ZoneInfo) -> datetime:
    """Return what a clock on the wall shows, without a zone."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)


def _fold(naive: datetime, zone: ZoneInfo) -> timedelta:
    """Return by how much the clocks are put back at a time that happens twice, else nothing."""
    first = naive.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    second = naive.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    return max(first - second, timedelta())


def _moments(schedule: Schedule, naive: datetime, zone: ZoneInfo) -> list[float]:
    """Return the moments at which a clock on the wall that counts shows *naive*."""
    if _names_hours(schedule.cron or ""):
        return [_after_gap(naive, zone).timestamp()]
    both = [naive.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)]
    return [moment for moment in sorted(set(both)) if _wall(moment, zone) == naive]


def _after_gap(naive: datetime, zone: ZoneInfo) -> datetime:
    """Return the first time that exists from *naive* on."""
    for _ in range(_DAY_OF_MINUTES):
        moment = naive.replace(tzinfo=zone)
        if _wall(moment.timestamp(), zone) == naive:
            return moment
        naive += _MINUTE
    return naive.replace(tzinfo=zone)  # pragma: no cover - no zone leaves out more than a day


@lru_cache(maxsize=1024)
def _names_hours(expression: str) -> bool:
    return not expression.split()[-4].startswith("*")


@lru_cache(maxsize=1024)
def _check_expression(expression: str) -> None:
    try:
        next(CronSim(expression, datetime(2024, 1, 1)))  # noqa: DTZ001 - of any day
    except StopIteration:
        raise InvalidOptionError(f"cron is {expression!r}: it never fires") from None
    except (CronSimError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise InvalidOptionError(
            f"cron is {expression!r}: {error} (give minute, hour, day, month and day of the week, "
            "with seconds before them if there are any)"
        ) from None


def _is_span(value: object, least: float, most: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and least <= value <= most
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_CAUGHT_UP


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(repr(word) for word in words)
