"""Rate limits and repeats on a server that RQ 3.0 shares: its producers, workers and cleaning."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import KINDS, Kind, RQSide, our_worker, running, work_off
from tests.support.waiting import wait_until
from workhorse import Job, Queue, RateLimit, RateLimitRegistry, Repeat, Worker
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ

LIMIT = {"key": "mail", "concurrency": 1}


def lines(log: Path) -> list[str]:
    return [line.split()[0] for line in log.read_text().splitlines()]


def rest(client: redis.Redis) -> list[bytes]:
    return list(client.scan_iter("rq:rl*"))


def test_rqs_workers_run_our_limited_jobs_in_their_order(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    queue, log = Queue(connection=client), tmp_path / "log"
    made = [
        queue.enqueue(jobs.append, str(log), name, 0, rate_limit=RateLimit(**LIMIT))  # type: ignore[arg-type] # as RQ's
        for name in "zaymb"
    ]
    ids = [job.id for job in made]
    assert rq("limits") == {"mail": [1, ids[:1], ids[1:]]}
    rq("work")
    assert lines(log) == list("zaymb")
    assert rq("statuses", job_ids=ids) == ["finished"] * 5
    assert rq("limits")["mail"][1:] == [[], []]  # RQ's own cleaning forgets the name
    rq("clean_registries")
    assert rest(client) == []


@pytest.mark.parametrize("kind", KINDS)
def test_our_workers_run_rqs_limited_jobs(
    rq: RQSide, client: redis.Redis, tmp_path: Path, kind: Kind
) -> None:
    log = tmp_path / "log"
    ids = [
        rq("enqueue", call="append", args=[str(log), str(n), 0], rate_limit=LIMIT)
        for n in range(5)
    ]
    waiting = RateLimitRegistry("mail", client).get_rate_limited_job_ids()
    expected = [ids[0], *waiting]  # RQ's order among jobs of one second is that of their ids
    work_off(kind, rq.url)
    assert rq("statuses", job_ids=ids) == ["finished"] * 5
    assert [ids[int(number)] for number in lines(log)] == expected
    assert rest(client) == []


def test_both_sides_produce_and_work_and_never_more_than_the_limit_run(
    rq: RQSide, client: redis.Redis, tmp_path: Path, python_of_rq: Path
) -> None:
    log = tmp_path / "log"
    queue = Queue(connection=client)
    ids: list[str] = []
    with ExitStack() as fleet:
        command = [python_of_rq.with_name("rq"), "worker", "--url", rq.url, "--quiet"]
        for _ in range(2):
            fleet.enter_context(running([str(word) for word in command]))
        fleet.enter_context(running(our_worker(rq.url, "--num-workers", "3", "--quiet")))
        wait_until(lambda: len(Worker.all(client)) == 5)
        for number in range(30):
            args = [str(log), f"{number}", 0.03]
            limit = {"key": "mail", "concurrency": 2}
            if number % 2:
                ids.append(rq("enqueue", call="note_span", args=args, rate_limit=limit))
            else:
                made = queue.enqueue(jobs.note_span, *args, rate_limit=RateLimit("mail", 2))
                ids.append(made.id)
        wait_until(lambda: set(rq("statuses", job_ids=ids)) == {"finished"}, within=60)
    spans = [line.split() for line in log.read_text().splitlines()]
    assert sorted(int(name) for name, *_ in spans) == list(range(30))
    moments = sorted(
        moment for _, begun, ended in spans for moment in ((float(begun), 1), (float(ended), -1))
    )
    running_now = most = 0
    for _, change in moments:
        running_now += change
        most = max(most, running_now)
    assert most <= 2
    rq("clean_registries")
    assert rest(client) == []
    assert audit(Store(client), Keys()) == []


def test_rqs_cleaning_takes_no_place_from_a_job_that_needs_it(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    queue = Queue(connection=client)
    begun = tmp_path / "begun"
    limit = RateLimit("mail", 2)
    running_job = queue.enqueue(jobs.sleep_with_note, 60, str(begun), rate_limit=limit)
    with running(our_worker(rq.url, "--quiet")):
        wait_until(begun.exists)
        queued, waits = (
            Queue("nobody", client).enqueue(jobs.nothing, rate_limit=limit) for _ in range(2)
        )
        rq("clean_registries")
        registry = RateLimitRegistry("mail", client)
        assert registry.get_allowed_job_ids() == [running_job.id, queued.id]
        assert registry.get_rate_limited_job_ids() == [waits.id]
        running_job.cancel()
        assert registry.get_allowed_job_ids() == [queued.id, waits.id]


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_what_rq_cancels_or_deletes_of_ours_frees_its_place(
    rq: RQSide, client: redis.Redis, how: str
) -> None:
    queue = Queue(connection=client)
    first, second = (
        queue.enqueue(jobs.nothing, rate_limit=RateLimit("mail", 1)) for _ in range(2)
    )
    rq(how, job_id=first.id)
    wait_until(lambda: RateLimitRegistry("mail", client).cleanup() >= 0 and second.is_queued)
    assert RateLimitRegistry("mail", client).get_allowed_job_ids() == [second.id]


def test_a_limit_called_as_rqs_keys_is_known_by_a_name_of_its_own(
    rq: RQSide, client: redis.Redis
) -> None:
    """With RQ's own name its number would be the places of `x`."""
    queue = Queue(connection=client)
    limits = [RateLimit(key, 1) for key in ("x", "x:allowed", "x:allowed:")]
    made = [queue.enqueue(jobs.nothing, rate_limit=limit) for limit in limits for _ in range(2)]
    assert set(rq("limits")) == {"x", "x:allowed:", "x:allowed::"}
    assert [each.key for each in RateLimitRegistry.all(client)] == [each.key for each in limits]
    rq("work")
    assert [job.get_status() for job in made] == ["finished"] * 6
    rq("clean_registries")
    assert rest(client) == []


