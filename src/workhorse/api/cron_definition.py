"""What a caller says about a cron entry, checked before anything is sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from workhorse.api.follow_ups import check_moment
from workhorse.api.options import EnqueueData, new_record
from workhorse.core.cron import Rules, Schedule, zone_of
from workhorse.core.errors import InvalidOptionError, UnsupportedOptionError
from workhorse.core.ids import check_queue_name, is_queue_name
from workhorse.wire.crons import CronRecord, encode_cron
from workhorse.wire.payload import Serializer, decode_call, name_call
from workhorse.wire.records import JobRecord

OF_SCHEDULE: Final = ("cron", "interval", "zone", "jitter", "start", "end")
OF_RULES: Final = ("overlap", "misfire", "catch_up")
OF_JOBS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "job_timeout": ("timeout", ("timeout",)),
    "timeout": ("timeout", ("timeout",)),
    "result_ttl": ("result_ttl", ("result_ttl",)),
    "ttl": ("ttl", ("ttl",)),
    "failure_ttl": ("failure_ttl", ("failure_ttl",)),
    "description": ("description", ("description",)),
    "at_front": ("at_front", ("enqueue_at_front",)),
    "meta": ("meta", ("meta",)),
    "retry": (
        "retry",
        ("retries_left", "retry_intervals", "enqueue_at_front_on_retry", "retry_rules"),
    ),
    "on_lost": ("on_lost", ("on_lost",)),
    "max_starts": ("max_starts", ("max_starts",)),
    "repeat": ("repeat", ("repeats_left", "repeat_intervals")),
    "on_success": ("on_success", ("success_callback",)),
    "on_failure": ("on_failure", ("failure_callback",)),
    "on_stopped": ("on_stopped", ("stopped_callback",)),
    "rate_limit": ("rate_limit", ("rate_limit_key", "rate_limit_concurrency")),
    "webhooks": ("webhooks", ("webhooks",)),
    "group_id": ("group_id", ("group_id",)),
    "job_tags": ("tags", ("tags",)),
    "capture_logs": ("capture_logs", ("capture_logs",)),
}
"""Options of an entry's jobs: their names in ``EnqueueData``, and the fields they become."""
_NOT_FOR_CRON: Final = {
    "job_id": "each of an entry's jobs has an id of its own, made of its name and its moment",
    "unique": 'say overlap="skip"',
    "depends_on": "a job of each slot would wait for the same one; enqueue it from a job instead",
    "pipeline": "an entry is stored by a call of its own",
}
_RULES: Final = (*OF_SCHEDULE, *OF_RULES, "times", "paused")


def define(
    name: str,
    func: Callable[..., Any] | str,
    queue: str,
    call: tuple[Sequence[Any] | None, Mapping[str, Any] | None],
    options: Mapping[str, Any],
    *,
    serializer: Serializer,
) -> CronRecord:
    """Return a new entry, not yet stored. Raises an error of ours for what can't be."""
    refuse_unknown(options)
    function, _ = name_call(func)
    job = new_record(
        EnqueueData(func, *call, **_of_jobs(options)),
        queue=check_queue_name(queue),
        serializer=serializer,
    )
    schedule = _schedule(Schedule(interval=1.0, zone=local_zone()), options, is_new=True)
    return _with_digest(
        CronRecord(
            name=check_name(name or function),
            rules=_rules(schedule, {}, options),
            job=job,
            call=function,
            paused=bool(options.get("paused")),
            times_left=_times(options.get("times")),
        )
    )


def redefine(
    record: CronRecord, changes: Mapping[str, Any], *, serializer: Serializer
) -> CronRecord:
    """Return *record* with *changes*, the others of its options as they were."""
    own = {name: value for name, value in changes.items() if name not in _CALL}
    refuse_unknown(own)
    rules = record.rules
    before = {"overlap": rules.overlap, "misfire": rules.misfire, "catch_up": rules.catch_up}
    return replace(
        record,
        rules=_rules(_schedule(rules.schedule, own, is_new=False), before, own),
        job=_job(record.job, changes, own, serializer),
        call=name_call(changes["func"])[0] if "func" in changes else record.call,
        paused=bool(own.get("paused", record.paused)),
        times_left=_times(own["times"]) if "times" in own else record.times_left,
    )


_CALL: Final = ("func", "args", "kwargs", "queue")


