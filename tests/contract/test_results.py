"""The runs of a job, kept where RQ looks for them or in the hash."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.lives import Life
from workhorse.core.outcomes import AskedRetry, Raised, Returned, Stopped
from workhorse.core.retry import Retry
from workhorse.core.verdicts import judge
from workhorse.store import jobs, results
from workhorse.wire.codec import date_to_text
from workhorse.wire.entries import ResultRecord, ResultType


def runs(life: Life) -> list[ResultRecord]:
    return life.store.run(results.runs(life.keys, "j"))


def entries(life: Life) -> list[dict[str, str]]:
    return [
        {name.decode(): value.decode() for name, value in fields.items()}
        for _, fields in life.client.xrange("rq:results:j")
    ]


def test_a_first_success_of_our_clients_job_is_in_the_hash_alone(every_life: Life) -> None:
    job = every_life.start()
    every_life.settle(job, Returned(b"42"))
    assert not every_life.client.exists("rq:results:j")
    (run,) = runs(every_life)
    assert (run.type, run.value, run.worker_name) == (ResultType.SUCCESSFUL, b"42", "w")
    assert run.execution_id == job.execution_id


def test_none_is_a_success_without_a_value(every_life: Life) -> None:
    every_life.settle(every_life.start(), Returned(None))
    (run,) = runs(every_life)
    assert (run.type, run.value) == (ResultType.SUCCESSFUL, None)


def test_a_success_of_a_job_that_rqs_client_enqueued_is_an_entry_as_rq_writes_it(
    every_life: Life,
) -> None:
    job = every_life.start(result_in="")
    every_life.settle(job, Returned(b"42"))
    (entry,) = entries(every_life)
    times = {name: float(entry.pop(f"execution_{name}_at")) for name in ("started", "ended")}
    assert entry == {
        "type": "1",
        "worker_name": "w",
        "execution_id": job.execution_id,
        "return_value": base64.b64encode(b"42").decode(),
    }
    assert times["ended"] - times["started"] == pytest.approx(1, abs=1e-5)
    assert every_life.field("result") is None


def test_an_entry_without_a_value_has_no_return_value(every_life: Life) -> None:
    every_life.settle(every_life.start(result_in=""), Returned(None))
    (entry,) = entries(every_life)
    assert "return_value" not in entry


@pytest.mark.parametrize("result_in", ["", "hash"])
def test_a_failure_is_an_entry_with_its_traceback(every_life: Life, result_in: str) -> None:
    every_life.settle(every_life.start(result_in=result_in), Raised("Traceback: böom"))
    (entry,) = entries(every_life)
    assert entry["type"] == "2"
    assert zlib.decompress(base64.b64decode(entry["exc_string"])).decode() == "Traceback: böom"


def test_a_stop_is_an_entry_of_its_own_type(every_life: Life) -> None:
    every_life.settle(every_life.start(), Stopped())
    assert [run.type for run in runs(every_life)] == [ResultType.STOPPED]


def test_a_retried_run_is_kept_with_its_traceback(every_life: Life) -> None:
    """RQ keeps nothing of a run that raised and is tried again."""
    job = every_life.start(retries_left=1)
    every_life.settle(job, judge(Raised("boom"), job.policy))
    (run,) = runs(every_life)
    assert (run.type, run.error) == (ResultType.RETRIED, "boom")


@pytest.mark.parametrize("on_lost", ["requeue", "fail"])
def test_a_lost_run_is_kept_with_its_beginning_and_when_it_was_found_lost(
    every_life: Life, on_lost: str
) -> None:
    job = every_life.start(on_lost=on_lost)
    began = datetime.now(UTC) - timedelta(hours=25)
    every_life.client.hset("rq:job:j", "started_at", date_to_text(began))
    every_life.extend(job, lease=-1)
    every_life.recover()
    (run,) = runs(every_life)
    assert "worker w stopped renewing its lease" in str(run.error)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert abs(run.started_at - began) < timedelta(milliseconds=1)
    assert abs(run.ended_at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("began", ["", "soon", "2999-01-01T00:00:00.000000Z"])
def test_a_lost_run_whose_beginning_makes_no_sense_began_when_it_was_found(
    life: Life, began: str
) -> None:
    job = life.start()
    life.client.hset("rq:job:j", "started_at", began)
    life.extend(job, lease=-1)
    life.recover()
    (entry,) = entries(life)
    assert entry["execution_started_at"] == entry["execution_ended_at"]


@pytest.mark.parametrize("day", ["1970-01-01", "2000-02-29", "2026-03-01", "2027-12-31"])
def test_the_server_reads_dates_as_we_do(life: Life, day: str) -> None:
    job = life.start()
    life.client.hset("rq:job:j", "started_at", f"{day}T12:34:56.789012Z")
    life.extend(job, lease=-1)
    life.recover()
    (run,) = runs(life)
    assert run.started_at == min(
        datetime.fromisoformat(f"{day}T12:34:56.789012Z"), run.ended_at or datetime.now(UTC)
    )


def test_a_job_that_asked_too_often_says_so(every_life: Life) -> None:
    job = every_life.start()
    every_life.settle(job, judge(AskedRetry(Retry(1)), job.policy))
    job = every_life.claim_one()
    every_life.settle(job, judge(AskedRetry(Retry(1)), job.policy))
    types = [run.type for run in runs(every_life)]
    assert types == [ResultType.MAX_RETRIES_EXCEEDED, ResultType.RETRIED]


def test_the_success_after_retries_is_the_newest_run(every_life: Life) -> None:
    job = every_life.start(retries_left=2)
    every_life.settle(job, judge(Raised("first"), job.policy))
    job = every_life.claim_one()
    every_life.settle(job, judge(Raised("second"), job.policy))
    job = every_life.claim_one()
    just_now = jobs.settlement(
        job, judge(Returned(b"42")), result_ttl=500, started_at=10.0, ended_at=10.0
    )
    every_life.settle_many([just_now])
    assert [(run.value, run.error) for run in runs(every_life)] == [
        (b"42", None), (None, "second"), (None, "first"),
    ]  # fmt: skip


def test_the_history_expires_with_the_job(every_life: Life) -> None:
    job = every_life.start(retries_left=1)
    every_life.settle(job, judge(Raised("boom"), job.policy))
    every_life.settle(every_life.claim_one(), Returned(b"42"))
    assert 495 < every_life.client.ttl("rq:results:j") <= 500


def test_ten_runs_are_kept(every_life: Life) -> None:
    job = every_life.start(retries_left=20)
    for _ in range(15):
        every_life.settle(job, judge(Raised("boom"), job.policy))
        job = every_life.claim_one()
    assert every_life.client.xlen("rq:results:j") == 10


def test_past_runs_stay_after_a_requeue_and_the_old_value_does_not(every_life: Life) -> None:
    every_life.settle(every_life.start(), Raised("boom"))
    every_life.requeue()
    assert every_life.client.ttl("rq:results:j") == -1
    every_life.settle(every_life.claim_one(), Returned(b"42"))
    every_life.requeue()
    assert [run.type for run in runs(every_life)] == [ResultType.FAILED]


def test_no_job_has_no_runs(every_life: Life) -> None:
    assert runs(every_life) == []


def test_an_entry_of_rqs_worker_is_read(every_life: Life) -> None:
    every_life.enqueue("j")
    fields = {"type": "1", "worker_name": "", "return_value": base64.b64encode(b"42")}
    every_life.client.xadd("rq:results:j", fields, id="1700000000123-0")
    (run,) = runs(every_life)
    assert (run.value, run.worker_name, run.execution_id) == (b"42", "", None)
    assert run.created_at.isoformat() == "2023-11-14T22:13:20.123000+00:00"
