"""All there is to know about one job, read in one look."""

from __future__ import annotations

import pickle
import time
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tests.support.lives import Life
from workhorse.cli.job_show import lines_of, shape
from workhorse.cli.output import print_json
from workhorse.core.callbacks import CallbackRecord
from workhorse.core.dependencies import Parents
from workhorse.core.harmless import harmless
from workhorse.core.outcomes import Raised, Returned, Stopped
from workhorse.core.states import State
from workhorse.core.webhooks import Webhook
from workhorse.store import reports
from workhorse.store.whole import WholeJob, whole
from workhorse.wire.records import FIELDS

CALL = pickle.dumps(("shop.pay", None, (7,), {"now": True}))


def look(life: Life, job_id: str = "j") -> WholeJob:
    before = life.dump()
    found = life.store.run(whole(life.keys, job_id))
    assert life.dump() == before  # looking changes nothing
    assert found is not None
    return found


def test_a_job_that_is_not_there_is_none(every_life: Life) -> None:
    assert every_life.store.run(whole(every_life.keys, "none")) is None


def test_a_finished_job_shows_its_call_and_its_result(every_life: Life) -> None:
    held = every_life.start(data=CALL, description="shop.pay(7, now=True)", meta=pickle.dumps({}))
    every_life.settle(held, Returned(pickle.dumps({"paid": 7})))
    job = look(every_life)
    assert (job.row.status, job.row.function, job.problem) == ("finished", "shop.pay", "")
    assert job.call.text == "shop.pay(7, now=True)"
    assert (job.result, job.meta, job.error) == ("{'paid': 7}", "{}", "")
    (attempt,) = job.attempts
    assert (attempt.number, attempt.outcome, attempt.worker) == (1, "finished", "w")
    assert attempt.result == job.result
    assert attempt.seconds is not None
    assert abs(job.now - time.time()) < 60
    names = {key.kind: (key.type, key.ttl) for key in job.keys}
    assert names["job"][0] == "hash"
    assert 0 < (names["job"][1] or 0) <= 500
    assert job.sizes["data"] == len(CALL)
    assert job.fields["status"] == "finished"
    assert "data" not in job.fields


def test_runs_that_failed_are_a_timeline(every_life: Life) -> None:
    every_life.enqueue("j")
    for error in ("first", "second"):
        every_life.settle(every_life.claim_one(), Raised(f"Traceback\nKeyError: {error}", ()))
        every_life.requeue()
    every_life.settle(every_life.claim_one(), Returned(b"1"))
    found = look(every_life)
    assert [(each.number, each.outcome) for each in found.attempts] == [
        (3, "finished"),
        (2, "failed"),
        (1, "failed"),
    ]
    assert "KeyError: second" in found.attempts[1].error
    assert found.attempts_total == 3
    assert (found.result, found.error) == ("1", "")


def test_a_failed_job_tells_why(life: Life) -> None:
    life.settle(life.start(), Raised("Traceback\nKeyError: gone", ()))
    assert look(life).error == "Traceback\nKeyError: gone"


def test_a_stopped_job_tells_so(life: Life) -> None:
    life.settle(life.start(), Stopped("stopped by a person"))
    found = look(life)
    assert (found.row.status, found.attempts[0].outcome) == ("stopped", "stopped")


def test_a_running_job_shows_who_runs_it_until_when(every_life: Life) -> None:
    held = every_life.start()
    (run,) = look(every_life).running
    assert (run.worker, run.execution_id) == ("w", held.execution_id)
    assert run.since is not None
    every_life.extend(held)
    (run,) = look(every_life).running
    assert run.last_heartbeat is not None
    assert 0 < (run.lease_until or 0) - look(every_life).now <= 60


def test_a_waiting_job_shows_its_place_in_the_queue(every_life: Life) -> None:
    every_life.enqueue(*"abc")
    assert [look(every_life, job_id).position for job_id in "abc"] == [0, 1, 2]
    assert look(every_life, "a").running == []


def test_parents_and_children_are_shown_with_their_states(every_life: Life) -> None:
    every_life.enqueue("parent")
    every_life.enqueue("child", parents=Parents(("parent", "never")))
    child, parent = look(every_life, "child"), look(every_life, "parent")
    assert [(row.id, row.status) for row in child.parents.rows] == [
        ("parent", "queued"),
        ("never", ""),
    ]
    assert [(row.id, row.status) for row in parent.children.rows] == [("child", "deferred")]
    assert (child.parents.total, parent.children.total) == (2, 1)


