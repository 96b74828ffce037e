"""Failures by cause: kept by the scripts that end jobs, for people to look at."""

from __future__ import annotations

import time
from typing import Any

from tests.support.lives import Life
from workhorse.core.outcomes import Crashed, Raised, Returned, Stopped
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import failures, jobs, pages, registries
from workhorse.store.failures import CausePage, CauseRow
from workhorse.worker.duties.sweep import Sweep

BOOM = (
    'Traceback (most recent call last):\n  File "/app/shop.py", line 3, in pay\nValueError: no\n'
)
OTHER_BOOM = BOOM.replace("ValueError: no", "KeyError: 'a'")


def fail(life: Life, *job_ids: str, text: str = BOOM, queue: str = "q", ttl: int = 500) -> None:
    """Have jobs of "shop.pay" fail with this traceback."""
    life.enqueue(*job_ids, description="shop.pay(7)", origin=queue, failure_ttl=ttl)
    for job in life.claim(len(job_ids), queue).jobs:
        life.settle(job, Raised(text), ttl=ttl)


def look(life: Life, **options: Any) -> CausePage:
    before = life.dump()
    found = life.store.run(failures.causes(life.keys, **options))
    assert life.dump() == before
    return found


def rows(life: Life, **options: Any) -> list[CauseRow]:
    return look(life, **options).rows


def ids_of(life: Life, cause: str, **options: Any) -> list[str]:
    return [
        row.id for row in life.store.run(pages.page(life.keys, "failed_of", cause, **options)).rows
    ]


def sweep(life: Life) -> int:
    return Sweep(life.store, life.keys).run_once(0).done


def test_failures_of_one_cause_are_listed_together(every_life: Life) -> None:
    life, began = every_life, time.time()
    fail(life, "a", "b")
    fail(life, "c", text=OTHER_BOOM, queue="low")
    fail(life, "d", queue="low")
    found = look(life)
    assert (found.total, found.ungrouped) == (2, 0)
    first, second = found.rows
    assert (first.function, first.error, first.message) == ("shop.pay", "ValueError", "no")
    assert (first.place, first.queues) == ("app/shop.py: pay", ["low", "q"])
    assert (first.count, first.seen, second.count, second.error) == (3, 3, 1, "KeyError")
    assert first.first_at is not None
    assert first.last_at is not None
    assert began - 60 < first.first_at < first.last_at < began + 60
    assert ids_of(life, first.id) == ["d", "b", "a"]
    assert life.field("cause", "a") == first.id
    assert life.client.ttl("rq:causes") > 0


def test_pages_of_causes_and_those_of_one_queue(life: Life) -> None:
    for number in range(5):
        fail(
            life,
            f"{number}",
            text=BOOM.replace("ValueError", f"E{number}"),
            queue=f"q{number % 2}",
        )
    assert [row.error for row in rows(life, length=2)] == ["E4", "E3"]
    assert [row.error for row in rows(life, offset=4)] == ["E0"]
    of_one = look(life, queue="q1")
    assert ([row.error for row in of_one.rows], of_one.total, of_one.ungrouped) == (
        ["E3", "E1"],
        2,
        None,
    )


def test_a_lost_job_has_a_cause_too(every_life: Life) -> None:
    job = every_life.start(description="shop.pay(7)", on_lost="fail")
    every_life.extend(job, lease=-1)
    every_life.recover()
    (row,) = rows(every_life)
    assert (row.function, row.error, row.count) == ("shop.pay", "Job lost", 1)


def test_a_message_may_hold_anything(every_life: Life) -> None:
    odd = "\x00\x1b[31m<b>\u202e\ud800\U0001f40e"
    fail(every_life, "a", text=BOOM.replace("no\n", f"{odd}\n"))
    (row,) = rows(every_life)
    assert (row.message, row.count) == (odd.replace("\ud800", "\\ud800"), 1)


def test_what_did_not_fail_for_good_has_none(every_life: Life) -> None:
    life = every_life
    life.settle(life.start("a"), Returned(None))
    retried = life.start("b", retries_left=1, retry_intervals=(60,))
    life.settle(retried, judge(Raised(BOOM), retried.policy))
    life.settle(life.start("c"), Stopped())
    assert look(life) == CausePage([], 0, 1)
    assert not life.client.exists("rq:causes")


def test_a_stop_that_was_asked_for_makes_no_cause_of_a_retry_that_gave_up(life: Life) -> None:
    job = life.start()
    life.stop()
    life.settle(job, Crashed("killed"))
    assert life.state() is State.STOPPED
    assert rows(life) == []


