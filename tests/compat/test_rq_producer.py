"""RQ enqueues, our workers run, RQ reads what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.compat.sides import KINDS, Kind, RQSide, our_worker, running, work_off
from tests.support import servers
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import Job
from workhorse.store.server import server_binary

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ

RUNS: tuple[tuple[str, Kind, str], ...] = (
    ("simple, Redis 6.2", "simple", "redis62"),
    ("fork, Valkey", "fork", "valkey"),
    ("supervisor, Valkey", "supervisor", "valkey"),
    ("supervisor, Redis 7.0", "supervisor", "redis70"),
)


@dataclass
class Ran:
    """What RQ tells of the jobs that one of our workers ran, each by the name it has here."""

    facts: dict[str, dict[str, Any]]
    counts: dict[str, int]
    client: redis.Redis

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.facts[name]


@pytest.fixture(scope="module", params=[run[1:] for run in RUNS], ids=[run[0] for run in RUNS])
def ran(
    request: pytest.FixtureRequest,
    rq_on: Callable[[RunningServer], RQSide],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ran]:
    """Every kind of job that RQ's producer can ask for, run by one of our workers."""
    kind, server_name = request.param
    with servers.running(server_name, _binary(server_name, request)) as server:
        folder = tmp_path_factory.mktemp("counters")
        rq, client = rq_on(server), server.client()
        job_ids = _enqueue_all(rq, folder)
        work_off(kind, server.url)
        work_off(kind, server.url, "json", serializer="json")
        facts = {name: rq.facts(job_id) for name, job_id in job_ids.items() if name != "json"}
        facts["json"] = rq.facts(job_ids["json"], serializer="json")
        yield Ran(facts, rq("counts"), client)
        client.close()


def _binary(name: str, request: pytest.FixtureRequest) -> Path:
    if name == "valkey":
        return server_binary()
    request.getfixturevalue(name)  # skips or fails where there is none
    found = servers.REDIS62 if name == "redis62" else servers.find_redis7()
    assert found is not None
    return found


def _enqueue_all(rq: RQSide, folder: Path) -> dict[str, str]:
    def enqueue(name: str, call: str, *args: Any, **options: Any) -> tuple[str, str]:
        return name, rq("enqueue", call=call, args=list(args), **options)

    def counter(name: str) -> str:
        return str(folder / name)

    many = rq("enqueue_many", call="add", args=[[1, 1], [2, 2], [3, 3]], meta={"batch": 1})
    return dict(
        [
            ("many 1", many[0]),
            ("many 3", many[2]),
            enqueue("success", "add", 2, kwargs={"b": 40}, description="the answer"),
            enqueue("none", "nothing"),
            enqueue("function", "a_function"),
            enqueue("failure", "fail", "grüße"),
            enqueue("missing function", "not_there"),
            enqueue("retried", "fail_times", 2, counter("retried"), retry={"max": 3}),
            enqueue("exhausted", "fail_times", 9, counter("exhausted"), retry={"max": 2}),
            enqueue("waits", "fail_times", 1, counter("waits"), retry={"max": 1, "interval": 60}),
            enqueue("asked", "ask_again", 2, counter("asked")),
            enqueue("asked too often", "ask_again", 9, counter("asked too often"), 2),
            enqueue("noted", "note", "by", "the job", meta={"from": "the producer"}),
            enqueue("introspective", "who_am_i"),
            enqueue("late", "sleep", 30, job_timeout=1),
            enqueue("method", "", 5, account=10),
            enqueue("kept for ever", "add", 1, result_ttl=-1),
            enqueue("not kept", "add", 1, result_ttl=7),
            enqueue("short failure", "fail", failure_ttl=9),
            enqueue("own id", "add", 1, job_id="chosen-by-hand", unique=True),
            enqueue("large", "add", "x" * 20_000, kwargs={"b": "y" * 20_000}),
            enqueue("json", "add", 1, kwargs={"b": 2}, queue="json", serializer="json"),
        ]
    )


