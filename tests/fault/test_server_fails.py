"""Rows of section C of the fault matrix: the server is away, wiped, full or says no.

Those that need more than one server wait: see the README.
"""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
import redis

from tests.fault.conftest import NewLife
from tests.fault.sweeps import ATTEMPTS, begin, problems_of_end, sweep, with_log
from tests.fault.troubles import (
    KEEPING,
    Restartable,
    again_and_again,
    fill,
    idle,
    is_busy,
)
from tests.support.faults import FULL, Life, load_scripts
from tests.support.proxy import Fault, Rule
from tests.support.waiting import wait_until

ISOLATIONS = ("inline", "fork")

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)


@both_isolations
def test_fault_20_an_idle_fleet_survives_the_kill_of_its_server(
    own_server: Restartable, own_life: Life, isolation: str
) -> None:
    own_server.start(*KEEPING)
    life = own_life
    supervisor = life.start(2, isolation=isolation)
    workers = idle(life, supervisor, 2)
    life.enqueue("work", "before")
    life.wait_for("before", state="finished")
    own_server.kill()
    wait_until(lambda: "does not answer" in supervisor.log)
    own_server.start(*KEEPING)
    life.enqueue("work", "after")
    life.wait_for("before", "after", state="finished")
    assert life.begun() == {"before": 1, "after": 1}
    assert supervisor.workers == workers
    assert supervisor.stop() == 0
    life.assert_clean()


@pytest.mark.parametrize("away", [0.0, 20.0] if FULL else [0.0])
@pytest.mark.parametrize("at", ["claim", "run", "settle"])
@both_isolations
def test_fault_21_a_server_killed_under_a_job_loses_and_repeats_nothing(
    own_server: Restartable, own_life: Life, isolation: str, at: str, away: float
) -> None:
    """Its reply is lost with it: what it did is on its disk, and nobody was told."""
    own_server.start(*KEEPING)
    life = own_life
    supervisor = life.start(isolation=isolation)
    workers = idle(life, supervisor)
    load_scripts(life.client)
    if at != "run":
        life.proxy.add(
            Rule(
                Fault.LOSE_REPLY,
                name=at,
                where=lambda _: bool(life.state("job")),
                then=lambda _: own_server.kill(),
            )
        )
    go = life.folder / "go"
    life.enqueue("wait_for", "job", str(go))
    if at == "run":
        wait_until(lambda: life.begun()["job"])
        own_server.kill()
    go.touch()
    wait_until(lambda: "does not answer" in supervisor.log)
    threading.Event().wait(away)
    own_server.start(*KEEPING)
    life.wait_for("job", state="finished")
    wait_until(lambda: life.leases() == 0)
    assert life.lines == ["begin job", "end job"]
    assert life.starts("job") == 0
    assert supervisor.workers == workers
    life.assert_clean()


@pytest.mark.parametrize("wipe", ["23_restart", "24_flushall"])
@both_isolations
def test_fault_23_24_a_server_without_its_data_gets_its_workers_back_and_no_dead_job(
    own_server: Restartable, own_life: Life, isolation: str, wipe: str
) -> None:
    own_server.start()
    life = own_life
    supervisor = life.start(isolation=isolation, name="worker", lease=2)
    workers = idle(life, supervisor)
    go = life.folder / "go"
    life.enqueue("wait_for", "job", str(go))
    life.enqueue("work", "waiting")
    wait_until(lambda: life.begun()["job"])
    wait_until(lambda: life.client.exists(life.keys.worker("worker")))
    if wipe == "24_flushall":
        life.client.flushall()
    else:
        own_server.kill()
        own_server.start()
    # The next renewal finds no lease, and so ends the run: nobody could take its result.
    wait_until(lambda: life.client.exists(life.keys.worker("worker")))
    wait_until(lambda: "is not ours any more" in supervisor.log)
    go.touch()
    life.enqueue("work", "new")
    life.wait_for("new", state="finished")
    assert life.state("job") is None
    assert life.state("waiting") is None
    assert "end job" not in life.lines
    assert life.client.sismember(life.keys.workers(), life.keys.worker("worker"))
    assert len(workers) == len(supervisor.workers) == 1
    life.assert_clean()


def test_fault_23_24_a_worker_that_idles_over_a_wipe_is_seen_again(life: Life) -> None:
    supervisor = life.start(name="worker", lease=1)
    idle(life, supervisor)
    worker = life.keys.worker("worker")
    shown_by_supervisor = life.proxy.add(
        Rule(Fault.DELAY, name="register", where=life.is_supervisor)
    )
    shown_by_supervisor.wait()
    life.client.flushall()
    wait_until(lambda: life.client.exists(worker))
    assert life.client.sismember(life.keys.workers(), worker)
    life.assert_clean()


