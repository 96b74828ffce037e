"""The two drivers: the same results, whatever gets lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.support.lives import Dump, Life, record, settlement
from tests.support.servers import RunningServer
from workhorse.core.errors import ConnectionChoiceError
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.verdicts import judge
from workhorse.store import jobs, recover, results, views
from workhorse.store.calls import Call, Operation, Plan, as_it_is, command
from workhorse.store.drivers import AsyncStore, Store
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys

KEYS = Keys()
TOKEN = "t" * 24


class OneLost:
    """A client that loses the request, or the reply, of one of the commands sent through it."""

    def __init__(self, client: redis.Redis, number: int, *, reply: bool) -> None:
        self.client: Any = client
        self.sent, self.number, self.reply = 0, number, reply

    def execute_command(self, *words: Any) -> Any:
        self.sent += 1
        if self.sent != self.number:
            return self.client.execute_command(*words)
        if self.reply:
            self.client.execute_command(*words)
        raise redis.ConnectionError("lost on purpose")

    def pipeline(self, transaction: bool = True) -> Any:  # noqa: FBT001, FBT002 - redis-py's signature
        return self.client.pipeline(transaction=transaction)


def run_stubbornly(store: Store, make: Callable[[], Operation[Any]]) -> Any:
    """Run an operation, and once more if its reply does not come."""
    try:
        return store.run(make())
    except redis.ConnectionError:
        return store.run(make())


def whole_life(store: Store) -> list[Any]:
    """Do to jobs what our processes and people do; return what is left to see."""

    def run(make: Callable[[], Operation[Any]]) -> Any:
        return run_stubbornly(store, make)

    new = [record(job_id, token=TOKEN, retries_left=1) for job_id in "abcde"]
    run(lambda: jobs.enqueue(KEYS, new))
    take: dict[str, Any] = {"worker": "w", "token": TOKEN, "count": 4, "lease": 60}
    claimed: list[Claimed] = run(lambda: jobs.claim(KEYS, ["q"], **take)).jobs
    a, b, c, d = claimed
    held = [jobs.Execution(job.job_id, job.execution_id, "q") for job in claimed]
    run(lambda: jobs.extend(KEYS, held, worker="w", lease=60))
    verdicts = [
        settlement(a, judge(Returned(b"42"))), settlement(b, judge(Raised("boom"), b.policy)),
    ]  # fmt: skip
    run(lambda: jobs.settle(KEYS, verdicts, worker="w", sent_at=10.0))
    run(lambda: jobs.release(KEYS, [held[2]], worker="w"))
    run(lambda: jobs.extend(KEYS, [held[3]], worker="w", lease=-1))
    run(lambda: recover.recover(KEYS, "q"))
    run(lambda: jobs.cancel(KEYS, "e"))
    run(lambda: jobs.requeue(KEYS, "e", at_front=True))
    run(lambda: jobs.delete(KEYS, ["e"]))
    assert (c.job_id, d.job_id) == ("c", "d")
    return [run(lambda: results.runs(KEYS, "a")), run(lambda: views.queue_ids(KEYS, "q"))]


TIMES = (
    b"enqueued_at", b"started_at", b"ended_at", b"last_heartbeat", b"created_at",
    b"execution_started_at", b"execution_ended_at",
)  # fmt: skip


def timeless(dump: Dump) -> dict[str, Any]:
    """Return a dump without what differs because time goes on."""
    return {key: (kind, _timeless(value)) for key, (kind, _, value) in dump.items()}


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: text for name, text in value.items() if name not in TIMES}
    if isinstance(value, list):
        return [_timeless(part[1] if isinstance(part[1], dict) else part[0])
                if isinstance(part, tuple) else part for part in value]  # fmt: skip
    return value


def commands_of_a_life(client: redis.Redis) -> int:
    counter = OneLost(client, 0, reply=True)
    whole_life(Store(counter))
    return counter.sent


@pytest.mark.parametrize("reply", [False, True], ids=["request", "reply"])
def test_whatever_is_lost_and_sent_again_the_end_is_the_same(
    client: redis.Redis, *, reply: bool
) -> None:
    commands = commands_of_a_life(client)
    expected = timeless(Life(client).dump())
    assert commands > 12
    for number in range(1, commands + 1):
        client.flushall()
        whole_life(Store(OneLost(client, number, reply=reply)))
        assert timeless(Life(client).dump()) == expected, f"command {number}"


@pytest.mark.parametrize("batched", [False, True], ids=["alone", "batched"])
def test_a_server_that_forgot_the_scripts_is_sent_them_again(
    every_life: Life, *, batched: bool
) -> None:
    every_life.client.script_flush()
    calls: list[Call[Any]] = [
        jobs.enqueue(KEYS, [record("j")]),
        jobs.claim(KEYS, ["q"], worker="w", token=TOKEN, count=1, lease=60),
    ]
    if batched:
        enqueued, claim = every_life.store.run_many(calls)
    else:
        enqueued, claim = (every_life.store.run(call) for call in calls)
    assert enqueued.refused == [""]
    assert [job.job_id for job in claim.jobs] == ["j"]


def test_a_batch_returns_results_in_its_order(life: Life) -> None:
    calls = [command("GETSET", "k", letter, parse=as_it_is) for letter in "ab"]
    assert life.store.run_many([*calls, views.queue_length(KEYS, "q")]) == [None, b"a", 0]
    assert life.store.run_many([]) == []
    assert life.store.run_many(calls[:1]) == [b"b"]


def test_a_call_that_fails_in_a_batch_raises_and_the_others_are_applied(life: Life) -> None:
    life.client.set("rq:queue:bad", "no list")
    calls: list[Call[Any]] = [views.queue_length(KEYS, "bad"), jobs.enqueue(KEYS, [record("j")])]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        life.store.run_many(calls)
    assert life.waiting() == ["j"]


def test_a_plan_thinks_between_its_calls(life: Life) -> None:
    def first_of(queue: str) -> Plan[int]:
        (job_id,) = yield from views.queue_ids(KEYS, queue, length=1)
        return (yield from views.queue_length(KEYS, job_id))

    life.enqueue("other")
    life.enqueue("j", origin="other")
    assert life.store.run(first_of("q")) == 1


@pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis], ids=["sync", "async"])
def test_a_client_that_decodes_replies_is_refused(kind: Any) -> None:
    with pytest.raises(ConnectionChoiceError, match="decode_responses"):
        (Store if kind is redis.Redis else AsyncStore)(kind(decode_responses=True))


def test_both_drivers_return_the_same(every_server: RunningServer) -> None:
    def life_of(job_id: str) -> list[Operation[Any]]:
        token = job_id * 24
        return [
            jobs.enqueue(KEYS, [record(job_id, token=token)]),
            jobs.claim(KEYS, ["q"], worker="w", token=token, count=1, lease=60),
            jobs.cancel(KEYS, job_id),
            results.runs(KEYS, job_id),
            recover.recover(KEYS, "q"),
            views.job(KEYS, job_id),
        ]

    with every_server.client() as client:
        client.script_flush()
        first = [Store(client).run(operation) for operation in life_of("j")]
        client.flushall()
        client.script_flush()
    second, batch = asyncio.run(run_async(every_server, life_of("j")))
    assert first[1] == second[1]
    assert first[2:5] == second[2:5]
    assert first[5].status == second[5].status
    assert batch == [0, True, 0]


async def run_async(server: RunningServer, operations: list[Operation[Any]]) -> tuple[Any, Any]:
    async with redis.asyncio.Redis(unix_socket_path=str(server.socket)) as client:
        store = AsyncStore(client)
        found = [await store.run(operation) for operation in operations]
        await client.script_flush()
        assert await store.run_many([]) == []
        assert await store.run_many([views.queue_length(KEYS, "q")]) == [0]
        enqueued = jobs.enqueue(KEYS, [record("late", token="l")])
        calls: list[Call[Any]] = [
            views.queue_length(KEYS, "q"), enqueued, views.queue_length(KEYS, "none"),
        ]  # fmt: skip
        length, stored, none = await store.run_many(calls)
        return found, [length, stored.refused == [""], none]
