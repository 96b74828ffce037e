"""Running again after a success, by workers on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support import fleet as fleets
from tests.support import jobs as tasks
from tests.support.api import bring_forward, run, run_one, wait_of
from tests.support.fleet import Fleet
from tests.support.lives import Life
from workhorse import InvalidOptionError, Job, Queue, RateLimit, Repeat, Retry
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.states import Event, State
from workhorse.core.verdicts import judge
from workhorse.store import workers
from workhorse.store.jobs import Settled

TWICE: dict[str, Any] = {"repeats_left": 2, "repeat_intervals": (0,)}


@pytest.fixture
def queue(client: redis.Redis) -> Queue:
    return Queue("low", connection=client)


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


def told(job: Job) -> list[str]:
    """Return how each run of a job ended, the oldest first."""
    return [run.type.name for run in reversed(job.results())]


def test_a_job_runs_once_and_as_often_again_as_it_says(queue: Queue) -> None:
    job = queue.enqueue(calls.add, 1, 2, repeat=Repeat(times=3))
    run(queue)
    job.refresh()
    assert (job.get_status(), job.repeats_left) == ("finished", 0)
    assert told(job) == ["SUCCESSFUL"] * 4
    assert [one.return_value for one in job.results()] == [3] * 4
    assert job.return_value() == 3
    assert len({one.execution_id for one in job.results()}) == 4


def test_it_waits_as_long_as_its_intervals_say_and_the_last_is_used_again(queue: Queue) -> None:
    job = queue.enqueue(calls.add, repeat=Repeat(times=4, interval=[10, 0, 60]))
    waited: list[int] = []
    for _ in range(4):
        run_one(queue)
        waited.append(round(wait_of(job)))
        bring_forward(job)
    run(queue)
    assert waited == [10, 0, 60, 60]
    assert job.get_status() == "finished"


def test_a_failure_ends_the_chain(queue: Queue) -> None:
    job = queue.enqueue(calls.fail, repeat=Repeat(times=3))
    run(queue)
    job.refresh()
    assert (job.get_status(), job.repeats_left, told(job)) == ("failed", 3, ["FAILED"])


def test_a_retry_is_no_repeat_and_uses_none_up(queue: Queue) -> None:
    job = queue.enqueue(tasks.ask_again, 1, "return", repeat=Repeat(times=3))
    run(queue)
    job.refresh()
    assert job.repeats_left == 3
    other = queue.enqueue(calls.fail, repeat=Repeat(times=3), retry=Retry(2))
    run(queue)
    other.refresh()
    assert (other.repeats_left, told(other)) == (3, ["RETRIED", "RETRIED", "FAILED"])


def test_what_it_returned_last_is_its_value_while_it_waits_to_run_again(queue: Queue) -> None:
    job = queue.enqueue(calls.add, 20, 22, repeat=Repeat(times=1, interval=60))
    run_one(queue)
    assert job.get_status() == "scheduled"
    assert job.return_value() == 42


def test_a_worker_counts_each_run(every_life: Life) -> None:
    life = every_life
    life.store.run(workers.register(life.keys, "w", ["q"], ["state", "idle"], ttl=480))
    job = life.start("j", **TWICE)
    life.settle(job, judge(Returned(b"1"), job.policy))
    counted = life.client.hmget("rq:worker:w", "successful_job_count", "failed_job_count")
    assert counted == [b"1", b"0"]


def test_results_are_kept_from_the_last_run_on(queue: Queue, client: redis.Redis) -> None:
    job = queue.enqueue(calls.add, repeat=Repeat(times=1), result_ttl=100)
    run_one(queue)
    keys = [f"rq:job:{job.id}", f"rq:results:{job.id}"]
    assert [client.ttl(key) for key in keys] == [-1, -1]
    run(queue)
    assert all(0 < client.ttl(key) <= 100 for key in keys)


def test_a_chain_whose_result_is_not_kept_leaves_nothing(queue: Queue) -> None:
    job = queue.enqueue(calls.add, repeat=Repeat(times=2), result_ttl=0)
    run(queue)
    assert not Job.exists(job.id, queue.connection)
    assert queue.connection.exists(f"rq:results:{job.id}") == 0


def test_who_waits_for_a_job_waits_for_its_last_run(queue: Queue) -> None:
    job = queue.enqueue(calls.add, repeat=Repeat(times=1))
    child = queue.enqueue(calls.add, depends_on=job)
    run_one(queue)
    assert child.get_status() == "queued"  # for a child each success is one
    with pytest.raises(TimeoutError):
        job.wait(0.05)
    run(queue)
    assert job.wait(5) == "finished"


def test_a_job_with_a_limit_keeps_its_place_when_it_goes_on_at_once(queue: Queue) -> None:
    limit = RateLimit("mail", 1)
    job = queue.enqueue(calls.add, repeat=Repeat(times=2), rate_limit=limit)
    other = queue.enqueue(calls.add, rate_limit=limit)
    run_one(queue)
    assert (job.get_status(), other.get_status()) == ("queued", "rate_limited")
    run(queue)
    assert (job.get_status(), other.get_status()) == ("finished", "finished")


def test_it_gives_its_place_to_others_while_it_waits(queue: Queue) -> None:
    limit = RateLimit("mail", 1)
    job = queue.enqueue(calls.add, repeat=Repeat(times=1, interval=60), rate_limit=limit)
    other = queue.enqueue(calls.add, rate_limit=limit)
    run_one(queue)
    assert (job.get_status(), other.get_status()) == ("scheduled", "queued")


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_supervised_workers_repeat_too(fleet: Fleet, isolation: str) -> None:
    queue = Queue("q", fleet.client)
    job = queue.enqueue(tasks.note, str(fleet.journal), "ran", repeat=Repeat(times=4))
    fleet.drain(2, isolation=isolation)
    assert fleet.noted == ["ran"] * 5
    assert told(job) == ["SUCCESSFUL"] * 5


def test_a_job_of_rqs_client_repeats(every_life: Life) -> None:
    """RQ's client writes the fields, and none of ours that say there is more to the job."""
    life = every_life
    life.enqueue("j", result_in="", **TWICE)
    life.client.hdel("rq:job:j", "extras")
    life.client.hset("rq:job:j", "repeat_intervals", json.dumps([0, 60]))
    job = life.claim_one()
    assert life.settle(job, judge(Returned(b"1"), job.policy)) is Settled.APPLIED
    assert (life.state(), life.field("repeats_left")) == (State.QUEUED, "1")
    assert life.field("repeat_intervals") == "[60]"
    job = life.claim_one()
    life.settle(job, judge(Returned(b"2"), job.policy))
    assert (life.state(), life.field("repeats_left")) == (State.SCHEDULED, "0")


