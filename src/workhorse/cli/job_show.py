"""``workhorse job show``: all there is to know of a job, on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import client_of, config_option, read_settings, server_of
from workhorse.cli.options import JOB_ID, url_option
from workhorse.cli.output import (
    Cell,
    Column,
    Look,
    ago,
    count_of,
    echo,
    number_of,
    output_options,
    painted,
    print_json,
    rough,
    table,
    terminal_width,
    utc,
)
from workhorse.core.durations import in_words
from workhorse.core.errors import NoSuchJobError
from workhorse.core.harmless import harmless
from workhorse.core.progress import LogLine, Progress
from workhorse.core.states import State
from workhorse.store import reports
from workhorse.store.drivers import Store
from workhorse.store.pages import JobRow
from workhorse.store.reports import LogPage
from workhorse.store.whole import Attempt, Relatives, Running, WholeJob, whole
from workhorse.wire.progress import decode_progress

LOOKS: Final[Mapping[str, Look]] = {
    "finished": "good", "failed": "bad", "unreadable": "bad", "stopped": "warning",
    "canceled": "warning", "retried": "warning", "started": "strong", "running": "strong",
}  # fmt: skip
_LOG_LINES: Final = 10
_LONGEST_LINE: Final = 4000
_WIDEST_LABEL: Final = 12


@click.command()
@click.argument("job_id", metavar="ID", type=JOB_ID)
@url_option
@config_option
@output_options
def show(job_id: str, url: str | None, config: str | None, *, as_json: bool) -> None:
    """Show all there is to know of the job with this ID.

    Nothing of it is unpickled, and nothing of it is changed. Long texts are cut.
    """
    store = Store(client_of(server_of(url, read_settings(config))))
    keys = default_keys()
    found = store.run(whole(keys, job_id))
    if found is None:
        raise NoSuchJobError(job_id)
    log = store.run(reports.log_page(keys, job_id, count=_LOG_LINES, backwards=True))
    if as_json:
        print_json(shape(found, log))
        return
    for line in lines_of(found, log):
        echo(line)


def shape(job: WholeJob, log: LogPage) -> dict[str, Any]:
    """Return the JSON document of a job."""
    progress = decode_progress(job.row.progress.encode("utf-8", "surrogateescape"))
    return {
        "at": utc(job.now),
        "job": job.row,
        "call": {**job.call._asdict(), "text": job.call.text, "kwargs": dict(job.call.kwargs)},
        **{
            name: getattr(job, name)
            for name in (
                "result", "meta", "error", "callback_error", "problem", "attempts",
                "attempts_total", "running", "position", "parents", "children", "webhooks",
                "repeats_left", "repeat_intervals", "limit", "fields", "fields_total", "sizes",
            )
        },
        "callbacks": {kind: each._asdict() for kind, each in job.callbacks.items()},
        "keys": [key._asdict() for key in job.keys],
        "progress": progress,
        "log": log,
    }  # fmt: skip


def lines_of(job: WholeJob, log: LogPage) -> Iterator[str]:
    """Return the page for people."""
    row = job.row
    status = row.status or "in no known state"
    yield f"{painted(f'Job {row.id}', 'strong')}  {painted(status, LOOKS.get(status, ''))}"
    if summary := _summary(job):
        yield painted(summary)
    if job.problem:
        yield painted(job.problem, "bad")
    yield ""
    for label, text in _facts(job):
        yield f"{label:{_WIDEST_LABEL}}  {harmless(text)}"
    yield from _block("Call", _call(job))
    yield from _block("Result", job.result)
    yield from _block("Error", job.error)
    yield from _block("Error of a callback", job.callback_error)
    yield from _block("Meta", job.meta)
    yield from _runs(job)
    yield from _log(log, row)
    yield from _relatives("Waits for", job.parents)
    yield from _relatives("Waited for by", job.children)
    yield from _keys(job)


def _summary(job: WholeJob) -> str:
    """Return in a line how it stands."""
    row, told = job.row, ""
    match row.status:
        case State.STARTED.value if job.running:
            run = job.running[0]
            told = f"running for {_for(run, job.now)} on {run.worker or 'a worker'}"
        case State.QUEUED.value:
            before = "?" if job.position is None else number_of(job.position)
            told = f"waits in {row.queue}, {before} before it"
        case State.SCHEDULED.value if row.scheduled_for is not None:
            told = f"due {ago(row.scheduled_for, job.now)}: {utc(row.scheduled_for) or 'never'}"
        case State.RATE_LIMITED.value if job.limit:
            told = f"waits for a place of the rate limit {job.limit.key}, as number {_rank(job)}"
        case State.DEFERRED.value:
            done = sum(row.status == State.FINISHED.value for row in job.parents.rows)
            some = f"{number_of(job.parents.total - done)} of " if done else ""
            told = f"waits for {some}{count_of(job.parents.total, 'job')}"
        case _ if job.attempts:
            told = _ended(job.attempts[0], job.now)
        case _:
            pass
    return told


def _ended(run: Attempt, now: float) -> str:
    took = f" after {in_words(run.seconds)}" if run.seconds is not None else ""
    where = f" on {run.worker}" if run.worker else ""
    return f"{run.outcome} {ago(run.ended_at, now)}{took}{where}"


def _rank(job: WholeJob) -> str:
    rank = job.limit.rank if job.limit else None
    return "?" if rank is None else number_of(rank + 1)


def _for(run: Running, now: float) -> str:
    return rough(max(0.0, now - run.since.timestamp())) if run.since else "?"


def _facts(job: WholeJob) -> Iterator[tuple[str, str]]:
    """Return what there is to say in a word or two, each with its label."""
    row = job.row
    yield "queue", row.queue
    yield "function", row.function
    if row.description and not row.description.startswith(f"{row.function}("):
        yield "description", row.description
    for label, moment in (
        ("created", row.created_at), ("enqueued", row.enqueued_at), ("began", row.started_at),
        ("ended", row.ended_at),
    ):  # fmt: skip
        if moment:
            yield label, f"{moment:%Y-%m-%d %H:%M:%S} UTC, {ago(moment, job.now)}"
    if progress := decode_progress(row.progress.encode("utf-8", "surrogateescape")):
        yield "progress", _progress(progress, job.now)
    yield from _settings(job)


def _progress(progress: Progress, now: float) -> str:
    return f"{progress}{f', {ago(progress.at, now)}' if progress.at else ''}"


def _settings(job: WholeJob) -> Iterator[tuple[str, str]]:
    row, fields = job.row, job.fields
    if row.timeout is not None:
        yield "time limit", "none" if row.timeout < 0 else in_words(row.timeout)
    if row.retries_left is not None or row.retries:
        yield "retries", f"{number_of(row.retries_left or 0)} left"
    if lost := fields.get("starts"):
        yield "lost runs", f"{lost} of at most {fields.get('max_starts', '?')}"
    for label, text in (("group", row.group), ("cron", job.cron), ("tags", ", ".join(row.tags))):
        if text:
            yield label, text
    yield from _rules(job)


def _rules(job: WholeJob) -> Iterator[tuple[str, str]]:
    if job.repeats_left is not None:
        waits = ", ".join(in_words(each) for each in job.repeat_intervals)
        yield "repeats", f"{job.repeats_left} left, {f'after {waits}' if waits else 'at once'}"
    if job.limit:
        place = "it has one of" if job.limit.has_place else "it waits for one of"
        yield "rate limit", f"{job.limit.key}: {place} {number_of(job.limit.concurrency)} places"
    for kind, callback in job.callbacks.items():
        yield f"on {kind}", f"{callback.name}, for {in_words(callback.timeout)} at most"
    if job.webhooks:
        yield "webhooks", ", ".join(job.webhooks)


def _call(job: WholeJob) -> str:
    """Return the call, an argument a line where it is long."""
    call = job.call
    if not call.problem and len(call.text) <= _SHORT:
        return call.text
    told = [*call.args, *(f"{name}={value}" for name, value in call.kwargs)]
    owner = f"{call.instance}." if call.instance else ""
    inner = "".join(f"\n  {each}," for each in told)
    note = f"\n({call.problem})" if call.problem else ""
    return f"{owner}{call.function}({inner}{chr(10) if told else ''}){note}"


_SHORT: Final = 76


def _block(title: str, text: str) -> Iterator[str]:
    """Return a text of several lines below its title; nothing without any."""
    if not text.strip():
        return
    yield ""
    yield painted(title, "strong")
    for line in text.rstrip("\n").split("\n"):
        yield f"  {harmless(line, _LONGEST_LINE)}"


_RUNS: Final = (
    Column("run", right=True), Column("began"), Column("took", right=True), Column("outcome"),
    Column("worker", flexible=True, spare=1), Column("note", flexible=True),
)  # fmt: skip


def _runs(job: WholeJob) -> Iterator[str]:
    """Return the timeline, the oldest run first."""
    rows = [_run(attempt) for attempt in reversed(job.attempts)]
    for run in job.running:
        began = f"{run.since:%Y-%m-%d %H:%M:%S}" if run.since else ""
        held = run.lease_until - job.now if run.lease_until is not None else None
        lease = "" if held is None else f"its worker must answer within {rough(max(held, 0))}"
        if held is not None and held <= 0:
            lease = "its worker does not answer: the run counts as lost"
        rows.append(
            ["now", began, _for(run, job.now), Cell("running", "strong"), run.worker, lease]
        )
    if not rows:
        return
    yield ""
    left = job.attempts_total - len(job.attempts)
    yield painted(f"Runs{f' (the last {len(job.attempts)})' if left > 0 else ''}", "strong")
    yield from _indented(_RUNS, rows)


def _run(attempt: Attempt) -> list[str | Cell]:
    began = f"{attempt.started_at:%Y-%m-%d %H:%M:%S}" if attempt.started_at else ""
    why = [line for line in attempt.error.split("\n") if line.strip()]
    return [
        str(attempt.number),
        began,
        in_words(attempt.seconds),
        Cell(attempt.outcome, LOOKS.get(attempt.outcome, "")),
        attempt.worker,
        why[-1] if why else "",
    ]


def _log(log: LogPage, row: JobRow) -> Iterator[str]:
    if not log.lines:
        return
    yield ""
    more = f" (the last {len(log.lines)} of {number_of(log.total)} lines)"
    yield painted(f"Log{more if log.total > len(log.lines) else ''}", "strong")
    for line in log.lines:
        yield f"  {_log_line(line)}"
    if row.status == State.STARTED.value:
        yield painted(f"  `workhorse job tail {row.id}` follows it.", "quiet")


def _log_line(line: LogLine) -> str:
    at = f"{line.at:%H:%M:%S} " if line.at else ""
    level = f"{line.level} " if line.level not in ("", "info") else ""
    return f"{at}{harmless(level)}{harmless(line.text)}"


_RELATIVES: Final = (
    Column("job"), Column("state"), Column("queue", flexible=True),
    Column("function", flexible=True),
)  # fmt: skip


def _relatives(title: str, relatives: Relatives) -> Iterator[str]:
    if not relatives.total:
        return
    yield ""
    shown, total = len(relatives.rows), relatives.total
    yield painted(
        f"{title}{f' ({shown} of {number_of(total)})' if total > shown else ''}", "strong"
    )
    rows: list[Sequence[str | Cell]] = [
        [row.id, Cell(row.status or "gone", LOOKS.get(row.status, "")), row.queue,
         row.function if row.status else ""]
        for row in relatives.rows
    ]  # fmt: skip
    yield from _indented(_RELATIVES, rows)


_KEYS: Final = (
    Column("key", flexible=True), Column("type"), Column("bytes", right=True),
    Column("goes in", right=True),
)  # fmt: skip


def _keys(job: WholeJob) -> Iterator[str]:
    yield ""
    yield painted("Keys", "strong")
    rows = [
        [key.name, key.type, number_of(key.bytes) if key.bytes else "?",
         "" if key.ttl is None else rough(key.ttl)]
        for key in job.keys
    ]  # fmt: skip
    yield from _indented(_KEYS, rows)


def _indented(columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]]) -> list[str]:
    width = terminal_width()
    return [f"  {line}" for line in table(columns, rows, width=width and width - 2)]
