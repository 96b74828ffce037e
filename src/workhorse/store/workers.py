"""Who works: how a worker shows itself, and how it waits for jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from workhorse.store.calls import Arguments, Call, as_it_is, command, script
from workhorse.store.jobs import QueueName
from workhorse.wire.codec import Value, text_or_none
from workhorse.wire.keys import Keys

SLICE: Final = 20
"""Names of each list that ``sweep_workers`` looks at in one call."""


def register(
    keys: Keys, worker: str, queues: Sequence[str], fields: Sequence[Value], *, ttl: int
) -> Call[bool]:
    """Show *worker* for *ttl* more seconds; True if it was not known."""
    args: Arguments = {"worker": worker, "ttl": ttl, "fields": list(fields)}
    return script("register", keys, args, [QueueName(name) for name in queues], parse=bool)


def deregister(keys: Keys, worker: str, queues: Sequence[str]) -> Call[None]:
    """Take *worker* off the list."""
    items = [QueueName(name) for name in queues]
    return script("deregister", keys, {"worker": worker}, items, parse=as_it_is)


def sweep_workers(keys: Keys, queues: Iterable[str]) -> Call[int]:
    """Take workers that are gone off the lists, some in each call; return how many names.

    One that lives is never taken off, whenever it registers.
    """
    items = [QueueName(name) for name in queues]
    return script("sweep_workers", keys, {"limit": SLICE}, items, parse=int)


def describe_worker(  # noqa: PLR0913 - one for each field
    *,
    queues: Iterable[str],
    pid: int,
    hostname: str,
    ip_address: str,
    version: str,
    python_version: str,
    state: str,
) -> list[Value]:
    """Return what a worker says of itself, flat, as RQ's monitors read it.

    ``software`` is ours: no worker of RQ has it.
    """
    return [
        "queues", ",".join(queues), "pid", pid, "hostname", hostname, "ip_address", ip_address,
        "version", version, "python_version", python_version, "state", state,
        "software", "workhorse",
    ]  # fmt: skip


def tell(keys: Keys, worker: str, message: str) -> Call[int]:
    """Publish *message* on the channel of *worker*; return how many heard it."""
    return command("PUBLISH", keys.channel(worker), message, parse=int)


def worker_of(keys: Keys, job_id: str, execution_id: str) -> Call[str | None]:
    """Return the worker that shows this execution as its own; None where nobody does."""
    key = keys.execution(job_id, execution_id)
    return command("HGET", key, "worker_name", parse=text_or_none)


def await_bell(keys: Keys, queues: Sequence[str], *, seconds: float) -> Call[bool]:
    """Wait until a queue's bell rings, *seconds* at most; True if it rang.

    The token carries nothing: a lost one costs a moment, never a job.
    """
    bells = [keys.bell(name) for name in queues]
    return command("BLPOP", *bells, seconds, parse=bool)


def remove_bells(keys: Keys, queues: Sequence[str]) -> Call[int]:
    """Remove the bells of *queues*: tokens, or whatever else has their names."""
    return command("DEL", *(keys.bell(name) for name in queues), parse=int)


def await_end(keys: Keys, job_id: str, *, seconds: float) -> Call[bool]:
    """Wait for the token that ``jobs.wait`` asked for, *seconds* at most; True if it came."""
    return command("BLPOP", keys.ended(job_id), seconds, parse=bool)
