"""Rows 26 to 28 of the fault matrix: another server becomes the primary.

Workers and producers ask the Sentinels for it. What the old primary had acknowledged and not
passed on is lost with it: that can't be helped here, but nothing may be stuck for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry as ClientRetry

from tests.fault.troubles import idle
from tests.support import servers
from tests.support.faults import FULL, Life, Nursery, Started
from tests.support.sentinels import HOST, SERVICE, Watched, watched
from tests.support.waiting import wait_until
from workhorse import EnqueueUnknownError, Queue
from workhorse.store.connections import separate
from workhorse.store.drivers import Store
from workhorse.store.faults import EnqueueRefusedError

NEVER = ClientRetry(NoBackoff(), 0)
TRY_ON = ClientRetry(ConstantBackoff(0.05), 400)


@pytest.fixture
def pair(redis70: servers.RunningServer) -> Iterator[Watched]:
    """Skipped where there is no server that can be a Sentinel."""
    del redis70
    binary = servers.find_redis7()
    assert binary is not None
    with watched(binary) as found:
        yield found


@pytest.fixture
def pair_life(
    pair: Watched, nursery: Nursery, environment_of_its_own: pytest.MonkeyPatch
) -> Iterator[Life]:
    with Life(pair.servers[pair.primary()].socket, nursery, "own") as life:
        environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
        life.client.close()
        life.client = pair.client(retry=TRY_ON)
        life.store = Store(life.client)
        yield life


def start(life: Life, pair: Watched, processes: int = 1, **options: Any) -> Started:
    sentinels = {"ports": pair.sentinels, "service": SERVICE}
    supervisor = life.start(processes, sentinels=sentinels, **options)
    idle(life, supervisor, processes)
    return supervisor


def enqueue_on(queue: Queue, life: Life, job_id: str) -> None:
    """Enqueue as a producer that wants to know."""
    try:
        queue.enqueue("tests.fault.jobs.work", str(life.journal), job_id, job_id=job_id)
    except (EnqueueRefusedError, EnqueueUnknownError) as error:
        wait_until(partial(sent, error), within=30)


def sent(error: EnqueueRefusedError | EnqueueUnknownError) -> bool:
    with suppress(EnqueueRefusedError, EnqueueUnknownError):
        return bool(error.send_again())
    return False


def no_leases(life: Life, queue: str) -> bool:
    return not life.client.zcard(life.keys.lease(queue))


def in_sync(life: Life) -> None:
    """Return when the replica has all that this client's connection has done."""
    assert life.client.wait(1, 5000) == 1


@pytest.mark.parametrize("isolation", ["inline", "fork"] if FULL else ["inline"])
def test_fault_26_a_failover_loses_and_repeats_nothing_that_the_replica_has(
    pair: Watched, pair_life: Life, isolation: str
) -> None:
    life = pair_life
    supervisor = start(life, pair, 2, isolation=isolation)
    workers = supervisor.workers
    go = life.folder / "go"
    life.enqueue("wait_for", "long", str(go))
    life.enqueue("work", "before")
    life.wait_for("before", state="finished")
    wait_until(lambda: life.begun()["long"])
    life.enqueue("linger", "waiting", 0)
    in_sync(life)
    before = pair.primary()
    pair.kill(before)
    go.touch()
    with pair.client(retry=None) as client:
        enqueue_on(Queue("q", connection=client), life, "meanwhile")
    jobs = ("long", "before", "waiting", "meanwhile")
    in_time = time.monotonic() + 6
    life.wait_for(*jobs, state="finished", within=6)
    wait_until(lambda: life.leases() == 0, within=in_time - time.monotonic())
    assert pair.primary() != before
    assert life.begun() == dict.fromkeys(jobs, 1)
    assert supervisor.workers == workers
    assert supervisor.stop() == 0
    life.assert_clean()


@contextmanager
def replica_that_stays_behind(pair: Watched) -> Iterator[None]:
    """Have the primary die at the end of the block; the replica has nothing of what is in it."""
    before = pair.primary()
    replica = pair.servers[pair.other()].pid
    os.kill(replica, signal.SIGSTOP)
    with pair.servers[before].client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
    yield
    pair.kill(before)
    os.kill(replica, signal.SIGCONT)
    pair.wait_for_another(before)


