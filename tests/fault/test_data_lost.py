"""A server that lost some of its writes, and who mends what they leave: hypothesis chooses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from tests.support.faults import FULL
from tests.support.faults import Life as ProcessLife
from tests.support.lives import Life
from tests.support.waiting import wait_until
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.settings import RECONCILE_AFTER
from workhorse.core.states import ENDED, State
from workhorse.core.verdicts import judge
from workhorse.store import reconcile
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.store.findings import Kind
from workhorse.wire.claimed import Claimed
from workhorse.wire.records import FIELDS
from workhorse.worker.duties.duty import Duty
from workhorse.worker.duties.forward import Forward
from workhorse.worker.duties.reconcile import Reconcile
from workhorse.worker.duties.recover import Recover
from workhorse.worker.duties.sweep import Sweep

PROFILE = settings(
    max_examples=1000 if FULL else 40,
    derandomize=not FULL,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
STATES = [State.QUEUED, State.STARTED, State.SCHEDULED]
PLACES = (
    "rq:queue:*", "rq:wip:*", "rq:scheduled:*", "rq:executions:*", "rq:execution:*", "rq:bell:*",
    "rq:worker:*", "rq:queues",
)  # fmt: skip
"""What may be forgotten. Hashes may not: a job without one is deleted, and nobody knows it."""


@dataclass
class Populated:
    """A server with jobs in many states."""

    life: Life
    job_ids: list[str]
    held: list[Claimed]

    def entries(self) -> list[tuple[bytes, bytes]]:
        """Return all that can be forgotten: a key, and an entry in it."""
        found: list[tuple[bytes, bytes]] = []
        for pattern in PLACES:
            for key in sorted(self.life.client.scan_iter(pattern)):
                kind = self.life.client.type(key).decode()
                if kind == "list":
                    found += [(key, entry) for entry in self.life.client.lrange(key, 0, -1)]
                elif kind == "zset":
                    found += [(key, entry) for entry in self.life.client.zrange(key, 0, -1)]
                else:
                    found.append((key, b""))
        return found

    def forget(self, key: bytes, entry: bytes) -> None:
        kind = self.life.client.type(key).decode()
        if kind == "list":
            self.life.client.lrem(key, 1, entry)
        elif kind == "zset":
            self.life.client.zrem(key, entry)
        else:
            self.life.client.delete(key)


def populate(client: redis.Redis, states: list[tuple[State, bool]]) -> Populated:
    """Bring a job into each of *states*, on two queues; those held have an index where True."""
    client.flushall()
    life = Life(client)
    job_ids, held = [f"j{number}" for number in range(len(states))], list[Claimed]()
    waiting: list[str] = []
    for job_id, (state, is_shown) in zip(job_ids, states, strict=True):
        if state is State.QUEUED:
            waiting.append(job_id)
            continue
        life.enqueue(job_id, origin="r", retries_left=2, retry_intervals=(60,))
        job = life.claim(1, "r").jobs[0]
        if state is State.SCHEDULED:
            life.settle(job, judge(Raised("boom"), job.policy))
            continue
        held.append(job)
        if is_shown:
            life.extend(job)
    for job_id in waiting:
        life.enqueue(job_id, origin="q" if len(waiting) % 2 else "r")
    return Populated(life, job_ids, held)


def duties(life: Life, *, after: float = 0) -> list[Duty]:
    return [
        Reconcile(life.store, life.keys, after=after),
        Recover(life.store, life.keys),
        Forward(life.store, life.keys),
        Sweep(life.store, life.keys),
    ]


def run_to_the_end(populated: Populated, made: list[Duty]) -> None:
    """Let time pass: duties run, leases lapse, schedules come, workers finish what they claim."""
    life = populated.life
    for now in range(12):
        for duty in made:
            duty.run_once(now)
        _let_all_be_due(life)
        for job in life.claim(20, "q", "r").jobs if now % 2 else ():
            life.settle(job, Returned(b"1"))
        if all(life.state(job_id) in ENDED for job_id in populated.job_ids):
            break


def _let_all_be_due(life: Life) -> None:
    for pattern in ("rq:wip:*", "rq:scheduled:*", "rq:executions:*"):
        for key in [*life.client.scan_iter(pattern)]:
            life.client.zadd(key, dict.fromkeys(life.client.zrange(key, 0, -1), 1))


@pytest.fixture(scope="module")
def own_client(valkey_server: Any) -> Iterator[redis.Redis]:
    with valkey_server.client() as client:
        yield client


@PROFILE
@given(
    states=some.lists(
        some.tuples(some.sampled_from(STATES), some.booleans()), min_size=1, max_size=8
    ),
    data=some.data(),
)
def test_fault_25_whatever_is_forgotten_every_job_ends(
    own_client: redis.Redis, states: list[tuple[State, bool]], data: Any
) -> None:
    populated = populate(own_client, states)
    life = populated.life
    entries = populated.entries()
    for key, entry in data.draw(some.lists(some.sampled_from(entries), unique=True)):
        populated.forget(key, entry)
    made = duties(life)
    late = data.draw(some.lists(some.sampled_from(populated.held), unique_by=id)
                     if populated.held else some.just([]))  # fmt: skip
    if data.draw(some.booleans()):
        made[0].run_once(0)
        made[0].run_once(1)
    for job in late:  # its holder did not notice, and comes back
        life.settle(job, Returned(b"1"))
    run_to_the_end(populated, made)
    states_now = {job_id: life.state(job_id) for job_id in populated.job_ids}
    assert {state for state in states_now.values() if state not in ENDED} == set(), states_now
    assert audit(life.store, life.keys) == []


class KilledError(Exception):
    """The maintainer is dead."""


class MortalClient:
    """A client whose process dies at its n-th call, before or after the server had it."""

    def __init__(self, client: redis.Redis, calls: int, *, after: bool) -> None:
        self._client: Any = client
        self._left = calls
        self._after = after

    def execute_command(self, *words: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise KilledError
        reply = self._client.execute_command(*words)
        if self._left == 0:
            raise KilledError
        return reply

    def pipeline(self, transaction: bool = True) -> Any:  # noqa: FBT001, FBT002 - redis-py's
        return self._client.pipeline(transaction)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_fault_68_a_maintainer_may_die_at_any_of_its_calls(
    client: redis.Redis, *, after: bool
) -> None:
    for number in range(1, 30):
        states = [(state, False) for state in STATES for _ in range(2)]
        populated = populate(client, states)
        life = populated.life
        for key, entry in populated.entries():
            populated.forget(key, entry)
        store = Store(MortalClient(client, number, after=after))
        mortal = Reconcile(store, life.keys, after=0)
        survived = True
        try:
            for now in range(3):
                mortal.run_once(now)
        except KilledError:
            survived = False
        client.delete("rq:turn:reconcile")  # after some seconds
        heir = Reconcile(life.store, life.keys, after=0)
        for now in range(3):
            heir.run_once(now)
        assert audit(life.store, life.keys) == []
        assert len(life.waiting()) + len(life.waiting("r")) == 2
        if survived:
            assert number > 5
            return
    raise AssertionError("it made more calls than were looked at")


def test_fault_68_two_maintainers_at_once_put_each_job_back_once(client: redis.Redis) -> None:
    states = [(state, False) for state in STATES for _ in range(5)]
    populated = populate(client, states)
    life = populated.life
    for key, entry in populated.entries():
        populated.forget(key, entry)
    both = [Reconcile(life.store, life.keys, after=0) for _ in range(2)]
    told: list[str] = []
    for now in range(4):
        for maintainer in both:
            client.delete("rq:turn:reconcile")  # each believes that it is its turn
            told += maintainer.run_once(now).lines
    assert len(told) == len(states) + 2  # and two queues that were listed
    assert audit(life.store, life.keys) == []


VALUES = some.binary(max_size=12) | some.none() | some.sampled_from([b"queued", b"started", b"-1"])


@PROFILE
@given(state=some.sampled_from(STATES), field=some.sampled_from(sorted(FIELDS)), value=VALUES)
def test_fault_49_no_field_keeps_the_maintainer_from_other_jobs(
    own_client: redis.Redis, state: State, field: str, value: bytes | None
) -> None:
    populated = populate(own_client, [(state, False)])
    life = populated.life
    life.enqueue("good", origin="fine")
    for key, entry in populated.entries():
        populated.forget(key, entry)
    if value is None:
        life.client.hdel("rq:job:j0", field)
    else:
        life.client.hset("rq:job:j0", field, value)
    maintainer = Reconcile(life.store, life.keys, after=0)
    for now in range(3):
        maintainer.run_once(now)
    assert life.waiting("fine") == ["good"]
    left = audit(life.store, life.keys)
    assert {finding.kind for finding in left} <= {
        Kind.LOST, Kind.LEFTOVER, Kind.MISSHAPEN, Kind.UNCOUNTED,
    }  # fmt: skip
    assert all(finding.id == "j0" for finding in left)


@PROFILE
@given(
    kinds=some.lists(
        some.tuples(
            some.sampled_from(["rq:queue:q", "rq:wip:q", "rq:scheduled:q", "rq:executions:j0",
                               "rq:job:j0", "rq:queue:q:intermediate", "rq:finished:q"]),
            some.sampled_from(["string", "list", "set", "hash", "zset", "stream"]),
        ),
        unique_by=lambda pair: pair[0],
    )
)  # fmt: skip
def test_fault_49_no_key_keeps_the_maintainer_from_other_jobs(
    own_client: redis.Redis, kinds: list[tuple[str, str]]
) -> None:
    own_client.flushall()
    life = Life(own_client)
    life.enqueue("j0")
    life.start("j1")
    life.enqueue("good", origin="fine")
    life.client.delete("rq:queue:q", "rq:wip:q", "rq:queue:fine")
    makers: dict[str, Any] = {
        "string": lambda key: life.client.set(key, "x"),
        "list": lambda key: life.client.rpush(key, "x"),
        "set": lambda key: life.client.sadd(key, "x"),
        "hash": lambda key: life.client.hset(key, "x", "x"),
        "zset": lambda key: life.client.zadd(key, {"x": 1}),
        "stream": lambda key: life.client.xadd(key, {"x": "x"}),
    }
    for key, kind in kinds:
        life.client.delete(key)
        makers[kind](key)
    maintainer = Reconcile(life.store, life.keys, after=0)
    for now in range(3):
        maintainer.run_once(now)
    assert life.waiting("fine") == ["good"]
    _, ids = life.store.run(reconcile.job_ids(life.keys, b"0"))
    life.store.run(reconcile.mislaid(life.keys, ids))


# Real supervisors


def test_a_running_supervisor_lists_a_forgotten_queue_again(life: ProcessLife) -> None:
    life.enqueue("work", "j", origin="other")  # on which nobody works
    life.client.srem(life.keys.queues(), life.keys.queue("other"))
    supervisor = life.start()
    wait_until(lambda: life.client.sismember(life.keys.queues(), life.keys.queue("other")))
    wait_until(lambda: "other: has jobs and was not in the list of queues" in supervisor.log)
    assert supervisor.stop() == 0


@pytest.mark.timeout(150)
@pytest.mark.skipif(not FULL, reason="takes a minute: part of the full sweep")
def test_fault_25_running_supervisors_put_a_lost_job_back_and_run_it(life: ProcessLife) -> None:
    life.enqueue("work", "j")
    life.client.delete(life.keys.queue("q"))
    supervisors = [life.start(), life.start()]
    life.wait_for("j", within=RECONCILE_AFTER + 20)
    told = "q: queued job (j) was in no place: put back"
    assert sum(supervisor.log.count(told) for supervisor in supervisors) == 1
    assert [supervisor.stop() for supervisor in supervisors] == [0, 0]
    assert life.begun() == {"j": 1}
    life.assert_clean()


def test_the_workers_of_a_killed_supervisor_leave_the_lists(life: ProcessLife) -> None:
    names = (life.keys.workers(), life.keys.workers("q"))
    killed = life.start(processes=2)
    wait_until(lambda: all(life.client.scard(key) == 2 for key in names))
    killed.kill_all()
    for worker in life.client.smembers(names[0]):
        life.client.delete(worker)  # time passes
    life.drain()
    assert [life.client.smembers(key) for key in names] == [set(), set()]
