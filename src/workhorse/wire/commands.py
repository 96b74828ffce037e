"""What is published on a worker's channel, as RQ 3.0 writes it. From us all of it is a hint.

Whoever does not hear it loses time and nothing else: what must happen to a job is in its hash.
RQ's client writes nothing there when it stops a job: who hears of that has the hash say it.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, NamedTuple, cast


class Kind(StrEnum):
    """What a worker is told."""

    SHUTDOWN = "shutdown"
    STOP_JOB = "stop-job"
    STOP_EXECUTION = "stop-execution"
    KILL_HORSE = "kill-horse"
    """Kill the process of the job that runs, whichever that is by then."""
    EXTEND = "extend"
    """Ours: extend the leases now, for one of them is lost."""


class Command(NamedTuple):
    """One message, and the worker it is for."""

    worker: str
    kind: Kind
    job_id: str = ""
    execution_id: str = ""


def encode_command(kind: str, **details: object) -> str:
    """Return a message as RQ's workers read it.

    >>> encode_command(Kind.STOP_JOB, job_id="7")
    '{"command": "stop-job", "job_id": "7"}'
    """
    return json.dumps({"command": kind, **details})


def decode_command(worker: str, message: bytes) -> Command | None:
    """Return the command in *message*, None for one that we don't know.

    >>> decode_command("w", b'{"command": "shutdown"}').kind.value
    'shutdown'
    >>> decode_command("w", b"boo")
    """
    try:
        said = json.loads(message)
        kind = Kind(said["command"])
    except (ValueError, TypeError, KeyError):
        return None
    details = cast("dict[str, Any]", said)
    ids = [details.get(name) for name in ("job_id", "execution_id")]
    return Command(worker, kind, *(one if isinstance(one, str) else "" for one in ids))
