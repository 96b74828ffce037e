"""The auditor finds what is not in its place, and nothing else; and changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.lives import Life
from workhorse.core.outcomes import Returned
from workhorse.core.states import State
from workhorse.store import waiting, workers
from workhorse.store.audit import SCANNED, SLICE, audit
from workhorse.store.drivers import Store
from workhorse.store.findings import HOMES, Finding, Kind

Break = Callable[[Any], object]


def found(life: Life) -> list[Finding]:
    """Return the findings; the audit changes nothing."""
    before = life.dump()
    findings = audit(life.store, life.keys)
    assert life.dump() == before
    return findings


def kinds(life: Life) -> list[Kind]:
    return [finding.kind for finding in found(life)]


def test_an_empty_server_is_in_order(every_life: Life) -> None:
    assert found(every_life) == []


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_a_job_in_each_state_is_in_its_place(every_life: Life, state: State) -> None:
    every_life.in_state(state)
    assert found(every_life) == []


def test_every_state_has_a_home() -> None:
    assert set(HOMES) == set(State)


def test_a_worker_and_all_that_a_job_can_leave_is_in_order(every_life: Life) -> None:
    life = every_life
    life.store.run(workers.register(life.keys, "w", ["q"], ["state", "idle"], ttl=480))
    life.start("running", token="t")
    life.extend(life.start("shown"))
    life.enqueue("awaited")
    life.store.run(waiting.wait(life.keys, "awaited"))
    life.settle(life.claim_one(), Returned(b"1"))
    life.settle(life.start("brief"), Returned(b"1"), ttl=0)
    life.settle(life.start("kept", result_in=""), Returned(b"1"), ttl=-1)
    life.enqueue("deleted")
    life.delete("deleted")
    life.client.set("rq:suspended", 1)
    assert found(life) == []


def test_what_recover_and_sweep_take_away_later_is_in_order(every_life: Life) -> None:
    life = every_life
    life.extend(life.start("lapsed"), lease=-1)
    life.client.zadd("rq:wip:q", {"gone:e": 1})
    life.client.zadd("rq:finished:q", {"expired": 1})
    assert found(life) == []


BREAKS: dict[str, tuple[State | None, Break, Kind]] = {
    "no list": (State.QUEUED, lambda c: c.delete("rq:queue:q"), Kind.LOST),
    "no lease": (State.STARTED, lambda c: c.zrem("rq:wip:q", *c.zrange("rq:wip:q", 0, -1)),
                 Kind.LOST),
    "no schedule": (State.SCHEDULED, lambda c: c.delete("rq:scheduled:q"), Kind.LOST),
    "not deferred": (State.DEFERRED, lambda c: c.delete("rq:deferred:q"), Kind.LOST),
    "not ready": (State.READY_TO_ENQUEUE, lambda c: c.delete("rq:ready:q"), Kind.LOST),
    "not limited": (State.RATE_LIMITED, lambda c: c.delete("rq:rl:slots:rate_limited"),
                    Kind.LOST),
    "listed twice": (State.QUEUED, lambda c: c.rpush("rq:queue:q", "j"), Kind.TWICE),
    "listed on two queues": (State.QUEUED, lambda c: c.rpush("rq:queue:r", "j"), Kind.TWICE),
    "listed and scheduled": (State.SCHEDULED, lambda c: c.rpush("rq:queue:q", "j"), Kind.TWICE),
    "listed and leased": (State.STARTED, lambda c: c.rpush("rq:queue:q", "j"), Kind.TWICE),
    "listed and limited": (State.RATE_LIMITED, lambda c: c.rpush("rq:queue:q", "j"), Kind.TWICE),
    "leased twice": (State.STARTED, lambda c: c.zadd("rq:wip:q", {"j:other": 9e9}), Kind.TWICE),
    "finished and listed": (State.FINISHED, lambda c: c.rpush("rq:queue:q", "j"), Kind.TWICE),
    "finished and failed": (State.FINISHED, lambda c: c.zadd("rq:failed:q", {"j": 9e9}),
                            Kind.TWICE),
    "queued and leased": (State.QUEUED, lambda c: c.zadd("rq:wip:q", {"j:e": 9e9}), Kind.TWICE),
    "failed among the finished": (State.FINISHED, lambda c: c.hset("rq:job:j", "status", "failed"),
                                  Kind.MISPLACED),
    "queued among the canceled": (State.CANCELED, lambda c: c.hset("rq:job:j", "status", "queued"),
                                  Kind.MISPLACED),
    "another's lease": (State.STARTED, lambda c: (c.hset("rq:job:j", "execution_id", "other"),
                                                  c.delete("rq:executions:j")), Kind.UNFENCED),
    "a listed id": (None, lambda c: c.rpush("rq:queue:q", "j"), Kind.ORPHAN),
    "a leased id": (None, lambda c: c.zadd("rq:wip:q", {"j:e": 9e9}), Kind.ORPHAN),
    "a scheduled id": (None, lambda c: c.zadd("rq:scheduled:q", {"j": 1}), Kind.ORPHAN),
    "a canceled id": (None, lambda c: c.zadd("rq:canceled:q", {"j": 1}), Kind.ORPHAN),
    "a limited id": (None, lambda c: c.zadd("rq:rl:x:rate_limited", {"j": 1}), Kind.ORPHAN),
    "a place of nobody": (None, lambda c: c.zadd("rq:rl:x:allowed", {"j": 1}), Kind.ORPHAN),
    "a place that is not needed": (State.FINISHED, lambda c: c.zadd("rq:rl:x:allowed", {"j": 1}),
                                   Kind.MISPLACED),
    "a place while it waits for one": (State.RATE_LIMITED,
                                       lambda c: c.zadd("rq:rl:slots:allowed", {"j": 1}),
                                       Kind.MISPLACED),
    "no place while it is queued": (State.QUEUED,
                                    lambda c: c.hset("rq:job:j", "rate_limit_key", "slots"),
                                    Kind.UNCOUNTED),
    "no place while it runs": (State.STARTED,
                               lambda c: c.hset("rq:job:j", "rate_limit_key", "x:allowed"),
                               Kind.UNCOUNTED),
    "an id that is no text": (None, lambda c: c.rpush("rq:queue:q", b"\xff\x00"), Kind.ORPHAN),
    "a hash come back": (None, lambda c: c.hset("rq:job:j", "meta", "late"), Kind.LEFTOVER),
    "an end for ever": (State.STOPPED, lambda c: (c.persist("rq:job:j"), c.delete("rq:failed:q")),
                        Kind.LEFTOVER),
    "results of nobody": (None, lambda c: c.xadd("rq:results:j", {"type": 1}), Kind.LEFTOVER),
    "a key of nobody": (None, lambda c: c.set("rq:nonsense", 1), Kind.LEFTOVER),
    "a worker for ever": (None, lambda c: c.hset("rq:worker:w", "state", "idle"), Kind.LEFTOVER),
    "a key of another kind": (None, lambda c: c.set("rq:queue:q", 1), Kind.MISSHAPEN),
    "an unknown state": (State.QUEUED, lambda c: c.hset("rq:job:j", "status", "lost"),
                         Kind.MISSHAPEN),
    "a job that is a list": (None, lambda c: c.rpush("rq:job:j", 1), Kind.LEFTOVER),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_out_of_place_is_found(every_life: Life, name: str) -> None:
    state, break_it, kind = BREAKS[name]
    every_life.in_state(state)
    every_life.client.sadd("rq:queues", "rq:queue:q", "rq:queue:r")
    break_it(every_life.client)
    assert kinds(every_life) == [kind]


@pytest.mark.parametrize("key", ["mail", "mail:allowed", "é\n"])
def test_jobs_of_a_limit_are_in_order(every_life: Life, key: str) -> None:
    limit: dict[str, Any] = {"rate_limit_key": key, "rate_limit_concurrency": 2}
    every_life.enqueue("a", "b", "c", **limit)
    every_life.claim()
    assert found(every_life) == []


def test_jobs_of_a_queue_that_is_not_listed_are_found(every_life: Life) -> None:
    every_life.in_state(State.SCHEDULED)
    every_life.client.delete("rq:queues")
    assert [(f.kind, f.key) for f in found(every_life)] == [(Kind.UNLISTED, "rq:scheduled:q")]


def test_a_finding_names_the_job_and_says_why(life: Life) -> None:
    life.in_state(State.QUEUED)
    life.client.lpop("rq:queue:q")
    assert found(life) == [Finding(Kind.LOST, "rq:job:j", "j", "queued, and in no place")]


def test_a_job_that_an_rq_worker_runs_is_in_its_place(life: Life) -> None:
    """RQ writes no execution_id, and leaves ours from an earlier run as it is."""
    job = life.start()
    life.client.zrem("rq:wip:q", f"j:{job.execution_id}")
    life.client.zadd("rq:wip:q", {"j:theirs": 9e9})
    life.client.zadd("rq:executions:j", {"theirs": 9e9})
    life.client.expire("rq:executions:j", 60)
    assert found(life) == []


def test_a_job_that_an_rq_worker_is_about_to_start_is_in_its_place(life: Life) -> None:
    life.enqueue("j")
    life.client.lmove("rq:queue:q", "rq:queue:q:intermediate", "LEFT", "RIGHT")
    assert found(life) == []


def test_long_queues_are_read_in_slices(life: Life) -> None:
    ids = [f"j{number}" for number in range(2 * SCANNED + SLICE // 2)]
    life.enqueue(*ids)
    life.claim(30)
    assert found(life) == []
    life.client.lrem("rq:queue:q", 1, "j700")
    life.client.rpush("rq:queue:q", "j800")
    assert [(f.kind, f.id) for f in found(life)] == [(Kind.LOST, "j700"), (Kind.TWICE, "j800")]


def test_what_puts_itself_right_between_the_looks_is_not_told(life: Life) -> None:
    life.enqueue("j")
    life.client.lpop("rq:queue:q")
    findings = audit(life.store, life.keys, pause=lambda: life.client.rpush("rq:queue:q", "j"))
    assert findings == []


def test_an_audit_beside_running_workers_finds_nothing(life: Life) -> None:
    """Jobs move through all places while the auditor looks; no one moment shows them in two."""
    numbers = itertools.count()

    def work() -> None:
        number = next(numbers)
        life.enqueue(f"j{number}", at_front=[f"j{number}"])
        for job in life.claim(3).jobs:
            life.settle(job, Returned(b"1"))

    life.enqueue(*(f"first{number}" for number in range(500)))
    beside = Store(Beside(life.client, work))
    assert audit(beside, life.keys) == []
    assert next(numbers) > 10


class Beside:
    """A client beside which something happens before each command."""

    def __init__(self, client: Any, happen: Callable[[], None]) -> None:
        self._happen = happen
        self.pipeline = client.pipeline
        self._client = client

    def execute_command(self, *words: Any) -> Any:
        self._happen()
        return self._client.execute_command(*words)