def test_fault_24_an_end_that_comes_after_the_wipe_is_told_and_brings_nothing_back(
    life: Life,
) -> None:
    """The job ends before a renewal notices."""
    supervisor = life.start()
    idle(life, supervisor)
    go = life.folder / "go"
    life.enqueue("wait_for", "job", str(go))
    wait_until(lambda: life.begun()["job"])
    life.client.flushall()
    go.touch()
    wait_until(lambda: "was not written: it was deleted" in supervisor.log)
    assert life.state("job") is None
    life.assert_clean()


PASSING = (
    "READONLY You can't write against a read only replica.",
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "CLUSTERDOWN The cluster is down",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MOVED 3999 127.0.0.1:6381",
)


def test_fault_28_29_what_passes_is_waited_out_at_every_call(new_life: NewLife) -> None:
    """28: READONLY, as on a connection that a failover has made stale."""

    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            supervisor = life.start()
            wait_until(lambda: "BLPOP" in life.proxy.names())
            workers = supervisor.workers
            refused = life.proxy.add(Rule(Fault.REFUSE, error=PASSING[number], times=6))
            begin(life)
            life.wait_for(*ATTEMPTS)
            wait_until(lambda: len(refused.hits) == 6)
            wait_until(lambda: life.leases() == 0)
            found = problems_of_end(life)
            if life.begun() != ATTEMPTS:
                found.append(f"what began is {life.begun()}")
            if supervisor.workers != workers:
                found.append("a worker has ended")
            return with_log(life, found)

    assert sweep(range(len(PASSING)), problems_at) == []


@pytest.mark.parametrize("trouble", ["script_flush", "client_kill"])
@both_isolations
def test_fault_29_34_a_server_that_forgets_scripts_or_cuts_connections_all_the_time(
    life: Life, isolation: str, trouble: str
) -> None:
    jobs = [f"job{number}" for number in range(40)]
    late = jobs[30:]  # so that workers are met at rest, too

    def bother() -> None:
        with life.client.client() as client:
            if trouble == "script_flush":
                client.script_flush()
            else:
                client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        if late and life.begun().total() >= 30:
            life.enqueue("work", late.pop())

    for number, job in enumerate(jobs[:30]):
        life.enqueue("linger" if number % 10 == 0 else "work", job, *([0.05][: number % 10 == 0]))
    life.start(2, isolation=isolation)
    with again_and_again(bother):
        wait_until(lambda: sum(life.begun().values()) >= len(jobs), within=30)
    for job in jobs:
        life.wait_for(job, state="finished")
    assert life.begun() == dict.fromkeys(jobs, 1)
    life.assert_clean()


def test_fault_29_a_script_of_somebody_else_that_runs_for_long_is_waited_out(
    own_server: Restartable, own_life: Life
) -> None:
    server = own_server.start("--busy-reply-threshold", "10")
    life = own_life
    supervisor = life.start()
    workers = idle(life, supervisor)
    go = life.folder / "go"
    life.enqueue("wait_for", "job", str(go))
    wait_until(lambda: life.begun()["job"])

    def spin() -> None:
        with server.client() as client, suppress(redis.ResponseError):
            client.eval("while true do end", 0)

    spinning = threading.Thread(target=spin)
    spinning.start()
    wait_until(lambda: is_busy(server))
    go.touch()
    wait_until(lambda: "does not answer" in supervisor.log)
    with server.client() as client:
        client.script_kill()
    spinning.join()
    life.wait_for("job", state="finished")
    assert life.begun() == {"job": 1}
    assert supervisor.workers == workers
    life.assert_clean()


@pytest.mark.parametrize("result_ttl", [0, 500])
@both_isolations
def test_fault_31_a_full_server_is_drained_by_its_workers(
    own_server: Restartable, own_life: Life, isolation: str, result_ttl: int
) -> None:
    own_server.start("--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
    life = own_life
    taken = fill(life)
    assert len(taken) > 20
    life.start(2, isolation=isolation, result_ttl=result_ttl)
    wait_until(lambda: life.client.llen(life.keys.queue("q")) == 0 and not life.leases(), 60)
    assert life.begun() == dict.fromkeys(taken, 1)
    if not result_ttl:  # their room is free again
        life.enqueue("work", "next")
        wait_until(lambda: life.begun()["next"] and not life.leases())
    life.assert_clean()
