"""One schedule for both: RQ's scheduler and our supervisors beside each other."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import RQSide, our_worker, running
from tests.support.waiting import wait_until
from workhorse import Job, Queue, suspend
from workhorse.store.drivers import Store
from workhorse.store.schedule import forward
from workhorse.wire.keys import Keys

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ

SCHEDULER = """
import sys
from redis import Redis
from rq.scheduler import RQScheduler
scheduler = RQScheduler(["default"], connection=Redis.from_url(sys.argv[1]))
scheduler.acquire_locks()
scheduler.work()
"""


def test_rqs_scheduler_and_ours_move_each_job_once(
    rq: RQSide, python_of_rq: Path, client: redis.Redis, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    queue = Queue(connection=client)
    with ExitStack() as fleet:
        fleet.enter_context(running([python_of_rq, "-c", SCHEDULER, rq.url]))
        wait_until(lambda: client.exists("rq:scheduler-lock:default"), within=60)
        fleet.enter_context(running(our_worker(rq.url, "--num-workers", "2", "--quiet")))
        ours = [
            queue.enqueue_in(1 + n / 20, jobs.append, str(log), f"ours-{n}", 0) for n in range(20)
        ]
        theirs = [
            rq("enqueue_in", seconds=2, call="append", args=[str(log), f"rq-{n}", 0])
            for n in range(10)
        ]
        job_ids = [job.id for job in ours] + theirs
        wait_until(lambda: set(rq("statuses", job_ids=job_ids)) == {"finished"}, within=30)
    words = Counter(line.split()[0] for line in log.read_text().splitlines())
    assert words == Counter([f"ours-{n}" for n in range(20)] + [f"rq-{n}" for n in range(10)])
    assert client.zcard("rq:scheduled:default") == 0


def test_rq_sees_our_scheduled_jobs_and_moves_them(rq: RQSide, client: redis.Redis) -> None:
    queue = Queue(connection=client)
    job = queue.enqueue_in(3600, jobs.add, 1, 2)
    facts = rq.facts(job.id)
    assert (facts["status"], facts["registries"]) == ("scheduled", ["scheduled"])
    client.zadd("rq:scheduled:default", {job.id: 1})
    rq("work", with_scheduler=True)  # a burst moves what is due, once
    assert Job.fetch(job.id, client).get_status() == "finished"


def test_a_job_that_rqs_client_scheduled_is_moved(rq: RQSide, client: redis.Redis) -> None:
    job_id = rq("enqueue_in", seconds=3600, call="add", args=[1, 2], at_front=True)
    assert client.zadd("rq:scheduled:default", {job_id: 1}, xx=True, ch=True) == 1
    Queue(connection=client).enqueue(jobs.add, 3, 4)
    assert Store(client).run(forward(Keys())).moved == {"default": 1}
    assert Queue(connection=client).job_ids[0] == job_id
    assert rq.facts(job_id)["status"] == "queued"


def test_rqs_worker_heeds_our_suspension(rq: RQSide, client: redis.Redis) -> None:
    job = Queue(connection=client).enqueue(jobs.add, 1, 2)
    suspend(client, ttl=600)
    assert rq("work") is False
    assert job.get_status() == "queued"
