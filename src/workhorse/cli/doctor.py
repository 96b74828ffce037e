"""``workhorse doctor``: says what is not as it should be. Reads only."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.options import choose, url_option
from workhorse.store.audit import audit
from workhorse.store.connections import connect, redacted
from workhorse.store.drivers import Store
from workhorse.store.findings import Finding
from workhorse.worker.logs import harmless

_PAUSE: Final = 0.5
"""Seconds between the two looks at what seems wrong: RQ moves a job in several steps."""


@click.command()
@url_option
@click.option(
    "--audit",
    "wants_audit",
    is_flag=True,
    help="Look at all jobs and keys: is every job in exactly one place?",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")
def doctor(url: str | None, *, wants_audit: bool, as_json: bool) -> int:
    """Say what is not as it should be: a line for each, and exit code 1 if there is any."""
    if not wants_audit:
        raise click.UsageError("say what to look at: --audit")
    choice = choose(url)
    store = Store(connect(choice.url))
    findings = audit(store, default_keys(), pause=lambda: time.sleep(_PAUSE))
    for finding in findings:
        click.echo(json.dumps(asdict(finding)) if as_json else _line(finding))
    if not as_json:
        told = f"{len(findings)} findings" if findings else "Everything is in its place"
        click.echo(f"{told}: {redacted(choice.url)} ({choice.source})", err=True)
    return 1 if findings else 0


def _line(finding: Finding) -> str:
    """Return *finding* on one line that can do nothing to a terminal.

    >>> from workhorse.store.findings import Kind
    >>> _line(Finding(Kind.LOST, "rq:job:7", "7", "queued, and in no place"))
    'lost: rq:job:7: queued, and in no place'
    """
    of_job = finding.id and not finding.key.endswith(f":{finding.id}")
    key = f"{finding.key} {finding.id}" if of_job else finding.key
    return f"{finding.kind}: {harmless(key)}: {harmless(finding.explanation)}"
