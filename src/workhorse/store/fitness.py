"""Whether a server can be used for jobs, and what of its settings may lose them."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from workhorse.core.errors import ConnectionChoiceError
from workhorse.store.calls import Call, command
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError, is_passing

CLUSTER = (
    "this server is a node of a Cluster (cluster-enabled yes), which this version can't use: "
    "a script of ours reaches keys of several slots. Give a server of its own"
)


class Fitness(NamedTuple):
    """What a server says of itself."""

    refusal: str | None
    """Why it can't be used at all."""
    warnings: tuple[str, ...]


class Memory(NamedTuple):
    """Bytes that a server has in use, and may have; None for no limit, and for what it hides."""

    used: int | None = None
    limit: int | None = None


def memory(store: Store) -> Memory:
    """Return what the server says of its memory; it may forbid that."""
    try:
        return store.run(command("INFO", "memory", parse=_memory))
    except ServerError as error:
        if is_passing(error):
            raise
        return Memory()


def _memory(reply: Any) -> Memory:
    told = cast("dict[str, Any]", reply) if isinstance(reply, dict) else {}
    return Memory(told.get("used_memory"), told.get("maxmemory") or None)


def fitness() -> Call[Fitness]:
    """Read what the server says of itself; it may forbid that."""
    return command("INFO", parse=_judged)


def refuse_unfit(store: Store) -> None:
    """Raise ConnectionChoiceError for a server that can't be used; one that is away may come."""
    try:
        refusal = store.run(fitness()).refusal
    except ServerError:  # away, or it does not tell
        return
    if refusal:
        raise ConnectionChoiceError(refusal)


def warnings(store: Store) -> tuple[str, ...]:
    """Return what is wrong with the server's settings, a line for each thing."""
    try:
        found = store.run(fitness())
    except ServerError as error:
        if is_passing(error):
            raise
        return (f"the server's settings can't be checked, which costs nothing else: {error}",)
    return (*([found.refusal] if found.refusal else ()), *found.warnings)


def _judged(reply: Any) -> Fitness:
    """Judge the answer to INFO: a mapping where redis-py has read it, as it does.

    >>> _judged({"cluster_enabled": 0, "maxmemory": 0, "maxmemory_policy": "allkeys-lru"})
    Fitness(refusal=None, warnings=())
    >>> _judged({"maxmemory": 100, "maxmemory_policy": "allkeys-lru"}).warnings[0][:46]
    'JOBS MAY BE LOST: a full server drops any key '
    """
    told = cast("dict[str, Any]", reply) if isinstance(reply, dict) else {}
    found: list[str] = []
    policy = str(told.get("maxmemory_policy", ""))
    if told.get("maxmemory") and policy.startswith("allkeys"):
        found.append(
            f"JOBS MAY BE LOST: a full server drops any key (maxmemory-policy {policy}), jobs "
            "among them. Set maxmemory-policy noeviction"
        )
    elif told.get("maxmemory") and policy.startswith("volatile"):
        found.append(
            f"a full server drops keys that expire (maxmemory-policy {policy}): results, and "
            "jobs with a ttl. Set maxmemory-policy noeviction"
        )
    if told.get("role") == "slave":
        found.append("this server is a replica: nothing can be enqueued or run before it leads")
    return Fitness(CLUSTER if told.get("cluster_enabled") else None, tuple(found))
