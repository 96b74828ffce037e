"""Calls on a pipeline of the user's: they are sent when it is executed, with all else on it.

Inside a transaction they apply with it or not at all. Each script travels in full once, because
a transaction must not fail half-way over one that the server does not know; its later calls on the
same pipeline name it by its digest.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from workhorse.core.errors import InvalidOptionError, UnsupportedOptionError
from workhorse.store.calls import Call

_sent: Final[WeakKeyDictionary[Any, tuple[Any, set[Any]]]] = WeakKeyDictionary()
"""For each pipeline the commands it holds, and the scripts that are among them in full."""


def put_on(pipeline: Any, calls: Sequence[Call[Any]]) -> None:
    """Add *calls* to *pipeline*, for its owner to execute, and to read the replies of.

    Raises InvalidOptionError for what is no pipeline, or would send them at once.
    """
    check_pipeline(pipeline)
    scripts = _scripts_on(pipeline)
    for call in calls:
        sha = None if call.source is None else call.words[1]
        is_known = sha is None or sha in scripts
        pipeline.execute_command(*(call.words if is_known else call.words_with_source))
        if sha is not None:
            scripts.add(sha)


def check_pipeline(pipeline: Any) -> None:
    """Raise an error of ours for what calls can't be put on."""
    kinds = {kind.__name__ for kind in type(pipeline).__mro__}
    if kinds & {"ClusterPipeline"}:
        raise UnsupportedOptionError(
            f"pipeline={pipeline!r}: one of a cluster can't carry scripts; nothing was done"
        )
    if not callable(getattr(pipeline, "execute_command", None)) or "Pipeline" not in kinds:
        raise InvalidOptionError(
            f"pipeline={pipeline!r}: give one of a client, as in client.pipeline()"
        )
    if inspect.iscoroutinefunction(pipeline.execute):
        raise UnsupportedOptionError(
            f"pipeline={pipeline!r}: one for asyncio can't be used here; nothing was done"
        )
    if getattr(pipeline, "watching", False) and not getattr(
        pipeline, "explicit_transaction", False
    ):
        raise InvalidOptionError(
            "the pipeline watches keys, and would send this at once: call its multi() first"
        )


def _scripts_on(pipeline: Any) -> set[Any]:
    """Return the digests of the scripts that *pipeline* holds in full; `reset` empties it."""
    stack = getattr(pipeline, "command_stack", None)
    known = _sent.get(pipeline)
    if stack is None or known is None or known[0] is not stack or not stack:
        known = _sent[pipeline] = (stack, set())
    return known[1]
