"""What a run left behind, read: the server's data, the jobs' journals, the supervisors' logs."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from chaos import journal
from chaos.account import Evidence, Fate
from chaos.plan import Mix
from chaos.storm import Injected
from workhorse.core.states import State
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

_SLICE: Final = 1000
_SHOWN: Final = 200
_LINES: Final = 10
_BROKE: Final = re.compile(r"worker \S+ (broke|can't go on).*(\n    .*)*")


@dataclass(frozen=True)
class Scene:
    """A folder and a server, on which nothing happens any more."""

    folder: Path
    client: redis.Redis
    mix: Mix

    def gather(
        self,
        numbers: Iterable[int],
        injected: list[Injected],
        *,
        unasked: list[str],
        left_over: list[str],
    ) -> Evidence:
        """Return all that is known of the jobs with these *numbers*, and of the rest."""
        specs = {self.mix.job_id(number): self.mix.spec(number) for number in numbers}
        return Evidence(
            specs=specs,
            fates=self._fates(specs),
            runs=journal.read(self.folder / "journal"),
            injected=injected,
            findings=audit(Store(self.client), Keys()),
            unasked=unasked,
            broke=self._broken_workers(),
            left_over=left_over,
        )

    def known(self, evidence: Evidence, job_id: str) -> list[str]:
        """Return all that is known of a job: its hash, its runs, what supervisors said of it."""
        if job_id not in evidence.specs:
            return []
        client: Any = self.client
        fields = client.hgetall(Keys().job(job_id)).items()
        lines = [str(evidence.specs[job_id])]
        lines += [f"{name.decode()}: {value[:_SHOWN]!r}" for name, value in fields]
        for run in evidence.runs.get(job_id, ()):
            hits = [str(fault) for fault in evidence.injected if run.lease in fault.leases]
            lines += [str(run), *(f"    {hit}" for hit in hits)]
        named = re.compile(rf"{re.escape(job_id)}(?!\d)")
        for log in self._logs():
            said = [line for line in _text(log).splitlines() if named.search(line)]
            lines += [f"{log.name}: {line}" for line in said[:_LINES]]
        return lines

    def _fates(self, ids: Iterable[str]) -> dict[str, Fate]:
        client: Any = self.client
        keys, every = Keys(), list(ids)
        fates: dict[str, Fate] = {}
        for start in range(0, len(every), _SLICE):
            some = every[start : start + _SLICE]
            pipeline = client.pipeline(transaction=False)
            for one in some:
                pipeline.hmget(keys.job(one), "status", "result", "execution_id")
            for one, (status, result, execution) in zip(some, pipeline.execute(), strict=True):
                state = State(status.decode()) if status else None
                error = self._error(one) if state is State.FAILED else ""
                value = pickle.loads(result) if result else None
                fates[one] = Fate(state, value, error, (execution or b"").decode())
        return fates

    def _error(self, job_id: str) -> str:
        """Return the error of a job's last run."""
        client: Any = self.client
        entries = client.xrevrange(Keys().results(job_id), count=1)
        return entries[0][1].get(b"exc_string", b"").decode(errors="replace") if entries else ""

    def _broken_workers(self) -> list[str]:
        """Return what supervisors say of workers that ended by an error of our own."""
        return [
            f"{log.name}: {found[0]}"
            for log in self._logs()
            for found in _BROKE.finditer(_text(log))
        ]

    def _logs(self) -> list[Path]:
        return sorted(self.folder.glob("supervisor-*.log"))


def _text(log: Path) -> str:
    return log.read_text(errors="replace")
