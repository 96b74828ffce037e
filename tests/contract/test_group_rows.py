"""Groups as people look at them."""

from __future__ import annotations

from tests.support.lives import Life
from workhorse.core.outcomes import Returned
from workhorse.store.group_rows import MOST, group_row, group_rows, some_members


def test_members_are_counted_by_their_states(every_life: Life) -> None:
    every_life.enqueue("a", "b", "c", group_id="g")
    every_life.settle(every_life.claim_one(), Returned(b""))
    every_life.client.sadd("rq:group:g", "gone")
    before = every_life.dump()
    row, none = every_life.store.run(group_rows(every_life.keys, ["g", "none"]))
    assert dict(row.states) == {"finished": 1, "queued": 2, "": 1}
    assert (row.total, row.counted, row.cursor) == (4, 4, b"0")
    assert (none.total, dict(none.states)) == (0, {})
    assert sorted(every_life.store.run(some_members(every_life.keys, "g", b"0")).ids) == [
        "a", "b", "c", "gone",
    ]  # fmt: skip
    assert every_life.dump() == before


def test_a_large_group_is_counted_in_part_and_one_of_another_kind_is_empty(life: Life) -> None:
    life.client.sadd("rq:group:large", *range(3 * MOST))
    life.client.set("rq:group:odd", "x")
    row = life.store.run(group_row(life.keys, "large"))
    assert row.total == 3 * MOST
    assert MOST <= row.counted < 2 * MOST
    assert sum(row.states.values()) == row.counted
    assert row.cursor != b"0"
    assert life.store.run(group_row(life.keys, "odd")).total == 0
