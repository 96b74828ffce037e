"""``workhorse job tail``: follow a job as it runs, its progress and its log. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.api.following import JobEvent, follow
from workhorse.cli.config_file import client_of, config_option, read_settings, server_of
from workhorse.cli.options import SPAN, url_option
from workhorse.cli.output import (
    FAILED,
    FINE,
    Look,
    bar,
    cut,
    echo,
    output_options,
    painted,
    print_json,
    terminal_width,
)
from workhorse.core.errors import NoSuchJobError
from workhorse.core.harmless import harmless
from workhorse.core.ids import check_job_id
from workhorse.core.progress import LogLine, Progress
from workhorse.core.settings import LOG_LINES
from workhorse.core.states import ENDED, State
from workhorse.store import reports, results
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

STOPPED: Final = 3
"""The job was stopped or canceled: nobody knows what it would have come to."""
GONE: Final = 4
"""It is gone: deleted, or a success that is not kept."""

_CODES: Final = {State.FINISHED: FINE, State.FAILED: FAILED}
_LOOKS: Final[dict[State, Look]] = {State.FINISHED: "good", State.FAILED: "bad"}
_LEVELS: Final[dict[str, Look]] = {"warning": "warning", "error": "bad", "critical": "bad"}
_BAR: Final = 20
_ERASE: Final = "\r\x1b[K"


@click.command()
@click.argument("job_id", metavar="ID")
@url_option
@config_option
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0, LOG_LINES),
    default=50,
    show_default=True,
    help="How many lines of its log are shown first.",
)
@click.option("--no-follow", is_flag=True, help="Show what there is, and end.")
@click.option("--timeout", type=SPAN, metavar="TIME", help="Give up after: seconds, or as 10m.")
@output_options
def tail(job_id: str, url: str | None, config: str | None, **given: Any) -> int:
    """Follow a job: its state, its progress, and what it logs and prints.

    The log is there for jobs of a worker with --capture-logs, or enqueued with capture_logs=True.
    Ends with the job: 0 if it finished, 1 if it failed, 3 if it was stopped or canceled, 4 if it
    is gone.
    """
    store = Store(client_of(server_of(url, read_settings(config))))
    keys, shown = default_keys(), _Screen(as_json=given["as_json"])
    events = _events(store, keys, check_job_id(job_id), given)
    state: State | None = None
    try:
        for event in events:
            state = event if isinstance(event, State) else state
            shown.show(event)
            if state is State.FAILED:
                shown.tell_error(_last_error(store, keys, job_id))
    finally:
        shown.close()
    if given["no_follow"] and state not in ENDED:
        return FINE
    if state is None or state not in ENDED:
        if not given["as_json"]:
            echo("The job is gone: deleted, or a success that is not kept.")
        return GONE
    return _CODES.get(state, STOPPED)


def _events(store: Store, keys: Keys, job_id: str, given: dict[str, Any]) -> Iterator[JobEvent]:
    """Yield what is to be shown: the end of what the job told, and what it tells from now on."""
    seen = store.run(reports.follow(keys, job_id, count=given["lines"] or 1, backwards=True))
    if seen.state is None:
        raise NoSuchJobError(job_id)
    lines = seen.log.lines
    if given["lines"]:
        yield from lines
    if given["no_follow"]:
        yield from (event for event in (seen.progress, seen.state) if event is not None)
        return
    after = lines[-1].id if lines else ""
    yield from follow(store, keys, job_id, timeout=given["timeout"], after=after)


def _last_error(store: Store, keys: Keys, job_id: str) -> str:
    """Return the last line of what the job failed of."""
    for run in store.run(results.runs(keys, job_id, limit=1)):
        lines = (run.error or "").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


class _Screen:
    """Where events are shown. On a terminal the progress is a line below all others."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._width = None if as_json else terminal_width()
        self._bar = ""

    def show(self, event: JobEvent) -> None:
        """Show an event."""
        if self._as_json:
            print_json(_shape(event), on_one_line=True)
        elif isinstance(event, Progress):
            self._show_progress(event)
        elif isinstance(event, LogLine):
            self._line(_line(event))
        else:
            if event in ENDED:
                self.close()
            self._line(painted(event.value, _LOOKS.get(event, "strong")))

    def tell_error(self, error: str) -> None:
        """Show why the job failed."""
        if error and not self._as_json:
            self._line(painted(error, "bad"))

    def close(self) -> None:
        """Leave the cursor below what is shown."""
        if self._bar:
            click.echo()
            self._bar = ""

    def _line(self, line: str) -> None:
        if self._bar:
            click.echo(_ERASE, nl=False)
        echo(line)
        if self._bar:
            click.echo(self._bar, nl=False)

    def _show_progress(self, progress: Progress) -> None:
        text = str(progress)
        if self._width is None:
            echo(f"progress: {harmless(text)}")
            return
        share = progress.fraction
        drawn = "" if share is None else f"{bar(share, _BAR):░<{_BAR}} "
        shown = cut(f"{drawn}{harmless(text)}", self._width - 1)
        if self._bar:
            click.echo(_ERASE, nl=False)
        self._bar = shown
        click.echo(shown, nl=False)


def _line(line: LogLine) -> str:
    """Return a line of the log, its time and where it came from before it."""
    at = line.at.astimezone().strftime("%H:%M:%S") if line.at else "--:--:--"
    if line.source == "run":
        return painted(f"{at} another run begins ({line.text})", "quiet")
    kind = line.level or line.source
    look = _LEVELS.get(line.level, "")
    head = click.style(f"{at} {harmless(kind)[:8]:<8}", dim=True)
    return f"{head} {painted(line.text, look)}"


def _shape(event: JobEvent) -> dict[str, Any]:
    """Return an event as JSON shows it."""
    if isinstance(event, State):
        return {"event": "state", "state": event.value}
    if isinstance(event, Progress):
        return {"event": "progress", "done": event.done, "total": event.total,
                "note": event.note, "at": event.at}  # fmt: skip
    return {"event": "line", "id": event.id, "at": event.at, "source": event.source,
            "level": event.level, "text": event.text}  # fmt: skip