def test_a_repeat_that_is_sent_again_is_applied_once(every_life: Life) -> None:
    life = every_life
    job = life.start("j", **TWICE)
    verdict = judge(Returned(b"1"), job.policy)
    assert verdict.event is Event.REPEAT
    assert life.settle(job, verdict) is Settled.APPLIED
    assert life.settle(job, verdict) is Settled.ALREADY
    again = life.claim_one()
    assert life.settle(job, verdict) is Settled.REFUSED
    assert (life.field("repeats_left"), life.waiting()) == ("1", [])
    assert life.client.xlen("rq:results:j") == 1
    assert again.policy.repeats_left == 1


def test_a_run_that_a_person_stopped_is_the_last(every_life: Life) -> None:
    """It succeeded all the same: its end was on its way when the request came."""
    life = every_life
    job = life.start("j", **TWICE)
    life.stop("j")
    verdict = judge(Returned(b"1"), job.policy)
    assert [life.settle(job, verdict) for _ in range(2)] == [Settled.APPLIED, Settled.ALREADY]
    assert (life.state(), life.waiting(), life.client.zcard("rq:scheduled:q")) == (
        State.FINISHED, [], 0,
    )  # fmt: skip
    assert 0 < life.client.ttl("rq:job:j") <= 500


def test_a_chain_that_is_canceled_while_it_waits_ends(every_life: Life) -> None:
    life = every_life
    job = life.start("j", repeats_left=2, repeat_intervals=(60,))
    life.settle(job, judge(Returned(b"1"), job.policy))
    assert life.cancel("j") is State.SCHEDULED
    assert life.client.zcard("rq:scheduled:q") == 0


