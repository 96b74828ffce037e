"""``workhorse doctor``: says what is not as it should be. Reads only, unless told to mend."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import Server, client_of, config_option, read_settings, server_of
from workhorse.cli.options import url_option
from workhorse.cli.output import (
    FAILED,
    FINE,
    echo,
    no_color_option,
    painted,
    print_json,
    utc,
)
from workhorse.core.harmless import harmless
from workhorse.store import doctor_facts
from workhorse.store.audit import audit
from workhorse.store.doctor_checks import CHECKS, Problem, judge
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, advice
from workhorse.store.findings import Finding
from workhorse.store.reconcile import mend

_PAUSE: Final = 0.5
"""Seconds between the two looks at what seems wrong: RQ moves a job in several steps."""
_PAUSE_TO_MEND: Final = 10.0
"""Longer, because an RQ worker may be slow between two of them."""


@click.command()
@url_option
@config_option
@click.option(
    "--audit",
    "wants_audit",
    is_flag=True,
    help="Look at all jobs and keys instead: is every job in exactly one place?",
)
@click.option(
    "--mend",
    "mends",
    is_flag=True,
    help="With --audit: put lost jobs back, and list their queues.",
)
@click.option(
    "--pause",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help=f"Between two looks at what seems wrong. [default: {_PAUSE:g}; with --mend "
    f"{_PAUSE_TO_MEND:g}]",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    type=click.Choice(sorted(CHECKS)),
    metavar="CHECK",
    help="Leave out a check, by the name before its findings; may be given several times.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="For programs, as docs/cli.md has it; with --audit one JSON object a finding.",
)
@no_color_option
def doctor(url: str | None, config: str | None, **given: Any) -> int:
    """Say what is wrong with the server, its queues and workers, and what to do about it.

    The exit code is 1 if anything loses or stops jobs; advice alone leaves it 0. With --audit it
    is 1 for any finding, and with --mend for any that is left.
    """
    if given["mends"] and not given["wants_audit"]:
        raise click.UsageError("--mend is for what --audit finds: give both")
    server = server_of(url, read_settings(config))
    if given["wants_audit"]:
        return _audit(server, given)
    return _examine(server, given)


def _examine(server: Server, given: dict[str, Any]) -> int:
    """Judge what the server tells, and print it."""
    try:
        store = Store(client_of(server))
        told = doctor_facts.read(store, default_keys(), local=time.time())
        at, found = told.now, judge(told, given["ignored"])
    except ServerError as error:
        at, found = time.time(), [_unreachable(server, error)]
    wrong = sum(problem.level == "problem" for problem in found)
    if given["as_json"]:
        print_json(
            {
                "at": utc(at),
                "server": server.shown,
                "ok": not wrong,
                "checks": [name for name in CHECKS if name not in given["ignored"]],
                "findings": found,
            }
        )
    else:
        for problem in found:
            _tell(problem)
        where = f"{harmless(server.shown)} ({harmless(server.source)})"
        if not wrong:
            echo(painted("Nothing is wrong.", "good"))
        echo(f"{wrong} wrong, {len(found) - wrong} to know: {where}", err=True)
    return FAILED if wrong else FINE


def _unreachable(server: Server, error: Exception) -> Problem:
    return Problem(
        "server",
        "problem",
        f"the server at {server.shown} can't be used: {error}",
        "nothing can be enqueued or run",
        advice(error) or f"start it, or look at its address ({server.source}) and the network",
    )


def _tell(problem: Problem) -> None:
    is_wrong = problem.level == "problem"
    name = painted(problem.check, "bad" if is_wrong else "warning")
    echo(f"{name}{'' if is_wrong else ' (advice)'}: {harmless(problem.what)}")
    echo(f"    why it matters: {harmless(problem.why)}")
    echo(f"    what to do:     {painted(problem.do, 'strong')}")


def _audit(server: Server, given: dict[str, Any]) -> int:
    """Look at all jobs, print a line for each finding, and mend what can be if that is wanted."""
    store, mends = Store(client_of(server)), given["mends"]
    keys, seconds = default_keys(), given["pause"]
    if seconds is None:
        seconds = _PAUSE_TO_MEND if mends else _PAUSE

    def wait() -> None:
        time.sleep(seconds)

    findings = audit(store, keys, pause=wait)
    mended = mend(store, keys, findings, pause=wait) if mends else []
    for finding in findings:
        is_mended = finding in mended
        if given["as_json"]:
            echo(json.dumps(asdict(finding) | ({"mended": is_mended} if mends else {})))
        else:
            echo(_line(finding) + (" (mended)" if is_mended else ""))
    if not given["as_json"]:
        told = f"{len(findings)} findings" if findings else "Everything is in its place"
        told += f", {len(mended)} mended" if findings and mends else ""
        echo(f"{told}: {server.shown} ({server.source})", err=True)
    return FAILED if len(findings) > len(mended) else FINE


def _line(finding: Finding) -> str:
    """Return *finding* on one line that can do nothing to a terminal.

    >>> from workhorse.store.findings import Kind
    >>> _line(Finding(Kind.LOST, "rq:job:7", "7", "queued, and in no place"))
    'lost: rq:job:7: queued, and in no place'
    """
    of_job = finding.id and not finding.key.endswith(f":{finding.id}")
    key = f"{finding.key} {finding.id}" if of_job else finding.key
    return f"{finding.kind}: {harmless(key)}: {harmless(finding.explanation)}"
