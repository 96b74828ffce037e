"""What is wrong, judged of what was read: why it matters, and what a person does about it.

Pure: each check takes ``Facts`` and returns what it found. Those of the server itself are in
``doctor_server_checks``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from workhorse.core.durations import in_words
from workhorse.core.settings import REGISTER_EVERY, WORKER_TTL
from workhorse.store.doctor_facts import Facts, Late
from workhorse.store.doctor_server_checks import SERVER_CHECKS, Problem
from workhorse.store.roster import WorkerRow

__all__ = ["CHECKS", "Problem", "is_silent", "judge"]

_SILENT: Final = MappingProxyType({True: 4 * REGISTER_EVERY, False: float(WORKER_TTL)})
"""Seconds without a sign of life that are no pause any more: of ours, and of RQ's workers, which
give none while they wait for a job."""
_OLD: Final = 3600.0
_RECENT: Final = 600.0
_RISEN: Final = 3.0
_FEWEST: Final = 10


def is_silent(worker: WorkerRow, now: float) -> bool:
    """Return whether nothing was heard of *worker* for too long."""
    return worker.seen_at is None or now - worker.seen_at.timestamp() > _SILENT[worker.is_ours]


def judge(facts: Facts, ignored: Sequence[str] = ()) -> list[Problem]:
    """Return all that is wrong, what loses or stops jobs first; without the checks *ignored*."""
    found = [
        problem
        for name, check in CHECKS.items()
        if name not in ignored
        for problem in check(facts)
    ]
    return sorted(found, key=lambda problem: problem.level != "problem")


def _count(number: int, noun: str = "job", many: str = "") -> str:
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def _word(name: str) -> str:
    """Return *name* as a word of a command that somebody may copy into a shell.

    >>> _word("mail"), _word("x; reboot"), _word("--all")
    ('mail', "'x; reboot'", '-- --all')
    """
    return f"{'-- ' if name.startswith('-') else ''}{shlex.quote(name)}"


def _suspended(facts: Facts) -> Iterator[Problem]:
    if facts.suspended_for is None:
        return
    queued = sum(row.queued or 0 for row in facts.queues)
    yield Problem(
        "suspended",
        "problem" if queued else "advice",
        f"work is suspended ({in_words(facts.suspended_for)}), with {_count(queued)} queued",
        "no worker takes a job, of ours or of RQ's",
        "workhorse resume",
    )


def _paused(facts: Facts) -> Iterator[Problem]:
    for row in facts.queues:
        if row.paused_until is not None and row.queued:
            yield Problem(
                "paused",
                "problem",
                f"queue {row.name} is paused ({in_words(row.paused_until - facts.now)}), with "
                f"{_count(row.queued)} on it",
                "no worker of ours takes a job from it",
                f"workhorse queue resume {_word(row.name)}",
                (row.name,),
            )


def _unattended(facts: Facts) -> Iterator[Problem]:
    served = {
        name for one in facts.workers if not is_silent(one, facts.now) for name in one.queues
    }
    for row in facts.queues:
        if row.queued and row.name not in served:
            yield Problem(
                "no_worker",
                "problem",
                f"{_count(row.queued)} queued on {row.name}, and no worker listens to it",
                "nothing runs there until one does",
                f"workhorse worker {_word(row.name)}",
                (row.name,),
            )


def _old_backlog(facts: Facts) -> Iterator[Problem]:
    served = {name for one in facts.workers for name in one.queues}
    for row in facts.queues:
        waits = facts.now - row.oldest.timestamp() if row.oldest else 0.0
        stands = facts.suspended_for is not None or row.paused_until is not None
        if waits > _OLD and row.queued and row.name in served and not stands:
            yield Problem(
                "old_backlog",
                "problem",
                f"the next job of {row.name} has waited for {in_words(waits)}",
                "its workers are too few, too slow, stand still, or have other queues before it",
                "workhorse workers    # what they run; then more of them: workhorse worker -n 8 "
                f"{_word(row.name)}",
                (row.name,),
            )


def _lapsed(facts: Facts) -> Iterator[Problem]:
    for late in facts.lapsed:
        yield Problem(
            "stuck_leases",
            "problem",
            f"{_count(late.many)} of {late.name} held by workers that are gone, the first "
            f"since {_since(late, facts)}",
            "no supervisor recovers them: they neither run nor fail",
            f"workhorse worker {_word(late.name)}    # any worker of ours recovers them",
            (late.name,),
        )


def _overdue(facts: Facts) -> Iterator[Problem]:
    for late in facts.overdue:
        yield Problem(
            "overdue",
            "problem",
            f"{_count(late.many, 'scheduled job')} of {late.name} overdue, the first for "
            f"{_since(late, facts)}",
            "nobody moves them onto their queue: workers do that, unless started with "
            "--no-scheduler",
            f"workhorse worker {_word(late.name)}",
            (late.name,),
        )


def _crons(facts: Facts) -> Iterator[Problem]:
    if facts.crons:
        names = tuple(late.name for late in facts.crons)
        yield Problem(
            "cron_overdue",
            "problem",
            f"{_count(len(names), 'cron entry', 'cron entries')} should have fired, the first "
            f"{_since(facts.crons[0], facts)} ago: {', '.join(names[:5])}",
            "nobody fires them: every worker of ours does, and so does `workhorse cron`",
            "workhorse worker    # or: workhorse cron CONFIG_PATH",
            names,
        )


def _since(late: Late, facts: Facts) -> str:
    return in_words(facts.now - late.since)


def _silent(facts: Facts) -> Iterator[Problem]:
    for one in facts.workers:
        if is_silent(one, facts.now):
            since = in_words(facts.now - one.seen_at.timestamp()) if one.seen_at else "ever"
            yield Problem(
                "silent_worker",
                "problem",
                f"worker {one.name} on {one.hostname or 'an unknown host'} gave no sign of life "
                f"for {since}",
                "its process or machine is gone, hangs, or can't reach the server; what it held "
                "runs elsewhere once its lease lapses",
                f"look at process {one.pid or '?'} on {one.hostname or 'its host'}",
                (one.name,),
            )


def _set_aside(facts: Facts) -> Iterator[Problem]:
    for row in facts.queues:
        if row.broken:
            yield Problem(
                "set_aside",
                "problem",
                f"{_count(row.broken)} of {row.name} set aside: data that can't be handled",
                "they do not run; the log of the worker that met each says why",
                "workhorse doctor --audit    # what is wrong with each key",
                (row.name,),
            )


def _unreadable(facts: Facts) -> Iterator[Problem]:
    for row in facts.queues:
        counts = (row.queued, row.started, row.scheduled, row.deferred, row.finished, row.failed)
        if None in counts:
            yield Problem(
                "wrong_type",
                "problem",
                f"a key of queue {row.name} is of another kind than it should be",
                "somebody else writes keys of these names; the queue's jobs stand still",
                "workhorse doctor --audit    # which key it is",
                (row.name,),
            )


def _rising(facts: Facts) -> Iterator[Problem]:
    """Compare what failed in the last ten minutes with the rest of the hour."""
    if facts.recent is None:
        return
    step = facts.recent.step
    known = [
        (at, rate * step)
        for at, rate in zip(facts.recent.times, facts.recent.failed, strict=True)
        if rate is not None
    ]
    edge = facts.now - _RECENT
    now = sum(many for at, many in known if at >= edge)
    before = [many for at, many in known if at < edge]
    usual = sum(before) / len(before) * _RECENT / step if before else 0.0
    if now >= _FEWEST and now > _RISEN * usual:
        yield Problem(
            "failures_rise",
            "problem",
            f"{now:,.0f} jobs failed in the last ten minutes; {usual:,.0f} would be usual",
            "something that they need broke, or new code did",
            "workhorse failed    # what they failed of",
        )


def _mixed(facts: Facts) -> Iterator[Problem]:
    theirs = {name for one in facts.workers if not one.is_ours for name in one.queues}
    ours = {name for one in facts.workers if one.is_ours for name in one.queues}
    paused = {row.name for row in facts.queues if row.paused_until is not None}
    if both := sorted(theirs & (ours | paused)):
        told = ", ".join(both[:5])
        yield Problem(
            "rq_workers",
            "problem" if theirs & paused else "advice",
            f"RQ's workers run jobs of {told}, too",
            "what they run has no lease, no time limits of ours, no known cause of failure, and "
            "is not stopped by a pause",
            "move these workers to `workhorse worker` (docs/from-rq.md)",
            tuple(both),
        )


CHECKS: Final[Mapping[str, Callable[[Facts], Iterator[Problem]]]] = MappingProxyType(
    {
        **SERVER_CHECKS,
        "suspended": _suspended,
        "paused": _paused,
        "no_worker": _unattended,
        "old_backlog": _old_backlog,
        "stuck_leases": _lapsed,
        "overdue": _overdue,
        "cron_overdue": _crons,
        "silent_worker": _silent,
        "set_aside": _set_aside,
        "wrong_type": _unreadable,
        "failures_rise": _rising,
        "rq_workers": _mixed,
    }
)
"""Every check, by the name that its findings have."""