# Repeats


@pytest.mark.parametrize("intervals", [[10], [10, 60], [0, 5, 7]])
def test_the_intervals_are_rqs(rq: RQSide, intervals: list[int]) -> None:
    chain = Repeat(5, intervals)
    ours = [Repeat.get_interval(count, chain.intervals) for count in range(5)]
    assert ours == rq("intervals", times=5, intervals=intervals)


@pytest.mark.parametrize("kind", KINDS)
def test_our_workers_repeat_rqs_jobs(
    rq: RQSide, client: redis.Redis, tmp_path: Path, kind: Kind
) -> None:
    log = tmp_path / "log"
    repeat = {"times": 3, "interval": [0]}
    job_id = rq("enqueue", call="append", args=[str(log), "ran", 0], repeat=repeat)
    work_off(kind, rq.url)
    assert lines(log) == ["ran"] * 4
    facts = rq.facts(job_id)
    assert (facts["status"], len(facts["results"])) == ("finished", 4)
    assert {result["type"] for result in facts["results"]} == {"SUCCESSFUL"}
    assert audit(Store(client), Keys()) == []


def test_rqs_workers_repeat_our_jobs(rq: RQSide, client: redis.Redis, tmp_path: Path) -> None:
    log = tmp_path / "log"
    job = Queue(connection=client).enqueue(jobs.append, str(log), "ran", 0, repeat=Repeat(3, [0]))
    rq("work")
    assert lines(log) == ["ran"] * 4
    job.refresh()
    assert (job.get_status(), job.repeats_left, len(job.results())) == ("finished", 0, 4)


def test_a_chain_may_be_run_by_both_in_turn(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    queue = Queue(connection=client)
    job = queue.enqueue(jobs.append, str(log), "ran", 0, repeat=Repeat(3, [0, 0, 60]))
    rq("work", max_jobs=1)
    from_workhorse = Worker([queue], connection=client)
    from_workhorse.work(burst=True, max_jobs=1, logging_level="CRITICAL")
    rq("work", max_jobs=1)
    facts = Job.fetch(job.id, client)
    assert lines(log) == ["ran"] * 3
    assert (facts.get_status(), facts.repeats_left) == ("scheduled", 0)
    due = client.zscore("rq:scheduled:default", job.id)
    assert due is not None
    assert 50 < float(due) - time.time() <= 61
