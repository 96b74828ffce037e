"""Stopping a job, and shutting a worker down, by the API."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import jobs as slow
from tests.support.api import working
from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse import (
    InvalidJobOperation,
    InvalidOptionError,
    Job,
    NoSuchJobError,
    NoSuchWorkerError,
    Queue,
    Worker,
    send_shutdown_command,
    send_stop_job_command,
    stop_job,
)
from workhorse.store import jobs
from workhorse.store.drivers import Store
from workhorse.wire.commands import Kind, encode_command
from workhorse.wire.keys import Keys


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


@pytest.mark.parametrize("kind", [Kind.STOP_JOB, Kind.STOP_EXECUTION])
def test_a_job_that_rqs_client_stops_is_stopped(
    client: redis.Redis, queue: Queue, valkey_server: RunningServer, tmp_path: Path, kind: Kind
) -> None:
    """It publishes a command, and writes nothing; one for another run means nobody."""
    log, go = tmp_path / "log", tmp_path / "go"
    job = queue.enqueue(slow.note_and_wait_for, str(log), "ran", str(go))
    with working(Worker([queue.name], connection=valkey_server.url, name="w")):
        wait_until(log.exists)
        execution: Any = client.hget(f"rq:job:{job.id}", "execution_id")
        words = {} if kind is Kind.STOP_JOB else {"execution_id": execution.decode()}
        other = encode_command(Kind.STOP_EXECUTION, job_id=job.id, execution_id="other")
        mine = encode_command(kind, job_id=job.id, **words)
        heard = [client.publish("rq:pubsub:w", told) for told in (other, mine)]
        after = queue.enqueue(slow.nothing)
        try:
            assert after.wait(timeout=10) == "finished"
        finally:
            go.touch()
    assert heard == [1, 1]
    assert job.get_status() == "stopped"
    assert client.hget(f"rq:job:{job.id}", "stop_requested") == execution


@pytest.mark.parametrize("grace", [0, 5])
def test_a_running_job_is_stopped(
    queue: Queue, valkey_server: RunningServer, tmp_path: Path, grace: float
) -> None:
    job = queue.enqueue(slow.note_and_wait_for, str(tmp_path / "log"), "ran", str(tmp_path / "no"))
    with working(Worker([queue.name], connection=valkey_server.url, name="w")):
        wait_until((tmp_path / "log").exists)
        job.stop(grace=grace)
        assert job.wait(timeout=5) == "stopped"
        after = queue.enqueue(slow.nothing)
        assert after.wait(timeout=10) == "finished"
    assert job.is_stopped
    result = job.latest_result()
    assert result is not None
    assert (result.type.name, str(result.exc_string).startswith("Job stopped")) == (
        "STOPPED",
        True,
    )
    job.requeue()
    assert job.is_queued


@pytest.mark.parametrize("stop", [stop_job, lambda i, c: send_stop_job_command(c, i)])
def test_a_job_is_stopped_by_its_id(queue: Queue, client: redis.Redis, stop: object) -> None:
    job = queue.enqueue(slow.nothing)
    claim = jobs.claim(Keys(), ["low"], worker="w", token="t" * 24, count=1, lease=60)
    Store(client).run(claim)
    assert callable(stop)
    stop(job.id, client)
    assert client.hexists(f"rq:job:{job.id}", "stop_requested")


@pytest.mark.parametrize("state", ["queued", "canceled"])
def test_a_job_that_does_not_run_can_not_be_stopped(queue: Queue, state: str) -> None:
    job = queue.enqueue(slow.nothing)
    if state == "canceled":
        job.cancel()
    with pytest.raises(InvalidJobOperation, match=f"does not run: it is {state}"):
        job.stop()
    assert job.get_status() == state


def test_a_job_that_is_gone_can_not_be_stopped(queue: Queue) -> None:
    job = queue.enqueue(slow.nothing)
    job.delete()
    with pytest.raises(NoSuchJobError, match=job.id):
        job.stop()


@pytest.mark.parametrize("grace", [-1, float("nan"), float("inf")])
def test_a_time_that_makes_no_sense_is_refused(queue: Queue, grace: float) -> None:
    with pytest.raises(InvalidOptionError, match="grace is "):
        queue.enqueue(slow.nothing).stop(grace=grace)


@pytest.mark.parametrize("call", ["cancel", "requeue", "stop"])
def test_a_call_whose_reply_was_lost_and_that_is_sent_again_succeeds(
    queue: Queue, client: redis.Redis, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client library sends it again by itself, the same words: see the first answer."""
    job = queue.enqueue(slow.nothing)
    if call == "requeue":
        job.cancel()
    if call == "stop":
        claim = jobs.claim(Keys(), ["low"], worker="w", token="t" * 24, count=1, lease=60)
        Store(client).run(claim)
    send: Any = client.execute_command

    def twice(*words: object, **options: object) -> object:
        send(*words, **options)
        return send(*words, **options)

    monkeypatch.setattr(client, "execute_command", twice)
    getattr(Job.fetch(job.id, client), call)()


def test_a_worker_is_told_to_shut_down(queue: Queue, valkey_server: RunningServer) -> None:
    worker = Worker([queue.name], connection=valkey_server.url, name="w")
    thread = threading.Thread(target=worker.work)
    thread.start()
    wait_until(lambda: Worker.count(connection=valkey_server.url) == 1)
    wait_until(lambda: queue.connection.execute_command("PUBSUB", "CHANNELS"))
    send_shutdown_command(valkey_server.url, "w")
    thread.join(20)
    assert not thread.is_alive()


def test_a_worker_that_nobody_knows_can_not_be_shut_down(client: redis.Redis) -> None:
    with pytest.raises(NoSuchWorkerError, match="no such worker: 'nobody'"):
        send_shutdown_command(client, "nobody")
