"""One function, run as a job would be."""

from __future__ import annotations

import pytest

from tests.support import jobs, shop
from workhorse import Queue, Retry, SerializationError, get_current_job
from workhorse.testing import JobFailedError, all_enqueued, drain, run_job
from workhorse.wire.entries import ResultType

pytestmark = pytest.mark.usefixtures("on_server")


@pytest.fixture(autouse=True)
def _begin_anew() -> None:
    shop.tries.clear()


def test_what_it_returns_is_told() -> None:
    result = run_job(shop.send, 17, copy=True)
    assert (result.type, result.return_value) == (ResultType.SUCCESSFUL, "receipt 17 and a copy")


def test_its_code_knows_its_job_and_the_options_that_it_was_given() -> None:
    result = run_job(shop.know_thyself, job_timeout=7, job_id="mine", queue="mail")
    assert result.return_value == ("mine", "mail", 7)
    assert get_current_job() is None


def test_a_failure_is_raised_with_its_traceback() -> None:
    with pytest.raises(JobFailedError, match=r"shop.fail\('x'\) has failed: LookupError: x"):
        run_job(shop.fail, "x")


def test_a_failure_need_not_be_raised_and_is_not_tried_again() -> None:
    result = run_job(shop.fail, "x", raise_errors=False, retry=Retry(3))
    assert result.type is ResultType.FAILED
    assert "LookupError: x" in (result.exc_string or "")
    assert (shop.tries, drain()) == (["x"], [])


def test_its_time_limit_holds() -> None:
    with pytest.raises(JobFailedError, match="JobTimeoutException"):
        run_job(jobs.sleep, 30, job_timeout=1)


def test_a_coroutine_function_is_run() -> None:
    assert run_job(shop.send_later, 1).return_value == "later 1"


def test_arguments_are_what_they_are_for_a_worker() -> None:
    json = Queue("json", serializer="json")
    assert run_job(jobs.read_json, "[1]", queue=json).return_value == [1]
    with pytest.raises(SerializationError):
        run_job(shop.send, object(), queue=json)


def test_nothing_else_that_waits_is_run() -> None:
    waiting = shop.mail.enqueue(shop.send, 1)
    run_job(shop.send, 2, queue="mail")
    assert waiting.is_queued
    assert len(all_enqueued()) == 2
