"""``workhorse job``: one job, or some, by their ids.

What is done to each is said in a line of its own. The exit code is 1 if it could not be done to
one of them; the others are done all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from workhorse.api.connection import default_keys, store_of
from workhorse.cli.config_file import config_option, read_settings, server_of
from workhorse.cli.job_show import show
from workhorse.cli.job_tail import tail
from workhorse.cli.options import JOB_ID, SPAN, url_option
from workhorse.cli.output import (
    FAILED,
    FINE,
    confirm,
    count_of,
    echo,
    no_color_option,
    painted,
    yes_option,
)
from workhorse.core.ids import new_token
from workhorse.core.states import ENDED, TRANSITIONS, Event, State
from workhorse.store import jobs, pages
from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

_SLICE: Final = 100
"""Jobs that are sent together."""
_AGAIN: Final = (State.FAILED, State.STOPPED, State.CANCELED)
_HINTS: Final[Mapping[tuple[Event, State], str]] = {
    (Event.STOP, State.QUEUED): "`workhorse job cancel` keeps it from running",
    (Event.STOP, State.SCHEDULED): "`workhorse job cancel` keeps it from running",
    (Event.STOP, State.DEFERRED): "`workhorse job cancel` keeps it from running",
    (Event.REQUEUE, State.FINISHED): "--finished runs it again all the same",
    (Event.REQUEUE, State.STARTED): "`workhorse job stop` ends it first",
    (Event.REQUEUE, State.QUEUED): "it will run",
    (Event.REQUEUE, State.SCHEDULED): "it will run when its time has come",
}


@click.group()
def job() -> None:
    """Show a job or follow it; cancel, stop, retry or delete some."""


job.add_command(show)
job.add_command(tail)


def steering(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the ids of jobs, the server, and colours."""
    ids = click.argument("job_ids", nargs=-1, required=True, metavar="ID...", type=JOB_ID)
    return url_option(config_option(no_color_option(ids(function))))


@job.command()
@steering
@click.option("--run-children", is_flag=True, help="Those that wait for them go on, as if they "
              "had finished. Else as each says of its parents.")  # fmt: skip
def cancel(job_ids: Sequence[str], url: str | None, config: str | None, **given: Any) -> int:
    """Keep jobs from running, for good. What one that runs still does is not written."""
    keys = default_keys()
    children: Any = "run" if given["run_children"] else ""

    def call(job_id: str) -> Call[State | None]:
        return jobs.cancel(keys, job_id, token=new_token(), children=children)

    return _apply(_store(url, config), job_ids, call, Event.CANCEL, "canceled")


@job.command()
@steering
@click.option("--grace", type=SPAN, default="0", metavar="TIME",
              help="How long its code may clean up: seconds, or as 10s; else 0.")  # fmt: skip
def stop(job_ids: Sequence[str], url: str | None, config: str | None, *, grace: float) -> int:
    """End jobs that run. Only a retry runs them again."""
    keys = default_keys()

    def call(job_id: str) -> Call[State | None]:
        return jobs.stop(keys, job_id, token=new_token(), grace=grace)

    return _apply(_store(url, config), job_ids, call, Event.STOP, "asked to stop")


@job.command()
@steering
@click.option("--front", is_flag=True, help="Before the others in their queues.")
@click.option("--finished", is_flag=True, help="Also jobs that finished: they are run once more.")
def retry(job_ids: Sequence[str], url: str | None, config: str | None, **given: Any) -> int:
    """Run jobs again that failed, were stopped or canceled, as if they were new."""
    keys = default_keys()
    states = ENDED if given["finished"] else _AGAIN

    def call(job_id: str) -> Call[State | None]:
        return jobs.requeue(
            keys, job_id, token=new_token(), at_front=given["front"], states=states
        )

    return _apply(_store(url, config), job_ids, call, Event.REQUEUE, "queued again", states)


@job.command()
@steering
@yes_option
def delete(job_ids: Sequence[str], url: str | None, config: str | None, *, yes: bool) -> int:
    """Remove jobs and all that is known of them. What one that runs still does is not written."""
    keys, store = default_keys(), _store(url, config)
    ids = list(dict.fromkeys(job_ids))
    if not confirm(_question(store, keys, ids), yes=yes):
        echo("Nothing was deleted.")
        return FAILED

    def call(job_id: str) -> Call[State | None]:
        found = jobs.delete(keys, [job_id])
        return Call(found.words, lambda reply: found.parse(reply)[0], found.source)

    return _apply(store, ids, call, Event.DELETE, "deleted")


def _question(store: Store, keys: Keys, ids: Sequence[str]) -> str:
    some = store.run(pages.rows(keys, ids))
    running = sum(row.status == State.STARTED.value for row in some)
    what = f"job {ids[0]}" if len(ids) == 1 else count_of(len(ids), "job")
    told = f"; {running} of them {'runs' if running == 1 else 'run'} now" if running else ""
    return f"Delete {what}, with results and log{told}?"


def _store(url: str | None, config: str | None) -> Store:
    return store_of(server_of(url, read_settings(config)).connection)


def _apply(
    store: Store,
    job_ids: Sequence[str],
    call: Callable[[str], Call[State | None]],
    event: Event,
    done: str,
    states: Sequence[State] = tuple(State),
) -> int:
    """Do what *call* says to each job, and print a line for each; return the exit code."""
    ids = list(dict.fromkeys(job_ids))
    problems = 0
    for at in range(0, len(ids), _SLICE):
        some = ids[at : at + _SLICE]
        before = store.run_many([_lenient(call(each)) for each in some])
        for job_id, was in zip(some, before, strict=True):
            problem = _problem(was, event, states)
            problems += bool(problem)
            told = painted(problem or f"{done} (it was {was})", "bad" if problem else "good")
            echo(f"{painted(job_id)}: {told}", err=bool(problem))
    return FAILED if problems else FINE


def _lenient(call: Call[State | None]) -> Call[State | str | None]:
    """Return *call*, its reply a text where that is no state."""

    def parse(reply: Any) -> State | str | None:
        try:
            return call.parse(reply)
        except ValueError:
            return "in no state that we know"

    return Call(call.words, parse, call.source)


def _problem(was: State | str | None, event: Event, states: Sequence[State]) -> str:
    """Return why nothing was done to a job that was in a state; '' where it was."""
    if was is None:
        return "there is no such job"
    if event is Event.DELETE:
        return ""
    if not isinstance(was, State):
        return f"not done: it is {was} (`workhorse job delete` removes it)"
    if (was, event) in TRANSITIONS and was in states:
        return ""
    why = "it does not run: " if event is Event.STOP else "it has ended: " if was in ENDED else ""
    hint = _HINTS.get((event, was), "")
    return f"not done: {why}it is {was}{f' ({hint})' if hint else ''}"
