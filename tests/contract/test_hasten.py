"""A person wants a job now that waits for its time, or for others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lives import Life
from workhorse.core.dependencies import Parents
from workhorse.core.limits import RateLimit
from workhorse.core.outcomes import Returned
from workhorse.core.states import State
from workhorse.store import schedule


def hasten(life: Life, job_id: str, token: str = "") -> Any:
    return life.store.run(schedule.hasten(life.keys, job_id, token=token))


def test_a_scheduled_job_is_queued_now(every_life: Life) -> None:
    every_life.enqueue("j", due_in=900.0)
    assert hasten(every_life, "j", "t") is State.SCHEDULED
    assert hasten(every_life, "j", "t") is State.SCHEDULED  # sent again
    assert every_life.client.zcard("rq:scheduled:q") == 0
    assert every_life.claim_one().job_id == "j"
    assert every_life.client.hget("rq:totals", "forward:q") == b"1"


def test_a_deferred_job_waits_for_nobody_any_more(every_life: Life) -> None:
    every_life.enqueue("p")
    every_life.enqueue("j", parents=Parents(("p",)), due_in=900.0)
    assert hasten(every_life, "j") is State.DEFERRED
    assert every_life.client.lrange("rq:queue:q", 0, -1) == [b"p", b"j"]
    assert not every_life.client.exists("rq:job:p:dependents", "rq:job::j:dependencies")
    every_life.settle(every_life.claim_one(), Returned(b""))
    assert every_life.client.lrange("rq:queue:q", 0, -1) == [b"j"]


def test_a_rate_limit_holds(life: Life) -> None:
    limit: dict[str, Any] = {"rate_limit_key": RateLimit("k", 1).key, "rate_limit_concurrency": 1}
    life.enqueue("a", **limit)
    life.enqueue("j", due_in=900.0, **limit)
    hasten(life, "j")
    assert life.client.hget("rq:job:j", "status") == b"rate_limited"


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTED, State.FAILED])
def test_a_job_that_waits_for_neither_is_left_alone(life: Life, state: State) -> None:
    life.in_state(state, "j")
    before = life.dump()
    assert hasten(life, "j", "t") is state
    assert life.dump() == before


def test_no_job_is_none_and_a_broken_queue_keeps_its_jobs(life: Life) -> None:
    assert hasten(life, "none") is None
    life.enqueue("j", due_in=900.0)
    life.client.set("rq:queue:q", "no list")
    before = life.dump()
    with pytest.raises(Exception, match="WRONGTYPE"):
        hasten(life, "j", "t")
    assert life.dump() == before
