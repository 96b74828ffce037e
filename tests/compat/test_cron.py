"""RQ's monitors see our schedulers and entries; ours see RQ's."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from tests.compat.sides import RQSide, work_off
from workhorse import Job
from workhorse.cron import Cron, CronScheduler, get_cron_job_ids

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ


def test_rqs_monitors_see_what_ours_fires(client: redis.Redis, rq: RQSide) -> None:
    scheduler = CronScheduler(client, name="ours")
    scheduler.register("tests.compat.jobs.add", "default", args=(1, 2), interval=60, name="sums",
                       job_timeout=30, meta={"a": 1})  # fmt: skip
    scheduler.register("tests.compat.jobs.add", "default", cron="0 9 * * *", name="morning")
    scheduler.enqueue_jobs()
    scheduler.register_birth()
    seen: dict[str, Any] = rq("cron", name="sums")
    (shown,) = seen["schedulers"]
    assert (shown["name"], shown["hostname"], shown["pid"]) == (
        "ours", scheduler.hostname, str(scheduler.pid),
    )  # fmt: skip
    sums, morning = json.loads(shown["cron_jobs"])
    assert (sums["name"], sums["func_name"], sums["interval"]) == (
        "sums", "tests.compat.jobs.add", 60,
    )  # fmt: skip
    assert sums["latest_enqueue_time"] < sums["next_enqueue_time"]
    assert (morning["cron"], morning["latest_enqueue_time"]) == ("0 9 * * *", None)
    assert seen["is_alive"] == [True]
    assert seen["names"] == ["sums"]
    assert seen["job_ids"] == get_cron_job_ids("sums", client)


def test_rqs_worker_runs_what_ours_fired(client: redis.Redis, rq: RQSide) -> None:
    Cron(client).add("sums", "tests.compat.jobs.add", args=(1, 2), interval=60)
    CronScheduler(client).enqueue_jobs()
    ((job_id, _),) = Cron(client).history("sums")
    rq("work")
    assert Job.fetch(job_id, client).return_value() == 3


def test_we_see_and_run_what_rqs_fires(client: redis.Redis, rq: RQSide) -> None:
    (job_id,) = rq("fire_cron", call="add", name="theirs")
    assert get_cron_job_ids("theirs", client) == [job_id]
    (scheduler,) = CronScheduler.all(client)
    assert scheduler.name == "theirs"
    (job,) = scheduler.get_jobs()
    assert (job.name, job.func_name, job.args, job.interval) == (
        "theirs", "tests.compat.jobs.add", (1, 2), 60,
    )  # fmt: skip
    assert job.next_enqueue_time is not None
    work_off("simple", rq.url)
    assert Job.fetch(job_id, client).return_value() == 3
