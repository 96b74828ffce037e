"""Rows 13 and 30 of the fault matrix, and 71 and 72: what a producer is told, and when.

Whatever happens, it hears one of three things: the job is stored, it certainly is not, or
nobody knows; and sending the same again is always safe.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.fault.troubles import Restartable, fill
from tests.support.faults import Life, load_scripts
from tests.support.proxy import Fault, Rule
from workhorse import (
    ConnectionChoiceError,
    EnqueueRefusedError,
    EnqueueUnknownError,
    Job,
    Queue,
    WorkhorseError,
    job,
)
from workhorse.store import views
from workhorse.store.calls import as_it_is, command
from workhorse.store.connections import connect
from workhorse.store.drivers import AsyncStore, Store

LOSSES = (Fault.LOSE_REQUEST, Fault.LOSE_REPLY, Fault.CUT_REPLY)

any_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name.lower())

Make = Callable[[Path], Any]


def by_redis_py(socket: Path, retries: int = 0) -> Any:
    retry = ClientRetry(NoBackoff(), retries)
    return redis.Redis(unix_socket_path=str(socket), retry=retry)


def by_valkey_py(socket: Path) -> Any:
    return valkey.Valkey(unix_socket_path=str(socket))


any_client = pytest.mark.parametrize(
    "make", [by_redis_py, by_valkey_py], ids=["redis_py", "valkey_py"]
)


@pytest.fixture(autouse=True)
def keys_of_the_life(environment_of_its_own: pytest.MonkeyPatch, life: Life) -> None:
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)


@pytest.fixture
def open_queue(life: Life) -> Iterator[Callable[[Any], Queue]]:
    """Makes a queue of a client, which is closed at the end."""
    del life
    with ExitStack() as stack:
        yield lambda client: Queue("q", connection=stack.enter_context(client))


def give(life: Life, queue: Queue, name: str, **options: Any) -> Job:
    return queue.enqueue("tests.fault.jobs.give", str(life.journal), name, **options)


@pytest.mark.parametrize("job_id", [None, "mine"])
@any_loss
@any_client
def test_fault_13_an_enqueue_whose_fate_is_unknown_names_its_job_and_may_be_sent_again(
    life: Life,
    open_queue: Callable[[Any], Queue],
    make: Make,
    loss: Fault,
    job_id: str | None,
) -> None:
    load_scripts(life.client)
    life.proxy.add(Rule(loss, name="enqueue"))
    queue = open_queue(make(life.proxy.socket))
    with pytest.raises(EnqueueUnknownError) as raised:
        give(life, queue, "give", job_id=job_id)
    error = raised.value
    (unknown,) = error.job_ids
    assert job_id in (None, unknown)
    assert unknown in str(error)
    assert isinstance(error, redis.ConnectionError)
    (sent,) = error.send_again()
    assert (sent.id, sent.get_status()) == (unknown, "queued")
    assert queue.job_ids == [unknown]
    life.drain()
    assert [again.id for again in error.send_again()] == [unknown]
    assert queue.job_ids == []
    assert life.begun() == {"give": 1}
    life.assert_clean()


@pytest.mark.parametrize("job_id", [None, "mine"])
@pytest.mark.parametrize("result_ttl", [0, 500])
def test_fault_13_a_job_that_has_run_meanwhile_is_left_alone(
    life: Life, open_queue: Callable[[Any], Queue], result_ttl: int, job_id: str | None
) -> None:
    load_scripts(life.client)
    life.proxy.add(Rule(Fault.LOSE_REPLY, name="enqueue"))
    queue = open_queue(by_redis_py(life.proxy.socket))
    with pytest.raises(EnqueueUnknownError) as raised:
        give(life, queue, "give", job_id=job_id, result_ttl=result_ttl)
    life.drain()
    raised.value.send_again()
    assert queue.job_ids == []
    assert life.begun() == {"give": 1}
    life.assert_clean()


@any_loss
def test_fault_13_so_it_is_after_all_that_the_client_library_sent_again_was_lost(
    life: Life, open_queue: Callable[[Any], Queue], loss: Fault
) -> None:
    life.proxy.add(Rule(loss, name="enqueue", times=3))
    queue = open_queue(by_redis_py(life.proxy.socket, retries=2))
    with pytest.raises(EnqueueUnknownError):
        give(life, queue, "give", job_id="mine")
    give(life, queue, "give", job_id="mine")
    assert queue.job_ids == ["mine"]


@any_loss
def test_fault_13_many_jobs_of_which_some_are_unknown(
    life: Life, open_queue: Callable[[Any], Queue], loss: Fault
) -> None:
    load_scripts(life.client)
    queue = open_queue(by_redis_py(life.proxy.socket))
    lost = life.proxy.add(Rule(loss, name="enqueue", nth=6))  # after a round trip of a thousand
    calls = [queue.prepare_data("tests.fault.jobs.work", (n,)) for n in range(1300)]
    with pytest.raises(EnqueueUnknownError, match="has 300 jobs: ") as raised:
        queue.enqueue_many(calls)
    assert lost.hits
    assert len(raised.value.job_ids) == 300
    found = raised.value.send_again()
    assert [each.id for each in found] == queue.job_ids
    assert len(set(queue.job_ids)) == 1300
    assert life.audit() == []


def test_fault_13_a_client_of_our_making_sends_again_by_itself(life: Life) -> None:
    queue = Queue("q", life.proxy.url)
    lost = life.proxy.add(Rule(Fault.LOSE_REPLY, name="enqueue", times=3))
    stored = give(life, queue, "give")
    assert queue.job_ids == [stored.id]
    assert len(lost.hits) == 3
    queue.connection.close()


@pytest.mark.parametrize("seconds", [0, 0.5])
def test_fault_13_a_store_sends_again_for_as_long_as_it_is_told(
    life: Life, seconds: float
) -> None:
    lost = life.proxy.add(Rule(Fault.LOSE_REQUEST, name="PING", times=1000))
    with connect(life.proxy.url, for_worker=True) as client:
        store = Store(client, resend_for=seconds)
        with pytest.raises(redis.ConnectionError):
            store.run(command("PING", parse=as_it_is))
    assert (len(lost.hits) > 1) == (seconds > 0)


REFUSALS = {
    "OOM command not allowed when used memory > 'maxmemory'.": "it is full",
    "READONLY You can't write against a read only replica.": "it is a replica",
    "NOREPLICAS Not enough good replicas to write.": "its replicas",
    "NOPERM this user has no permissions to run the 'evalsha' command": "this user",
    "NOAUTH Authentication required.": "password",
    "LOADING Redis is loading the dataset in memory": "loads its data",
    "MISCONF Errors writing to the AOF file: No space left on device": "disk",
    "BUSY Redis is busy running a script.": "somebody's script",
    "MASTERDOWN Link with MASTER is down": "replica",
    "ERR max number of clients reached": "connections",
    "CLUSTERDOWN The cluster is down": "a node of a Cluster",
    "MOVED 3999 127.0.0.1:6381": "a node of a Cluster",
}


@any_client
@pytest.mark.parametrize("reply", REFUSALS, ids=lambda reply: reply.split()[0])
def test_fault_30_a_refused_enqueue_tells_why_and_may_be_sent_again(
    life: Life, open_queue: Callable[[Any], Queue], make: Make, reply: str
) -> None:
    queue = open_queue(make(life.proxy.socket))
    times = 9 if reply.startswith("LOADING") else 1  # which the client library waits out
    rule = life.proxy.add(Rule(Fault.REFUSE, name="enqueue", error=reply, times=times))
    with pytest.raises(EnqueueRefusedError, match=re.escape(REFUSALS[reply])) as raised:
        give(life, queue, "give", job_id="mine")
    rule.times = 0
    error = raised.value
    assert error.job_ids == ("mine",)
    assert isinstance(error, redis.RedisError)
    assert not isinstance(error, redis.ConnectionError)
    assert not life.client.exists(life.keys.job("mine"))
    assert [sent.id for sent in error.send_again()] == queue.job_ids == ["mine"]


def test_an_error_of_the_server_that_tells_nothing_of_the_job_stays_as_it_is(
    life: Life, open_queue: Callable[[Any], Queue]
) -> None:
    queue = open_queue(by_redis_py(life.proxy.socket))
    life.proxy.add(Rule(Fault.REFUSE, name="enqueue", error="ERR of some other kind"))
    with pytest.raises(redis.ResponseError, match="some other kind"):
        give(life, queue, "give")


@any_client
def test_every_way_to_enqueue_raises_them(
    life: Life, open_queue: Callable[[Any], Queue], make: Make
) -> None:
    queue = open_queue(make(life.proxy.socket))
    call = "tests.fault.jobs.work"
    life.proxy.add(Rule(Fault.REFUSE, name="enqueue", error="OOM full", times=5))
    ways: list[Callable[[], object]] = [
        lambda: queue.enqueue(call),
        lambda: queue.enqueue_call(call),
        lambda: queue.enqueue_many([queue.prepare_data(call)]),
        lambda: queue.enqueue_job(Job.create(call, connection=queue.connection)),
        lambda: job(queue)(give).delay(),
    ]
    for way in ways:
        with pytest.raises(EnqueueRefusedError):
            way()


def test_fault_30_a_full_server_refuses_a_job_and_keeps_nothing_of_it(
    own_server: Restartable,
    own_life: Life,
    open_queue: Callable[[Any], Queue],
    environment_of_its_own: pytest.MonkeyPatch,
) -> None:
    own_server.start("--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
    life = own_life
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    taken = fill(life)
    before = life.client.dbsize()
    queue = open_queue(by_redis_py(life.proxy.socket))
    with pytest.raises(EnqueueRefusedError, match="it is full") as raised:
        queue.enqueue("tests.fault.jobs.work", "x" * 50_000, job_id="refused")
    assert life.proxy.names().count("enqueue") == 1  # at once, and not by trying on
    assert life.client.dbsize() == before
    assert life.client.llen(life.keys.queue("q")) == len(taken)
    assert life.state("refused") is None
    assert life.audit() == []
    life.client.config_set("maxmemory", "8mb")
    raised.value.send_again()
    assert life.state("refused") == "queued"


def test_fault_30_what_was_stored_is_no_refusal_though_the_server_is_full_by_now(
    own_server: Restartable,
    own_life: Life,
    open_queue: Callable[[Any], Queue],
    environment_of_its_own: pytest.MonkeyPatch,
) -> None:
    """The reply is lost, the client library sends it again, and then there is no room."""
    own_server.start()
    life = own_life
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    queue = open_queue(by_redis_py(life.proxy.socket, retries=1))
    life.enqueue("work", "other")

    def fill_up(_: object) -> None:
        life.client.config_set("maxmemory", "1")

    life.proxy.add(Rule(Fault.LOSE_REPLY, name="enqueue", then=fill_up))
    assert give(life, queue, "give", job_id="mine").id == "mine"
    with pytest.raises(EnqueueRefusedError):
        give(life, queue, "give", job_id="another")
    assert queue.job_ids == ["other", "mine"]


def test_an_error_that_came_from_another_process_still_names_its_jobs() -> None:
    error = pickle.loads(pickle.dumps(EnqueueUnknownError("lost", ["a", "b"], list)))
    assert (str(error), error.job_ids) == ("lost", ("a", "b"))
    with pytest.raises(WorkhorseError, match="another process"):
        error.send_again()


def test_fault_71_a_pipeline_is_no_client_of_a_queue(life: Life) -> None:
    client = by_redis_py(life.server)
    pipeline = client.pipeline()
    pipeline.set("life1:theirs", 1, ex=60)
    with pytest.raises(ConnectionChoiceError, match="pipeline="):
        Queue("q", connection=pipeline)
    assert pipeline.execute() == [True]
    client.delete("life1:theirs")


def enqueue_and_look(queue: Queue, name: str) -> None:
    """Enqueue, and check that what is answered is about this job."""
    made = queue.enqueue("tests.fault.jobs.work", name, job_id=name)
    assert made.id == name
    found = queue.fetch_job(name)
    assert found is not None
    assert (found.id, found.args, found.get_status()) == (name, (name,), "queued")


def in_a_fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def ended_well(*pids: int) -> bool:
    """Return whether all end with code 0, within 30 s; none is left."""

    def kill_all() -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(30, kill_all)
    timer.start()
    try:
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        return not any(codes)
    finally:
        timer.cancel()


def test_fault_72_enqueue_from_a_signal_handler_in_the_middle_of_another(
    life: Life, open_queue: Callable[[Any], Queue]
) -> None:
    """By redis-py. valkey-py's pool may wait for itself: its lock is not one for that."""
    queue = open_queue(by_redis_py(life.server))

    def work() -> None:
        numbers = count()

        def handle(*_: object) -> None:
            enqueue_and_look(queue, f"signal{next(numbers)}")
            signal.setitimer(signal.ITIMER_REAL, 0.003)

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.003)
        for number in range(200):
            enqueue_and_look(queue, f"main{number}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert next(numbers) > 10

    assert ended_well(in_a_fork(work))
    assert len(queue.job_ids) == len(set(queue.job_ids)) > 210
    assert life.audit() == []


def test_fault_72_enqueue_in_the_children_of_a_program_that_forked_after_it_had_begun(
    life: Life, open_queue: Callable[[Any], Queue]
) -> None:
    """As under gunicorn with its application loaded ahead; each child uses it from threads."""
    queues = [open_queue(by_redis_py(life.server)), Queue("q", f"unix://{life.server}")]
    for number, queue in enumerate(queues):
        enqueue_and_look(queue, f"ahead{number}")

    def work() -> None:
        with ThreadPoolExecutor(4) as pool:
            names = [f"{os.getpid()}-{number}" for number in range(40)]
            for number, name in enumerate(names):
                pool.submit(enqueue_and_look, queues[number % 2], name).add_done_callback(
                    lambda done: done.exception() and os._exit(2)
                )

    children = [in_a_fork(work) for _ in range(3)]
    work()
    assert ended_well(*children)
    assert len(set(queues[0].job_ids)) == len(queues[0].job_ids) == 2 + 4 * 40
    assert life.audit() == []
    queues[1].connection.close()


@any_client
def test_fault_72_enqueue_from_a_hundred_threads(
    life: Life, open_queue: Callable[[Any], Queue], make: Make
) -> None:
    queue = open_queue(make(life.server))
    with ThreadPoolExecutor(100) as pool:
        names = [f"job{number}" for number in range(400)]
        for _ in pool.map(partial(enqueue_and_look, queue), names):
            pass
    assert sorted(queue.job_ids) == sorted(names)
    assert life.audit() == []


def test_fault_72_a_cancelled_task_leaves_its_reply_to_nobody(life: Life) -> None:
    """For whoever awaits: a connection is not used again after a cancelled command."""
    names = [f"job{number}" for number in range(40)]
    for name in names:
        life.enqueue("work", name, meta=name.encode())
    life.proxy.add(Rule(Fault.DELAY, seconds=0.004, times=10**6))

    async def work() -> None:
        pool = redis.asyncio.BlockingConnectionPool(
            max_connections=3,
            connection_class=redis.asyncio.UnixDomainSocketConnection,
            path=str(life.proxy.socket),
            protocol=2,
        )
        client = redis.asyncio.Redis(connection_pool=pool)
        store = AsyncStore(client)

        async def look(name: str) -> None:
            several = [views.job_field(life.keys, name, "meta")] * 2
            assert await store.run(several[0]) == name.encode()
            assert await store.run_many(several) == [name.encode()] * 2

        tasks = [asyncio.create_task(look(name)) for name in names]
        for number, task in enumerate(tasks):
            await asyncio.sleep(0.002)
            if number % 2:
                task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {type(None), asyncio.CancelledError}
        assert sum(isinstance(end, asyncio.CancelledError) for end in ends) > 10
        for name in names:
            await look(name)
        await client.aclose()
        await pool.disconnect()

    asyncio.run(work())
