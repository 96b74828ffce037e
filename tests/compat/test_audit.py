"""What RQ's processes leave in order is in order to the auditor too."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import RQSide, work_off
from workhorse import Queue, Retry
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.store.findings import Finding
from workhorse.wire.keys import Keys

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ


def found(client: redis.Redis) -> list[Finding]:
    return audit(Store(client), Keys())


def enqueue_some(client: redis.Redis, rq: RQSide, folder: Path) -> None:
    """Enqueue jobs of both producers: that succeed, fail, wait, and come back."""
    queue = Queue(connection=client)
    queue.enqueue(jobs.add, 2)
    queue.enqueue(jobs.fail)
    queue.enqueue(jobs.fail_times, 1, str(folder / "ours"), retry=Retry(1, [60]))
    rq("enqueue", call="add", args=[2])
    rq("enqueue", call="fail")
    rq("enqueue", call="fail_times", args=[1, str(folder / "now")], retry={"max": 1})
    rq("enqueue", call="fail_times", args=[1, str(folder / "later")],
       retry={"max": 1, "interval": 60})  # fmt: skip
    rq("cancel", job_id=rq("enqueue", call="add", args=[1]))
    rq("enqueue", call="add", args=[1], depends_on=rq("enqueue", call="sleep", args=[0]))


@pytest.mark.parametrize("worker", ["SimpleWorker", "Worker"])
def test_all_that_rq_ran_is_in_its_place(
    client: redis.Redis, rq: RQSide, tmp_path: Path, worker: str
) -> None:
    enqueue_some(client, rq, tmp_path)
    assert found(client) == []
    rq("work", worker=worker)
    assert found(client) == []


def test_all_that_we_ran_of_rqs_is_in_its_place(
    client: redis.Redis, rq: RQSide, tmp_path: Path
) -> None:
    enqueue_some(client, rq, tmp_path)
    work_off("simple", rq.url)
    assert found(client) == []
