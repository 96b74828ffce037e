"""We enqueue, RQ's workers run, we read what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import RQSide, work_off
from tests.support import servers
from tests.support.servers import RunningServer
from workhorse import Job, Queue, Result, Retry
from workhorse.store.server import server_binary

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ


@dataclass
class Ran:
    """The jobs that one of RQ's workers ran, each by the name it has here."""

    jobs: dict[str, Job]
    rq: RQSide

    def __getitem__(self, name: str) -> Job:
        return self.jobs[name]


@pytest.fixture(scope="module", params=["SimpleWorker", "Worker"])
def ran(
    request: pytest.FixtureRequest,
    rq_on: Callable[[RunningServer], RQSide],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ran]:
    """Every kind of job that our producer can ask for, run by one of RQ's workers."""
    with servers.running("valkey", server_binary()) as server, server.client() as client:
        rq = rq_on(server)
        made = _enqueue_all(client, tmp_path_factory.mktemp("counters"))
        rq("work", worker=request.param)
        rq("work", worker=request.param, queues=["json"], serializer="json")
        for job in made.values():
            job.refresh()
        yield Ran(made, rq)


def _enqueue_all(client: redis.Redis, folder: Path) -> dict[str, Job]:
    queue = Queue(connection=client)
    json_queue = Queue("json", connection=client, serializer="json")
    patient = Queue(connection=client, default_timeout="2m")

    def counter(name: str) -> str:
        return str(folder / name)

    many = queue.enqueue_many([Queue.prepare_data(jobs.add, (n, n)) for n in range(3)])
    return {
        "many": many[2],
        "success": queue.enqueue(jobs.add, 2, b=40, description="the answer", result_ttl=77),
        "none": queue.enqueue("tests.compat.jobs.nothing"),
        "function": queue.enqueue(jobs.a_function),
        "failure": queue.enqueue(jobs.fail, "grüße", failure_ttl=99),
        "retried": queue.enqueue(jobs.fail_times, 2, counter("retried"), retry=Retry(3)),
        "exhausted": queue.enqueue(jobs.fail_times, 9, counter("exhausted"), retry=Retry(2)),
        "waits": queue.enqueue(jobs.fail_times, 1, counter("waits"), retry=Retry(1, [60])),
        "asked": queue.enqueue(jobs.ask_again, 2, counter("asked")),
        "asked too often": queue.enqueue(jobs.ask_again, 9, counter("too often"), 2),
        "noted": queue.enqueue(jobs.note, "by", "the job", meta={"from": "the producer"}),
        "introspective": queue.enqueue(jobs.who_am_i),
        "late": queue.enqueue(jobs.sleep, 30, job_timeout="1s"),
        "patient": patient.enqueue(jobs.add, 1),
        "method": queue.enqueue(jobs.Account(10).plus, 5),
        "own id": queue.enqueue(jobs.add, 1, job_id="chosen-by-hand"),
        "large": queue.enqueue(jobs.add, "x" * 20_000, b="y" * 20_000),
        "json": json_queue.enqueue(jobs.add, 1, b=2),
    }


def _latest(job: Job) -> Result:
    result = job.latest_result()
    assert result is not None
    return result


def test_we_read_a_success(ran: Ran) -> None:
    job = ran["success"]
    assert job.get_status() == "finished"
    assert job.is_finished
    assert job.return_value() == 42
    assert _latest(job).type is Result.Type.SUCCESSFUL
    assert _latest(job).worker_name == job.worker_name
    assert job.enqueued_at is not None
    assert job.started_at is not None
    assert job.ended_at is not None
    assert job.enqueued_at <= job.started_at <= job.ended_at
    assert job.wait(1) == "finished"


def test_we_read_a_none(ran: Ran) -> None:
    assert ran["none"].return_value() is None
    assert _latest(ran["none"]).type is Result.Type.SUCCESSFUL


def test_we_read_an_object_and_a_large_value(ran: Ran) -> None:
    assert ran["function"].return_value() is open
    assert ran["large"].return_value() == "x" * 20_000 + "y" * 20_000


def test_we_read_a_failure_with_its_traceback(ran: Ran) -> None:
    job = ran["failure"]
    assert job.get_status() == "failed"
    assert job.return_value() is None
    result = _latest(job)
    assert result.type is Result.Type.FAILED
    assert result.exc_string is not None
    assert result.exc_string.rstrip().endswith("ValueError: grüße")


def test_a_job_is_retried_until_it_succeeds(ran: Ran) -> None:
    job = ran["retried"]
    assert job.get_status() == "finished"
    assert job.return_value() == 3
    assert job.retries_left == 1


