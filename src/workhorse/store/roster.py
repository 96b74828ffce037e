"""Workers as people look at them: what each says of itself, and what it holds. Reads only.

A page costs what it shows, whatever a worker, or somebody else, wrote there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from workhorse.store.calls import Arguments, Call, script
from workhorse.store.executions import Held
from workhorse.store.pages import LONGEST, lenient, shown
from workhorse.wire.codec import date_from_text, int_or_none
from workhorse.wire.keys import Keys

MOST: Final = 200
"""Workers of one call."""
HELD: Final = 20
"""Jobs of a worker that are named."""

_FIELDS: Final = (
    "state", "queues", "hostname", "ip_address", "pid", "version", "python_version", "birth",
    "last_heartbeat", "death", "successful_job_count", "failed_job_count", "total_working_time",
    "software", "shutdown_requested_date",
)  # fmt: skip
_NUMBERED: Final = re.compile(r"(.+)-\d{1,4}")


class _Name(NamedTuple):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker in a list. What is missing, or can't be read, is None or empty."""

    name: str
    state: str
    queues: tuple[str, ...]
    hostname: str
    address: str
    pid: int | None
    version: str
    python: str
    born_at: datetime | None
    seen_at: datetime | None
    """Its last sign of life."""
    succeeded: int
    failed: int
    """Runs of this process that ended, as the worker, or its settlements, count them."""
    working_time: float | None
    """Seconds that its runs took; None where nobody counts them."""
    is_ours: bool
    """False for RQ's workers."""
    is_asked_to_end: bool
    """Told to shut down, as far as it says so: RQ's do."""
    holds: int
    """How many jobs it runs, or will run next."""
    held: tuple[Held, ...]
    """Some of them, the first that it took first."""

    @property
    def supervisor(self) -> str:
        """What the names of a supervisor's workers begin with; its own name for one alone.

        >>> _row("web1.7.af03-2", [b""] * 15 + [0]).supervisor
        'web1.7.af03'
        """
        found = _NUMBERED.fullmatch(self.name)
        return found[1] if found else self.name


def roster(keys: Keys, names: Sequence[str]) -> Call[list[WorkerRow]]:
    """Return a row for each worker that is there, in the order of *names*, ``MOST`` at most."""
    chosen = names[:MOST]

    def parse(reply: list[Any]) -> list[WorkerRow]:
        rows = zip(chosen, reply, strict=True)
        return [_row(name, row) for name, row in rows if any(row[: len(_FIELDS)]) and not row[9]]

    args: Arguments = {"longest": LONGEST, "most": HELD, "fields": _FIELDS}
    return script("roster", keys, args, [_Name(name) for name in chosen], parse=parse)


def _row(name: str, row: list[Any]) -> WorkerRow:
    told: dict[str, bytes] = dict(zip(_FIELDS, row, strict=False))
    holds, *held = row[len(_FIELDS) :]
    queues = shown(told["queues"])
    return WorkerRow(
        name=name,
        state=shown(told["state"]),
        queues=tuple(queues.split(",")) if queues else (),
        hostname=shown(told["hostname"]),
        address=shown(told["ip_address"]),
        pid=lenient(int_or_none, told["pid"]),
        version=shown(told["version"]),
        python=shown(told["python_version"]),
        born_at=lenient(date_from_text, told["birth"]),
        seen_at=lenient(date_from_text, told["last_heartbeat"]),
        succeeded=lenient(int_or_none, told["successful_job_count"]) or 0,
        failed=lenient(int_or_none, told["failed_job_count"]) or 0,
        working_time=lenient(float, told["total_working_time"]),
        is_ours=told["software"] == b"workhorse",
        is_asked_to_end=bool(told["shutdown_requested_date"]),
        holds=int(holds),
        held=tuple(
            Held(shown(job_id), shown(execution))
            for job_id, execution in zip(held[::2], held[1::2], strict=True)
        ),
    )
