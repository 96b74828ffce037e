"""How workers start, end, wait, survive their server, and tell what they do.

How they are stopped is in `tests/fault/test_shutdown.py`.
"""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import fleet as fleets
from tests.support import servers
from tests.support.fleet import Fleet
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse.store import jobs
from workhorse.store.server import server_binary

ISOLATIONS = ("inline", "fork")


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


# Ending by themselves


def test_a_burst_ends_when_the_queue_is_empty(fleet: Fleet) -> None:
    ids = fleet.enqueue_many([("nothing",)] * 300)
    fleet.drain(2)
    assert {fleet.state(job_id) for job_id in ids} == {"finished"}


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_worker_ends_after_max_jobs(fleet: Fleet, isolation: str) -> None:
    fleet.enqueue_many([fleet.note(str(number)) for number in range(20)])
    assert fleet.start(max_jobs=7, isolation=isolation).end() == 0
    assert fleet.noted == [str(number) for number in range(7)]
    assert len(fleet.queued()) == 13


def test_max_jobs_counts_those_that_took_a_worker_down(fleet: Fleet) -> None:
    crash = ("leave", str(fleet.journal), 1)
    fleet.enqueue_many([crash, *(fleet.note(str(number)) for number in range(9))])
    assert fleet.start(max_jobs=5).end() == 0
    assert fleet.noted == ["left", "left", "left", "0", "1"]


# Canceled and deleted while running


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_a_job_that_is_canceled_or_deleted_is_ended(
    fleet: Fleet, how: str, isolation: str
) -> None:
    job_id = fleet.enqueue("eat_everything", str(fleet.journal), 60)
    supervisor = fleet.start(isolation=isolation, lease=2)
    wait_until(lambda: fleet.noted == ["began"])
    if how == "cancel":
        fleet.store.run(jobs.cancel(fleets.KEYS, job_id))
    else:
        fleet.store.run(jobs.delete(fleets.KEYS, [job_id]))
    after = fleet.enqueue(*fleet.note("next"))
    fleet.wait_for(after, "finished")
    assert fleet.noted == ["began", "next"]
    assert fleet.state(job_id) == ("canceled" if how == "cancel" else None)
    assert supervisor.stop() == 0


# The server