def test_rq_reads_a_success(ran: Ran) -> None:
    job = ran["success"]
    assert job["status"] == "finished"
    assert job["return_value"] == 42
    assert job["registries"] == ["finished"]
    assert job["description"] == "the answer"
    latest = job["latest"]
    assert latest["type"] == "SUCCESSFUL"
    assert latest["worker_name"] == job["worker_name"]
    assert latest["execution_id"]
    assert job["enqueued_at"] <= job["started_at"] <= job["ended_at"]
    assert latest["execution_started_at"] <= latest["execution_ended_at"]


def test_rq_reads_a_none(ran: Ran) -> None:
    assert ran["none"]["status"] == "finished"
    assert ran["none"]["latest"]["type"] == "SUCCESSFUL"
    assert ran["none"]["return_value"] is None


def test_rq_reads_an_object_and_a_large_value(ran: Ran) -> None:
    assert "open" in str(ran["function"]["return_value"])
    assert ran["large"]["return_value"] == "x" * 20_000 + "y" * 20_000


def test_rq_reads_a_failure_with_its_traceback(ran: Ran) -> None:
    job = ran["failure"]
    assert job["status"] == "failed"
    assert job["registries"] == ["failed"]
    assert job["return_value"] is None
    assert job["latest"]["type"] == "FAILED"
    assert job["latest"]["exc_string"].startswith("Traceback (most recent call last)")
    assert job["latest"]["exc_string"].rstrip().endswith("ValueError: grüße")
    assert ran["missing function"]["status"] == "failed"
    assert "not_there" in ran["missing function"]["latest"]["exc_string"]


def test_rq_counts_what_we_settled(ran: Ran) -> None:
    ended = [facts["status"] for name, facts in ran.facts.items() if name != "json"]
    assert ran.counts == {
        "queued": 0,
        "started": 0,
        "finished": ended.count("finished") + 1,  # the second of three that were sent as many
        "failed": ended.count("failed"),
        "scheduled": 1,
        "canceled": 0,
    }


def test_a_job_is_retried_until_it_succeeds(ran: Ran) -> None:
    job = ran["retried"]
    assert job["status"] == "finished"
    assert job["return_value"] == 3
    assert job["retries_left"] == 1
    assert [result["type"] for result in job["results"]] == ["SUCCESSFUL", "RETRIED", "RETRIED"]
    assert "run 1 fails" in job["results"][2]["exc_string"]


def test_a_job_fails_when_its_retries_are_used_up(ran: Ran) -> None:
    job = ran["exhausted"]
    assert job["status"] == "failed"
    assert job["retries_left"] == 0
    assert job["latest"]["type"] == "FAILED"
    assert "run 3 fails" in job["latest"]["exc_string"]


def test_a_retry_with_an_interval_is_scheduled(ran: Ran) -> None:
    job = ran["waits"]
    assert job["status"] == "scheduled"
    assert job["registries"] == ["scheduled"]
    assert job["retries_left"] == 0
    due = ran.client.zscore("rq:scheduled:default", job["id"])
    assert due == pytest.approx(time.time() + 60, abs=50)


def test_a_returned_retry_is_obeyed(ran: Ran) -> None:
    job = ran["asked"]
    assert job["status"] == "finished"
    assert job["return_value"] == 3
    assert job["number_of_retries"] == 2
    assert [result["type"] for result in job["results"]] == ["SUCCESSFUL", "RETRIED", "RETRIED"]


def test_a_retry_returned_too_often_fails_the_job(ran: Ran) -> None:
    job = ran["asked too often"]
    assert job["status"] == "failed"
    assert job["latest"]["type"] == "MAX_RETRIES_EXCEEDED"


def test_rq_reads_the_meta_that_a_job_saved(ran: Ran) -> None:
    assert ran["noted"]["return_value"] == "workhorse"
    assert ran["noted"]["meta"] == {"from": "the producer", "by": "the job"}