def test_many_children_are_counted_and_some_shown(life: Life) -> None:
    life.enqueue("parent")
    life.enqueue(*(f"c{number}" for number in range(300)), parents=Parents(("parent",)))
    found = look(life, "parent").children
    assert found.total == 300
    assert 0 < len(found.rows) <= 50


def test_what_a_job_has_besides_is_shown(every_life: Life) -> None:
    hook = Webhook("https://user.example:8443/secret?token=1", "finished")
    every_life.enqueue(
        "j", rate_limit_key="mail", rate_limit_concurrency=1, repeats_left=3, group_id="g",
        repeat_intervals=(10,), webhooks=(hook,), failure_callback=CallbackRecord("shop.tell", 7),
    )  # fmt: skip
    every_life.enqueue("k", rate_limit_key="mail", rate_limit_concurrency=1)
    first, second = look(every_life), look(every_life, "k")
    assert (first.repeats_left, first.repeat_intervals, first.row.group) == (3, (10,), "g")
    assert first.callbacks == {"failure": ("shop.tell", 7)}
    assert first.webhooks == ["user.example"]
    assert "secret" not in repr(first)
    assert first.limit is not None
    assert second.limit is not None
    assert (first.limit.has_place, first.limit.concurrency, first.limit.waiting) == (True, 1, 1)
    assert (second.limit.has_place, second.limit.rank) == (False, 0)


@pytest.mark.parametrize("kind", ["string", "list", "zset"])
def test_keys_of_another_kind_hide_nothing_else(life: Life, kind: str) -> None:
    put: Any = {
        "string": lambda key: life.client.set(key, "x"),
        "list": lambda key: life.client.rpush(key, "x"),
        "zset": lambda key: life.client.zadd(key, {"x": 1}),
    }[kind]
    life.in_state(State.STARTED, "j")
    for key in (
        "rq:results:j",
        "rq:job:j:dependents",
        "rq:executions:j",
        "rq:queue:q",
        "rq:wip:q",
    ):
        life.client.delete(key)
        put(key)
    assert look(life).row.status == "started"
    put("rq:job:k")
    assert look(life, "k").problem == f"a {kind} where a job's hash belongs"


def test_large_parts_are_cut_on_the_server(life: Life) -> None:
    huge = "x" * 3_000_000
    life.settle(life.start(data=pickle.dumps((huge,)), description=huge), Raised(huge, ()))
    life.client.hset("rq:job:j", mapping={"worker_name": huge, "result": huge, "meta": huge})
    life.client.hset("rq:job:j", mapping={f"unknown{number}": huge[:9] for number in range(99)})
    found = look(life)
    assert found.fields_total > 99
    assert max(len(text) for text in found.fields.values()) <= 4096
    assert found.sizes["result"] == 3_000_000
    assert len(repr(found)) < 300_000


NASTY = some.binary(max_size=40) | some.sampled_from(
    (
        b"9" * 400, b"-" + b"9" * 400, b"1e308", b"-1e300", b"nan", b"inf", b"253402300800",
        b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00+23:59", b"[[[", b"[1, null]", b"{}",
        b'[{"url": 7}]', b'{"done": 1e17, "total": -1}', b"started", b"scheduled", b"rate_limited",
    )
)  # fmt: skip


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(some.dictionaries(some.sampled_from(sorted(FIELDS)), NASTY, min_size=1, max_size=8), NASTY)
@example({"status": b"scheduled", "scheduled_for": b"1e300"}, b"")
@example({"timeout": b"9" * 400, "repeats_left": b"1", "repeat_intervals": b"[1e400]"}, b"1e400")
def test_whatever_a_job_s_fields_are_it_is_shown(
    life: Life, fields: dict[str, bytes], entry: bytes
) -> None:
    life.client.flushall()
    life.settle(life.start(), Raised("boom", ()))
    life.client.hset("rq:job:j", mapping=fields)
    life.client.xadd("rq:results:j", {"type": 1, "return_value": entry})
    life.client.xadd("rq:results:j", {"type": 2, "exc_string": entry, "worker_name": entry})
    life.client.xadd("rq:results:j", {"type": entry, "execution_ended_at": entry})
    life.client.zadd("rq:wip:q", {b"j:" + fields.get("execution_id", b""): 1e300})
    found = life.store.run(whole(life.keys, "j"))
    log = life.store.run(reports.log_page(life.keys, "j"))
    assert found is not None
    lines = [click.unstyle(line) for line in lines_of(found, log)]
    assert lines == [harmless(line, len(line)) for line in lines]
    print_json(shape(found, log))
