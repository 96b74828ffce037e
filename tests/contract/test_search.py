"""Jobs are found by what is known of them; each call looks at a bounded number."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.test_failures import OTHER_BOOM, fail
from tests.support.lives import Life
from workhorse.core.errors import InvalidOptionError
from workhorse.core.queries import parse
from workhorse.core.states import State
from workhorse.store import search
from workhorse.store.pages import JobRow
from workhorse.store.search import Found


def page(life: Life, text: str, cursor: str = "", **options: Any) -> Found:
    return life.store.run(search.search(life.keys, parse(text), cursor, **options))


def found(life: Life, text: str, **options: Any) -> list[str]:
    """Return the ids of all that is found, however many calls it takes."""
    rows: list[JobRow] = []
    some = page(life, text, **options)
    rows += some.rows
    while some.cursor:
        some = page(life, text, some.cursor, **options)
        rows += some.rows
    return [row.id for row in rows]


def populate(life: Life) -> None:
    """Store a job in each state, and some of other queues and functions."""
    life.client.sadd("rq:rl-keys", "slots")
    for state in [*(one for one in State if one is not State.QUEUED), State.QUEUED]:
        life.in_state(state, state.value)
    life.enqueue("other", origin="low", description="shop.Pay.now(7)")
    fail(life, "no", queue="high")
    fail(life, "key", queue="high", text=OTHER_BOOM)


def test_jobs_are_found_in_every_state(every_life: Life) -> None:
    populate(every_life)
    before = every_life.dump()
    for state in State:
        expected = {state.value}
        if state is State.QUEUED:
            expected = {"queued", "other"}
        elif state is State.FAILED:
            expected = {"failed", "no", "key"}
        elif state is State.CREATED:
            expected = set()
        assert set(found(every_life, f"status:{state.value}")) == expected
    everything = {*State} - {State.CREATED, State.READY_TO_ENQUEUE} | {"other", "no", "key"}
    assert sorted(found(every_life, "")) == sorted(everything)
    assert sorted(found(every_life, "", length=2)) == sorted(everything)
    assert every_life.dump() == before


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("queue:high", ["key", "no"]),
        ("queue:none", []),
        ("func:shop.pay", ["key", "no", "other"]),
        ("func:PAY.N", ["other"]),
        ("func:x func:now", ["other"]),
        ("func:pay status:queued", ["other"]),
        ("pay queue:high", ["key", "no"]),
        ("no", ["no"]),
        ("no status:queued", ["other"]),
        ("id:no", ["no"]),
        ("id:no id:key id:none", ["no", "key"]),
        ("id:no queue:low", []),
        ("error:keyerror", ["key"]),
        ('error:"ValueError: no"', ["no"]),
        ("error:e queue:high", ["key", "no"]),
        ("error:none", []),
        ("cause:none", []),
        ("after:1h queue:high", []),
    ],
)
def test_jobs_are_found_by_what_they_are_like(life: Life, text: str, ids: list[str]) -> None:
    populate(life)
    assert found(life, text) == ids


def test_jobs_are_found_by_when_they_were_made(every_life: Life) -> None:
    life = every_life
    for day in range(1, 6):
        life.enqueue(f"{day}", created_at=datetime(2026, 3, day, 12, tzinfo=UTC))
    life.enqueue("now", created_at=datetime.now(UTC))
    assert found(life, "after:2026-03-04") == ["now", "5", "4"]
    assert found(life, "after:2026-03-02T12:00 before:2026-03-04") == ["3", "2"]
    assert found(life, "before:2026-03-01T13:00+01:00") == ["1"]
    assert found(life, "after:1h") == ["now"]
    assert len(found(life, "before:0s")) in (5, 6)
    assert len(found(life, "after:99999d")) == 6


def test_a_call_looks_at_a_bounded_number_and_says_how_far_it_came(life: Life) -> None:
    for number in range(0, 12_000, 200):
        life.enqueue(*(f"{n:05}" for n in range(number, number + 200)), description="a.b()")
    life.enqueue("last", description="shop.pay()")
    life.enqueue("first", at_front=["first"], description="shop.pay()")
    some = page(life, "func:pay")
    assert ([row.id for row in some.rows], some.looked_at, some.total) == (["last"], 5000, 12_002)
    some = page(life, "func:pay", some.cursor)
    assert (some.rows, some.looked_at, some.total) == ([], 10_000, 12_002)
    some = page(life, "func:pay", some.cursor)
    assert ([row.id for row in some.rows], some.looked_at, some.cursor) == (["first"], 12_002, "")
    assert len(page(life, "queue:q").rows) == search.PAGE
    assert page(life, "queue:q").looked_at == search.PAGE


def test_pages_show_each_job_once(life: Life) -> None:
    ids = [f"{n:03}" for n in range(250)]
    life.enqueue(*ids, description="a.b()")
    assert found(life, "status:queued", length=7) == ids[::-1]
    assert found(life, "b", length=120) == ids[::-1]


def test_a_description_of_somebodys_own_words_hides_no_function(life: Life) -> None:
    life.enqueue("a", description="Pay, please", data=b'["shop.pay", null, [], {}]')
    life.enqueue("b", description="shop.pay", data=b'["shop.pack", null, [], {}]')
    assert found(life, "func:shop.pay") == ["b", "a"]
    assert found(life, "func:shop.pack") == []


def test_a_place_that_is_gone_is_passed_over(life: Life) -> None:
    life.enqueue("a", "b", origin="one")
    life.enqueue("c", "d", origin="two")
    some = page(life, "status:queued", length=1)
    life.client.delete("rq:queue:one")
    assert [row.id for row in page(life, "status:queued", some.cursor).rows] == ["d", "c"]
    life.client.flushall()
    assert page(life, "status:queued", some.cursor).cursor == ""


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "[]",
        '["queued","q",1e300,0,0,0]',
        '["queued","q",0,0,0,NaN]',
        '["nowhere","q",0,0,0,0]',
        '["queued","q",-1,0,0,0]',
    ],
)
def test_what_is_no_cursor_is_refused(life: Life, cursor: str) -> None:
    with pytest.raises(InvalidOptionError, match="not a cursor"):
        page(life, "", cursor)


def test_keys_and_fields_of_another_kind_are_passed_over(every_life: Life) -> None:
    life = every_life
    life.enqueue("a", description="shop.pay()", created_at=datetime.now(UTC))
    life.client.set("rq:failed:q", "damaged")
    life.client.set("rq:job:x", "damaged")
    life.client.rpush("rq:queue:q", "x", b"\xff")
    life.enqueue("c", description="shop.pay()")
    life.client.hset("rq:job:c", mapping={"created_at": "soon", "status": "?"})
    assert found(life, "func:pay") == ["c", "a"]
    assert found(life, "func:pay after:1h") == ["a"]
    assert found(life, "status:failed") == []
    assert found(life, "id:x") == []


def test_an_error_is_searched_for_among_all_causes(life: Life) -> None:
    for number in range(300):
        life.client.zadd("rq:causes", {f"c{number}": number})
        life.client.zadd(f"rq:failed_of:c{number}", {f"j{number}": 1})
        told = {"error": f"E{number}", "message": "no"}
        life.client.hset(f"rq:cause:c{number}", mapping=told)
        life.client.hset(f"rq:job:j{number}", mapping={"status": "failed", "cause": f"c{number}"})
    assert found(life, "error:E7:") == ["j7"]
    assert found(life, "error:E299") == ["j299"]
    assert len(found(life, "error:no")) == 300
    assert found(life, "error:no cause:c5 cause:other") == ["j5"]
    assert found(life, "cause:c6") == ["j6"]