def test_jobs_that_are_tried_again_or_deleted_are_off_their_cause(every_life: Life) -> None:
    life = every_life
    fail(life, *"abcde")
    (cause,) = rows(life)
    life.requeue("a")
    life.delete("b")
    life.client.zrem("rq:failed:q", "x")
    life.enqueue("c", token="new")
    life.store.run(registries.unlist(life.keys, "failed", "q", "d", longest=60))
    assert ids_of(life, cause.id) == ["e"]
    assert rows(life)[0].count == 1
    assert rows(life)[0].seen == 5
    assert [life.field("cause", job_id) for job_id in "ac"] == [None, None]


def test_a_cause_is_known_by_its_id_while_no_job_of_it_is_left(life: Life) -> None:
    fail(life, "a")
    (listed,) = rows(life)
    assert life.store.run(failures.cause(life.keys, listed.id)) == listed
    life.requeue("a")
    found = life.store.run(failures.cause(life.keys, listed.id))
    assert found is not None
    assert (found.count, found.seen, found.queues) == (0, 1, ["q"])
    assert life.store.run(failures.cause(life.keys, "unheard-of")) is None


def test_a_failure_that_is_not_kept_is_counted_and_nothing_comes_back(every_life: Life) -> None:
    fail(every_life, "a", ttl=0)
    assert rows(every_life) == []
    assert not every_life.client.exists("rq:job:a")
    fail(every_life, "b")
    (row,) = rows(every_life)
    assert (row.count, row.seen) == (1, 2)


def test_a_job_that_fails_of_another_cause_is_listed_there_alone(life: Life) -> None:
    fail(life, "a")
    (first,) = rows(life)
    life.client.zrem("rq:failed:q", "a")  # as RQ requeues
    life.client.hset("rq:job:a", "status", "queued")
    life.client.rpush("rq:queue:q", "a")
    life.settle(life.claim_one(), Raised(OTHER_BOOM))
    (second,) = rows(life)
    assert second.error == "KeyError"
    assert (ids_of(life, first.id), ids_of(life, second.id)) == ([], ["a"])


def test_what_rq_moved_on_and_what_expired_is_left_out_and_swept(every_life: Life) -> None:
    life = every_life
    fail(life, *"abc")
    (cause,) = rows(life)
    life.client.hset("rq:job:a", "status", "queued")  # as RQ requeues
    life.client.rpush("rq:queue:q", "a")
    life.client.delete("rq:job:b")  # as it expires
    life.client.zrem("rq:failed:q", "a", "b")
    assert ids_of(life, cause.id) == ["c"]
    assert sweep(life) == 2
    assert rows(life)[0].count == 1
    assert sweep(life) == 0


def test_a_cause_without_jobs_is_forgotten_after_a_while(every_life: Life) -> None:
    life = every_life
    fail(life, "a")
    (cause,) = rows(life)
    life.requeue("a")
    sweep(life)
    assert life.client.exists(f"rq:cause:{cause.id}")
    life.client.zadd("rq:causes", {cause.id: time.time() - 3700})
    sweep(life)
    assert not life.client.exists(f"rq:cause:{cause.id}", "rq:causes")


def test_what_rq_failed_and_what_was_stopped_is_counted_as_ungrouped(life: Life) -> None:
    fail(life, "a")
    life.settle(life.start("b"), Stopped())
    life.client.zadd("rq:failed:other", {"c": -1})
    life.client.sadd("rq:queues", "rq:queue:other", "nonsense")
    assert look(life).ungrouped == 2


def test_more_causes_than_are_listed_are_one(every_life: Life) -> None:
    life = every_life
    life.client.zadd("rq:causes", {f"c{number}": number for number in range(1000)})
    fail(life, "a")
    fail(life, "b", text=OTHER_BOOM)
    (row,) = rows(life)
    assert (row.id, row.function, row.count) == (failures.OTHER, "(other)", 2)
    assert life.client.zcard("rq:causes") == 1001


def test_no_more_queues_of_a_cause_are_named_than_twenty(life: Life) -> None:
    for number in range(25):
        fail(life, f"{number}", queue=f"q{number:02}")
    (row,) = rows(life)
    assert (len(row.queues), row.count) == (20, 25)


def test_keys_of_another_kind_keep_no_job_from_its_end(every_life: Life) -> None:
    life = every_life
    fail(life, "a")
    (cause,) = rows(life)
    for key in ("rq:causes", f"rq:cause:{cause.id}", f"rq:failed_of:{cause.id}"):
        life.client.delete(key)
        life.client.set(key, "damaged")
    assert look(life) == CausePage([], 0, 1)
    assert "WRONGTYPE" in life.store.run(pages.page(life.keys, "failed_of", cause.id)).problem
    fail(life, "b")
    assert life.state("b") is State.FAILED
    assert not life.client.exists("rq:broken:q")
    assert ids_of(life, cause.id) == ["b"]
    life.client.set(f"rq:failed_of:{cause.id}", "damaged")
    sweep(life)
    assert not life.client.exists(f"rq:failed_of:{cause.id}")
    assert life.store.run(jobs.requeue(life.keys, "a")) is State.FAILED
