"""Row 76 of the fault matrix: systemd is told when a worker is ready, stops, or hangs."""

from __future__ import annotations

import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import Life
from tests.support.proxy import Fault, Rule
from tests.support.waiting import wait_until
from workhorse.worker.notify import ServiceManager

BEAT = 0.1
"""Seconds between two signs of life."""


class Listening:
    """The socket of a service manager, and all that it was sent."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0)
        self._lines: list[str] = []

    @property
    def lines(self) -> list[str]:
        while True:
            try:
                self._lines += self._socket.recv(1 << 16).decode().splitlines()
            except BlockingIOError:
                return self._lines

    @property
    def beats(self) -> int:
        return self.lines.count("WATCHDOG=1")

    @property
    def turns(self) -> list[str]:
        return [line for line in self.lines if line in {"READY=1", "STOPPING=1"}]

    @property
    def environment(self) -> dict[str, str]:
        """What it tells a service that it starts."""
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": f"{2_000_000 * BEAT:.0f}"}

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Listening]:
    listening = Listening(str(tmp_path / "notify"))
    yield listening
    listening.close()


def test_fault_76_a_worker_is_ready_once_its_processes_run_and_its_server_answers(
    life: Life, manager: Listening
) -> None:
    life.proxy.partition()
    supervisor = life.start(2, url=f"{life.proxy.url}?socket_timeout=0.3",
                            environment=manager.environment)  # fmt: skip
    wait_until(lambda: manager.beats > 3)
    assert manager.turns == []
    life.proxy.heal()
    wait_until(lambda: manager.turns)
    assert manager.turns == ["READY=1"]
    assert len(supervisor.workers) == 2
    life.enqueue("linger", "job", 1.5)
    wait_until(lambda: "STATUS=2 workers, 1 busy" in manager.lines)
    assert supervisor.stop() == 0
    assert manager.turns == ["READY=1", "STOPPING=1"]
    assert life.state("job") == "finished"


def test_fault_76_a_worker_that_hangs_gives_no_sign_of_life(
    life: Life, manager: Listening
) -> None:
    supervisor = life.start(environment=manager.environment)
    wait_until(lambda: manager.turns)
    began, before = time.monotonic(), manager.beats
    wait_until(lambda: manager.beats >= before + 5)
    assert time.monotonic() - began > 3 * BEAT
    life.proxy.add(Rule(Fault.HANG, where=life.is_supervisor)).wait()
    wait_until(lambda: _is_silent(manager, 5 * BEAT), within=5)
    supervisor.send(signal.SIGKILL)


def _is_silent(manager: Listening, seconds: float) -> bool:
    before = manager.beats
    time.sleep(seconds)
    return manager.beats == before


def test_fault_76_a_job_is_not_told_of_the_manager(life: Life, manager: Listening) -> None:
    life.enqueue("environment", "job", "NOTIFY_SOCKET", "WATCHDOG_USEC")
    life.drain(environment=manager.environment)
    assert life.value("job") == [None, None]


def test_fault_76_a_worker_whose_manager_went_away_works_on(
    life: Life, manager: Listening
) -> None:
    manager.close()
    life.enqueue("work", "job")
    life.drain(environment=manager.environment)
    assert life.state("job") == "finished"


@pytest.mark.parametrize(("pid", "beats"), [(os.getpid(), True), (1, False)])
def test_fault_76_signs_of_life_are_asked_of_one_process(
    manager: Listening, pid: int, *, beats: bool
) -> None:
    told = ServiceManager({**manager.environment, "WATCHDOG_PID": str(pid)})
    told.tell(0.0, "working", is_ready=True)
    told.tell(BEAT / 2, "working", is_ready=True)
    told.tell(BEAT * 1.1, "working", is_ready=True)
    assert manager.lines.count("READY=1") == 1
    assert manager.beats == (2 if beats else 0)


def test_fault_76_a_manager_may_listen_without_a_file() -> None:
    manager = Listening(f"@{uuid.uuid4().hex}")
    ServiceManager(manager.environment).tell(0.0, "working", is_ready=True)
    assert manager.turns == ["READY=1"]
    manager.close()


def test_fault_76_what_was_not_taken_is_said_again(manager: Listening) -> None:
    told = ServiceManager(manager.environment)
    told._address += "-elsewhere"  # noqa: SLF001
    told.tell(0.0, "working", is_ready=True)
    told._address = told._address.removesuffix("-elsewhere")  # noqa: SLF001
    told.tell(0.1, "working", is_ready=True)
    told.tell(0.2, "working", is_ready=True)
    assert manager.turns == ["READY=1"]


def test_fault_76_without_a_manager_nothing_is_said() -> None:
    told = ServiceManager({})
    assert not told.listens
    told.tell(0.0, "working", is_ready=True, is_stopping=True)