def test_lost_runs_of_one_time_are_not_charged_to_the_next(every_life: Life) -> None:
    life = every_life
    job = life.start("j", **TWICE)
    for _ in range(2):
        life.extend(job, lease=-1)
        life.recover()
        job = life.claim_one()
    assert job.policy.starts == 2
    life.settle(job, judge(Returned(b"1"), job.policy))
    assert life.claim_one().policy.starts == 0


def test_a_lapsed_run_keeps_its_repeats(every_life: Life) -> None:
    life = every_life
    life.extend(life.start("j", **TWICE), lease=-1)
    life.recover()
    assert life.claim_one().policy.repeats_left == 2


@pytest.mark.parametrize(
    ("left", "intervals", "to"),
    [
        (b"x", b"[0]", State.FINISHED), (b"-3", b"[0]", State.FINISHED),
        (b"", b"", State.FINISHED), (b"9" * 30, b"[0]", State.FINISHED),
        (b"2", b"[", State.QUEUED), (b"2", b"[]", State.QUEUED),
        (b"2", b"[-5]", State.QUEUED), (b"2", b"[1e300]", State.SCHEDULED),
    ],
)  # fmt: skip
def test_fields_that_make_no_sense_stop_nobody(
    every_life: Life, left: bytes, intervals: bytes, to: State
) -> None:
    life = every_life
    life.enqueue("j", **TWICE)
    life.client.hset("rq:job:j", mapping={"repeats_left": left, "repeat_intervals": intervals})
    job = life.claim_one()
    assert life.settle(job, judge(Returned(b"1"), job.policy)) is Settled.APPLIED
    assert life.state() is to


def test_a_failed_run_is_judged_without_its_repeats(life: Life) -> None:
    job = life.start("j", **TWICE)
    assert judge(Raised("boom"), job.policy).to is State.FAILED


def test_a_queue_that_runs_its_jobs_itself_runs_them_once(client: redis.Redis) -> None:
    queue = Queue(connection=client, is_async=False)
    job = queue.enqueue(calls.add, 1, 2, repeat=Repeat(times=3))
    assert (job.get_status(), told(job)) == ("finished", ["SUCCESSFUL"])
    assert job.return_value() == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"times": 0}, {"times": -1}, {"times": "2"}, {"times": 1.5}, {"times": True},
        {"times": 1, "interval": -1}, {"times": 1, "interval": []}, {"times": 1, "interval": "1h"},
        {"times": 1, "interval": None}, {"times": 1, "interval": [1, 1.5]},
        {"times": 1, "interval": 10**11},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError, match="Repeat"):
        Repeat(**wrong)


@pytest.mark.parametrize("repeat", [3, "3", {"times": 3}, Retry(3)], ids=repr)
def test_what_is_no_repeat_is_refused(queue: Queue, repeat: Any) -> None:
    with pytest.raises(InvalidOptionError, match="Repeat"):
        queue.enqueue(calls.add, repeat=repeat)


def test_repeats_that_say_the_same_are_the_same() -> None:
    assert Repeat(2, 5) == Repeat(2, [5])
    assert hash(Repeat(2, 5)) == hash(Repeat(2, [5]))
    assert Repeat(2) != Repeat(3)
    assert eval(repr(Repeat(2, [1, 5]))) == Repeat(2, [1, 5])  # noqa: S307 - our own text