def test_a_job_fails_when_its_retries_are_used_up(ran: Ran) -> None:
    job = ran["exhausted"]
    assert job.get_status() == "failed"
    assert job.retries_left == 0
    assert "run 3 fails" in (_latest(job).exc_string or "")


def test_a_retry_with_an_interval_is_scheduled(ran: Ran) -> None:
    assert ran["waits"].get_status() == "scheduled"
    assert ran.rq.facts(ran["waits"].id)["registries"] == ["scheduled"]


def test_a_returned_retry_is_obeyed(ran: Ran) -> None:
    job = ran["asked"]
    assert job.get_status() == "finished"
    assert job.number_of_retries == 2
    assert [run.type.name for run in job.results()] == ["SUCCESSFUL", "RETRIED", "RETRIED"]
    assert job.return_value() == 3


def test_a_retry_returned_too_often_fails_the_job(ran: Ran) -> None:
    job = ran["asked too often"]
    assert job.get_status() == "failed"
    assert _latest(job).type is Result.Type.MAX_RETRIES_EXCEEDED


def test_we_read_the_meta_that_a_job_saved(ran: Ran) -> None:
    assert ran["noted"].return_value() == "rq"
    assert ran["noted"].get_meta() == {"from": "the producer", "by": "the job"}


def test_a_job_knows_itself(ran: Ran) -> None:
    job = ran["introspective"]
    name = "tests.compat.jobs.who_am_i"
    assert job.return_value() == [job.id, "default", name, "started"]


def test_a_job_is_ended_at_its_time_limit(ran: Ran) -> None:
    assert ran["late"].get_status() == "failed"
    assert "JobTimeoutException" in (_latest(ran["late"]).exc_string or "")


def test_a_method_of_an_object_is_run(ran: Ran) -> None:
    assert ran["method"].return_value() == 15


def test_a_json_job_is_run(ran: Ran) -> None:
    assert ran["json"].return_value() == 3


def test_jobs_that_were_enqueued_as_many_are_run(ran: Ran) -> None:
    assert ran["many"].return_value() == 4


def test_rq_shows_every_field_as_we_do(ran: Ran) -> None:
    for name, job in ran.jobs.items():
        if name == "json":
            continue
        facts = ran.rq.facts(job.id)
        ours: dict[str, Any] = {
            "id": job.id,
            "origin": job.origin,
            "status": job.get_status(),
            "func_name": job.func_name,
            "args": list(job.args),
            "description": job.description,
            "timeout": job.timeout,
            "result_ttl": job.result_ttl,
            "failure_ttl": job.failure_ttl,
            "worker_name": job.worker_name,
            "retries_left": job.retries_left,
            "number_of_retries": job.number_of_retries or None,
            "meta": job.get_meta(),
            "created_at": job.created_at and job.created_at.isoformat(),
            "enqueued_at": job.enqueued_at and job.enqueued_at.isoformat(),
            "started_at": job.started_at and job.started_at.isoformat(),
            "ended_at": job.ended_at and job.ended_at.isoformat(),
        }
        assert {field: facts[field] for field in ours} == ours, name


def test_the_time_limit_is_written_with_the_job(ran: Ran) -> None:
    limits = {
        name: ran.rq.facts(ran[name].id)["timeout"] for name in ("success", "late", "patient")
    }
    assert limits == {"success": 180, "late": 1, "patient": 120}


def test_at_front_is_obeyed(rq: RQSide, client: redis.Redis, tmp_path: Path) -> None:
    order, queue = tmp_path / "order", Queue(connection=client)
    for word in ("first", "second"):
        queue.enqueue(jobs.append_order, str(order), word)
    queue.enqueue(jobs.append_order, str(order), "urgent", at_front=True)
    rq("work")
    assert order.read_text().split() == ["urgent", "first", "second"]


def test_rq_sees_a_job_of_ours_that_waits(rq: RQSide, client: redis.Redis) -> None:
    queue = Queue(connection=client)
    queue.enqueue(jobs.add, 1)
    job = queue.enqueue(
        jobs.add, 1, b=2, ttl=60, meta={"a": [1]}, retry=Retry(3, [1, 2]), job_timeout=-1
    )
    facts = rq.facts(job.id)
    assert facts["status"] == "queued"
    assert facts["position"] == 1
    assert (facts["args"], facts["kwargs"]) == ([1], {"b": 2})
    assert (facts["ttl"], facts["timeout"]) == (60, -1)
    assert facts["meta"] == {"a": [1]}
    assert (facts["retries_left"], facts["retry_intervals"]) == (3, [1, 2])
    assert facts["description"] == "tests.compat.jobs.add(1, b=2)"
    assert facts["registries"] == []


