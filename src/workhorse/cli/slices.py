"""Something done to many jobs, slice by slice: how far it is, is shown where somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from workhorse.cli.output import number_of
from workhorse.store.bulk import Part, Where
from workhorse.store.calls import Plan
from workhorse.store.drivers import Store

_ERASE = "\r\x1b[K"


def run_slices(store: Store, change: Callable[[Where], Plan[Part]], where: Where) -> int:
    """Do *change* to all jobs of *where*; return to how many it was done.

    On a terminal, standard error tells how far it is. Interrupted, what was done stays done.
    """
    looks = sys.stderr.isatty()
    done, rest = 0, where
    try:
        while True:
            part = store.run(change(rest))
            done += part.done
            if part.rest is None:
                return done
            rest = part.rest
            if looks:
                told = f"{_ERASE}{number_of(part.looked_at)} of {number_of(part.total)} ..."
                click.echo(told, nl=False, err=True)
    finally:
        if looks:
            click.echo(_ERASE, nl=False, err=True)
