"""What charts show: how much was where, slot by slot of time. Samples are taken by a duty.

Each queue with a history, and all together, have one string: a record of 40 bytes for each slot
of each span, at a fixed place, so that it never grows. Counters are stored as they stood, modulo
2**32, and rates are made of two records when they are read: so no supervisor need know what the
last one wrote. The server's clock counts, and where nobody took a sample there is a gap.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, cast

from workhorse.store.calls import Arguments, Call, Plan, script
from workhorse.store.jobs import QueueName
from workhorse.wire.keys import Keys

Span = Literal["hour", "day", "fortnight"]


class Slots(NamedTuple):
    """How a span of time is cut: *many* slots of *step* seconds."""

    step: int
    many: int


SPANS: Final[dict[Span, Slots]] = {
    "hour": Slots(10, 360),
    "day": Slots(60, 1440),
    "fortnight": Slots(900, 1344),
}
"""What is kept. Each span but the first sums up the records of the one before."""
QUEUES: Final = 20
"""Queues that have a history of their own: those in which most happens."""
BUDGET: Final = 250
"""Workers and queues that are looked at in one call: some three milliseconds."""
BYTES: Final = 40 * sum(slots.many for slots in SPANS.values())
"""What the history of one queue takes, and so does that of all together."""

_RECORD: Final = struct.Struct("<dIIIIIfIHH")  # as _ring.lua packs it
_UNKNOWN: Final = 0xFFFF_FFFF
_UNKNOWN_FEW: Final = 0xFFFF
_NEAR: Final = 3
"""Slots between two records of which a rate is still made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What happened in a span, a value for each slot; None where it is not known.

    Of a span longer than an hour, amounts are averages over the slot before, and *oldest* is the
    most there was.
    """

    queue: str
    """Empty for all queues together."""
    step: int
    """Seconds between two slots."""
    times: list[float]
    """When each slot begins, in seconds since 1970 by the server's clock, the oldest first."""
    queued: list[float | None]
    oldest: list[float | None]
    """For how many seconds the next job had waited; 0 where none did."""
    enqueued: list[float | None]
    """Jobs a second, as are *succeeded*, *failed* and *retried*."""
    succeeded: list[float | None]
    failed: list[float | None]
    retried: list[float | None]
    busy: list[float | None]
    """Workers that had a job."""
    workers: list[float | None]
    memory: list[float | None]
    """Bytes that the server has in use; only of all queues together."""


class Sampled(NamedTuple):
    """How far a sample is."""

    so_far: bytes
    """What the next call goes on with; empty when the sample is taken, or was by another."""
    next_in: float
    """Seconds until the next slot begins."""


def sample(
    keys: Keys, *, holder: str, so_far: bytes = b"", at: float | None = None
) -> Call[Sampled]:
    """Write the records that are due by the server's clock; each slot is written once.

    Where there are more workers and queues than ``BUDGET`` it takes several calls: each is told
    what the last one returned, and only *holder* goes on. A server that is full keeps none.
    *at* is a moment that counts in place of the server's time, for tests.
    """
    args: Arguments = {
        "at": _moment_text(at),
        "budget": BUDGET,
        "most": QUEUES,
        "so_far": so_far,
        "holder": holder,
        **_SHAPE,
    }

    def parse(reply: list[Any]) -> Sampled:
        return Sampled(bytes(reply[0]), float(reply[1]))

    return script("sample", keys, args, parse=parse)


def history(
    keys: Keys, span: Span, queue: str = "", *, slots: int = 0, at: float | None = None
) -> Plan[Series]:
    """Return what is known of a span, of all queues or of one. One round trip.

    *slots* is how many of the last ones are wanted, if not all.
    """
    (found,) = yield from histories(keys, span, [queue], slots=slots, at=at)
    return found


def histories(
    keys: Keys, span: Span, queues: Sequence[str], *, slots: int = 0, at: float | None = None
) -> Call[list[Series]]:
    """Return what is known of several queues, in the order of *queues*, at the same times."""
    shape = SPANS[span]
    count = min(slots + _NEAR + 1, shape.many) if slots else shape.many
    args: Arguments = {
        "at": _moment_text(at),
        "span": list(SPANS).index(span) + 1,
        "count": count,
        **_SHAPE,
    }

    def parse(reply: list[Any]) -> list[Series]:
        now, *rings = cast("list[bytes]", reply)
        last = int(float(now) // shape.step)
        read = [_records(ring, shape.step, range(last - count + 1, last + 1)) for ring in rings]
        if not any(last in records for records in read):
            last -= 1  # its sample is still to come
        shown = range(last - min(slots or count, count - 1) + 1, last + 1)
        return [
            _series(queue, shape.step, records, shown)
            for queue, records in zip(queues, read, strict=True)
        ]

    return script("history", keys, args, [QueueName(queue) for queue in queues], parse=parse)


class _Record(NamedTuple):
    """One record as it is stored."""

    at: float
    enqueued: int
    succeeded: int
    failed: int
    retried: int
    queued: int
    oldest: float
    memory: int
    busy: int
    workers: int


_SHAPE: Final[dict[str, list[int]]] = {
    "steps": [slots.step for slots in SPANS.values()],
    "sizes": [slots.many for slots in SPANS.values()],
}


def _moment_text(at: float | None) -> str:
    return "" if at is None else f"{at:.6f}"


def _records(ring: bytes, step: int, slots: range) -> dict[int, _Record]:
    """Return the records of *slots*: what is written at their places may be of others."""
    whole = ring.ljust(len(slots) * _RECORD.size, b"\0")[: len(slots) * _RECORD.size]
    found = zip(slots, map(_Record._make, _RECORD.iter_unpack(whole)), strict=True)
    return {slot: record for slot, record in found if record.at // step == slot}


def _series(queue: str, step: int, records: dict[int, _Record], slots: range) -> Series:
    found = [records.get(slot) for slot in slots]
    earlier = [_before(records, slot) for slot in slots]

    def rates(field: str) -> list[float | None]:
        pairs = zip(found, earlier, strict=True)
        return [_rate(record, before, field) for record, before in pairs]

    def amounts(field: str, unknown: int = _UNKNOWN, factor: int = 1) -> list[float | None]:
        values = [None if record is None else getattr(record, field) for record in found]
        return [None if v is None or v in (-1, unknown) else float(v * factor) for v in values]

    return Series(
        queue=queue,
        step=step,
        times=[float(slot * step) for slot in slots],
        queued=amounts("queued"),
        oldest=amounts("oldest"),
        enqueued=rates("enqueued"),
        succeeded=rates("succeeded"),
        failed=rates("failed"),
        retried=rates("retried"),
        busy=amounts("busy", _UNKNOWN_FEW),
        workers=amounts("workers", _UNKNOWN_FEW),
        memory=amounts("memory", factor=1024),
    )


def _before(records: dict[int, _Record], slot: int) -> _Record | None:
    """Return the record before that of *slot*, if it is near enough."""
    near = (records.get(slot - back) for back in range(1, _NEAR + 1))
    return next((record for record in near if record), None)


def _rate(record: _Record | None, before: _Record | None, field: str) -> float | None:
    """Return how often something happened a second; None after a reset, or a clock's jump."""
    if record is None or before is None or record.at <= before.at:
        return None
    happened = (getattr(record, field) - getattr(before, field)) % (_UNKNOWN + 1)
    if happened > _UNKNOWN // 2:  # it went back: the counters were begun anew
        return None
    return float(happened / (record.at - before.at))