def test_a_job_knows_itself(ran: Ran) -> None:
    job = ran["introspective"]
    assert job["return_value"] == [
        job["id"], "default", "tests.compat.jobs.who_am_i", "started",
    ]  # fmt: skip


def test_a_job_is_ended_at_its_time_limit(ran: Ran) -> None:
    job = ran["late"]
    assert job["status"] == "failed"
    assert "JobTimeoutException" in job["latest"]["exc_string"]


def test_a_method_of_an_object_is_run(ran: Ran) -> None:
    assert ran["method"]["return_value"] == 15


def test_a_result_is_kept_as_long_as_asked(ran: Ran) -> None:
    def lives(name: str) -> tuple[int, int]:
        job_id = ran[name]["id"]
        return ran.client.ttl(f"rq:job:{job_id}"), ran.client.ttl(f"rq:results:{job_id}")

    assert lives("kept for ever") == (-1, -1)
    assert all(0 < left <= 7 for left in lives("not kept"))
    assert all(0 < left <= 9 for left in lives("short failure"))
    assert all(400 < left <= 500 for left in lives("success"))
    assert all(31_000_000 < left <= 31_536_000 for left in lives("failure"))


def test_jobs_that_were_enqueued_as_many_are_run(ran: Ran) -> None:
    assert ran["many 1"]["return_value"] == 2
    assert ran["many 3"]["return_value"] == 6
    assert ran["many 3"]["meta"] == {"batch": 1}


def test_a_unique_job_keeps_its_id(ran: Ran) -> None:
    assert ran["own id"]["id"] == "chosen-by-hand"
    assert ran["own id"]["return_value"] == 1


def test_a_json_job_is_run_with_the_json_serializer(ran: Ran) -> None:
    assert ran["json"]["return_value"] == 3
    assert ran["json"]["args"] == [1]


def test_nothing_is_left_of_the_executions(ran: Ran) -> None:
    left = [key for key in ran.client.keys("rq:*") if b":wip:" in key or b":execution" in key]
    assert left == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_that_is_not_to_be_kept_leaves_nothing(
    kind: Kind, rq: RQSide, client: redis.Redis
) -> None:
    job_id = rq("enqueue", call="add", args=[1], result_ttl=0)
    work_off(kind, rq.url)
    assert client.exists(f"rq:job:{job_id}", f"rq:results:{job_id}") == 0
    assert rq("counts")["finished"] == 0


def test_a_job_past_its_ttl_is_not_run(rq: RQSide, client: redis.Redis) -> None:
    job_id = rq("enqueue", call="add", args=[1], ttl=1)
    wait_until(lambda: not client.exists(f"rq:job:{job_id}"))
    other = rq("enqueue", call="add", args=[2])
    work_off("simple", rq.url)
    assert not client.exists(f"rq:job:{job_id}")
    assert rq.facts(other)["return_value"] == 2
    assert rq("counts")["queued"] == 0


def test_at_front_is_obeyed(rq: RQSide, client: redis.Redis, tmp_path: Path) -> None:
    del client
    order = str(tmp_path / "order")
    for word in ("first", "second"):
        rq("enqueue", call="append_order", args=[order, word])
    rq("enqueue", call="append_order", args=[order, "urgent"], at_front=True)
    work_off("simple", rq.url)
    assert Path(order).read_text().split() == ["urgent", "first", "second"]