class Restartable:
    """A server that keeps its data, and is away between ``stop`` and ``start``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self.socket = self.start().socket

    def start(self) -> RunningServer:
        made = servers.started("kept", server_binary(), self._folder, "--appendonly", "yes")
        return self._running.enter_context(made)

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def kept() -> Iterator[Restartable]:
    with tempfile.TemporaryDirectory(prefix="workhorse-test-") as folder:
        server = Restartable(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def kept_fleet(kept: Restartable) -> Iterator[Fleet]:
    yield from fleets.of_server(kept.socket)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_idle_workers_survive_a_restart_of_the_server(
    kept: Restartable, kept_fleet: Fleet, isolation: str
) -> None:
    supervisor = kept_fleet.start_and_wait(2, isolation=isolation)
    workers = supervisor.workers
    kept.stop()
    wait_until(lambda: "does not answer" in supervisor.log)
    kept.start()
    job_id = kept_fleet.enqueue("nothing")
    kept_fleet.wait_for(job_id, "finished")
    assert supervisor.workers == workers
    assert "Traceback" not in supervisor.log
    assert supervisor.stop() == 0


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_job_that_ends_while_the_server_is_away_settles_once(
    kept: Restartable, kept_fleet: Fleet, isolation: str
) -> None:
    fleet = kept_fleet
    job_id = fleet.enqueue("note_and_sleep", str(fleet.journal), "ran", 1)
    supervisor = fleet.start(isolation=isolation)
    wait_until(lambda: fleet.noted)
    workers = supervisor.workers
    kept.stop()
    wait_until(lambda: "ran ended" in fleet.noted)
    wait_until(lambda: "does not answer" in supervisor.log)
    kept.start()
    fleet.wait_for(job_id, "finished")
    wait_until(lambda: fleet.leases() == 0)
    assert fleet.noted == ["ran", "ran ended"]
    assert supervisor.workers == workers
    assert "was not written" not in supervisor.log
    assert supervisor.stop() == 0


def test_a_worker_that_stops_while_the_server_is_away_loses_nothing(
    kept: Restartable, kept_fleet: Fleet
) -> None:
    fleet = kept_fleet
    job_id = fleet.enqueue("note_and_sleep", str(fleet.journal), "ran", 1)
    supervisor = fleet.start()
    wait_until(lambda: fleet.noted)
    kept.stop()
    supervisor.send(signal.SIGTERM)
    wait_until(lambda: not supervisor.workers)
    kept.start()
    assert supervisor.end() == 0
    assert fleet.state(job_id) == "finished"


def test_a_supervisor_that_must_stop_does_not_wait_for_the_server_for_ever(
    kept: Restartable, kept_fleet: Fleet
) -> None:
    supervisor = kept_fleet.start_and_wait(shutdown_grace=1)
    kept.stop()
    assert supervisor.stop() == 1
    assert "the server is away" in supervisor.log


def test_what_the_server_refuses_is_told_in_one_line_and_stops_nobody(fleet: Fleet) -> None:
    fleet.client.set("rq:queue:q", "not a list")
    supervisor = fleet.start()
    wait_until(lambda: "WRONGTYPE" in supervisor.log)
    wait_until(lambda: supervisor.workers)
    assert "Traceback" not in supervisor.log
    assert supervisor.stop() == 0


def test_a_server_that_lets_nobody_in_is_told_in_one_line(kept: Restartable) -> None:
    with fleets.connect(str(kept.socket)) as client:
        client.config_set("requirepass", "secret")
        for fleet in fleets.of_server(kept.socket):
            supervisor = fleet.start()
            assert supervisor.end() == 1
            (line,) = supervisor.log.splitlines()
            assert "the server does not let us in" in line


# What is told


def test_every_line_of_the_json_log_is_an_object_with_a_verb(fleet: Fleet) -> None:
    fleet.enqueue_many([("nothing",), ("fail", "no"), ("leave", str(fleet.journal), 1)])
    supervisor = fleet.drain(log_format="json")
    told = [json.loads(line) for line in supervisor.log.splitlines()]
    assert {"boot", "spawn", "start", "succeed", "fail", "crash", "recover", "exit"} <= {
        line["event"] for line in told
    }
    assert all({"time", "level", "message"} <= line.keys() for line in told)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_description_can_not_forge_a_line(fleet: Fleet, log_format: str, isolation: str) -> None:
    for end in ("\n", "\r", "\x1b[2K", "\u2028", "\x85", "\x0b"):
        fleet.enqueue("fail", f"one{end}FORGED", description=f"two{end}FORGED")
    fleet.enqueue("leave", str(fleet.journal), 1, description="three\nFORGED", on_lost="fail")
    supervisor = fleet.drain(log_format=log_format, isolation=isolation)
    assert "FORGED" in supervisor.log
    assert not any(line.startswith("FORGED") for line in supervisor.log.splitlines())
    assert "\x1b" not in supervisor.log


@pytest.mark.parametrize("job", ["nothing", "fail"])
def test_many_jobs_are_told_in_sum(fleet: Fleet, job: str) -> None:
    fleet.enqueue_many([(job, *(["no"] if job == "fail" else []))] * 500)
    supervisor = fleet.drain()
    assert "more jobs ended" in supervisor.log
    assert len(supervisor.log.splitlines()) < 400


def test_processes_are_told_apart_by_their_names(fleet: Fleet) -> None:
    supervisor = fleet.start_and_wait(name="crunch")
    names = [
        Path(f"/proc/{pid}/comm").read_text() for pid in (supervisor.pid, *supervisor.workers)
    ]
    assert names == ["workhorse: supe\n", "workhorse: work\n"]
    assert supervisor.stop() == 0


def test_a_worker_has_no_connection_and_no_memory_of_its_supervisor(fleet: Fleet) -> None:
    supervisor = fleet.start_and_wait(2)
    wait_until(lambda: bool(_channels(fleet.client)))  # it hears commands, over another
    sockets = [_sockets(pid) for pid in (supervisor.pid, *supervisor.workers)]
    assert [len(found) for found in sockets] == [2, 1, 1]
    assert len(set.union(*sockets)) == 4
    assert supervisor.stop() == 0


def test_a_supervisor_whose_workers_crash_all_the_time_does_not_grow(fleet: Fleet) -> None:
    supervisor = fleet.start_and_wait()
    wait_until(lambda: bool(_channels(fleet.client)))  # it hears commands
    before = _size(supervisor.pid)
    for _ in range(5):
        fleet.wait_for(fleet.enqueue("leave", str(fleet.journal), 1), "failed")
    fleet.wait_for(fleet.enqueue("nothing"), "finished")
    assert _size(supervisor.pid) == before
    assert supervisor.stop() == 0


def _sockets(pid: int) -> set[str]:
    files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    return {file for file in files if file.startswith("socket:")}


def _size(pid: int) -> tuple[int, int]:
    """Return the number of open files, and of mappings that are shared."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), sum(" rw-s " in line for line in maps)


def _channels(client: Any) -> list[bytes]:
    found: list[bytes] = client.pubsub_channels()
    return found
