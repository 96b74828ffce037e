"""Rows 11 to 15 and 17 to 19 of the fault matrix: a message is lost or repeated.

Row 16, every message of a life, is in test_lost_replies; row 17 is its fault ``repeat``, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.support.faults import Life
from tests.support.proxy import Fault, Rule
from tests.support.waiting import wait_until
from workhorse import Job, Queue, Retry
from workhorse.store import jobs
from workhorse.wire.records import encode

ISOLATIONS = ("inline", "fork")
LOSSES = (Fault.LOSE_REQUEST, Fault.LOSE_REPLY, Fault.CUT_REPLY)

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)
any_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name.lower())


@any_loss
@both_isolations
def test_fault_11_a_claim_that_is_sent_again_returns_the_same_jobs(
    life: Life, isolation: str, loss: Fault
) -> None:
    life.enqueue("work", "one")
    life.enqueue("work", "two")
    lost = life.proxy.add(Rule(loss, name="claim"))
    life.drain(isolation=isolation, max_jobs=1)
    first, again = [call for call in life.proxy.calls if call.name == "claim"][:2]
    assert lost.hits == [first]
    assert again.words == first.words
    assert life.begun() == {"one": 1}
    assert (life.state("one"), life.state("two")) == ("finished", "queued")
    assert life.starts("one") == 0
    life.assert_clean()


class Producer:
    """A queue whose client goes through a life's proxy."""

    def __init__(self, life: Life, stack: ExitStack) -> None:
        self._life = life
        self._stack = stack

    def queue(self, retries: int) -> Queue:
        """Return the queue of a client that tries again so often."""
        client = redis.Redis(
            unix_socket_path=str(self._life.proxy.socket), retry=ClientRetry(NoBackoff(), retries)
        )
        return Queue("q", connection=self._stack.enter_context(client))

    def enqueue(self, queue: Queue, name: str, **options: Any) -> Job:
        return queue.enqueue(f"tests.fault.jobs.{name}", str(self._life.journal), name, **options)


@pytest.fixture
def producer(life: Life, environment_of_its_own: pytest.MonkeyPatch) -> Iterator[Producer]:
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    with ExitStack() as stack:
        yield Producer(life, stack)


@pytest.mark.parametrize("job_id", [None, "mine"])
@pytest.mark.parametrize("fault", [*LOSSES, Fault.REPEAT], ids=lambda fault: fault.name.lower())
def test_fault_12_one_enqueue_is_one_job(
    life: Life, producer: Producer, fault: Fault, job_id: str | None
) -> None:
    lost = life.proxy.add(Rule(fault, name="enqueue"))
    job = producer.enqueue(producer.queue(3), "give", job_id=job_id, retry=Retry(max=2))
    assert lost.hits
    assert life.client.lrange(life.keys.queue("q"), 0, -1) == [job.id.encode()]
    assert job.get_status() == "queued"
    life.drain()
    assert job.return_value(refresh=True) == "give's value"
    assert life.begun() == {"give": 1}
    life.assert_clean()


@any_loss
def test_fault_12_many_that_are_enqueued_together_are_each_one_job_in_order(
    life: Life, producer: Producer, loss: Fault
) -> None:
    life.proxy.add(Rule(loss, name="enqueue", nth=2))
    queue = producer.queue(3)
    call = "tests.fault.jobs.work"
    calls = [queue.prepare_data(call, (str(life.journal), str(n))) for n in range(500)]
    found = queue.enqueue_many(calls)
    assert queue.job_ids == [job.id for job in found]
    assert len(set(queue.job_ids)) == 500
    assert life.audit() == []


@pytest.mark.parametrize("fault", [*LOSSES, Fault.REPEAT], ids=lambda fault: fault.name.lower())
@both_isolations
def test_fault_14_an_end_that_is_sent_again_counts_once(
    life: Life, isolation: str, fault: Fault
) -> None:
    supervisor = life.start(isolation=isolation, name="worker")
    counters = ("successful_job_count", "failed_job_count")
    worker = life.keys.worker("worker")
    wait_until(lambda: life.client.exists(worker))
    ended = life.proxy.add(Rule(fault, name="settle", times=2))
    life.enqueue("give", "value")
    life.enqueue("fail", "flaky", retries_left=1, retry_intervals=(0,))
    life.wait_for("value", "flaky")
    wait_until(lambda: life.leases() == 0)
    assert len(ended.hits) == 2
    assert life.begun() == {"value": 1, "flaky": 2}
    assert life.value("value") == "value's value"
    assert len(life.results("flaky")) == 2
    assert life.client.hmget(worker, counters) == [b"1", b"2"]
    assert life.client.lrange(life.keys.queue("q"), 0, -1) == []
    assert "was not written" not in supervisor.log
    life.assert_clean()


@pytest.mark.parametrize("loss", LOSSES[:2], ids=lambda loss: loss.name.lower())
def test_fault_15_a_renewal_that_is_lost_costs_no_lease(life: Life, loss: Fault) -> None:
    """Another supervisor stands by, and would take the job at once."""
    lease = 1.2
    life.start(lease=lease)
    wait_until(lambda: life.client.info("clients")["blocked_clients"])
    lost = life.proxy.add(Rule(loss, name="extend", nth=2, times=2))
    life.enqueue("linger", "job", 1.7 * lease)
    life.wait_for("job", state="started")
    life.start(lease=lease, url=f"unix://{life.server}")
    life.wait_for("job", state="finished")
    assert lost.hits
    assert life.lines == ["begin job", "end job"]
    assert life.starts("job") == 0
    life.assert_clean()


@any_loss
def test_fault_18_a_job_that_was_canceled_is_ended_though_its_worker_missed_it_at_first(
    life: Life, loss: Fault
) -> None:
    """That it is canceled is a fact on the server; nobody needs to be told."""
    life.enqueue("linger", "job", 60)
    life.enqueue("work", "next")
    supervisor = life.start(isolation="fork", lease=2)
    wait_until(lambda: life.begun()["job"])
    lost = life.proxy.add(Rule(loss, name="extend"))
    assert life.store.run(jobs.cancel(life.keys, "job")) == "started"
    life.wait_for("next", state="finished", within=5)
    assert lost.hits
    assert life.state("job") == "canceled"
    assert "end job" not in life.lines
    assert "is not ours any more" in supervisor.log
    life.assert_clean()


@pytest.mark.parametrize("loss", ["reply", "token", "bell"])
def test_fault_19_a_job_whose_wake_up_is_lost_waits_for_a_second_at_most(
    life: Life, loss: str
) -> None:
    life.start()
    wait_until(lambda: "BLPOP" in life.proxy.names())
    if loss == "reply":
        life.proxy.add(Rule(Fault.LOSE_REPLY, name="BLPOP"))
        life.enqueue("work", "job")
    else:
        # Somebody else takes the token; or nobody rings, as RQ's producers don't.
        record = life.record("work", "job")
        with life.client.pipeline(transaction=True) as batch:
            batch.rpush(life.keys.queue("q"), "job")
            batch.hset(life.keys.job("job"), items=["status", "queued", *encode(record)])
            if loss == "token":
                batch.rpush(life.keys.bell("q"), 1)
                batch.lpop(life.keys.bell("q"))
            batch.execute()
    life.wait_for("job", state="finished", within=3)
    assert life.begun() == {"job": 1}
    life.assert_clean()
