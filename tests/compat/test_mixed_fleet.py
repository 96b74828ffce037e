"""Workers of both kinds side by side: on one queue, in each other's monitors, after a crash."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import RQSide, environment, our_worker, running, work_off
from tests.support.servers import ROOT
from tests.support.waiting import wait_until
from workhorse import Job, JobWaitTimeoutError, Queue, Retry, Worker
from workhorse.store.drivers import Store
from workhorse.store.schedule import forward
from workhorse.wire.keys import Keys

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ

JOBS = 300


@pytest.fixture
def rq_command(python_of_rq: Path, rq: RQSide) -> Callable[..., list[str]]:
    """RQ's command line on the server of `client`."""

    def command(name: str, *words: str) -> list[str]:
        program = str(python_of_rq.with_name("rq"))
        return [program, name, "--url", rq.url, *words]

    return command


def said_by(command: list[str]) -> str:
    """Return what a command prints."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment()
    ).stdout


def nothing_is_left(client: redis.Redis, queue: str = "default") -> bool:
    """Return whether no job of *queue* waits, runs, or is in the hands of anybody."""
    places = [f"rq:queue:{queue}", f"rq:queue:{queue}:intermediate", f"rq:wip:{queue}"]
    return not client.exists(*places) and not client.keys("rq:execution*")


def test_workers_of_both_kinds_share_a_queue_and_run_every_job_once(
    rq: RQSide, rq_command: Callable[..., list[str]], client: redis.Redis, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    queue = Queue(connection=client)
    with ExitStack() as fleet:
        for _ in range(2):
            fleet.enter_context(running(rq_command("worker", "--quiet")))
        fleet.enter_context(running(our_worker(rq.url, "--num-workers", "2", "--quiet")))
        wait_until(lambda: len(Worker.all(client)) == 4)
        ours = queue.enqueue_many(
            [
                Queue.prepare_data(jobs.append, (str(log), f"ours-{n}", 0.01))
                for n in range(JOBS // 2)
            ]
        )
        many = [[str(log), f"rq-{n}", 0.01] for n in range(JOBS // 2)]
        theirs = rq("enqueue_many", call="append", args=many)
        job_ids = [job.id for job in ours] + theirs
        wait_until(lambda: set(rq("statuses", job_ids=job_ids)) == {"finished"}, within=30)
        wait_until(lambda: nothing_is_left(client))
    lines = [line.split() for line in log.read_text().splitlines()]
    expected = {f"{kind}-{n}" for kind in ("ours", "rq") for n in range(JOBS // 2)}
    assert Counter(word for word, _ in lines) == Counter(expected)
    assert {side for _, side in lines} == {"rq", "workhorse"}
    assert rq("counts") == {
        "queued": 0, "started": 0, "finished": JOBS, "failed": 0, "scheduled": 0, "canceled": 0,
    }  # fmt: skip
    assert nothing_is_left(client)
    assert Worker.all(client) == []


def test_each_side_shows_the_workers_of_the_other(
    rq: RQSide,
    rq_command: Callable[..., list[str]],
    client: redis.Redis,
    tmp_path: Path,
) -> None:
    begun = tmp_path / "begun"
    queue = Queue(connection=client)
    rqs = running(rq_command("worker", "elsewhere", "--name", "theirs", "--quiet"))
    # A short lease makes it show what it runs soon.
    options = ("--name", "ours", "--lease", "1", "--quiet")
    with rqs as their_process, running(our_worker(rq.url, "default", "low", *options)):
        wait_until(lambda: {worker.name for worker in Worker.all(client)} == {"ours", "theirs"})
        ended = [queue.enqueue(call) for call in (jobs.nothing, jobs.nothing, jobs.fail)]
        assert [job.wait(10) for job in ended] == ["finished", "finished", "failed"]
        job = queue.enqueue(jobs.sleep_with_note, 60, str(begun))
        wait_until(begun.exists)
        seen = wait_until(
            lambda: [
                worker
                for worker in rq("workers")
                if (worker["name"], worker["state"], worker["job"]) == ("ours", "busy", job.id)
            ]
        )[0]
        theirs = wait_until(
            lambda: [w for w in Worker.all(client) if w.name == "theirs" and w.pid]
        )[0]
        told = said_by(rq_command("info", "--raw"))
        by_queue = said_by(rq_command("info", "--by-queue", "--only-workers"))
        job.cancel()
    assert seen["queues"] == ["default", "low"]
    assert (seen["successful"], seen["failed"]) == (2, 1)
    assert seen["pid"] == int(begun.read_text())
    assert seen["birth"] <= seen["last_heartbeat"]
    assert theirs.queue_names() == ["elsewhere"]
    assert theirs.pid == their_process.pid
    assert theirs.version == "3.0.0"
    assert theirs.get_state() == "idle"
    lines = told.splitlines()
    assert "queue default 0, 1 executing, 2 finished, 1 failed" in lines
    ours = next(line for line in lines if line.startswith("worker ours "))
    assert ours.endswith("busy default, low. jobs: 2 finished, 1 failed")
    assert any(
        line.startswith("default:") and "ours (busy)" in line for line in by_queue.splitlines()
    )


def test_rqs_monitors_fail_nothing_that_our_workers_hold(
    rq: RQSide,
    rq_command: Callable[..., list[str]],
    client: redis.Redis,
    tmp_path: Path,
) -> None:
    """RQ cleans up whenever somebody counts; a lease of a second has to be extended in time."""
    queue = Queue(connection=client)
    with running(our_worker(rq.url, "--lease", "1", "--num-workers", "2", "--quiet")):
        held = [queue.enqueue(jobs.sleep_with_note, 2.5, str(tmp_path / name)) for name in "ab"]
        wait_until(lambda: all((tmp_path / name).exists() for name in "ab"))
        said_by(rq_command("info"))
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert rq("counts")["failed"] == 0
            rq("clean_registries")
        assert [job.wait(5) for job in held] == ["finished", "finished"]
    assert [job.return_value() for job in held] == ["slept", "slept"]
    counts = rq("counts")
    assert (counts["started"], counts["finished"], counts["failed"]) == (0, 2, 0)


def test_suspended_by_rq_our_workers_claim_nothing_until_it_resumes(
    rq: RQSide, rq_command: Callable[..., list[str]], client: redis.Redis
) -> None:
    queue = Queue(connection=client)
    with running(our_worker(rq.url, "--quiet")):
        assert queue.enqueue(jobs.nothing).wait(10) == "finished"
        said_by(rq_command("suspend"))
        job = queue.enqueue(jobs.nothing)
        with pytest.raises(JobWaitTimeoutError):  # an idle worker looks every second
            job.wait(2)
        assert job.get_status() == "queued"
        said_by(rq_command("resume"))
        assert job.wait(10) == "finished"


@pytest.mark.parametrize("worker_class", ["rq.Worker", "rq.SimpleWorker"])
def test_our_supervisor_recovers_the_job_of_an_rq_worker_that_was_killed(
    worker_class: str,
    rq: RQSide,
    rq_command: Callable[..., list[str]],
    client: redis.Redis,
    tmp_path: Path,
) -> None:
    begun, counter = tmp_path / "begun", tmp_path / "counter"
    job = Queue(connection=client).enqueue(jobs.die_first, str(begun), str(counter))
    victim = subprocess.Popen(
        rq_command("worker", "--worker-class", worker_class, "--quiet"),
        cwd=ROOT,
        env=environment(),
    )
    try:
        wait_until(begun.exists)
    finally:
        victim.kill()
        victim.wait()
    if worker_class == "rq.Worker":  # its child goes on, for ever in this case
        subprocess.run(["kill", "-9", begun.read_text()], check=True)
    assert job.get_status() == "started"
    members: Any = client.zrange("rq:wip:default", 0, -1)
    assert len(members) == 1
    client.zadd("rq:wip:default", {members[0]: 1})  # its minute and a half is over
    with running(our_worker(rq.url, "--quiet")):
        assert job.wait(15) == "finished"
    job.refresh()
    assert job.return_value() == 2
    assert counter.read_text() == ".."
    assert nothing_is_left(client)
    assert rq.facts(job.id)["registries"] == ["finished"]


def test_a_job_that_rq_popped_and_never_started_comes_back(
    rq: RQSide, client: redis.Redis
) -> None:
    """An RQ worker that died between its two steps leaves a job queued in no list."""
    job = Queue(connection=client).enqueue(jobs.add, 1)
    client.lpop("rq:queue:default")
    client.zadd("rq:wip:default", {f"{job.id}:an-execution": 1})
    with running(our_worker(rq.url, "--quiet")):
        assert job.wait(15) == "finished"
    assert Job.fetch(job.id, client).return_value() == 1


@pytest.mark.parametrize("producer", ["ours", "RQ's"])
@pytest.mark.parametrize("first", ["ours", "RQ's"])
def test_workers_of_both_kinds_wait_as_the_retry_says_whoever_ran_before(
    rq: RQSide, client: redis.Redis, tmp_path: Path, producer: str, first: str
) -> None:
    """A backoff is written out, so that RQ's workers obey it, too."""
    counter = str(tmp_path / "counter")
    if producer == "ours":
        retry = Retry(3, 100, backoff=2, max_interval=350)
        job = Queue(connection=client).enqueue(jobs.fail_times, 9, counter, retry=retry)
    else:
        told = {"max": 3, "interval": [100, 200, 350]}
        job = Job.fetch(rq("enqueue", call="fail_times", args=[9, counter], retry=told), client)
    turns: list[Callable[[], object]] = [lambda: work_off("simple", rq.url), lambda: rq("work")]
    waited: list[float] = []
    for turn in range(3):
        turns[(turn + (first != "ours")) % 2]()
        due = client.zscore("rq:scheduled:default", job.id)
        assert due is not None
        waited.append(float(due) - time.time())
        client.zadd("rq:scheduled:default", {job.id: 1})
        assert Store(client).run(forward(Keys(), ["default"])).moved == {"default": 1}
    turns[first == "ours"]()
    assert waited == pytest.approx([100, 200, 350], abs=20)
    job.refresh()
    assert (job.get_status(), job.retries_left) == ("failed", 0)
    assert len(Path(counter).read_text()) == 4


def test_rqs_workers_know_no_classes_and_no_rule_for_lost_runs(
    rq: RQSide, client: redis.Redis
) -> None:
    queue = Queue(connection=client, on_lost="fail", max_starts=1)
    job = queue.enqueue(jobs.fail, retry=Retry(2, jitter=0.5, give_up_on=ValueError))
    rq("work")
    job.refresh()
    assert (job.get_status(), job.retries_left) == ("failed", 0)
    assert (job.on_lost, job.max_starts) == ("fail", 1)
