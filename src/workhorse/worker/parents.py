"""What the parents of a job returned, for those of its parameters that are to get it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from workhorse.core.errors import ParentResultError
from workhorse.core.states import State
from workhorse.store import dependents, results, views
from workhorse.store.connections import that_tries_again
from workhorse.store.drivers import Client, Store
from workhorse.wire.entries import ResultRecord, ResultType
from workhorse.wire.payload import load
from workhorse.worker.runner import Running

Wanted = Mapping[str, str | tuple[str, ...]]
_ENDED_WITHOUT: Final = (State.FAILED, State.STOPPED, State.CANCELED)
_last: dict[int, tuple[Callable[[], Client], Store]] = {}


def values_for(running: Running) -> dict[str, Any]:
    """Return the keyword arguments that are results of parents; asks the server.

    None for a parent that failed, was stopped or canceled. Raises ParentResultError for one
    whose result is gone, unless the job is to run whatever became of its parents.
    """
    extras = running.job.extras
    wanted: Wanted = extras.parent_results if extras else {}
    ids = {
        each for told in wanted.values() for each in ([told] if isinstance(told, str) else told)
    }
    found = {each: _value(running, each, wanted) for each in ids}
    return {
        name: found[told] if isinstance(told, str) else [found[each] for each in told]
        for name, told in wanted.items()
    }


def _value(running: Running, parent: str, wanted: Wanted) -> Any:
    store, keys = _store(running), running.keys
    run = _success(store.run(results.runs(keys, parent)))
    if run is not None:
        value = run.value
        what = f"what the parent {parent} returned"
        return None if value is None else load(value, running.serializer, what)
    state = store.run(dependents.state(keys, parent))
    if state in _ENDED_WITHOUT or _runs_anyway(running):
        return None
    name = next(name for name, told in wanted.items() if parent == told or parent in told)
    how = "is gone" if state is None else f"is {state} again, and its earlier result is gone"
    raise ParentResultError(
        f"the parameter {name!r} of job {running.job.job_id} is to get what job {parent} "
        f"returned, which {how}: deleted, or kept for a shorter time than the job waited. Give "
        "the parent a longer result_ttl"
    )


def _success(runs: list[ResultRecord]) -> ResultRecord | None:
    return next((run for run in runs if run.type is ResultType.SUCCESSFUL), None)


def _runs_anyway(running: Running) -> bool:
    record = _store(running).run(views.job(running.keys, running.job.job_id))
    return record is not None and record.parents.on_failure == "run"


def _store(running: Running) -> Store:
    """Return a connection for this, one a process."""
    pid = os.getpid()
    last = _last.get(pid)
    if last is None or last[0] != running.connect:
        _last.clear()
        last = _last[pid] = (running.connect, Store(that_tries_again(running.connect())))
    return last[1]
