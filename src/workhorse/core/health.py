"""Whether a supervisor is well: what it says of itself, and what follows from that. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

STANDS_STILL: Final = 30.0
"""Seconds without a turn of its loop after which a supervisor counts as stuck: half a lease."""


class Pulse(NamedTuple):
    """What a supervisor says of itself, once in each turn of its loop."""

    beat_at: float = 0.0
    """When it did so, by the machine's steady clock."""
    wanted: int = 0
    """Worker processes it is to run."""
    running: int = 0
    busy: int = 0
    is_heard: bool = False
    """Whether the server answered when it was asked last."""
    is_shown: bool = False
    """Whether its workers are registered there."""
    is_stopping: bool = False


def why_dead(pulse: Pulse, now: float) -> list[str]:
    """Return why it should be started anew; nothing where it lives.

    >>> why_dead(Pulse(beat_at=100.0), 140.0)
    ['its loop has stood still for 40 seconds']
    """
    still = now - pulse.beat_at
    return [f"its loop has stood still for {still:.0f} seconds"] if still > STANDS_STILL else []


def why_not_ready(pulse: Pulse, now: float) -> list[str]:
    """Return why it can't run jobs now; nothing where it can.

    >>> why_not_ready(Pulse(100.0, 2, 2, 0, True, True), 100.5)
    []
    """
    reasons = why_dead(pulse, now)
    if pulse.is_stopping:
        reasons.append("it is stopping")
    if not pulse.is_heard:
        reasons.append("the server does not answer")
    elif not pulse.is_shown:
        reasons.append("its workers are not registered yet")
    if not pulse.running:
        reasons.append(f"none of its {pulse.wanted} workers runs")
    return reasons