def test_a_result_that_is_not_to_be_kept_leaves_nothing(rq: RQSide, client: redis.Redis) -> None:
    job = Queue(connection=client).enqueue(jobs.add, 1, result_ttl=0)
    rq("work")
    assert not client.exists(f"rq:job:{job.id}", f"rq:results:{job.id}")


def test_we_cancel_and_delete_jobs_before_rq_runs_them(rq: RQSide, client: redis.Redis) -> None:
    queue = Queue(connection=client)
    canceled, deleted, rqs = queue.enqueue(jobs.add, 1), queue.enqueue(jobs.add, 2), _of_rq(rq)
    canceled.cancel()
    deleted.delete()
    Job.fetch(rqs, client).cancel()
    rq("work")
    assert rq("statuses", job_ids=[canceled.id, deleted.id, rqs]) == ["canceled", None, "canceled"]
    assert rq("counts")["canceled"] == 2


def _of_rq(rq: RQSide) -> str:
    job_id: str = rq("enqueue", call="add", args=[1])
    return job_id


@pytest.mark.parametrize("worker_again", ["rq", "ours"])
def test_we_requeue_a_job_that_failed_with_rq(
    worker_again: str, rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    job = Queue(connection=client).enqueue(jobs.fail_times, 1, str(tmp_path / "counter"))
    rq("work")
    assert job.get_status() == "failed"
    job.requeue()
    assert rq("counts")["failed"] == 0
    if worker_again == "rq":
        rq("work")
    else:
        work_off("simple", rq.url)
    assert job.get_status() == "finished"
    assert job.return_value() == 2
    assert rq("counts")["finished"] == 1


def test_rqs_workers_forward_nothing_twice(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    """A retry that RQ's worker scheduled, forwarded by ours and run by RQ's."""
    counter = tmp_path / "counter"
    job = Queue(connection=client).enqueue(jobs.fail_times, 1, str(counter), retry=Retry(1, [60]))
    rq("work")
    client.zadd("rq:scheduled:default", {job.id: 1})
    work_off("simple", rq.url, "another queue")  # forwards for every queue
    assert Queue(connection=client).job_ids == [job.id]
    rq("work", with_scheduler=True)
    assert job.get_status() == "finished"
    assert counter.read_text() == ".."


@pytest.mark.parametrize("first", ["ours", "rq"])
def test_a_job_tried_by_both_sides_has_one_history(
    first: str, rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    """A job of ours that returns a Retry, run by one side and then by the other."""
    job = Queue(connection=client).enqueue(jobs.ask_again, 1, str(tmp_path / "counter"), 5, 60)
    for side in ("ours", "rq") if first == "ours" else ("rq", "ours"):
        if side == "ours":
            work_off("simple", rq.url)
        else:
            rq("work", with_scheduler=True)
        if job.get_status() == "scheduled":
            client.zadd("rq:scheduled:default", {job.id: 1})
    job.refresh()
    assert job.get_status() == "finished"
    assert job.return_value() == 2
    assert [run.type.name for run in job.results()] == ["SUCCESSFUL", "RETRIED"]
    assert job.number_of_retries == 1


def test_we_wait_for_the_end_of_a_job_that_rq_runs(rq: RQSide, client: redis.Redis) -> None:
    queue = Queue(connection=client)
    job = queue.enqueue(jobs.add, 20, 22)
    assert job.get_status() == "queued"
    rq("work")
    assert job.wait(5) == "finished"
    assert job.return_value() == 42


def test_rq_reads_a_result_of_ours_that_is_kept_in_a_stream(
    rq: RQSide, client: redis.Redis
) -> None:
    queue = Queue(connection=client, results_in_stream=True)
    job, failed = queue.enqueue(jobs.add, 20, 22), queue.enqueue(jobs.fail)
    work_off("fork", rq.url)
    facts = rq.facts(job.id)
    assert (facts["status"], facts["return_value"]) == ("finished", 42)
    assert facts["registries"] == ["finished"]
    assert job.return_value() == 42
    assert len(job.results()) == 1
    assert "no such luck" in rq.facts(failed.id)["latest"]["exc_string"]


def test_rq_sees_the_end_of_a_job_of_ours_whose_result_is_in_its_hash(
    rq: RQSide, client: redis.Redis
) -> None:
    """RQ does not look into the hash for the value: see results_in_stream."""
    job = Queue(connection=client).enqueue(jobs.add, 20, 22)
    work_off("simple", rq.url)
    facts = rq.facts(job.id)
    assert (facts["status"], facts["registries"]) == ("finished", ["finished"])
    assert job.return_value() == 42
