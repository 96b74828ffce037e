"""What is done to many jobs: a slice a call, none twice, and what changed meanwhile is left."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from tests.contract.test_failures import OTHER_BOOM, fail, rows
from tests.support.lives import Life
from workhorse.core.errors import InvalidNameError, InvalidOptionError
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.queries import parse
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import jobs, scripts
from workhorse.store.bulk import (
    Part,
    Where,
    cancel_some,
    delete_some,
    hasten_some,
    move_some,
    retry_some,
    stop_some,
)
from workhorse.store.calls import Plan
from workhorse.wire.claimed import Claimed

Deed = Callable[..., Any]


def go_on(
    life: Life, deed: Deed, where: Where, between: Callable[[], object] = list, **options: Any
) -> tuple[int, int]:
    """Do it to all, and something else between two slices; return how many it was done to."""
    done = left = 0
    part = Part(0, 0, 0, 0, where)
    for _ in range(100):
        if part.rest is None:
            return done, left
        part = life.store.run(deed(life.keys, part.rest, **options))
        done, left = done + part.done, left + part.left
        between()
    raise AssertionError(part)


def ids(count: int) -> list[str]:
    return [f"{number:03}" for number in range(count)]


def test_all_that_failed_are_tried_again(every_life: Life) -> None:
    life = every_life
    fail(life, *ids(5))
    part = life.store.run(retry_some(life.keys, Where(place="failed", name="q"), limit=2))
    assert part.rest is not None
    assert (part.done, part.left, part.looked_at, part.total) == (2, 0, 2, 5)
    assert go_on(life, retry_some, part.rest, limit=2) == (3, 0)
    assert sorted(life.waiting()) == ids(5)
    assert rows(life) == []


def test_what_fails_again_meanwhile_is_not_tried_again(every_life: Life) -> None:
    life, runs = every_life, 0

    def work() -> None:
        nonlocal runs
        for job in life.claim(10).jobs:
            runs += 1
            verdict = judge(Raised("boom"))
            life.settle_many([jobs.settlement(job, verdict, result_ttl=0, ended_at=10)])

    fail(life, *ids(10))
    assert go_on(life, retry_some, Where(place="failed", name="q"), work, limit=3)[0] == 10
    assert runs == 10
    for where in (Where(query=parse("status:failed")), Where(ids=ids(10))):
        assert go_on(life, retry_some, where, work, limit=3)[0] == 10
    assert runs == 30
    (cause,) = rows(life, length=1)
    of_cause = Where(place="failed_of", name=cause.id)
    assert go_on(life, retry_some, of_cause, work, limit=3)[0] == 10
    assert runs == 40


def test_only_those_of_a_cause_are_tried_again(life: Life) -> None:
    fail(life, "a", "b")
    fail(life, "c", text=OTHER_BOOM)
    cause = rows(life)[1]
    life.client.hset("rq:job:a", "status", "queued")  # as RQ does
    assert go_on(life, retry_some, Where(place="failed_of", name=cause.id)) == (1, 0)
    assert life.waiting() == ["b"]
    assert life.state("c") is State.FAILED


def test_what_is_not_in_the_state_any_more_is_left_and_counted(every_life: Life) -> None:
    life = every_life
    fail(life, "a", "b")
    life.enqueue("c")
    everything = Where(ids=["a", "b", "c", "none"])
    assert go_on(life, retry_some, everything) == (2, 2)
    assert go_on(life, retry_some, everything) == (0, 4)
    assert go_on(life, cancel_some, everything, limit=1) == (3, 1)
    assert go_on(life, delete_some, everything) == (3, 1)
    assert life.members("rq:canceled:q") == []


def test_what_waits_for_its_time_runs_now_and_what_runs_is_asked_to_end(life: Life) -> None:
    life.enqueue(*ids(3), due_in=600.0)
    life.enqueue("queued")
    some = Where(ids=[*ids(3), "queued"])
    assert go_on(life, hasten_some, some, limit=2) == (3, 1)
    assert sorted(life.waiting()) == [*ids(3), "queued"]
    held = life.claim(2).jobs
    assert go_on(life, stop_some, some, limit=3) == (2, 2)
    asked = [life.client.hget(f"rq:job:{job.job_id}", "stop_requested") for job in held]
    assert asked == [job.execution_id.encode() for job in held]


@pytest.mark.parametrize("limit", [2, 100])
def test_jobs_that_are_left_keep_others_from_nothing(life: Life, limit: int) -> None:
    life.enqueue(*ids(9))
    life.client.hset("rq:job:002", "status", "started")
    life.client.hset("rq:job:005", "status", "finished")
    assert go_on(life, cancel_some, Where(place="queued", name="q"), limit=limit) == (8, 1)
    assert life.waiting() == ["005"]


def test_all_of_a_queue_are_moved_in_their_order(every_life: Life) -> None:
    life = every_life
    life.enqueue(*ids(25))
    life.enqueue("old", origin="low")
    where = Where(place="queued", name="q")
    assert go_on(life, move_some, where, limit=4, to="low") == (25, 0)
    assert life.waiting() == []
    assert life.waiting("low") == ["old", *ids(25)]
    assert life.field("origin", "007") == "low"


def test_jobs_of_a_search_are_changed_once_each(every_life: Life) -> None:
    life = every_life
    for queue in "abc":
        life.enqueue(*(f"{queue}{number}" for number in ids(7)), origin=queue, description="a.b()")
    life.enqueue("other", origin="a", description="c.d()")
    where = Where(query=parse("func:a.b"))
    assert go_on(life, move_some, where, limit=2, to="b") == (14, 0)
    assert (life.waiting("a"), life.waiting("c")) == (["other"], [])
    assert len(life.waiting("b")) == 21
    assert go_on(life, cancel_some, where, limit=4) == (21, 0)
    assert go_on(life, retry_some, where, limit=4) == (21, 0)
    assert go_on(life, delete_some, where, limit=4) == (21, 0)
    assert go_on(life, delete_some, Where(query=parse("other"))) == (1, 0)
    assert life.client.keys("rq:job:*") == []


def test_a_job_that_runs_is_not_moved_but_canceled_and_deleted(life: Life) -> None:
    held = life.start("a")
    where = Where(place="started", name="q")
    assert go_on(life, move_some, where, to="low") == (0, 1)
    assert go_on(life, cancel_some, where) == (1, 0)
    life.settle(held, Returned(None))
    assert life.state("a") is State.CANCELED
    life.start("b")
    assert go_on(life, delete_some, where) == (1, 0)


def meanwhile(plan: Plan[Part], script: str, act: Callable[[], object]) -> Plan[Part]:
    """Run *plan*, and *act* once right before it calls *script*."""
    call, reply = next(plan), None
    while True:
        if call.words[1:2] == (scripts.load(script).sha,):
            act()
        try:
            reply = yield call
            call = plan.send(reply)
        except StopIteration as done:
            return cast("Part", done.value)


def test_a_job_that_another_took_between_look_and_act_is_left(life: Life) -> None:
    def take() -> None:
        life.requeue("a")
        held.append(life.claim_one())

    held: list[Claimed] = []
    fail(life, "a")
    where = Where(place="failed", name="q")
    for script, deed in (("requeue", retry_some), ("delete", delete_some)):
        part = life.store.run(meanwhile(deed(life.keys, where), script, take))
        assert (part.done, part.left) == (0, 1)
        assert life.state("a") is State.STARTED
        life.settle(held.pop(), Raised("boom"))
    life.requeue("a")
    where = Where(place="queued", name="q")
    for script, deed in (("cancel", cancel_some), ("move", partial(move_some, to="low"))):
        part = life.store.run(meanwhile(deed(life.keys, where), script, take))
        assert (part.done, part.left) == (0, 1)
        assert life.state("a") is State.STARTED
        life.release(held.pop())


def test_damaged_jobs_stop_nobody(every_life: Life) -> None:
    life = every_life
    fail(life, *ids(3))
    life.client.delete("rq:job:001")
    life.client.set("rq:job:001", "damaged")
    life.client.zadd("rq:failed:q", {b"\xff": 9e9})
    assert go_on(life, retry_some, Where(place="failed", name="q")) == (2, 2)
    life.client.set("rq:queue:high", "damaged")
    assert go_on(life, move_some, Where(place="queued", name="q"), to="high") == (0, 2)
    assert life.waiting() == ["000", "002"]
    fail(life, "003", queue="low")
    life.client.hset("rq:job:003", "origin", "high")
    assert go_on(life, retry_some, Where(ids=["003", "000"])) == (0, 2)


def test_a_wrong_cursor_or_queue_is_refused(life: Life) -> None:
    for where in (Where(ids=["a"], cursor="x"), Where(ids=["a"], cursor="[0, -1, 0, 0]")):
        with pytest.raises(InvalidOptionError, match="not a cursor"):
            life.store.run(retry_some(life.keys, where))
    with pytest.raises(InvalidNameError):
        move_some(life.keys, Where(ids=["a"]), to="a\nb")
