"""``workhorse doctor``: says what is not as it should be. Reads only, unless told to mend."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.options import choose, url_option
from workhorse.core.harmless import harmless
from workhorse.store.audit import audit
from workhorse.store.connections import connect, redacted
from workhorse.store.drivers import Store
from workhorse.store.findings import Finding
from workhorse.store.reconcile import mend

_PAUSE: Final = 0.5
"""Seconds between the two looks at what seems wrong: RQ moves a job in several steps."""
_PAUSE_TO_MEND: Final = 10.0
"""Longer, because an RQ worker may be slow between two of them."""


@click.command()
@url_option
@click.option(
    "--audit",
    "wants_audit",
    is_flag=True,
    help="Look at all jobs and keys: is every job in exactly one place?",
)
@click.option("--mend", "mends", is_flag=True, help="Put lost jobs back, and list their queues.")
@click.option(
    "--pause",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help=f"Between two looks at what seems wrong. [default: {_PAUSE:g}; with --mend "
    f"{_PAUSE_TO_MEND:g}]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding.")
def doctor(
    url: str | None, *, wants_audit: bool, mends: bool, pause: float | None, as_json: bool
) -> int:
    """Say what is not as it should be: a line for each, and exit code 1 if there is any.

    With --mend what can be mended is; the exit code is 1 if anything is left.
    """
    if not wants_audit:
        raise click.UsageError("say what to look at: --audit")
    choice = choose(url)
    store = Store(connect(choice.url))
    keys, seconds = default_keys(), pause
    if seconds is None:
        seconds = _PAUSE_TO_MEND if mends else _PAUSE

    def wait() -> None:
        time.sleep(seconds)

    findings = audit(store, keys, pause=wait)
    mended = mend(store, keys, findings, pause=wait) if mends else []
    for finding in findings:
        is_mended = finding in mended
        if as_json:
            click.echo(json.dumps(asdict(finding) | ({"mended": is_mended} if mends else {})))
        else:
            click.echo(_line(finding) + (" (mended)" if is_mended else ""))
    if not as_json:
        told = f"{len(findings)} findings" if findings else "Everything is in its place"
        told += f", {len(mended)} mended" if findings and mends else ""
        click.echo(f"{told}: {redacted(choice.url)} ({choice.source})", err=True)
    return 1 if len(findings) > len(mended) else 0


def _line(finding: Finding) -> str:
    """Return *finding* on one line that can do nothing to a terminal.

    >>> from workhorse.store.findings import Kind
    >>> _line(Finding(Kind.LOST, "rq:job:7", "7", "queued, and in no place"))
    'lost: rq:job:7: queued, and in no place'
    """
    of_job = finding.id and not finding.key.endswith(f":{finding.id}")
    key = f"{finding.key} {finding.id}" if of_job else finding.key
    return f"{finding.kind}: {harmless(key)}: {harmless(finding.explanation)}"
