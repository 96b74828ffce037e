"""What a background task is, and when it is due."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from workhorse.store.faults import ServerError
from workhorse.worker.logs import say
from workhorse.worker.patience import can_wait, tell, tell_bug


@dataclass(frozen=True, slots=True)
class Report:
    """What a duty did: one line for each thing an operator wants to know, and how much in all."""

    done: int = 0
    lines: tuple[str, ...] = ()
    again_in: float | None = None
    """Seconds until it is to run again, to the moment; None for the usual time."""


class Duty(Protocol):
    """A background task that anybody may run at any time, also several at once."""

    @property
    def name(self) -> str:
        """Its verb."""
        ...

    @property
    def every(self) -> float:
        """Seconds between two runs."""
        ...

    def run_once(self, now: float) -> Report:
        """Do what is due. Raises what the store raises; nothing is then half done."""
        ...


class Timetable:
    """Knows which duties are due. *now* is of any steady clock."""

    def __init__(self, duties: Sequence[Duty], *, now: float) -> None:
        self._due_at = dict.fromkeys(duties, now)
        self._awaited: dict[Duty, float] = {}

    def due(self, now: float) -> list[Duty]:
        """Return the duties whose time has come, and set their next one."""
        due = [duty for duty, at in self._due_at.items() if at <= now]
        for duty in due:
            self._due_at[duty] = now + duty.every
            self._awaited.pop(duty, None)
        return due

    def next_in(self, now: float) -> float:
        """Return the seconds until the next duty is due; 0 where one is."""
        return max(0.0, min(self._due_at.values()) - now)

    def awaited_in(self, now: float) -> float:
        """Return the seconds until a duty has to run to the moment; infinity for none."""
        return max(0.0, min(self._awaited.values(), default=math.inf) - now)

    def run_due(self, now: float, *, kept_until: float) -> None:
        """Run what is due and log what each tells. Raises the ServerError of one that is away.

        None is begun after *kept_until*: we stood still then, and what we hold ourselves must be
        extended before anybody, we too, may recover it.
        """
        for duty in self.due(now):
            if time.monotonic() > kept_until:
                return
            try:
                report = duty.run_once(now)
                for line in report.lines:
                    say(duty.name, line, level=logging.WARNING)
                if report.again_in is not None:
                    self._await(duty, now + report.again_in)
            except ServerError as error:
                if can_wait(error):
                    raise
                self.postpone(duty, now + tell(error, 0))
            except Exception as error:  # noqa: BLE001 - whatever it met there: the others go on
                self.postpone(duty, now + tell_bug(duty.name, error))

    def _await(self, duty: Duty, moment: float) -> None:
        self._due_at[duty] = self._awaited[duty] = moment

    def postpone(self, duty: Duty, until: float) -> None:
        """Have *duty* run no sooner than at *until*."""
        self._due_at[duty] = until