def test_rqs_scheduler_forwards_a_retry_that_we_scheduled(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    job_id = _scheduled_retry(rq, client, tmp_path)
    rq("work", with_scheduler=True)
    facts = rq.facts(job_id)
    assert (facts["status"], facts["return_value"]) == ("finished", 2)
    assert facts["registries"] == ["finished"]


def test_our_worker_forwards_a_retry_that_rq_scheduled(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    retry = {"max": 1, "interval": 60}
    call = {"call": "fail_times", "args": [1, str(tmp_path / "counter")], "retry": retry}
    job_id = rq("enqueue", **call)
    rq("work")
    assert rq.facts(job_id)["registries"] == ["scheduled"]
    client.zadd("rq:scheduled:default", {job_id: 1})
    work_off("simple", rq.url)
    facts = rq.facts(job_id)
    assert (facts["status"], facts["return_value"]) == ("finished", 2)
    assert facts["registries"] == ["finished"]


def _scheduled_retry(rq: RQSide, client: redis.Redis, folder: Path) -> str:
    """Return a job whose first run failed with our worker and whose second is due."""
    retry = {"max": 1, "interval": 60}
    args = [1, str(folder / "counter")]
    job_id: str = rq("enqueue", call="fail_times", args=args, retry=retry)
    work_off("simple", rq.url)
    assert rq.facts(job_id)["registries"] == ["scheduled"]
    client.zadd("rq:scheduled:default", {job_id: 1})  # its minute is over
    return job_id


def test_rq_cancels_a_job_that_waits(rq: RQSide, client: redis.Redis) -> None:
    job_id = rq("enqueue", call="add", args=[1])
    rq("cancel", job_id=job_id)
    work_off("simple", rq.url)
    assert Job.fetch(job_id, client).get_status() == "canceled"
    assert rq.facts(job_id)["registries"] == ["canceled"]


def test_rq_deletes_a_job_that_waits(rq: RQSide, client: redis.Redis) -> None:
    job_id = rq("enqueue", call="add", args=[1])
    rq("delete", job_id=job_id)
    work_off("simple", rq.url)
    assert not client.exists(f"rq:job:{job_id}")


def test_rq_requeues_a_job_that_failed_with_us(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    job_id = rq("enqueue", call="fail_times", args=[1, str(tmp_path / "counter")])
    work_off("simple", rq.url)
    assert rq.facts(job_id)["registries"] == ["failed"]
    rq("requeue", job_id=job_id)
    work_off("simple", rq.url)
    facts = rq.facts(job_id)
    assert (facts["status"], facts["return_value"]) == ("finished", 2)
    assert facts["registries"] == ["finished"]
    assert client.ttl(f"rq:job:{job_id}") <= 500


@pytest.mark.parametrize("act", ["cancel", "delete"])
@pytest.mark.parametrize("seconds", [0.8, 60], ids=["ends by itself", "has to be ended"])
def test_a_running_job_that_rq_cancels_or_deletes_is_not_resurrected(
    act: str, seconds: float, rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    job_id = rq("enqueue", call="sleep_with_note", args=[seconds, str(begun)])
    # A short lease is extended often, so that a long run is seen to be another's soon.
    with running(our_worker(rq.url, "--lease", "1", "--quiet")):
        wait_until(begun.exists)
        rq(act, job_id=job_id)
        after = rq("enqueue", call="add", args=[1])
        wait_until(lambda: rq.facts(after)["status"] == "finished")
    if act == "delete":
        assert not client.exists(f"rq:job:{job_id}")
        assert not client.exists(f"rq:results:{job_id}")
    else:
        facts = rq.facts(job_id)
        assert facts["status"] == "canceled"
        assert facts["registries"] == ["canceled"]
        assert facts["results"] == []
    assert client.zcard("rq:wip:default") == 0


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_a_running_job_that_rq_stops_is_ended_and_not_tried_again(
    isolation: str, rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    """RQ's client tells the worker and nobody else."""
    begun = tmp_path / "begun"
    job_id = rq("enqueue", call="sleep_with_note", args=[60, str(begun)], retry={"max": 3})
    with running(our_worker(rq.url, "--isolation", isolation, "--name", "w", "--quiet")):
        wait_until(lambda: client.pubsub_numsub("rq:pubsub:w") == [(b"rq:pubsub:w", 1)])
        wait_until(begun.exists)
        rq("stop", job_id=job_id)
        after = rq("enqueue", call="add", args=[1])
        wait_until(lambda: rq.facts(after)["status"] == "finished")
    facts = rq.facts(job_id)
    assert facts["status"] == "stopped"
    assert facts["registries"] == ["failed"]
    assert client.zcard("rq:wip:default") == 0
