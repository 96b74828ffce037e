"""One run, from an empty server to the account."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import redis

from chaos import report
from chaos.account import Account, reckon
from chaos.cable import Cable
from chaos.evidence import Scene
from chaos.plan import QUEUES, Mix, script
from chaos.processes import (
    Held,
    Producers,
    Server,
    Side,
    end,
    wait_for_none_left,
)
from chaos.storm import Storm
from workhorse.wire.keys import Keys

_TICK: Final = 0.02
_LOOK_EVERY: Final = 0.5
_NEARLY: Final = 0.02
"""The storm ends when so much of the jobs is left: what there is to break grows scarce."""
_REGISTRIES: Final = ("finished", "failed")


@dataclass(frozen=True)
class Settings:
    """What a run is like."""

    mix: Mix
    jobs: int
    rate: float
    """Jobs that are enqueued each second."""
    seconds: float = 0.0
    """How long jobs are enqueued, in place of their number."""
    processes: int = 3
    lease: float = 4.0
    gap: float = 1.0
    """Seconds between two faults, on average."""
    faults: int | None = None
    """How many there are; without a number, as many as come while jobs run."""
    patience: float = 60.0
    """Seconds without any progress, after the storm, at which jobs count as stuck."""


@dataclass
class Result:
    """What a run came to."""

    account: Account
    seconds: float
    sent_again: int
    known: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


class Stage:
    """All that a run has started, in a folder of its own. Everything ends with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Not pytest's tmp_path, say: a socket's path may have about 100 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="workhorse-chaos-"))
        self.journal = self.folder / "journal"
        self.journal.mkdir()
        self.gate = threading.Lock()
        self.server = Server(self.folder)
        self._exit = ExitStack()
        cables = [self._cable(name) for name in ("a", "b", "producers")]
        self.sides = tuple(
            Side(name, isolation, settings.processes, settings.lease, cable, self.folder, queues)
            for name, isolation, cable, queues in (
                ("a", "inline", cables[0], QUEUES),
                ("b", "fork", cables[1], QUEUES[::-1]),  # so that no queue waits for the other
            )
        )
        self.producers = Producers(settings.mix, self.folder, cables[2])

    def _cable(self, name: str) -> Cable:
        return self._exit.enter_context(
            Cable(self.server.socket, self.folder / f"{name}.sock", self.gate)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in (*self.producers.processes, *(side.process for side in self.sides)):
            end(process)
        self.server.kill()
        self._exit.close()
        for pid in wait_for_none_left(self.folder, 1):
            Held(pid).send(signal.SIGKILL)
        wait_for_none_left(self.folder, 5)  # what is killed may write a little longer

    def remove(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder)

    def start_server(self) -> None:
        """Start the server, and wait for it."""
        self.server.start()
        while not self.server.answers():
            time.sleep(_TICK)


def run(settings: Settings, stage: Stage) -> Result:
    """Run the jobs through the storm; return what became of them."""
    began = time.monotonic()
    stage.start_server()
    for side in stage.sides:
        side.start()
    jobs = settings.jobs or int(settings.seconds * settings.rate * 2)
    stage.producers.start(jobs, settings.rate)
    planned = islice(script(settings.mix.seed), settings.faults)
    storm = Storm(stage.server, stage.sides, stage.gate, planned, gap=settings.gap)
    try:
        _Watch(settings, stage, storm).through()
    finally:
        storm.close()
    seconds = time.monotonic() - began
    unasked = [*storm.unasked, *_stop(stage)]
    left = [f"process {pid}" for pid in wait_for_none_left(stage.folder, 5)]
    with stage.server.client() as client:
        scene = Scene(stage.folder, client, settings.mix)
        numbers = stage.producers.enqueued()
        evidence = scene.gather(numbers, storm.injected, unasked=unasked, left_over=left)
        account = reckon(evidence)
        known = {one: scene.known(evidence, one) for one in report.told_of(account)}
    text = [f"{line}\n" for one in known for line in ("", one, *known[one])]
    (stage.folder / "known.txt").write_text("".join(text))
    return Result(account, seconds, stage.producers.sent_again(), known)


class _Watch:
    """Looks on from the first job to the last."""

    def __init__(self, settings: Settings, stage: Stage, storm: Storm) -> None:
        self._settings = settings
        self._stage = stage
        self._storm = storm
        self._keys = Keys()
        self._client: Any = stage.server.client()
        self._began = time.monotonic()
        self._left = self._done = 0
        self._shown_at = 0.0

    def through(self) -> None:
        """Return when the storm is over and no job is left, or none of them moves any more."""
        try:
            self._weather()
            self._storm.calm()
            self._drain()
        finally:
            self._client.close()

    def _weather(self) -> None:
        settings, producers = self._settings, self._stage.producers
        longest = 3 * (settings.seconds or settings.jobs / settings.rate) + 60
        looked_at = 0.0
        while True:
            now = time.monotonic()
            self._storm.tick(now)
            if self._storm.is_spent():
                return
            if settings.seconds and now - self._began > settings.seconds:
                producers.tell_to_end()
            if now - looked_at > _LOOK_EVERY:
                looked_at = now
                known = self._look("storm")
                few = known and self._left <= _NEARLY * (self._left + self._done)
                if (few and producers.are_done()) or now - self._began > longest:
                    return
            time.sleep(_TICK)

    def _drain(self) -> None:
        moved_at, last = time.monotonic(), (-1, -1)
        while True:
            now = time.monotonic()
            self._storm.watch(now)
            if self._look("drain") and not self._left and self._stage.producers.are_done():
                return
            if (self._left, self._done) != last:
                moved_at, last = now, (self._left, self._done)
            if now - moved_at > self._settings.patience:
                return
            time.sleep(_TICK * 5)

    def _look(self, what: str) -> bool:
        """See how many jobs are left and how many have ended; False if the server is away."""
        keys, client = self._keys, self._client
        try:
            pipeline = client.pipeline(transaction=False)
            for queue in QUEUES:
                pipeline.llen(keys.queue(queue))
                pipeline.zcard(keys.lease(queue))
                pipeline.zcard(keys.registry("scheduled", queue))
            for name in _REGISTRIES:
                for queue in QUEUES:
                    pipeline.zcard(keys.registry(name, queue))
            counts: list[int] = pipeline.execute()
        except redis.RedisError:
            return False
        live = 3 * len(QUEUES)
        self._left, self._done = sum(counts[:live]), sum(counts[live:])
        self._show(what)
        return True

    def _show(self, what: str) -> None:
        """Replace the line of progress, where somebody looks at it."""
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._shown_at > _LOOK_EVERY:
            self._shown_at = now
            print(
                f"\r\033[K{now - self._began:.0f} s: {what}, {self._done:,} jobs ended, "
                f"{self._left:,} left, {len(self._storm.injected)} faults",
                end="", file=sys.stderr, flush=True,
            )  # fmt: skip


def _stop(stage: Stage) -> list[str]:
    """End the supervisors in order; return what is to be said of those that did not."""
    for side in stage.sides:
        side.send(signal.SIGTERM)
    said: list[str] = []
    until = time.monotonic() + stage.settings.patience
    for side in stage.sides:
        while (code := side.has_ended()) is None and side.process and time.monotonic() < until:
            time.sleep(_TICK)
        if code:
            said.append(f"{side.log.name} ended with {code}")
        elif side.process:
            said.append(f"{side.log.name} did not end")
            end(side.process)
    return said
