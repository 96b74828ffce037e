"""Read-only queries, for people and for the API. Nothing here changes anything, or unpickles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from workhorse.core.errors import DeserializationError
from workhorse.store.calls import Call, command
from workhorse.wire.codec import Hash, date_from_text, int_or_none, text_or_none
from workhorse.wire.keys import Keys
from workhorse.wire.records import JobRecord, decode

T = TypeVar("T")

REGISTRIES: Final = ("finished", "failed", "scheduled", "deferred", "canceled")


def job(keys: Keys, job_id: str) -> Call[JobRecord | None]:
    """Return a job, or None."""

    def parse(reply: Any) -> JobRecord | None:
        fields = _as_hash(reply)
        return decode(job_id, fields) if b"data" in fields else None

    return command("HGETALL", keys.job(job_id), parse=parse)


def job_field(keys: Keys, job_id: str, field: str) -> Call[bytes | None]:
    """Return one field of a job, or None."""
    return command("HGET", keys.job(job_id), field, parse=_bytes_or_none)


def queue_length(keys: Keys, queue: str) -> Call[int]:
    """Return how many jobs wait on *queue*."""
    return command("LLEN", keys.queue(queue), parse=int)


def queue_ids(keys: Keys, queue: str, *, offset: int = 0, length: int = -1) -> Call[list[str]]:
    """Return ids of waiting jobs, next one first; *length* -1 for all."""
    if length == 0:
        offset, last = 1, 0  # nothing: -1 would mean the end
    else:
        last = offset + length - 1 if length > 0 else -1
    return command("LRANGE", keys.queue(queue), offset, last, parse=_texts)


def queue_position(keys: Keys, queue: str, job_id: str) -> Call[int | None]:
    """Return how many jobs are before this one; None if it does not wait. O(position)."""
    return command("LPOS", keys.queue(queue), job_id, parse=_int_or_none)


def registry_count(keys: Keys, registry: str, queue: str) -> Call[int]:
    """Return how many jobs of *queue* are in *registry*, expired entries not yet swept too."""
    return command("ZCARD", keys.registry(registry, queue), parse=int)


def broken_count(keys: Keys, queue: str) -> Call[int]:
    """Return how many jobs of *queue* are set aside because they could not be handled."""
    return command("LLEN", keys.broken(queue), parse=int)


def started_count(keys: Keys, queue: str) -> Call[int]:
    """Return how many jobs of *queue* are held by workers."""
    return command("ZCARD", keys.lease(queue), parse=int)


def queue_names(keys: Keys) -> Call[list[str]]:
    """Return every queue that was ever used, sorted; see ``odd_queues``."""

    def parse(reply: Iterable[bytes]) -> list[str]:
        names = (_queue_name(keys, key) for key in reply)
        return sorted(name for name in names if name)

    return command("SMEMBERS", keys.queues(), parse=parse)


def odd_queues(keys: Keys) -> Call[list[str]]:
    """Return what is among the queues' keys and is none, sorted; it may hold anything."""

    def parse(reply: Iterable[bytes]) -> list[str]:
        return sorted(_texts(key for key in reply if not _queue_name(keys, key)))

    return command("SMEMBERS", keys.queues(), parse=parse)


def _queue_name(keys: Keys, key: bytes) -> str:
    """Return the queue that *key* belongs to, or '' if it is no queue's key."""
    try:
        return keys.queue_name(key.decode())
    except ValueError:
        return ""


def worker_names(keys: Keys, queue: str | None = None) -> Call[list[str]]:
    """Return the workers that registered, sorted; those of *queue* only, where it is given."""

    def parse(reply: Iterable[bytes]) -> list[str]:
        return sorted(keys.worker_name(key) for key in _texts(reply))

    return command("SMEMBERS", keys.workers(queue), parse=parse)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker as it shows itself. Counters are of this process."""

    name: str
    state: str
    queues: tuple[str, ...]
    hostname: str | None
    ip_address: str | None
    pid: int | None
    version: str | None
    python_version: str | None
    birth: datetime | None
    last_heartbeat: datetime | None
    death: datetime | None
    successful_job_count: int
    failed_job_count: int
    total_working_time: float


def worker(keys: Keys, name: str) -> Call[WorkerRecord | None]:
    """Return a worker, or None if it is gone."""

    def parse(reply: Any) -> WorkerRecord | None:
        fields = _as_hash(reply)
        return _worker(name, fields) if fields else None

    return command("HGETALL", keys.worker(name), parse=parse)


def _worker(name: str, fields: Hash) -> WorkerRecord:
    """Return the worker in *fields*; what can't be read of it counts as absent."""
    get = fields.get
    queues = text_or_none(get(b"queues")) or ""
    return WorkerRecord(
        name=name,
        state=text_or_none(get(b"state")) or "?",
        queues=tuple(queues.split(",")) if queues else (),
        hostname=text_or_none(get(b"hostname")),
        ip_address=text_or_none(get(b"ip_address")),
        pid=_lenient(int_or_none, get(b"pid")),
        version=text_or_none(get(b"version")),
        python_version=text_or_none(get(b"python_version")),
        birth=_lenient(date_from_text, get(b"birth")),
        last_heartbeat=_lenient(date_from_text, get(b"last_heartbeat")),
        death=_lenient(date_from_text, get(b"death")),
        successful_job_count=_lenient(int_or_none, get(b"successful_job_count")) or 0,
        failed_job_count=_lenient(int_or_none, get(b"failed_job_count")) or 0,
        total_working_time=_lenient(float, get(b"total_working_time") or b"0") or 0.0,
    )


def _lenient(read: Callable[[bytes], T | None], text: bytes | None) -> T | None:
    try:
        return read(text) if text else None
    except (DeserializationError, ValueError):
        return None


def _as_hash(reply: Any) -> Hash:
    if isinstance(reply, dict):
        return cast("Hash", reply)  # redis-py has read it already
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _texts(reply: Iterable[bytes]) -> list[str]:
    return [word.decode("utf-8", "backslashreplace") for word in reply]


def _bytes_or_none(reply: bytes | None) -> bytes | None:
    return reply


def _int_or_none(reply: int | None) -> int | None:
    return reply