def test_fault_27_what_a_failover_undid_is_done_again_and_nothing_is_stuck(
    pair: Watched, pair_life: Life
) -> None:
    """The primary dies with an enqueue, a claim, and an end that its replica never saw."""
    life = pair_life
    supervisor = start(life, pair, 3, lease=2)
    go, end = life.folder / "go", life.folder / "end"
    life.enqueue("wait_for", "ends", str(end))
    wait_until(lambda: life.begun()["ends"])
    life.client.set(f"{life.prefix}:suspended", 1)
    life.enqueue("wait_for", "claimed", str(go))
    in_sync(life)
    with replica_that_stays_behind(pair):
        life.client.delete(f"{life.prefix}:suspended")
        wait_until(lambda: life.begun()["claimed"])
        end.touch()
        life.wait_for("ends", state="finished")
        life.enqueue("work", "lost")
        life.wait_for("lost", state="finished")
    life.client.delete(f"{life.prefix}:suspended")
    # Its first run holds no lease on the new primary, and must not end it.
    wait_until(lambda: life.begun()["claimed"] == 2, within=20)
    wait_until(lambda: "is not ours any more" in supervisor.log, within=20)
    go.touch()
    life.wait_for("ends", "claimed", state="finished", within=20)
    wait_until(lambda: life.leases() == 0)
    assert life.state("lost") is None
    assert life.begun() == {"ends": 2, "claimed": 2, "lost": 1}
    assert (life.starts("ends"), life.starts("claimed")) == (1, 0)
    assert life.lines.count("end claimed") == 1
    life.assert_clean()


def check_own_clients(pair: Watched) -> None:
    """Check that a worker asks the Sentinels of its client, of either library."""
    libraries: list[Any] = [redis.sentinel, pytest.importorskip("valkey.sentinel")]
    for library in libraries:
        manager = library.Sentinel([(HOST, port) for port in pair.sentinels])
        with manager.master_for(SERVICE, db=1) as given, separate(given) as own:
            assert own.connection_pool is not given.connection_pool
            assert isinstance(own, redis.Redis)
            assert own.connection_pool.connection_kwargs["retry"].get_retries() == 0
            own.set("key", "value")
            assert own.connection_pool.connection_kwargs["db"] == 1
            assert given.get("key") == b"value"
            own.delete("key")


def test_fault_28_a_connection_to_what_is_no_primary_any_more_is_left(
    pair: Watched, pair_life: Life
) -> None:
    """It stays open, and answers READONLY: where Sentinel is asked, and where an address moves."""
    check_own_clients(pair)
    life = pair_life
    by_sentinel = start(life, pair)
    by_address = life.start(queues=["r"], name="by-address")
    wait_until(lambda: "BLPOP" in life.proxy.names())
    workers = by_sentinel.workers, by_address.workers
    go = life.folder / "go"
    for queue in "qr":
        life.enqueue("wait_for", f"long-{queue}", str(go), origin=queue)
    wait_until(lambda: len(life.begun()) == 2)
    with (
        pair.client(retry=None) as asking,
        redis.Redis(unix_socket_path=str(life.proxy.socket), retry=NEVER) as moving,
    ):
        producers = Queue("q", connection=asking), Queue("r", connection=moving)
        for producer in producers:
            enqueue_on(producer, life, f"before-{producer.name}")
        in_sync(life)
        pair.fail_over()
        life.proxy.lead_to(pair.servers[pair.primary()].socket)
        go.touch()
        for producer in producers:
            enqueue_on(producer, life, f"after-{producer.name}")
    jobs = [f"{when}-{queue}" for when in ("long", "before", "after") for queue in "qr"]
    life.wait_for(*jobs, state="finished", within=20)
    for queue in "qr":
        wait_until(partial(no_leases, life, queue))
    assert life.begun() == dict.fromkeys(jobs, 1)
    assert workers == (by_sentinel.workers, by_address.workers)
    assert by_address.stop() == by_sentinel.stop() == 0
    life.assert_clean()