def _job(
    job: JobRecord, changes: Mapping[str, Any], own: Mapping[str, Any], serializer: Serializer
) -> JobRecord:
    options = _of_jobs(own)
    is_other_call = any(name in changes for name in ("func", "args", "kwargs"))
    if is_other_call:
        old = decode_call(job.data, serializer)
        new = EnqueueData(
            changes.get("func", old.function),
            changes.get("args", old.args),
            changes.get("kwargs", old.kwargs),
            **options,
        )
    else:
        new = EnqueueData("builtins.print", **options)
    queue = check_queue_name(changes.get("queue", job.origin))
    fresh = new_record(new, queue=queue, serializer=serializer)
    fields = [field for name in own if name in OF_JOBS for field in OF_JOBS[name][1]]
    fields += ["data", "description"] if is_other_call else []
    return replace(job, origin=queue, **{field: getattr(fresh, field) for field in fields})


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise UnsupportedOptionError for what no cron entry has."""
    for name, value in options.items():
        if name in _NOT_FOR_CRON and value:
            raise UnsupportedOptionError(
                f"a cron entry has no {name}: {_NOT_FOR_CRON[name]}; nothing was done"
            )
        if name not in OF_JOBS and name not in _RULES and name not in _NOT_FOR_CRON:
            raise UnsupportedOptionError(f"a cron entry has no option {name!r}; nothing was done")


def check_name(name: object) -> str:
    """Return *name* if it may name an entry."""
    if isinstance(name, str) and is_queue_name(name):
        return name
    raise InvalidOptionError(
        f"not the name of a cron entry: {name!r} (give 1 to 255 visible characters)"
    )


def local_zone() -> str:
    """Return the name of this machine's time zone, or UTC where it has none.

    As other programs find it: ``TZ``, or else what ``/etc/localtime`` leads to.
    """
    told = os.environ.get("TZ", "").removeprefix(":")
    path = str(Path("/etc/localtime").resolve())
    for name in (told, path.rpartition("zoneinfo/")[2] if "zoneinfo/" in path else ""):
        if name and not name.startswith("/"):
            try:
                return zone_of(name.removeprefix("posix/")).key
            except InvalidOptionError:
                continue
    return "UTC"


def _of_jobs(options: Mapping[str, Any]) -> dict[str, Any]:
    return {OF_JOBS[name][0]: value for name, value in options.items() if name in OF_JOBS}


def _rules(schedule: Schedule, before: Mapping[str, Any], options: Mapping[str, Any]) -> Rules:
    given = {name: options[name] for name in OF_RULES if options.get(name) is not None}
    return Rules(schedule=schedule, **{**before, **given})


def _schedule(old: Schedule, options: Mapping[str, Any], *, is_new: bool) -> Schedule:
    given: dict[str, Any] = {
        name: options[name]
        for name in OF_SCHEDULE
        if name in options and (not is_new or options[name] is not None)
    }
    if is_new and ("cron" in given) == ("interval" in given):
        raise InvalidOptionError(
            f"give either cron or interval, not {'both' if given.get('cron') else 'neither'}"
        )
    if given.get("cron") is not None:
        given["interval"] = None
    elif given.get("interval") is not None:
        given["cron"], given["interval"] = None, _seconds("interval", given["interval"])
    for name in ("start", "end"):
        if given.get(name) is not None:
            given[name] = check_moment(name, given[name])
    if given.get("jitter") is not None:
        given["jitter"] = _seconds("jitter", given["jitter"])
    if "zone" in given:
        given["zone"] = str(given["zone"] or local_zone())
    return replace(old, **given)


def _seconds(name: str, span: object) -> float:
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return float(seconds)
    raise InvalidOptionError(f"{name} is {span!r}: give a timedelta, or seconds")


def _times(times: object) -> int | None:
    if times is None or (isinstance(times, int) and not isinstance(times, bool) and times > 0):
        return times
    raise InvalidOptionError(f"times is {times!r}: give how many jobs it makes, 1 or more")


def _with_digest(record: CronRecord) -> CronRecord:
    fields = encode_cron(record)
    said = repr(sorted(zip(map(str, fields[::2]), map(str, fields[1::2]), strict=True)))
    return replace(record, digest=hashlib.sha256(said.encode()).hexdigest()[:32])


def of_zone(moment: float | None, zone: str) -> datetime | None:
    """Return *moment* as a clock in *zone* shows it."""
    return None if moment is None else datetime.fromtimestamp(moment, zone_of(zone))
