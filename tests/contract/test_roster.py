"""Workers as people look at them."""

from __future__ import annotations

from tests.support.lives import Life
from workhorse.store import workers
from workhorse.store.roster import roster


def register(life: Life, name: str) -> None:
    fields = workers.describe_worker(
        queues=["q", "low"], pid=7, hostname="h", ip_address="::1", version="1",
        python_version="3.13", state="busy",
    )  # fmt: skip
    life.store.run(workers.register(life.keys, name, ["q"], fields, ttl=60))


def test_workers_are_seen_with_what_they_hold(every_life: Life) -> None:
    for name in ("w", "host-2", "gone"):
        register(every_life, name)
    every_life.client.hset("rq:worker:gone", "death", "2026-01-01T00:00:00.000000Z")
    every_life.enqueue("a", "b")
    first = every_life.claim_one()
    before = every_life.dump()
    found = every_life.store.run(roster(every_life.keys, ["host-2", "w", "gone", "none"]))
    assert [row.name for row in found] == ["host-2", "w"]
    other, worker = found
    assert (other.holds, other.held, other.supervisor) == (0, (), "host")
    assert (worker.queues, worker.pid, worker.is_ours) == (("q", "low"), 7, True)
    assert worker.seen_at is not None
    assert worker.held == ((first.job_id, first.execution_id),)
    assert every_life.dump() == before


def test_a_worker_of_rq_and_keys_of_other_kinds_are_seen(life: Life) -> None:
    life.client.hset("rq:worker:rq", mapping={"version": "2.6", "pid": "no", "state": "x" * 9999})
    life.client.set("rq:worker:text", "x")
    life.client.hset("rq:worker:odd", "state", b"\xff")
    life.client.set("rq:worker:odd:claim", "neither a token nor JSON, but long enough to be both")
    life.client.rpush("rq:worker:odd:executions", "x")
    ours, odd = life.store.run(roster(life.keys, ["rq", "text", "odd"]))
    assert (ours.is_ours, ours.pid, len(ours.state), ours.holds) == (False, None, 500, 0)
    assert (odd.state, odd.holds) == ("\\xff", 0)
